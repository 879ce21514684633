"""`python -m orchestration` is `elt`."""

from orchestration.cli import main

main()
