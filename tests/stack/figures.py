"""Figures of these tests, shown after them: sizes, versions, seconds."""

from __future__ import annotations

FIGURES: list[str] = []


def note(text: str) -> None:
    """Keep a figure for the summary."""
    FIGURES.append(text)
    print(text, flush=True)
