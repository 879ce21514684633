"""Declarations of what to fetch: the dbt sources' YAML, read once and checked before anything is fetched.

A source table declares it under `config.meta`: `key`, the fields that identify a record; `earliest`, the timestamp
field that decides between rows of the same key; and `fetch`:

    fetch:
      path: /events                # below <SOURCE>_API_URL; a query in it is sent with every request
      date_parameter: date         # carries the execution date as YYYY-MM-DD
      form: array                  # array | ndjson | envelope: an object with the records in a list
      records: data                # envelope: the field that holds the list
      parameters: {per_page: 500}  # sent with every request
      headers: {User-Agent: us}    # the same as request headers; no secrets
      content_types: [text/plain]  # accepted in addition to JSON's own
      paging:
        style: page                # none | page | next_link | cursor
        parameter: page            # page, cursor: the request parameter
        first: 1                   # page: the first page's number
        next: next_page            # envelope: the field with the next page, link or cursor; null or "" ends
        absent: end                # next: its absence ends as well; by default that is an error
        next_header: X-Next-Cursor # the same in a response header; default of next_link: `Link`
        end_status: [404]          # page: a status that ends the pages, from the second page on
      total: meta.total            # envelope: the field with the number of all records; false: do not check
      failure_signs: false         # envelope: accept it even if it reports a failure

`loss_limit` is the share of a table's published rows that a later run of the same date may lose, by default 0.5; see
`orchestration.audit`.

Numbered pages without `next` and `next_header` end at two empty pages in a row, because a single empty page may be a
gap. After an empty page, 204, 400, 404, 410, 416 and 422 end them as well.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal
from urllib.parse import parse_qsl

import msgspec
import yaml

from orchestration.errors import UsageError
from orchestration.source.columns import (
    Column,
    InvalidColumns,
    key_problems,
    read_columns,
    rendered,
    require_known_keys,
)

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""libyaml if it is installed: more than ten times faster."""
_NAME = re.compile(r"[a-z0-9_]+")
_UNSENDABLE = re.compile(r"[\x00-\x1f\x7f#]")
_HEADER_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_HEADER_VALUE = re.compile(r"[!-~]+(?:[ \t]+[!-~]+)*")
_SECRET_HEADERS = frozenset({"authorization", "proxy-authorization", "cookie"})
_OWN_HEADERS = frozenset(
    {
        *("accept-encoding", "connection", "content-encoding", "content-length", "content-type", "expect", "host"),
        *("keep-alive", "range", "te", "trailer", "transfer-encoding", "upgrade"),
    }
)
"""Headers that change the framing of a response, select a part of it, or may suppress it."""

Form = Literal["array", "ndjson", "envelope"]


