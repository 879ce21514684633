"""Random branches, merged in any order through the real gate: it accepts exactly what keeps `main`'s invariant."""

import random
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress

import pytest

from orchestration.errors import Conflict, GateRefused, LakeNoChanges
from orchestration.lake import keys
from orchestration.lake.client import MAIN, Lake
from tests.helpers.gate_branches import audited_pages, commit, install_gate, md5, merge, page, receipt
from tests.helpers.invariant import Tree, violations

SEED = 20250520
SEQUENCES = 40
COVERED = {
    keys.date_receipt(date): (page(date, 1), page(date, 2), f"curated/events/date={date}/data.parquet")
    for date in ("2025-05-20", "2025-05-21")
} | {keys.MARTS_RECEIPT: ("marts/sales/data.parquet",)}
RECEIPTS = {"sound": 60, "kept": 8, "removed": 8, "shrunk": 8, "wrong": 8, "another's": 8, "failing": 4}
"""How often a branch treats the receipt of its changed keys in which way."""

Ending = Tree | type[Conflict | GateRefused]
"""The outcome of a merge: the tree of `main`, or a refusal."""


# The invariant itself.

PAGE, RECEIPT = COVERED[keys.date_receipt("2025-05-20")][0], keys.date_receipt("2025-05-20")
UNLISTED = f"{PAGE} is not listed in {RECEIPT}"


@pytest.mark.parametrize(
    ("tree", "body", "found"),
    [
        ({PAGE: "a", RECEIPT: "r", keys.GATE: "g"}, receipt({PAGE: "a"}), []),
        ({PAGE: "a"}, b"", [UNLISTED]),
        (
            {PAGE: "a", keys.MARTS_RECEIPT: "r"},
            receipt({PAGE: "a"}),
            [f"{keys.MARTS_RECEIPT} lists {PAGE}, which it does not cover", UNLISTED],
        ),
        (
            {PAGE: "a", RECEIPT: "r"},
            receipt({PAGE: "b"}),
            [f"{PAGE} has the checksum a, and {RECEIPT} lists b"],
        ),
        ({RECEIPT: "r"}, receipt({PAGE: "a"}), [f"{PAGE} is missing, and {RECEIPT} lists it"]),
        ({RECEIPT: "r"}, receipt({PAGE: None}), [f"{PAGE} is missing, and {RECEIPT} lists it"]),
        ({PAGE: "a", RECEIPT: "r"}, receipt({PAGE: None}), [f"{PAGE} has the checksum a, and {RECEIPT} lists None"]),
        ({RECEIPT: "r"}, receipt({}), [f"{RECEIPT} lists nothing"]),
        ({PAGE: "a", RECEIPT: "r"}, receipt({PAGE: "a"}, "fail"), [f"{RECEIPT} does not pass: its status is fail"]),
        (
            {"raw/x": "a", "_receipts/x": "b"},
            b"",
            ["_receipts/x is outside the trees of main", "raw/x is outside the trees of main"],
        ),
    ],
)
def test_the_invariant_names_each_kind_of_violation(tree: Tree, body: bytes, found: list[str]) -> None:
    assert violations(tree, lambda _: body) == found


# The expected results of lakeFS and the gate.


def three_way(base: Tree, main: Tree, source: Tree) -> dict[str, str] | None:
    """Returns the merged tree; None if both sides changed a key differently."""
    merged = {}
    for key in base.keys() | main.keys() | source.keys():
        was, here, there = base.get(key), main.get(key), source.get(key)
        if was != here != there != was:
            return None
        if checksum := there if here == was else here:
            merged[key] = checksum
    return merged


def expected(bodies: Mapping[str, bytes], base: Tree, main: Tree, source: Tree) -> Ending:
    """Returns the expected outcome of a merge; `bodies` has everything that was written, by checksum."""
    merged = three_way(base, main, source)
    if merged is None:
        return Conflict
    return GateRefused if violations(merged, lambda key: bodies[merged[key]]) else merged


# Random work.


def random_receipt(name: str, tree: Tree, kind: str, chance: random.Random) -> bytes | None:
    objects = {key: tree[key] for key in COVERED[name] if key in tree}
    if kind == "removed" or (kind == "sound" and not objects):
        return None
    if kind == "shrunk":
        objects = dict(list(objects.items())[1:])
    if kind == "wrong":
        objects[chance.choice(COVERED[name])] = md5(b"wrong")
    if kind == "another's":
        objects |= {key: tree[key] for other in COVERED if other != name for key in COVERED[other] if key in tree}
    return receipt(objects, "fail" if kind == "failing" else "pass", name=name)


def random_writes(tree: Tree, chance: random.Random) -> dict[str, bytes | None]:
    """Returns changes of keys of one receipt, mostly with a valid receipt; sometimes of a forbidden key.

    No two keys have equal contents: the result of lakeFS's merge would be unpredictable (see the last test).
    """
    name = chance.choice(list(COVERED))
    some = chance.sample(COVERED[name], chance.randint(1, min(2, len(COVERED[name]))))
    writes = {key: chance.choice((None, b"1" + key.encode(), b"2" + key.encode())) for key in some}
    if chance.random() < 0.03:
        writes["raw/stray"] = b"stray"
    kind = chance.choices(list(RECEIPTS), list(RECEIPTS.values()))[0]
    if kind != "kept":
        writes[name] = random_receipt(name, written(tree, writes), kind, chance)
    return writes


