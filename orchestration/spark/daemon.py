"""The process that forks the Python workers of Spark's tasks. Spark starts it: see `session._settings`.

Spark puts archives of its own before the installed packages, and makes Python forget before each task what the import
paths have. Python 3.11 then reads the directory of an archive again for each package that came from it: a second for a
task. pyspark is installed, so workers import it from there. They also take over what this process imports.
"""

from __future__ import annotations

import sys

_ARCHIVES = (".zip", ".jar")


def main() -> None:
    """Start workers as Spark asks for them."""
    sys.path[:] = [path for path in sys.path if not path.endswith(_ARCHIVES)]
    sys.path_importer_cache.clear()

    from pyspark.daemon import manager

    import orchestration.spark.rows
    import orchestration.spark.write  # noqa: F401 (what tasks need)

    manager()


if __name__ == "__main__":
    main()
