"""A synthetic day of any size, made in advance and served from files, so that the source takes almost no time."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import yaml

from examples.events_api import records
from examples.events_api.forms import framed
from examples.events_api.options import Form

DAY = date(2025, 5, 20)


def fetched_as(form: Form, project: Path) -> Path:
    """Set the form in which the project's sources are fetched, and return the project."""
    file = project / "models/staging/shop/_shop__sources.yml"
    described = yaml.safe_load(file.read_text())
    for table in described["sources"][0]["tables"]:
        table["config"]["meta"]["fetch"]["form"] = form
        # Every date gets the rows of the same day.
        table["config"]["meta"]["other_dates_limit"] = 1
    file.write_text(yaml.safe_dump(described, sort_keys=False))
    return project


def write_day(rows: int, form: Form, folder: Path) -> int:
    """Write the bodies of both endpoints and return the size of the events' body in bytes."""
    bodies = {"events": records.events(DAY, 0, rows), "products": iter(records.products(DAY, rows))}
    for name, lines in bodies.items():
        with (folder / name).open("wb") as file:
            file.writelines(framed(form, lines, {}))
    return (folder / "events").stat().st_size


def write_pages(rows: int, page_size: int, folder: Path) -> int:
    """Write the events as envelopes of so many records, one file a page, and return the number of pages.

    The products are one page.
    """
    starts = range(0, rows, page_size)
    pages = len(starts)
    for number, start in enumerate(starts, 1):
        body = framed(
            "envelope",
            records.events(DAY, start, min(start + page_size, rows)),
            {"next_page": number + 1 if number < pages else None},
        )
        (folder / f"events-{number}").write_bytes(b"".join(body))
    (folder / "products-1").write_bytes(
        b"".join(framed("envelope", iter(records.products(DAY, rows)), {"next_page": None}))
    )
    return pages


@contextmanager
def serving(folder: Path, media_type: str) -> Iterator[str]:
    """Serve the same bodies for any date and yield the base URL. Of several pages, page 1 is the default."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked = urlsplit(self.path)
            path = folder / asked.path.strip("/")
            if not path.exists():
                path = path.with_name(f"{path.name}-{parse_qs(asked.query).get('page', ['1'])[0]}")
            self.send_response(200)
            self.send_header("Content-Type", media_type)
            self.send_header("Content-Length", str(path.stat().st_size))
            self.end_headers()
            self.wfile.flush()
            with path.open("rb") as file:
                self.connection.sendfile(file)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
