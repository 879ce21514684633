"""`make demo-stack`: start docker-compose.yml with a sample API, and publish a date through its deployment.

It needs Docker with Compose, and no Python package. Secrets and ports are generated once, in `.elt/demo-stack.env`.
"""

from __future__ import annotations

import os
import re
import secrets
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from orchestration.servers.ports import free_port

PROJECT = Path(__file__).resolve().parents[1]
SETTINGS = PROJECT / ".elt" / "demo-stack.env"
FILES = ("docker-compose.yml", "docker-compose.override.yml", "examples/demo_stack.yml")
DATE = "2025-05-20"
_PORTS = {"STACK_LAKEFS_PORT": 8000, "STACK_PREFECT_PORT": 4200, "STACK_DOCS_PORT": 8080}


def main() -> int:
    """Start the stack, run a date, and say where to look."""
    if not _works(("docker", "compose", "version")):
        print("`docker compose` does not work here: install Docker with Compose 2, or run `make demo`", file=sys.stderr)
        return 2
    settings = ensure_settings(SETTINGS)
    compose = compose_command(SETTINGS)
    print("Starting the stack: the first time it builds an image, which takes some minutes.", flush=True)
    for arguments in (("up", "--detach", "--build"), ("exec", "-T", *run_command(DATE))):
        print(f"\n$ docker compose {' '.join(arguments)}", flush=True)
        code = subprocess.run([*compose, *arguments], cwd=PROJECT, check=False).returncode
        if code:
            print(f"\nthis failed; see {' '.join(compose)} logs", file=sys.stderr)
            return code
    print(f"\n{where_to_look(settings, compose)}")
    return 0


def compose_command(settings: Path) -> tuple[str, ...]:
    """Return the beginning of every compose command of the demo, which has volumes of its own."""
    files = [part for name in FILES for part in ("--file", name)]
    name = ("--project-name", "ingest-clean-demo")
    return ("docker", "compose", *name, "--env-file", str(settings), *files)


def run_command(execution_date: str) -> tuple[str, ...]:
    """Return a service, and the command that runs a date there through the deployment and waits for its end."""
    parameter = f"execution_date={execution_date}"
    return (
        "prefect-worker",
        "prefect",
        "deployment",
        "run",
        "ingest-clean/daily-ingest",
        "--param",
        parameter,
        "--watch",
    )


def ensure_settings(path: Path) -> dict[str, str]:
    """Return the settings of the demo, generated and written to `path` at the first call.

    A port that is taken is replaced by a free one.
    """
    if not path.exists():
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        text = "".join(f"{name}={value}\n" for name, value in _generate().items())
        path.touch(mode=0o600)
        path.write_text(text, encoding="utf-8")
    lines = path.read_text(encoding="utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line)


def _generate() -> dict[str, str]:
    demanded = re.findall(r"\$\{(STACK_\w+):\?", (PROJECT / "docker-compose.yml").read_text(encoding="utf-8"))
    # lakeFS accepts access keys of 3 to 20 characters.
    keys = {name: secrets.token_hex(10 if name.endswith("ACCESS_KEY") else 24) for name in sorted(set(demanded))}
    ports = {name: free_port((port,)) for name, port in _PORTS.items()}
    return {
        **keys,
        **{name: str(port) for name, port in ports.items()},
        "STACK_PREFECT_URL": f"http://127.0.0.1:{ports['STACK_PREFECT_PORT']}",
        "SHOP_API_URL": "http://sample-api:8900",
    }


def where_to_look(settings: Mapping[str, str], compose: Sequence[str]) -> str:
    """Return the addresses, where the logins are, and how to stop."""
    return f"""\
{DATE} is published. Where to look:
  Prefect   {settings["STACK_PREFECT_URL"]}   login elt:<STACK_PREFECT_PASSWORD>
  lakeFS    http://127.0.0.1:{settings["STACK_LAKEFS_PORT"]}   <STACK_LAKEFS_ACCESS_KEY>, <STACK_LAKEFS_SECRET_KEY>
  dbt docs  http://127.0.0.1:{settings["STACK_DOCS_PORT"]}
The secrets are in {SETTINGS.relative_to(PROJECT)}.
Stop:   {" ".join(compose)} down
Remove: the same with --volumes, and {SETTINGS.relative_to(PROJECT)}"""


def _works(command: Sequence[str]) -> bool:
    try:
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except OSError:
        return False


if __name__ == "__main__":
    os.umask(0o077)
    sys.exit(main())
