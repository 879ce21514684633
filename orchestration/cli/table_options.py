"""The options that describe a new table: of `elt source add` and `elt new`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Url = Annotated[str, typer.Option(help="The API's address; without --path, the complete address of one day's data.")]
PathBelow = Annotated[str, typer.Option(help="The path below --url or <SOURCE>_API_URL.")]
Sample = Annotated[
    Path | None, typer.Option(metavar="FILE", help="A saved answer, JSON or NDJSON; the API is not asked.")
]
Parameters = Annotated[
    list[str] | None, typer.Option(metavar="NAME=VALUE", help="A request parameter, such as since={start}.")
]
Headers = Annotated[list[str] | None, typer.Option(metavar="NAME=VALUE", help="A request header; no secrets.")]
Auth = Annotated[
    str, typer.Option(metavar="KIND", help="bearer, basic, header:NAME or query:NAME, with <SOURCE>_API_… set.")
]
Records = Annotated[str | None, typer.Option(metavar="PATH", help="Where the records are, such as data.items.")]
Key = Annotated[str, typer.Option(metavar="FIELDS", help="The fields that name a record, with commas.")]
Day = Annotated[str | None, typer.Option(help="The day to ask for, YYYY-MM-DD (default: yesterday).")]
Force = Annotated[bool, typer.Option("--force", help="Write even if dbt build fails on the sample.")]