def written(tree: Tree, writes: Mapping[str, bytes | None]) -> dict[str, str]:
    kept = {key: checksum for key, checksum in tree.items() if key not in writes}
    return kept | {key: md5(body) for key, body in writes.items() if body is not None}


class Play:
    """One repository under random work; `endings` counts the outcomes of the merges."""

    def __init__(self, lake: Lake) -> None:
        self.lake = lake
        self.chance = random.Random(SEED)
        self.endings: Counter[str] = Counter()
        self.bodies: dict[str, bytes] = {}
        self.commits = [lake.head(MAIN)]

    def sequence(self, number: int) -> None:
        """Changes and merges three branches in turn."""
        story = [f"sequence {number} of seed {SEED}"]
        branches = [self.cut(f"{letter}-{number}") for letter in "abc"]
        turns = branches * 2
        self.chance.shuffle(turns)
        for turn, branch in enumerate(turns, 1):
            story.append(f"{branch} writes {self.change(branch)}")
            if turn == len(turns) or self.chance.random() < 0.6:
                story.append(f"{branch} is merged")
                self.merge(branch, "\n".join(story))

    def cut(self, name: str) -> str:
        """Merges a new branch of `main`, or of a recent commit of `main` or of any branch."""
        base = self.lake.head(MAIN) if self.chance.random() < 0.5 else self.chance.choice(self.commits[-12:])
        self.lake.create_branch(name, base)
        return name

    def change(self, branch: str) -> Mapping[str, bytes | None]:
        writes = random_writes(self.tree_of(branch), self.chance)
        self.lake.delete(branch, [key for key, body in writes.items() if body is None])
        for key, body in writes.items():
            if body is not None:
                self.lake.put(branch, key, body, keys.RAW_CONTENT_TYPE)
                self.bodies[md5(body)] = body
        return writes

    def merge(self, branch: str, story: str) -> None:
        with suppress(LakeNoChanges):
            self.commits.append(self.lake.commit(branch, "random", {}))
        source, before = self.lake.head(branch), self.lake.head(MAIN)
        trees = [self.tree_of(ref) for ref in (self.base_of(source), before, source)]
        ending = self.end(source)
        assert ending == expected(self.bodies, *trees), story
        if isinstance(ending, type):
            self.endings[ending.__name__] += 1
            assert self.lake.head(MAIN) == before, story
        else:
            self.endings["merged"] += 1
            assert violations(ending, self.read_main) == [], story
            self.commits.append(self.lake.head(MAIN))

    def end(self, source: str) -> Ending:
        try:
            self.lake.merge(source, "random", {})
        except (Conflict, GateRefused) as error:
            return type(error)
        except LakeNoChanges:
            pass
        return self.tree_of(MAIN)

    def base_of(self, source: str) -> str:
        import lakefs_sdk

        api = lakefs_sdk.RefsApi(self.lake.connection.sdk)
        found = self.lake.connection.call_with_retry(
            "merge base", api.find_merge_base, self.lake.repository, source, MAIN
        )
        return str(found.base_commit_id)

    def tree_of(self, ref: str) -> Tree:
        return {found.key: found.checksum for found in self.lake.objects(ref)}

    def read_main(self, key: str) -> bytes:
        body = self.lake.read(MAIN, key)
        assert body is not None
        return body


def test_random_merges_are_accepted_exactly_if_main_keeps_its_invariant(open_repository: Callable[..., Lake]) -> None:
    play = Play(install_gate(open_repository("sequences")))

    for number in range(SEQUENCES):
        play.sequence(number)

    assert min(play.endings["merged"], play.endings["GateRefused"]) > play.endings.total() / 5, play.endings
    assert play.endings["Conflict"] > 0


def test_the_gate_refuses_a_merge_in_which_lakefs_loses_a_key(open_repository: Callable[..., Lake]) -> None:
    """lakeFS takes a key that only `main` has for deleted where the next key of the base is so and has its contents."""
    lake = install_gate(open_repository("losing"))
    first, second, last = "2025-05-20", "2025-05-21", "2025-05-22"
    for date in (first, last):
        merge(lake, audited_pages(date, {1: b"[]"}))
    withdrawn = commit(lake, {page(last): None, keys.date_receipt(last): None})
    merge(lake, audited_pages(second, {1: b"[]"}))
    before = lake.head(MAIN)

    with pytest.raises(GateRefused, match=f"lists {page(second)}, which is missing or not as it was tested"):
        lake.merge(withdrawn, "withdraw the last date", {})

    assert lake.head(MAIN) == before


def test_lakefs_loses_only_keys_after_the_last_key_of_the_branch(open_repository: Callable[..., Lake]) -> None:
    """The same merge keeps the key if the branch has a later one: the error is in the handling of an exhausted side."""
    lake = install_gate(open_repository("keeping"))
    first, second, deleted, last = "2025-05-20", "2025-05-21", "2025-05-22", "2025-05-23"
    for date in (first, deleted, last):
        merge(lake, audited_pages(date, {1: b"[]"}))
    withdrawn = commit(lake, {page(deleted): None, keys.date_receipt(deleted): None})
    merge(lake, audited_pages(second, {1: b"[]"}))

    lake.merge(withdrawn, "withdraw a date before the last", {})

    raw = {stored.key for stored in lake.objects(MAIN, "raw/")}
    assert raw == {page(first), page(second), page(last)}
