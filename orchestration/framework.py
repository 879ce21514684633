"""The part of this package that dbt reads: the macros and generic tests that every project uses.

They are parsed as macros of the project itself, from a macro path outside its folder, so no project copies them and no
`dbt deps` is needed: docs/decisions/0006-macros-from-the-package.md.
"""

from __future__ import annotations

import os
from pathlib import Path

MACROS_VARIABLE = "INGEST_CLEAN_MACROS"
"""The environment variable that `macro-paths` in dbt_project.yml reads. The commands of `elt` set it themselves."""


def macro_path() -> Path:
    """Return the folder of the framework's macros: that of INGEST_CLEAN_MACROS, else the one in this package."""
    return Path(os.environ.get(MACROS_VARIABLE) or Path(__file__).with_name("dbt") / "ingest_clean" / "macros")
