"""Generates docs/malformed-responses.md."""

from tests.malformed_responses.doc import FILE, text

FILE.write_text(text(), encoding="utf-8")
