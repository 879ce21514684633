"""Every kind of answer an API has been thought to give, with what has to come of it.

`python -m tests.malformed_responses` writes docs/malformed-responses.md from it.
"""

from collections.abc import Mapping

from tests.malformed_responses.bodies import ARRAYS, ENVELOPES, LINES, SIZES
from tests.malformed_responses.case import Case
from tests.malformed_responses.http import HEADERS, STATUSES
from tests.malformed_responses.names import NAMES
from tests.malformed_responses.paging import PAGING, TABLES

CASES: Mapping[str, tuple[Case, ...]] = {
    "Statuses": STATUSES,
    "Headers": HEADERS,
    "Arrays": ARRAYS,
    "NDJSON": LINES,
    "Envelopes": ENVELOPES,
    "Sizes": SIZES,
    "Paging": PAGING,
    "Names in every record": NAMES,
    "Two tables": TABLES,
}
