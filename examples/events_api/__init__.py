"""A sample of the shop's events API, with synthetic records of any size and with faults on demand.

It implements what the source description in `models/staging/shop` declares, so that the pipeline can be demonstrated,
tested and measured without a real shop.

    from examples.events_api import Options, create_app, serving

    with serving(create_app(Options(rows=1_000, form="ndjson"))) as url:
        ...  # GET {url}/events?date=2025-05-20
"""

from examples.events_api.app import create_app
from examples.events_api.dirt import Accounting, accounting
from examples.events_api.faults import FAULTS
from examples.events_api.options import Options
from examples.events_api.serve import serving

__all__ = ["FAULTS", "Accounting", "Options", "accounting", "create_app", "serving"]
