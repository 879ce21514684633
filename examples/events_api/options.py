"""Options of one sample API."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Literal

Form = Literal["array", "ndjson", "envelope"]
Paging = Literal["none", "page", "next_link", "cursor"]


@dataclass(frozen=True)
class Options:
    """Options of one sample API.

    Attributes:
        rows: Events of each date.
        form: `array`, one JSON array; `ndjson`, one record per line; `envelope`, `{"data": [...]}`.
        paging: `none`, the day in one response; `page`, by number; `next_link`, by a full URL; `cursor`, by a token.
        page_size: Records per page.
        token: The required bearer token; None requires none.
        fault: A name in `faults.FAULTS`; None for no fault.
        fault_path: Inject the fault on this path only, such as "/events".
        fault_date: Inject the fault on this date only.
        fault_page: Inject the fault on this page only, from 1.
        fault_times: Inject the fault into this many matching requests, then no more; None for all.
        retry_after: The wait that a 429 asks for, in seconds.
        delay: How long a slow response pauses before its start and after each chunk, in seconds.
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
