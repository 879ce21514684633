"""The places in a body where a path may lead, for SQL, which cannot look in one after the other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from orchestration.source.paths import Name, Step, parse_path

Place = tuple[str | int, ...]
"""Names and positions that lead to a value."""


def places_of(path: str) -> tuple[Place, ...]:
    """Return the places that a path in a body may mean, the first choice first; `$` is the whole body.

    Bare names in a row may be one name with dots: `a.b` is the name `a.b`, or else `b` in `a`. It is the order in which
    `orchestration.source.paths` looks.
    """
    return tuple(_places(parse_path(path)))


def _places(steps: Sequence[Step]) -> Iterator[Place]:
    if not steps:
        yield ()
        return
    if isinstance(steps[0], int):
        yield from ((steps[0], *rest) for rest in _places(steps[1:]))
        return
    run = 0
    while run < len(steps) and isinstance(step := steps[run], Name) and step.bare:
        run += 1
    for length in (run, *range(1, run)) if run else (1,):
        name = ".".join(step.text for step in steps[:length] if isinstance(step, Name))
        yield from ((name, *rest) for rest in _places(steps[length:]))
