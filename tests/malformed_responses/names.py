"""Fields whose names differ from the declaration, in every record of a day."""

from __future__ import annotations

from orchestration.errors import DataFailed
from tests.malformed_responses.case import Case, Counts, answer, array, event, good

KEPT = "kept: branch etl-"


def _renamed(name: str, instead: str) -> Case:
    body = array(*good(3)).replace(b'"Event ID"', f'"{instead}"'.encode())
    says = (
        "transform: events_declared_fields_present: 1 failing rows",
        "field='Event ID', records_without_it=3",
        f"undeclared field {instead!r} in 3 of 3 records",
        KEPT,
    )
    counts = Counts(3, 0, rejected={"event_id_missing": 3}, drift={instead: 3})
    return Case(name, (answer(body),), DataFailed, says, counts)


NAMES = (
    _renamed("a declared field renamed", "Identifier"),
    _renamed("a declared field in another letter case", "event id"),
    _renamed("a declared field with a space at the end of its name", "Event ID "),
    _renamed("a declared field in snake_case", "event_id"),
    _renamed("a declared field with a byte order mark before its name", "\ufeffEvent ID"),
    Case(
        "no record has a declared field that is nullable",
        (answer(array(event("a", without="Country"), event("b", without="Country"))),),
        DataFailed,
        ("transform: events_declared_fields_present: 1 failing rows", "field='Country', records_without_it=2", KEPT),
        Counts(2, 2),
    ),
    Case(
        "records without any field",
        (answer("[{},{}]"),),
        DataFailed,
        ("events_declared_fields_present: 10 failing rows", "events rejected for event_id_missing: 2 of 2 rows", KEPT),
        Counts(2, 0, rejected={"event_id_missing": 2}),
    ),
)
