"""A new table as the options of `elt source add` and `elt new` describe it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from orchestration.dates import day_before, parse_execution_date
from orchestration.declare.arguments import auth_of, pairs_of
from orchestration.declare.draft import Wanted
from orchestration.declare.request import Asked, date_in, find_day, split_address


@dataclass(frozen=True)
class NewTable:
    """A table to draft from one answer.

    Attributes:
        wanted: What the user says of it.
        asked: The request, with placeholders for the day if it has any.
        sample: The saved answer; None to ask the API.
        date: The date to ask for; None, with a saved answer, for that of most of its records.
    """

    wanted: Wanted
    asked: Asked
    sample: Path | None = None
    date: str | None = None


@dataclass(frozen=True)
class TableOptions:
    """A new table, as the options of a command describe it.

    Attributes:
        url: The address of the API, or of one day's data.
        path: The path below it.
        sample: A saved answer.
        parameters: Request parameters, `name=value`.
        headers: Request headers, `name=value`.
        auth: The kind of authentication.
        records: Where the records are.
        key: The fields of the key, with commas.
        date: The day to ask for.
    """

    url: str = ""
    path: str = ""
    sample: Path | None = None
    parameters: Sequence[str] = ()
    headers: Sequence[str] = ()
    auth: str = ""
    records: str | None = None
    key: str = ""
    date: str | None = None

    def table(self, source: str, name: str) -> NewTable:
        """Return the table and the request that these options mean.

        Raises:
            UsageError: An option is not of its form.
        """
        base, path, parameters = split_address(self.url, self.path, list(self.parameters))
        day = self.date or date_in(path, parameters) or (None if self.sample else day_before(datetime.now(UTC)))
        day = parse_execution_date(day) if day else None
        named = tuple(name.strip() for name in self.key.split(",") if name.strip())
        headers = pairs_of("--header", self.headers)
        wanted = Wanted(source, name, headers, auth_of(self.auth), self.records, named)
        path = path if path != "/" else f"/{name}"
        asked = find_day(base, path, parameters, day) if day else Asked(base, path, parameters)
        return NewTable(wanted, asked, self.sample, day)
