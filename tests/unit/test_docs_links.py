"""Links between documents, references from code to documents, and tests that documents name, exist."""

import re
import subprocess
from functools import cache
from pathlib import Path

from orchestration.settings import PROJECT_DIR

_FENCE = re.compile(r"^( *)```.*?^\1```", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_REFERENCE = re.compile(r"\bdocs/[\w/-]+\.md(?:#[\w-]+)?")
_TEST = re.compile(r"`([\w/]+\.py)::(\w+)`")


def tracked(*patterns: str) -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "-z", *patterns], cwd=PROJECT_DIR, check=True, capture_output=True, text=True
    ).stdout
    return [PROJECT_DIR / name for name in listed.split("\0") if name and (PROJECT_DIR / name).exists()]


@cache
def anchors(page: Path) -> frozenset[str]:
    """Return the anchors that GitHub gives the headings of a page."""
    headings = re.findall(r"^#+ (.+)$", _FENCE.sub("", page.read_text(encoding="utf-8")), re.MULTILINE)
    found: list[str] = []
    for heading in headings:
        text = _LINK.sub("]", heading).lower()
        anchor = re.sub(r"[^\w -]", "", text).replace(" ", "-")
        found.append(anchor if anchor not in found else f"{anchor}-{found.count(anchor)}")
    return frozenset(found)


def is_resolved(target: str, page: Path, folder: Path) -> bool:
    path, _, anchor = target.partition("#")
    found = (folder / path).resolve() if path else page
    return found.exists() and (not anchor or anchor in anchors(found))


def test_every_relative_link_of_a_document_resolves() -> None:
    links = [
        (page, target)
        for page in tracked("*.md")
        for target in _LINK.findall(_FENCE.sub("", page.read_text(encoding="utf-8")))
        # `?…` and `#!…` are addresses within the page of the dbt docs.
        if not target.startswith(("http://", "https://", "?", "#!"))
    ]

    assert len(links) > 50
    assert [
        f"{page.relative_to(PROJECT_DIR)}: {target}"
        for page, target in links
        if not is_resolved(target, page, page.parent)
    ] == []


def test_every_reference_from_code_to_a_document_resolves() -> None:
    references = [
        (file, target)
        for file in tracked("*.py", "*.sql", "*.yml", "*.yaml", "*.toml", "Makefile")
        for target in _REFERENCE.findall(file.read_text(encoding="utf-8"))
    ]

    assert (PROJECT_DIR / "orchestration/errors.py", "docs/design.md#outcomes-and-exit-codes") in references
    assert [
        f"{file.relative_to(PROJECT_DIR)}: {target}"
        for file, target in references
        if not is_resolved(target, file, PROJECT_DIR)
    ] == []


def has_test(file: str, name: str) -> bool:
    path = PROJECT_DIR / "tests" / file
    return path.is_file() and f"\ndef {name}(" in path.read_text(encoding="utf-8")


def test_every_test_that_a_document_names_exists() -> None:
    named = {found for page in tracked("*.md") for found in _TEST.findall(page.read_text(encoding="utf-8"))}

    assert len(named) > 30
    assert [f"{file}::{name}" for file, name in sorted(named) if not has_test(file, name)] == []
    assert not has_test("unit/test_docs_links.py", "test_that_was_renamed")
    assert not has_test("unit/test_no_such_file.py", "test_every_test_that_a_document_names_exists")


def test_a_missing_file_or_heading_is_not_resolved() -> None:
    page = PROJECT_DIR / "docs" / "design.md"

    assert is_resolved("#gate", page, page.parent)
    assert not is_resolved("#no-such-heading", page, page.parent)
    assert not is_resolved("no-such-page.md", page, page.parent)
    assert not is_resolved("operations.md#no-such-heading", page, page.parent)
