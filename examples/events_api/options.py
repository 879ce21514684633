"""What one sample API is asked to be."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Literal

Form = Literal["array", "ndjson", "envelope"]
Paging = Literal["none", "page", "next_link", "cursor"]


@dataclass(frozen=True)
class Options:
    """One sample API.

    Attributes:
        rows: Events of each date.
        form: `array`, one JSON array; `ndjson`, one record a line; `envelope`, `{"data": [...]}`.
        paging: `none`, the day in one answer; `page`, by number; `next_link`, by a full URL; `cursor`, by a token.
        page_size: Records of a page.
        token: The bearer token to ask for; None asks for none.
        fault: A name in `faults.FAULTS`; None behaves.
        fault_path: The fault is on this path only, such as "/events".
        fault_date: The fault is on this date only.
        fault_page: The fault is on this page only, from 1.
        fault_times: The fault is on the first so many requests it could be on; None: on all.
        retry_after: What a 429 asks to wait, in seconds.
        delay: How long a slow answer pauses before it starts and after each chunk, in seconds.
    """

    rows: int = 1_000
    form: Form = "array"
    paging: Paging = "none"
    page_size: int = 500
    token: str | None = None
    fault: str | None = None
    fault_path: str | None = None
    fault_date: date | None = None
    fault_page: int | None = None
    fault_times: int | None = None
    retry_after: int = 1
    delay: float = 0.5

    def __post_init__(self) -> None:
        if self.rows < 0 or self.page_size < 1:
            raise ValueError(f"rows={self.rows} must be 0 or more, page_size={self.page_size} 1 or more")
