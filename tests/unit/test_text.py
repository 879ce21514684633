"""Foreign text: invisible characters are escaped, lengths bounded."""

from __future__ import annotations

import unicodedata

import pytest

from orchestration.text import (
    EXAMPLES,
    TEXT_LIMIT,
    examples,
    key_list,
    log_line,
    one_line,
    printable,
    quoted,
    shortened,
)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b]0;title\x07", r"\x1b]0;title\x07"),
        ("a\rb\x7f\x9b31m", r"a\rb\x7f\x9b31m"),
        ("line\n\ttab", "line\n\ttab"),
        ("\u202eevil\u2066\u200b\u00ad\ufeff", r"\u202eevil\u2066\u200b\xad\ufeff"),
        ("\u2028\u2029\x85", r"\u2028\u2029\x85"),
        ("\ud83d", r"\ud83d"),
        ("\u3164\ufe0f\u2800\U000e0101", r"\u3164\ufe0f\u2800\U000e0101"),
        ("Größe 日本 € 🙂", "Größe 日本 € 🙂"),
    ],
)
def test_hidden_characters_are_escaped(text: str, shown: str) -> None:
    assert printable(text) == shown


def test_no_control_or_format_character_of_unicode_is_left() -> None:
    shown = printable("".join(map(chr, (*range(0x20000), *range(0xE0000, 0xE0200)))))
    left = {unicodedata.category(sign) for sign in shown}
    assert left.isdisjoint({"Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
    assert {sign for sign in shown if unicodedata.category(sign) == "Cc"} == {"\n", "\t"}


def test_a_foreign_value_cannot_start_a_line() -> None:
    forged = "e1\n2026-01-01 | ERROR | all is lost\u2028\ttab"
    assert quoted(forged) == repr(forged)
    assert one_line(forged) == r"e1\n2026-01-01 | ERROR | all is lost\u2028\ttab"


def test_a_name_that_looks_right_shows_what_it_hides() -> None:
    assert quoted("\ufeffEvent ID") == r"'\ufeffEvent ID'"
    assert quoted("Event\u3164ID") == r"'Event\u3164ID'"
    assert quoted("Event\xa0ID") == r"'Event\xa0ID'"


@pytest.mark.parametrize("text", ["x" * 5_000_000, "\x1b" * 5_000_000, "\U000e0001" * TEXT_LIMIT])
def test_long_text_is_cut_and_says_so(text: str) -> None:
    assert len(quoted(text)) < 1_000
    assert len(one_line(text)) < 4_000
    assert "…" in quoted(text)
    assert "…" in one_line(text)
    assert len(shortened(text)) < TEXT_LIMIT + 100
    assert "(cut" in shortened(text)


def test_text_at_the_limit_is_whole() -> None:
    assert shortened("x" * TEXT_LIMIT) == "x" * TEXT_LIMIT


def test_only_a_few_of_many_examples_are_shown() -> None:
    assert examples(["a", "b"], 2) == "a, b"
    assert examples(map(str, range(490)), 490) == "0, 1, 2, 3, 4 and 485 more"
    assert EXAMPLES == 5


def test_further_lines_of_a_log_line_are_indented() -> None:
    assert log_line("dbt failed\n05:00:00 | ERROR | forged\r\x1b[2K") == (
        "dbt failed\n  05:00:00 | ERROR | forged\\r\\x1b[2K"
    )


def test_a_list_of_keys_is_short_and_on_one_line() -> None:
    assert key_list(["raw/a.json", "raw/\x1b\nmain: published"]) == r"raw/a.json, raw/\x1b\nmain: published"
    assert key_list([f"raw/{number}" for number in range(9)]).endswith("raw/4 and 4 more")
