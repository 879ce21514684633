"""What the lake stores: bytes on `main` by table and by date, bytes of each branch, and what only old commits hold.

Neighbouring commits of `main` are compared one by one, so the cost grows with the number of commits and not with the
number of objects. An upload is known by its key, checksum and time: bytes that were copied count twice, as they are
stored, and a tree that was put back by its id counts once. Uploads that never were in a commit are not counted.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import takewhile

from orchestration.housekeeping.facts import BranchFacts, History
from orchestration.lake.client import MAIN, Lake
from orchestration.lake.listed import LakeCommit
from orchestration.lake.stored import StoredObject, objects_only_in, stored_objects

_COMPARED_AT_ONCE = 8
_DATE = "date="


@dataclass(frozen=True)
class Stored:
    """What is stored of `main`, of one table or date on it, or of a branch beside what its commit of `main` has.

    Attributes:
        name: `main` or the branch, the date, or the folder of the table, such as `curated/readings`.
        objects: The number of objects at the head, including uncommitted ones of a branch.
        bytes: Their bytes.
        old_objects: The number of objects that only old commits hold.
        old_bytes: Their bytes.
    """

    name: str
    objects: int
    bytes: int
    old_objects: int
    old_bytes: int


@dataclass(frozen=True)
class Storage:
    """What the lake stores.

    Attributes:
        commit: The head of `main`.
        commits: The number of commits of `main`.
        total: All of `main`.
        tables: Each table, by its folder.
        dates: Each date.
        branches: Each branch beside `main`.
    """

    commit: str
    commits: int
    total: Stored
    tables: tuple[Stored, ...]
    dates: tuple[Stored, ...]
    branches: tuple[Stored, ...]


def measure_storage(lake: Lake, history: History, branches: Iterable[BranchFacts]) -> Storage:
    """Return what the lake stores for `main` and the given branches."""
    head = history.commits[0].id
    now = frozenset(stored_objects(lake, head))
    old = frozenset(_replaced(lake, history.commits)) - now
    return Storage(
        head,
        len(history.commits),
        _sum(MAIN, now, old),
        tuple(_sums(now, old, _folder)),
        tuple(one for one in _sums(now, old, _date) if one.name),
        tuple(_on_branch(lake, facts) for facts in branches),
    )


def _replaced(lake: Lake, commits: Iterable[LakeCommit]) -> Iterator[StoredObject]:
    """Yield the objects that each commit replaced or removed."""

    def compare(commit: LakeCommit) -> tuple[StoredObject, ...]:
        return tuple(objects_only_in(lake, commit.parents[0], commit.id)) if commit.parents else ()

    with ThreadPoolExecutor(_COMPARED_AT_ONCE) as pool:
        for found in pool.map(compare, commits):
            yield from found


def _on_branch(lake: Lake, facts: BranchFacts) -> Stored:
    uploads = frozenset(facts.uploads)
    if facts.merged:
        return _sum(facts.name, uploads, ())
    overwritten = set(facts.uncommitted)
    committed = frozenset(objects_only_in(lake, facts.head.id, facts.base))
    now = uploads | {stored for stored in committed if stored.key not in overwritten}
    of_main = frozenset(objects_only_in(lake, facts.base, facts.head.id))
    old = (committed | frozenset(_replaced(lake, facts.commits[:-1]))) - now - of_main
    return _sum(facts.name, now, old)


def _sums(now: frozenset[StoredObject], old: frozenset[StoredObject], group: Callable[[str], str]) -> Iterator[Stored]:
    """Yield what is stored of each group of keys, by the group's name."""
    groups: dict[str, tuple[set[StoredObject], set[StoredObject]]] = {}
    for side, objects in enumerate((now, old)):
        for stored in objects:
            groups.setdefault(group(stored.key), (set(), set()))[side].add(stored)
    return (_sum(name, *groups[name]) for name in sorted(groups))


def _sum(name: str, now: Collection[StoredObject], old: Collection[StoredObject]) -> Stored:
    return Stored(name, len(now), _bytes(now), len(old), _bytes(old))


def _bytes(objects: Iterable[StoredObject]) -> int:
    return sum(stored.bytes for stored in objects)


def _folder(key: str) -> str:
    """Return the folder of a key's table: the part before the date or, without a date, before the file."""
    folders = key.split("/")[:-1]
    return "/".join(takewhile(lambda name: not name.startswith(_DATE), folders))


def _date(key: str) -> str:
    """Return the date that a key belongs to; empty if it belongs to none."""
    part = next((name for name in key.split("/") if name.startswith(_DATE)), "")
    return part.removeprefix(_DATE).removesuffix(".json")
