"""Writes docs/bad-answers.md."""

from tests.bad_answers.doc import FILE, text

FILE.write_text(text(), encoding="utf-8")
