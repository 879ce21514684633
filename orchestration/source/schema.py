"""What `config.meta` of a source table may say: how to fetch it, and which rows and days are acceptable.

The types and descriptions here are the only definition. They check the YAML, and the documentation and a JSON Schema
can be generated from them: `msgspec.json.schema(Meta)`. `orchestration.source.rules` has the rules between fields.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta as Says

from orchestration.source.rows import RowRules

Form = Literal["array", "ndjson", "envelope"]
Shape = Literal["objects", "arrays", "table", "values", "columns"]
Place = Literal["query", "body", "header"]
AtOnce = Annotated[int, Says(ge=1, le=20)]
Rate = Annotated[float, Says(gt=0)]
Positive = Annotated[int, Says(ge=1)]
Scalar = str | int | float | bool | None

Absent = Annotated[
    Literal["error", "end"],
    Says(description="What it means if `next`, or the flag `more` or `done`, is absent: an error, or the last page."),
]
More = Annotated[str | None, Says(description="The path of a flag; false means that the page is the last.")]
Done = Annotated[str | None, Says(description="The path of a flag; true means that the page is the last.")]
Next = Annotated[
    str | None,
    Says(
        description='The path of the next page, link or cursor; null, "", false, 0 and "0" mean that there is no other.'
    ),
]
NextHeader = Annotated[str | None, Says(description="The response header with the next page, link or cursor.")]
Where = Annotated[Place, Says(description="Where the request carries it; in a body, `parameter` is a path of names.")]
EndStatus = Annotated[
    tuple[int, ...], Says(description="Statuses, such as `[404]`, that end the pages from the second page on.")
]

_IN = {"in_": "in"}


class NoPaging(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag_field="style", tag="none"):
    """One page has the whole day."""


class PageNumbers(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag_field="style", tag="page", rename=_IN
):
    """Pages by number."""

    parameter: Annotated[str, Says(description="What the request calls the page number.")]
    in_: Where = "query"
    first: Annotated[int, Says(description="The number of the first page.")] = 1
    pages: Annotated[str | None, Says(description="The path of the number of pages, which ends them.")] = None
    pages_header: Annotated[str | None, Says(description="The response header with the number of pages.")] = None
    size: Annotated[Positive | None, Says(description="Records on a full page; needed to fetch pages at once.")] = None
    next: Next = None
    next_header: NextHeader = None
    absent: Absent = "error"
    more: More = None
    done: Done = None
    end_status: EndStatus = ()


class Offsets(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag_field="style", tag="offset", rename=_IN
):
    """Pages by the number of records before them."""

    parameter: Annotated[str, Says(description="What the request calls the offset.")]
    in_: Where = "query"
    first: Annotated[int, Says(description="The offset of the first record.")] = 0
    size: Annotated[
        Positive | None, Says(description="The step, as set under `parameters`; by default the records received.")
    ] = None
    absent: Absent = "error"
    more: More = None
    done: Done = None
    end_status: EndStatus = ()


class NextLinks(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag_field="style", tag="next_link"
):
    """Each page has the address of the next one, on the same origin."""

    next: Next = None
    next_header: Annotated[str | None, Says(description="The response header with the link; by default `Link`.")] = None
    absent: Absent = "error"
    more: More = None
    done: Done = None


class Cursors(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag_field="style", tag="cursor", rename=_IN
):
    """Each page has a cursor that asks for the next one."""

    parameter: Annotated[str, Says(description="What the request calls the cursor.")]
    in_: Where = "query"
    next: Next = None
    next_header: NextHeader = None
    absent: Absent = "error"
    more: More = None
    done: Done = None
    end_values: Annotated[
        tuple[str | int, ...], Says(description="Further cursors that mean no more, such as `[-1]`.")
    ] = ()
    first_only: Annotated[
        tuple[str, ...] | Literal["all"],
        Says(description="Parameters, or fields at the top of the body, that only the first request sends."),
    ] = ()


Paging = NoPaging | PageNumbers | Offsets | NextLinks | Cursors
Counted = PageNumbers | Offsets


class Bearer(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag_field="type", tag="bearer"):
    """`<SOURCE>_API_TOKEN` as a bearer token, which is also sent without `auth` if it is set."""


class Basic(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag_field="type", tag="basic"):
    """`<SOURCE>_API_USER` and `<SOURCE>_API_PASSWORD`; an empty password if that is not set."""


class KeyInHeader(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag_field="type", tag="header"
):
    """`<SOURCE>_API_TOKEN` in a request header."""

    name: Annotated[str, Says(description="The header, such as `X-Api-Key`.")]
    prefix: Annotated[str, Says(description="What comes before the token, such as `Token `.")] = ""


class KeyInQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag_field="type", tag="query"):
    """`<SOURCE>_API_TOKEN` in the query; messages never show it."""

    name: Annotated[str, Says(description="The request parameter, such as `api_key`.")]


class OAuth2(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag_field="type", tag="oauth2"):
    """A token for `<SOURCE>_API_CLIENT_ID` and `<SOURCE>_API_CLIENT_SECRET`, by client credentials."""

    token_url: Annotated[str, Says(description="Where to ask for the token: an address, or a path on the API's host.")]
    scope: Annotated[str, Says(description="The scopes to ask for, with spaces between them.")] = ""
    parameters: Annotated[
        Mapping[str, str], Says(description="Further fields of the request, such as `audience`.")
    ] = {}
    client: Annotated[
        Literal["basic", "body"], Says(description="Where the client's id and secret go: Basic auth, or the body.")
    ] = "basic"


Auth = Bearer | Basic | KeyInHeader | KeyInQuery | OAuth2


class Day(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a day is to the API."""

    zone: Annotated[str, Says(description="The time zone of the day, such as `Europe/Berlin`.")] = "UTC"
    end: Annotated[
        Literal["exclusive", "inclusive"],
        Says(description="Whether `{end}` is the next midnight, or the last second or millisecond before it."),
    ] = "exclusive"
    snapshot_age: Annotated[
        int,
        Says(ge=0, description="For a table without placeholders: the days after its date on which it may be fetched."),
    ] = 0


