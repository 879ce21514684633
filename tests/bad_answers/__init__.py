"""Every kind of answer an API has been thought to give, with what has to come of it.

`python -m tests.bad_answers` writes docs/bad-answers.md from it.
"""

from collections.abc import Mapping

from tests.bad_answers.bodies import ARRAYS, ENVELOPES, LINES, SIZES
from tests.bad_answers.case import Case
from tests.bad_answers.http import HEADERS, STATUSES
from tests.bad_answers.names import NAMES
from tests.bad_answers.paging import PAGING, TABLES

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
