"""Housekeeping: remove what dead runs and unused sandboxes left, report what is stored, then audit `main`."""

OLDER_THAN = 7
"""The default age in days at which the branch of a failed run is removed."""

UNUSED = 30
"""The default number of days without a use after which a sandbox gets a warning."""
