"""Clients and records of the sample API."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from typing import Any

import httpx

from examples.events_api import records
from examples.events_api.options import Form, Paging

DAY = date(2025, 5, 20)


FIELDS = [
    *("Event ID", "Event Type", "Timestamp", "Invoice No", "Stock Code", "Description", "Quantity", "Price"),
    *("Customer ID", "Country"),
]


Record = dict[str, Any]


class Api:
    def __init__(self, client: httpx.Client, prefix: str) -> None:
        self.client = client
        self.prefix = prefix

    def get(self, path: str = "/events", *, day: str = "2025-05-20", token: str = "", **params: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return self.client.get(f"{self.prefix}{path}", params={"date": day, **params}, headers=headers)

    def pages(self, paging: Paging, form: Form, path: str = "/events", limit: int = 100) -> list[list[Record]]:
        """The records of every page, as a client that follows the paging reads them."""
        found = []
        answer = self.get(path)
        for number in range(2, limit + 2):
            found.append(parsed(answer.content, form))
            if paging == "none":
                break
            following: Any
            if paging == "page":
                following = answer.json()["next_page"] if form == "envelope" else number if found[-1] else None
            elif paging == "next_link":
                following = answer.json()["next"] if form == "envelope" else answer.links.get("next", {}).get("url")
            else:
                following = answer.json()["next_cursor"] if form == "envelope" else answer.headers.get("X-Next-Cursor")
            if following is None:
                break
            answer = self.client.get(following) if paging == "next_link" else self.get(path, **{str(paging): following})
            assert answer.status_code == 200
        return found


def parsed(body: bytes, form: Form) -> list[Record]:
    if form == "ndjson":
        return [json.loads(line) for line in body.splitlines()]
    found: list[Record] = json.loads(body)["data"] if form == "envelope" else json.loads(body)
    return found


def made(rows: int, start: int = 0, *, day: date = DAY, bad_prices: bool = False) -> list[Record]:
    return [json.loads(text) for text in records.events(day, start, rows, bad_prices=bad_prices)]


def cleaned(event: Record) -> tuple[Record, str | None]:
    """A cleaned event and its reject reason, if any; implemented independently of the code under test."""
    clean = dict(event)
    if not (event["Event ID"] or "").strip():
        return clean | {"Timestamp": None}, "event_id_missing"
    try:
        clean["Price"] = float(event["Price"].replace(",", ""))
    except ValueError:
        return clean | {"Timestamp": None}, "price_not_numeric"
    at = event["Timestamp"]
    try:
        if isinstance(at, int):
            clean["Timestamp"] = datetime.fromtimestamp(at / 1_000 if at >= 10**11 else at, UTC)
        else:
            moment = datetime.fromisoformat(at)
            clean["Timestamp"] = moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except ValueError:
        return clean | {"Timestamp": None}, "timestamp_unparseable"
    return clean, None
