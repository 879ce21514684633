"""`elt stack`: what the one-shot services of docker-compose.yml run."""

from __future__ import annotations

import typer

from orchestration.cli.output import Json, say, show
from orchestration.log import log_to

app = typer.Typer(help="Steps of docker-compose.yml, in its containers.", rich_markup_mode=None)


@app.callback()
def stack() -> None:
    """Steps of docker-compose.yml, in its containers."""


@app.command()
def check(as_json: Json = False) -> None:
    """Check the secrets before a volume is created with them."""
    from orchestration.settings import read_settings
    from orchestration.stack.settings import read_stack_settings

    read_settings()
    count = len(read_stack_settings().model_fields_set)
    show({"settings": count}, f"{count} settings are valid", as_json)


@app.command()
def prepare(as_json: Json = False) -> None:
    """Create the databases and the bucket.

    Existing ones are left unchanged; the databases' users get the passwords of the environment.
    """
    from orchestration.settings import read_settings
    from orchestration.stack.init import prepare as prepare_stores
    from orchestration.stack.settings import read_stack_settings

    done = prepare_stores(read_stack_settings(), read_settings(), log_to(say))
    show(done, f"databases are ready, bucket {done.bucket} {done.storage}", as_json)


@app.command()
def init(as_json: Json = False) -> None:
    """Set up lakeFS, the repository and Prefect.

    Existing parts are left unchanged. Secret blocks are written again.
    """
    from orchestration.settings import read_settings
    from orchestration.stack.init import init as init_stack
    from orchestration.stack.settings import read_stack_settings

    done = init_stack(read_stack_settings(), read_settings(), log_to(say))
    lake = done.lake
    text = (
        f"lakeFS administrator {done.lakefs}, {lake.storage}: repository {lake.repository}, owner {lake.owner}, "
        f"gate {lake.gate}, protection {lake.protection}; Secret blocks {', '.join(done.secrets)}"
    )
    show(done, text, as_json)
