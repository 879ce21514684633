"""The framework's SQL rules outside of dbt: its macros, rendered for one statement of DuckDB.

The types of an answer's fields are found with the grammars of the models, not with a second version of them.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from jinja2 import Environment, StrictUndefined, pass_context
from jinja2.runtime import Context

from orchestration.framework import macro_path

_FOLDERS = ("sql", "rows", "raw")


class Macros:
    """The macros that read and convert records."""

    def __init__(self) -> None:
        files = (file for folder in _FOLDERS for file in sorted((macro_path() / folder).glob("*.sql")))
        self._environment = _environment("\n".join(file.read_text(encoding="utf-8") for file in files))

    def render(self, statement: str, **context: Any) -> str:
        """Return a statement of a model as SQL."""
        return self._environment.from_string(statement).render(context).strip()


class _Adapter:
    """The `adapter` of dbt, of which the macros need `dispatch` only."""

    @pass_context
    def dispatch(self, context: Context, name: str) -> Any:
        return context.resolve(f"duckdb__{name}")


@cache
def _environment(macros: str) -> Environment:
    """Return an environment with macros, of which parsing takes about a second."""
    environment = Environment(extensions=["jinja2.ext.do"], undefined=StrictUndefined)  # noqa: S701 (not HTML)
    environment.globals |= {"adapter": _Adapter(), "return": lambda value: value}
    module = environment.from_string(macros).module
    environment.globals |= {name: macro for name, macro in vars(module).items() if not name.startswith("_")}
    return environment
