"""All kinds of API responses that are tested, each with its expected outcome.

`python -m tests.malformed_responses` generates docs/malformed-responses.md from them.
"""

from collections.abc import Mapping

from tests.malformed_responses.bodies import ARRAYS, ENVELOPES, LINES, SIZES
from tests.malformed_responses.case import Case
from tests.malformed_responses.http import HEADERS, STATUSES
from tests.malformed_responses.names import NAMES
from tests.malformed_responses.paging import PAGING, TABLES
from tests.malformed_responses.signing_in import SIGNING_IN

CASES: Mapping[str, tuple[Case, ...]] = {
    "Statuses": STATUSES,
    "Headers": HEADERS,
    "Signing in": SIGNING_IN,
    "Arrays": ARRAYS,
    "NDJSON": LINES,
    "Envelopes": ENVELOPES,
    "Sizes": SIZES,
    "Paging": PAGING,
    "Names in every record": NAMES,
    "Two tables": TABLES,
}
