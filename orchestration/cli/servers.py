"""Commands that manage servers: `elt up`, `deploy`, `down`, `status`, `init`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orchestration.cli.output import Json, format_table, say, show
from orchestration.log import log_to
from orchestration.text import examples

if TYPE_CHECKING:
    from orchestration.servers.model import Server
    from orchestration.settings import Settings


def up(
    worker: Annotated[
        bool, typer.Option("--worker", help="Also deploy prefect.yaml and start a worker for its schedules.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Start lakeFS and Prefect here, unless others are configured."""
    from orchestration.servers import local
    from orchestration.settings import read_settings

    settings = read_settings()
    servers = local.up(settings, log_to(say))
    if worker:
        from orchestration.flows.launch import deploy_all

        ui = deploy_all(settings, log_to(say))
        servers = (*servers, local.up_worker(settings, log_to(say)))
        say(f"Prefect's web pages: {ui}")
    if any(server.state == "running" for server in servers):
        say("the web pages of local servers require a login: `elt status --show-login` prints it")
    show({"servers": servers}, _table(servers), as_json)


def deploy(as_json: Json = False) -> None:
    """Create the work pool and deploy prefect.yaml.

    Uses the configured Prefect API, else the local one.
    """
    from orchestration.flows.launch import deploy_all
    from orchestration.settings import read_settings

    ui = deploy_all(read_settings(), log_to(say))
    show({"ui": ui}, f"deployed: {ui}/deployments", as_json)


def down(
    purge: Annotated[bool, typer.Option("--purge", help="Also delete their data, after a prompt.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not prompt.")] = False,
    as_json: Json = False,
) -> None:
    """Stop the servers that `elt up` started."""
    from orchestration.servers import local
    from orchestration.settings import read_settings

    settings = read_settings()
    if purge and not yes:
        typer.confirm(f"Remove all data of the local lakeFS and Prefect in {settings.state_dir}?", abort=True, err=True)
    local.down(settings, log_to(say), purge=purge)
    servers = local.status(settings)
    show({"servers": servers}, _table(servers), as_json)


def status(
    show_login: Annotated[
        bool, typer.Option("--show-login", help="Also print the logins of the local servers' web pages (secrets).")
    ] = False,
    as_json: Json = False,
) -> None:
    """Show the servers, and whether the marts are stale."""
    from orchestration.servers import local
    from orchestration.settings import read_settings

    settings = read_settings()
    servers = local.status(settings)
    stale = _stale_dates(settings, servers)
    result: dict[str, Any] = {"servers": servers, "stale_dates": stale}
    text = _table(servers)
    if stale:
        text += f"\n\nthe marts are stale for {examples(stale, len(stale))}: elt marts builds them again"
    if show_login:
        result["logins"] = local.logins(settings)
        logins = [(name, part, value) for name, login in result["logins"].items() for part, value in login.items()]
        text += f"\n\n{format_table(('server', 'login', 'value'), logins)}"
    show(result, text, as_json)


def _stale_dates(settings: Settings, servers: Sequence[Server]) -> tuple[str, ...] | None:
    """Return the dates for which the marts are stale; None if `main` cannot be read."""
    from orchestration.endpoints import open_lake
    from orchestration.errors import IngestCleanError
    from orchestration.lake.client import MAIN
    from orchestration.lake.stale import stale_dates_at

    if not any(server.name == "lakefs" and server.state in ("running", "configured") for server in servers):
        return None
    try:
        return stale_dates_at(open_lake(settings), MAIN)
    except IngestCleanError:
        # The servers' states are the command's result. A lake without a repository or keys has no marts to report.
        return None


def _table(servers: Sequence[Server]) -> str:
    rows = [(server.name, server.state, server.url or "", server.log or "") for server in servers]
    return format_table(("server", "state", "address", "log"), rows)


def init(
    discard_stray: Annotated[
        bool, typer.Option("--discard-stray", help="Remove uncommitted writes from main, which block every merge.")
    ] = False,
    claim: Annotated[bool, typer.Option("--claim", help="Take over a repository of another project.")] = False,
    as_json: Json = False,
) -> None:
    """Create the repository, install its gate and protect main.

    Existing parts are left unchanged.
    """
    from orchestration.endpoints import open_lake
    from orchestration.lake.setup import init_lake
    from orchestration.settings import read_settings

    settings = read_settings()
    done = init_lake(
        open_lake(settings),
        settings.elt.bucket,
        settings.project_dir,
        log_to(say),
        discard_stray=discard_stray,
        claim=claim,
    )
    text = (
        f"{done.storage}: repository {done.repository}, owner {done.owner}, gate {done.gate}, "
        f"protection {done.protection}"
    )
    show(done, text, as_json)