class Empty(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How the API says that there is no data. Such a page is landed as 0 bytes, which hold no record in any form."""

    status: Annotated[tuple[int, ...], Says(description="Statuses, such as `[204, 404]`.")] = ()
    body: Annotated[
        tuple[Any, ...], Says(description='Whole bodies, such as `[{}, null]`; `""` is a body without a byte.')
    ] = ()
    records: Annotated[
        tuple[Any, ...],
        Says(description="Values in place of the list, such as `[null]`; the word `absent` is a missing field."),
    ] = ()


class Fetch(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How to request one day from one endpoint."""

    path: Annotated[
        str, Says(description="The path below `<SOURCE>_API_URL`; a query in it is sent with every request.")
    ]
    form: Annotated[
        Form,
        Says(description="`array` of records, `ndjson`, or `envelope`: any JSON with the records at `records`."),
    ]
    records: Annotated[str | None, Says(description="envelope: the path of the records; `$` is the whole body.")] = None
    shape: Annotated[
        Shape,
        Says(
            description="What is there: a list of `objects` or of `arrays` in the order of the columns, a `table`, "
            "which is a list of lists whose first one has the names of the fields, an object whose `values` are the "
            "records, or an object of `columns`, with one list for each field."
        ),
    ] = "objects"
    method: Annotated[Literal["GET", "POST"], Says(description="The request's method.")] = "GET"
    parameters: Annotated[
        Mapping[str, str | int | float | bool], Says(description="Sent in the query of every request.")
    ] = {}
    body: Annotated[
        dict[str, Any] | None, Says(description="POST: the JSON object that is sent with every request.")
    ] = None
    headers: Annotated[Mapping[str, str], Says(description="Request headers, such as `User-Agent`; no secrets.")] = {}
    auth: Auth | None = None
    throttle: Annotated[Rate | None, Says(description="Requests a second at most, to this source with this value.")] = (
        None
    )
    concurrency: Annotated[
        AtOnce, Says(description="Pages to fetch at once, where the first one says how many there are.")
    ] = 1
    day: Day = Day()
    content_types: Annotated[
        tuple[str, ...], Says(description="Content types to accept in addition to those of JSON.")
    ] = ()
    charset: Annotated[
        str | None, Says(description="The character set of the bodies, whatever `Content-Type` says.")
    ] = None
    empty: Empty = Empty()
    expect: Annotated[
        Mapping[str, Scalar], Says(description="envelope: fields with the value that each page must have.")
    ] = {}
    failure_signs: Annotated[
        bool, Says(description="envelope: `false` accepts a page even if it reports a failure.")
    ] = True
    total: Annotated[
        str | bool | None,
        Says(description="The path of the number of all records; `false` checks no announcement."),
    ] = None
    total_header: Annotated[str | None, Says(description="The response header with the number of all records.")] = None
    paging: Paging = NoPaging()

    @property
    def reads_bodies(self) -> bool:
        """Return whether the fetch reads a page's JSON, so that the size of a page is limited."""
        paging = self.paging
        paths = (self.records, self.total, *(getattr(paging, name, None) for name in ("next", "more", "done", "pages")))
        return bool(self.form == "envelope" or any(paths) or self.counts_records)

    @property
    def counts_pages(self) -> bool:
        """Return whether pages are counted, and no field or header names the next one."""
        paging = self.paging
        return isinstance(paging, Offsets) or (
            isinstance(paging, PageNumbers) and not (paging.next or paging.next_header)
        )

    @property
    def ends_empty(self) -> bool:
        """Return whether empty pages end the pages, because nothing that is declared says where they end."""
        paging = self.paging
        has_end = any(getattr(paging, name, None) for name in ("pages", "pages_header", "more", "done"))
        return self.counts_pages and not has_end

    @property
    def counts_records(self) -> bool:
        """Return whether the next request depends on how many records came."""
        counts = isinstance(self.paging, Counted) and bool(self.total or self.total_header)
        return counts or (isinstance(self.paging, Offsets) and self.paging.size is None)


class SourceMeta(msgspec.Struct, frozen=True, kw_only=True):
    """The fields that `config.meta` of a source may have. They apply to all its tables."""

    lookback: Annotated[
        int,
        Says(
            ge=0,
            le=366,
            description="The number of earlier days that the nightly run asks for again: for an API that changes "
            "or adds records afterwards. Only days that are published.",
        ),
    ] = 0


class Meta(RowRules, frozen=True, kw_only=True):
    """The fields that `config.meta` of a source table may have."""

    fetch: Fetch
    loss_limit: Annotated[
        float,
        Says(
            description="The share of a table's published rows that a later run of the date may lose; "
            "`elt run DATE --force` overrides it."
        ),
    ] = 0.5
    reject_limit: Annotated[
        float, Says(description="The share of raw rows that may be rejected; more of them fail the date.")
    ] = 0.01
    other_dates_limit: Annotated[
        float, Says(description="The share of a table's timestamps that may be of other dates; 1 allows all.")
    ] = 0.5
    may_be_empty: Annotated[bool, Says(description="`true` allows a date without raw rows, which otherwise fails.")] = (
        False
    )