class Paging(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How an endpoint divides a date into pages."""

    style: Literal["none", "page", "next_link", "cursor"] = "none"
    parameter: str | None = None
    first: int = 1
    next: str | None = None
    next_header: str | None = None
    absent: Literal["error", "end"] = "error"
    end_status: tuple[int, ...] = ()

    @property
    def is_counted(self) -> bool:
        """Return whether pages are numbered and no field or header names the next one."""
        return self.style == "page" and not (self.next or self.next_header)


class Fetch(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How to request one date from one endpoint."""

    path: str
    date_parameter: str
    form: Form
    records: str | None = None
    parameters: Mapping[str, str | int] = {}
    headers: Mapping[str, str] = {}
    content_types: tuple[str, ...] = ()
    total: str | bool | None = None
    failure_signs: bool = True
    paging: Paging = Paging()


class _Meta(msgspec.Struct, frozen=True):
    """The fields that `config.meta` of a table may have. The data tests read the last three."""

    fetch: Fetch
    key: tuple[str, ...]
    earliest: str | None = None
    loss_limit: float = 0.5
    reject_limit: float = 0.01
    other_dates_limit: float = 0.5
    may_be_empty: bool = False


class Table(msgspec.Struct, frozen=True):
    """One table of a dbt source: an HTTP endpoint that is read one date at a time.

    Attributes:
        source: The dbt source.
        name: The table.
        description: The meaning of one record.
        fetch: How to request it.
        loss_limit: The share of its published rows that a later run of the date may lose.
        file: The YAML that declares it.
        columns: Its columns, in published order.
        key: The columns that identify a row.
        earliest: The column whose earliest timestamp decides between rows of the same key; None without one.
    """

    source: str
    name: str
    description: str
    fetch: Fetch
    loss_limit: float
    file: Path
    columns: tuple[Column, ...]
    key: tuple[Column, ...]
    earliest: Column | None

    @property
    def label(self) -> str:
        """Return `source.table`, the name in messages."""
        return f"{self.source}.{self.name}"


def read_tables(project_dir: Path) -> tuple[Table, ...]:
    """Return all source tables of the dbt project, in the order of their names.

    Raises:
        UsageError: A declaration is incomplete or invalid; the message names the file and the field.
    """
    tables = [table for file in sorted((project_dir / "models").rglob("*.yml")) for table in _tables_in(file)]
    if not tables:
        raise UsageError(
            f"no dbt source with a table in {project_dir / 'models'}",
            remedy="declare one like models/staging/shop/_shop__sources.yml",
        )
    return tuple(sorted(tables, key=lambda table: table.label))


def _tables_in(file: Path) -> Iterator[Table]:
    try:
        content = yaml.load(file.read_text(encoding="utf-8"), Loader=_LOADER) or {}  # noqa: S506 (both are safe)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UsageError(f"{file}: not YAML: {error}", remedy="correct the file") from None
    if not isinstance(content, dict):
        raise UsageError(f"{file}: not a YAML mapping, which dbt requires", remedy="correct the file")
    for source in content.get("sources") or ():
        for table in source.get("tables") or ():
            yield _table(file, str(source.get("name")), table)


def _table(file: Path, source: str, described: Mapping[str, Any]) -> Table:
    label = f"{source}.{described.get('name')}"
    for name in label.split(".", 1):
        if not _NAME.fullmatch(name):
            raise _wrong(file, label, f"name: {name!r} is not lower-case letters, digits and underscores")
    meta = (described.get("config") or {}).get("meta") or {}
    try:
        require_known_keys("config.meta", meta, _Meta.__struct_fields__)
        declared = msgspec.convert(meta, _Meta)
        columns = {column.field: column for column in read_columns(described.get("columns") or ())}
        key = tuple(map(rendered, declared.key))
        earliest = rendered(declared.earliest) if declared.earliest is not None else None
    except msgspec.ValidationError as error:
        raise _wrong(file, label, f"config.meta: {error}") from None
    except InvalidColumns as error:
        raise _wrong(file, label, str(error)) from None
    for problem in key_problems(tuple(columns.values()), key, earliest):
        raise _wrong(file, label, f"config.meta.{problem}")
    for name in ("loss_limit", "reject_limit", "other_dates_limit"):
        if not 0 <= (limit := getattr(declared, name)) <= 1:
            raise _wrong(file, label, f"config.meta.{name}: {limit} is not a share from 0 to 1")
    for problem in _problems(declared.fetch):
        raise _wrong(file, label, f"config.meta.fetch.{problem}")
    return Table(
        source=source,
        name=str(described["name"]),
        description=str(described.get("description") or ""),
        fetch=declared.fetch,
        loss_limit=declared.loss_limit,
        file=file,
        columns=tuple(columns.values()),
        key=tuple(columns[field] for field in key),
        earliest=columns[earliest] if earliest is not None else None,
    )


def _problems(fetch: Fetch) -> Iterator[str]:
    """Yield the problems that msgspec's types cannot express: fields that need or exclude each other."""
    paging = fetch.paging
    if not fetch.path.startswith("/"):
        yield f"path: {fetch.path!r} does not begin with '/'"
    if bad := _UNSENDABLE.search(fetch.path):
        yield f"path: {fetch.path!r} contains {bad[0]!r}, which cannot be sent; write it as '%{ord(bad[0]):02X}'"
    yield from _given_twice(fetch)
    yield from _wrong_headers(fetch.headers)
    if fetch.form == "envelope" and not fetch.records:
        yield "records: missing: form envelope needs the name of the list's field"
    if fetch.form != "envelope" and fetch.records:
        yield f"records: {fetch.records!r} applies to form envelope only"
    if fetch.form != "envelope" and paging.next:
        yield f"paging.next: {paging.next!r} is a field of an envelope; form {fetch.form} needs next_header"
    if fetch.form != "envelope" and isinstance(fetch.total, str):
        yield f"total: {fetch.total!r} is a field of an envelope; form {fetch.form} takes only false"
    if fetch.total is True or fetch.total == "":
        yield "total: names the field with the number of all records, or is false"
    if fetch.form != "envelope" and not fetch.failure_signs:
        yield "failure_signs: applies to form envelope only"
    if paging.absent == "end" and not paging.next:
        yield "paging.absent: applies to paging.next only"
    if paging.end_status and not paging.is_counted:
        yield "paging.end_status: applies only to style page without next and next_header"
    for status in paging.end_status:
        if not may_end_pages(status):
            yield f"paging.end_status: {status} cannot mean the end; allowed are 204 and a 4xx about the request"
    if paging.next and paging.next_header:
        yield "paging.next_header: conflicts with next; remove one of them"
    if paging.style in ("page", "cursor") and not paging.parameter:
        yield f"paging.parameter: missing: style {paging.style} sends it with every request"
    if paging.style == "cursor" and not (paging.next or paging.next_header):
        yield "paging.next: missing: style cursor needs next or next_header"
    if paging.style == "none" and paging != Paging():
        yield "paging.style: missing: the other fields of paging have no effect without it"


def may_end_pages(status: int) -> bool:
    """Return whether a status may mean that a page number is past the last page: 204, or a 4xx about the request."""
    return status == 204 or (400 <= status < 500 and status not in (401, 403, 407, 408, 425, 429))


def _given_twice(fetch: Fetch) -> Iterator[str]:
    """Yield request parameters that two fields set, because only one of them would take effect."""
    paging = fetch.paging
    given = {"date_parameter": [fetch.date_parameter], "parameters": list(fetch.parameters)}
    if paging.style in ("page", "cursor") and paging.parameter:
        given["paging.parameter"] = [paging.parameter]
    query = [name for name, _ in parse_qsl(fetch.path.partition("?")[2], keep_blank_values=True)]
    for name in query:
        for field, names in given.items():
            if name in names:
                yield f"path: its query gives {name!r}, and so does {field}; remove one of them"
    if fetch.date_parameter in fetch.parameters:
        yield f"parameters: gives {fetch.date_parameter!r}, which is the date_parameter; remove one of them"
    # The first request may need its own cursor, such as `*`.
    if paging.style == "page" and paging.parameter in fetch.parameters:
        yield f"parameters: gives {paging.parameter!r}, which is paging.parameter; paging.first sets the first page"
    if paging.style in ("page", "cursor") and paging.parameter == fetch.date_parameter:
        yield f"paging.parameter: {paging.parameter!r} is the date_parameter too"


def _wrong_headers(headers: Mapping[str, str]) -> Iterator[str]:
    names = [name.lower() for name in headers]
    for name, value in headers.items():
        if not _HEADER_NAME.fullmatch(name):
            yield f"headers: {name!r} is not a valid header name"
        elif name.lower() in _SECRET_HEADERS:
            yield f"headers: {name!r} carries a secret, which belongs in <SOURCE>_API_TOKEN"
        elif name.lower() in _OWN_HEADERS or name.lower().startswith(("if-", "proxy-")):
            yield f"headers: {name!r} cannot be set, since the fetch depends on it"
        elif not _HEADER_VALUE.fullmatch(value):
            yield f"headers.{name}: {value!r} is not a valid header value: printable ASCII without blanks around it"
        elif names.count(name.lower()) > 1:
            yield f"headers: {name!r} is given twice, in different letter cases"


def _wrong(file: Path, label: str, problem: str) -> UsageError:
    return UsageError(f"{file}: source {label}: {problem}", remedy="correct the file; CONTRIBUTING.md lists the fields")
