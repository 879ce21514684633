"""`python -m examples.events_api`: serve the sample API until it is stopped."""

from __future__ import annotations

import argparse
import sys
from contextlib import suppress
from datetime import date
from typing import get_args

from examples.events_api.app import create_app
from examples.events_api.faults import FAULTS
from examples.events_api.options import Form, Options, Paging
from examples.events_api.serve import address, listen, server


def _parser() -> argparse.ArgumentParser:
    faults = "\n".join(f"  {name:20}{fault.description}" for name, fault in FAULTS.items())
    parser = argparse.ArgumentParser(
        prog="python -m examples.events_api",
        description="Serve a sample of the shop's events API, with synthetic records, on 127.0.0.1.",
        epilog=f"faults:\n{faults}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    usual = Options()
    add = parser.add_argument
    add("--port", type=int, default=8900, help="0 selects a free one (8900)")
    add("--rows", type=int, default=usual.rows, help=f"events of each date ({usual.rows})")
    add("--form", choices=get_args(Form), default=usual.form, help=f"how records are sent ({usual.form})")
    add("--paging", choices=get_args(Paging), default=usual.paging, help=f"how a day is paginated ({usual.paging})")
    add("--page-size", type=int, default=usual.page_size, help=f"records per page ({usual.page_size})")
    add("--token", help="require this bearer token")
    add("--fault", choices=FAULTS, metavar="NAME", help="inject a fault; the faults are listed below")
    add("--fault-path", choices=("/events", "/products"), help="the fault is on this path only")
    add("--fault-date", type=date.fromisoformat, metavar="DATE", help="the fault is on this date only")
    add("--fault-page", type=int, metavar="N", help="the fault is on this page only, from 1")
    add("--fault-times", type=int, metavar="K", help="the fault is on the first K requests only")
    add("--retry-after", type=int, default=usual.retry_after, help=f"seconds a 429 asks for ({usual.retry_after})")
    add("--delay", type=float, default=usual.delay, help=f"seconds of each pause with fault slow ({usual.delay})")
    return parser


def main() -> None:
    """Serve until SIGTERM or Ctrl-C."""
    parser = _parser()
    arguments = vars(parser.parse_args())
    port = arguments.pop("port")
    try:
        options = Options(**arguments)
        listener = listen(port)
    except (ValueError, OverflowError) as wrong:
        parser.error(str(wrong))
    except OSError as taken:
        sys.exit(f"port {port}: {taken.strerror}")
    print(f"{address(listener)}/events?date={options.fault_date or date(2025, 5, 20)}", flush=True)
    with suppress(KeyboardInterrupt):
        server(create_app(options)).run([listener])


if __name__ == "__main__":
    main()
