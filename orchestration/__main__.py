"""Entry point of `elt`, also as `python -m orchestration`."""

from __future__ import annotations

import json
import sys
from typing import NoReturn


def main() -> NoReturn:
    """Run `elt`. Ctrl-C during the imports ends it in the same way as later."""
    try:
        from orchestration.cli.app import main as elt
    except KeyboardInterrupt:
        from orchestration.errors import Cancelled

        error = Cancelled("interrupted during start-up, nothing was changed")
        print(f"{error.outcome}: {error.describe()}", file=sys.stderr)
        if "--json" in sys.argv:
            print(json.dumps(error.parts()))
        sys.exit(error.exit_code)
    elt()


if __name__ == "__main__":
    main()
