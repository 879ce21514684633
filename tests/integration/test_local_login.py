"""Access to the local Prefect server: for another user of the machine, and for a page of another origin."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import httpx
import pytest

from orchestration.servers.background import LocalServer
from tests.helpers.elt_runs import Shown, prefect_environment

ORIGIN = "http://127.0.0.1:9"
ANOTHER_USER = """
import asyncio, json, os, sys
from pathlib import Path
import httpx, websockets

api, origin, *files = sys.argv[1:]

def ask(method, path, body=None):
    return httpx.request(method, f"{api}/{path}", json=body, trust_env=False, verify=False).status_code

def read(file):
    try:
        Path(file).read_bytes()
    except PermissionError:
        return "refused"
    return "read"

async def listen(path, token):
    url = f"{api.replace('http', 'ws')}/{path}"
    try:
        async with websockets.connect(url, origin=origin, subprotocols=["prefect"], proxy=None) as socket:
            await socket.send(json.dumps({"type": "auth", "token": token}))
            return json.loads(await socket.recv())["type"]
    except websockets.ConnectionClosed as closed:
        return closed.rcvd.code

def look():
    answers = {"health": ask("GET", "health")}
    answers |= {path: ask("POST", path, {}) for path in ("flows/filter", "deployments/filter", "deployments/")}
    answers["block_documents/filter"] = ask("POST", "block_documents/filter", {"include_secrets": True})
    answers["admin/database/clear"] = ask("POST", "admin/database/clear", {"confirm": True})
    answers |= {file: read(file) for file in files}
    for path in ("events/in", "events/out", "logs/out"):
        answers |= {f"{path} {token}": asyncio.run(listen(path, token)) for token in (None, "guessed")}
    return answers

# Call them once before: the other user may not be able to read what Python imports later.
look()
os.setgroups([])
os.setgid(65534)
os.setuid(65534)
print(json.dumps(look()))
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_another_user_cannot_use_the_api_or_read_the_state(prefect_server: LocalServer) -> None:
    files = [str(path) for path in (prefect_server.data / "login.json", prefect_server.log, prefect_server.pid_file)]
    command = [sys.executable, "-c", ANOTHER_USER, str(prefect_server.running_url), ORIGIN, *files]

    answers = json.loads(subprocess.check_output(command, text=True))

    assert answers.pop("health") == 200
    assert {name: answers.pop(name) for name in files} == dict.fromkeys(files, "refused")
    sockets = {name: answers.pop(name) for name in list(answers) if " " in name}
    assert set(sockets.values()) == {1008}
    assert set(answers.values()) == {401}


def test_a_page_of_another_origin_is_refused(prefect_server: LocalServer) -> None:
    api = str(prefect_server.running_url)

    def preflight(origin: str) -> httpx.Response:
        asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}
        return httpx.options(f"{api}/flows/filter", headers={"Origin": origin, **asked}, trust_env=False)

    refused, own = preflight(ORIGIN), preflight(api.removesuffix("/api"))
    assert refused.status_code == 400
    assert "access-control-allow-origin" not in refused.headers
    assert own.status_code == 200
    assert own.headers["access-control-allow-origin"] == api.removesuffix("/api")


def test_the_login_gives_access_and_is_only_in_its_file(prefect_server: LocalServer) -> None:
    environment = prefect_environment(prefect_server)
    shown = Shown(environment)
    assert isinstance(shown.all("flows"), list)
    shown.close()
    login = environment["PREFECT_API_AUTH_STRING"].encode()
    files = [path for path in prefect_server.settings.state_dir.rglob("*") if path.is_file()]
    holding = [path for path in files if login in path.read_bytes()]
    assert holding == [prefect_server.data / "login.json"]
    listed = subprocess.check_output(["ps", "-eo", "args"])
    assert login not in listed
