"""A part of a declaration that was guessed, and why."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Guess:
    """One guess.

    Attributes:
        what: What it is about: `records`, `key`, or a column.
        value: What is declared.
        why: What in the answer suggests it.
    """

    what: str
    value: str
    why: str
