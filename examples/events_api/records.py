"""The shop's synthetic records. A row depends on nothing but its date and its number.

Any page of a day can therefore be made separately, all pages and forms agree, and a day of any size needs constant
memory. Records are JSON texts, ready to be framed.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date
from typing import NamedTuple

from examples.events_api import dirt
from examples.events_api.dirt import INVOICE_LINES


def events(day: date, start: int, stop: int, *, bad_prices: bool = False) -> Iterator[str]:
    """Yield rows `start` (from 0) to `stop` (exclusive) of a date's events, each as one JSON object.

    With `bad_prices`, one price in 25 is unusable.
    """
    today = _Day.of(day)
    for row in range(start, stop):
        line = row % INVOICE_LINES
        if not line or row == start:
            invoice = _invoice(today, row // INVOICE_LINES)
        # Only the first line of an invoice can be dirty, so the others are not checked.
        yield _line(invoice, line) if line else _sent(today, row, invoice, bad_prices)


def products(day: date, rows: int) -> list[str]:
    """Return the products of a date of `rows` events, each as one JSON object, in the order of their stock codes."""
    today = _Day.of(day)
    sold: set[str] = set()
    for row in range(rows):
        if dirt.is_repeat(row):
            continue
        invoice, line = divmod(row, INVOICE_LINES)
        sold.add(_product(_line_bits(_invoice(today, invoice), line)))
        if len(sold) == len(_CATALOGUE):
            break
    return [f"{{{product}}}" for product in sorted(sold)]


class _Day(NamedTuple):
    iso: str
    digits: str
    midnight: int
    seed: int

    @classmethod
    def of(cls, day: date) -> _Day:
        days = day.toordinal()
        midnight = (days - date(1970, 1, 1).toordinal()) * 86_400
        return cls(day.isoformat(), day.isoformat().replace("-", ""), midnight, days << 40)


class _Invoice(NamedTuple):
    """The data that an invoice's lines share.

    `head` and `tail` are fields as JSON text. `bits` is the source of the differences between the lines.
    """

    number: str
    head: str
    tail: str
    sign: str
    bits: int


def _invoice(day: _Day, index: int) -> _Invoice:
    bits = _mixed(day.seed + index)
    kind, letter, sign = ("sale", "", "") if bits & 31 else ("return", "C", "-")
    number = f"{letter}{day.digits}{index:06d}"
    timestamp = _timestamp(day, 6 * 3_600 + (bits >> 5 & 0xFFFFF) % (12 * 3_600), bits >> 25 & 31)
    customer = f'"{12_346 + (bits >> 33 & 4_095)}"' if bits >> 30 & 7 else "null"
    return _Invoice(
        number=number,
        head=f'"Event Type":"{kind}","Timestamp":{timestamp},"Invoice No":"{number}"',
        tail=f'"Customer ID":{customer},"Country":"{_COUNTRIES[bits >> 45 & 15]}"',
        sign=sign,
        bits=_mixed(bits) << 64 | _mixed(bits + 1),
    )


def _line_bits(invoice: _Invoice, line: int) -> int:
    return invoice.bits >> 24 * line


def _line(invoice: _Invoice, line: int, price_step: int = 0) -> str:
    bits = _line_bits(invoice, line)
    return (
        f'{{"Event ID":"{invoice.number}-{line + 1}",{invoice.head},{_product(bits)},'
        f'"Quantity":{invoice.sign}{1 + (bits >> 8 & 31)},"Price":"{_PRICES[(bits >> 13) + price_step & 511]}",'
        f"{invoice.tail}}}"
    )


def _sent(day: _Day, row: int, invoice: _Invoice, bad_prices: bool) -> str:
    """Return the first line of an invoice as the shop sends it.

    It may have a flaw, or be a repeat of the row before it.
    """
    if dirt.is_repeat(row):
        before = _invoice(day, row // INVOICE_LINES - 1)
        return _line(before, INVOICE_LINES - 1, price_step=row in dirt.CONFLICTING)
    event = _line(invoice, 0)
    for flaw in dirt.flaws(bad_prices=bad_prices):
        if row in flaw.rows:
            return json.dumps({**json.loads(event), flaw.field: flaw.value}, ensure_ascii=False, separators=(",", ":"))
    return event


def _mixed(number: int) -> int:
    """Return 64 bits that look random and depend only on the number."""
    number = number * 0x9E3779B97F4A7C15 & 0xFFFFFFFFFFFFFFFF
    number = (number ^ number >> 32) * 0xD6E8FEB86659FD93 & 0xFFFFFFFFFFFFFFFF
    return number ^ number >> 32


def _timestamp(day: _Day, second: int, style: int) -> str:
    """Return a second of the UTC day in one of 32 styles. The shop's hours keep local times on the same date."""
    if style == 30:
        return str(day.midnight + second)
    if style == 31:
        return str((day.midnight + second) * 1_000 + second % 1_000)
    suffix, minutes_ahead = _OFFSETS[style]
    minute, second = divmod(second + minutes_ahead * 60, 60)
    return f'"{day.iso}T{minute // 60:02d}:{minute % 60:02d}:{second:02d}{suffix}"'


_OFFSETS = (("Z", 0),) * 18 + (("+01:00", 60),) * 4 + (("-05:00", -300),) * 2 + (("+05:30", 330),) * 2 + (("", 0),) * 4


def _product(bits: int) -> str:
    return _CATALOGUE[bits & 255]


_COLOURS = ("RED", "BLUE", "GREEN", "IVORY", "PINK", "SILVER", "CREAM", "BLACK", "ANTIQUE", "RETROSPOT", "WOODEN")
_THINGS = (
    *("MUG", "LANTERN", "CAKE TIN", "TEA TOWEL", "ALARM CLOCK", "DOORMAT", "LUNCH BAG", "PARASOL", "PHOTO FRAME"),
    *("T-LIGHT HOLDER", "JAM JAR", "BUNTING", "APRON", "WATERING CAN", "NOTEBOOK", "PENCIL CASE", "COAT RACK"),
    *("CANDLE", "TRAY", "WREATH", "MIRROR", "BASKET", "KEY RING"),
)
_ODDITIES = (("POST", "POSTAGE"), ("00417", 'CAFÉ SIGN "OUVERT", 30 % LARGER'), ("22139", None))


def _catalogue() -> tuple[str, ...]:
    """Return 256 products as JSON text without braces.

    Some codes are not numbers, and some names have quotes, an accent or no value.
    """
    names = [f"{colour} {thing}" for colour in _COLOURS for thing in _THINGS]
    plain = ((f"{84_000 + place}{'' if place % 3 else 'A'}", name) for place, name in enumerate(names))
    return tuple(
        f'"Stock Code":"{code}","Description":{json.dumps(name, ensure_ascii=False)}'
        for code, name in (*_ODDITIES, *plain)
    )


_CATALOGUE = _catalogue()

# Strictly increasing from 0.29 to over 2,500, so that neighbours differ. One in nine is above 1,000.
_PRICES = tuple(f"{cents // 100:,}.{cents % 100:02d}" for cents in (29 + k + (k**8 >> 54) for k in range(512)))

_COUNTRIES = ("United Kingdom",) * 10 + ("France", "Germany", "Spain", "EIRE", "Norway", "Unspecified")
