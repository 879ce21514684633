"""Backup while dates are being published, and restore into an empty stack: docs/operations.md#backup-and-restore."""

from __future__ import annotations

import time
from pathlib import Path

from orchestration.lake import keys
from orchestration.lake.client import MAIN, Lake
from tests.helpers.invariant import require_sound
from tests.helpers.pipeline import publications_of, require_whole
from tests.stack.deployment import Deployment, eventually
from tests.stack.engine import run
from tests.stack.figures import note
from tests.stack.images import ELT
from tests.stack.runs import DAYS, LIMIT, begin, ended, is_final, publish, require_published_once, state_of

BEFORE, DURING, NEXT = DAYS[15], DAYS[16:19], DAYS[19]
DATABASES = ("lakefs", "prefect")


def test_a_backup_during_runs_is_restored_into_an_empty_stack(
    stack: Deployment, empty: Deployment, tmp_path: Path
) -> None:
    publish(stack, BEFORE)
    begun = time.monotonic()
    with stack.prefect() as client, stack.lake() as lake:
        runs = [begin(client, day) for day in DURING]
        eventually(lambda: published(lake, DURING[0]) or is_final(client, runs[0]), LIMIT)
        assert not is_final(client, runs[-1]), "the dates were published before the backup"
        dump(stack, tmp_path)
        count = copy_bucket(stack, "save", tmp_path / "bucket")
        still = [not is_final(client, run) for run in runs]
        note(f"backup of {count} objects in {time.monotonic() - begun:.0f} s, {sum(still)} runs under way at its end")
        for run in runs:
            found = ended(client, run)
            assert found.state
            assert found.state.name == "Published", state_of(found)
        history = [commit.id for commit in lake.log(MAIN)]
    require_published_once(stack, (BEFORE, *DURING))
    stack.down()

    begun = time.monotonic()
    empty.up(until="prepare")
    copy_bucket(empty, "load", tmp_path / "bucket")
    restore(empty, tmp_path)
    empty.up()
    note(f"restore until all services are up: {time.monotonic() - begun:.0f} s")

    with empty.lake() as lake:
        restored = [commit.id for commit in lake.log(MAIN)]
        # The end of the other history: what was published after the dump is missing, and nothing else.
        assert restored == history[-len(restored) :]
        note(f"restored {len(restored)} commits of {len(history)}, head {restored[0][:12]} as before")
        require_sound(lake)
        assert require_whole(lake, BEFORE)
        missing = [day for day in DURING if not require_whole(lake, day)]
    publish_or_find(empty, missing)
    publish(empty, NEXT)
    require_published_once(empty, (BEFORE, *DURING, NEXT))
    with empty.lake() as lake:
        assert all(publications_of(lake, day) == 1 for day in (BEFORE, *DURING, NEXT))


def published(lake: Lake, day: str) -> bool:
    return lake.stat(MAIN, keys.date_receipt(day)) is not None


def publish_or_find(stack: Deployment, dates: list[str]) -> None:
    """Run dates again whose flow runs were under way at the dump, and may be known to the restored Prefect."""
    with stack.prefect() as client:
        for day in dates:
            found = ended(client, begin(client, day))
            assert found.state
            assert found.state.name in ("Published", "Unchanged"), state_of(found)


def dump(stack: Deployment, folder: Path) -> None:
    """Dump both databases, lakeFS's first."""
    for name in DATABASES:
        stack.execute(
            "postgres", *f"pg_dump --username postgres --format custom --file /tmp/{name}.dump {name}".split()
        )
        # By way of base64, because the test's helpers read text.
        text = stack.execute("postgres", "base64", f"/tmp/{name}.dump")
        (folder / f"{name}.base64").write_text(text)


def restore(stack: Deployment, folder: Path) -> None:
    """Restore both databases into empty ones."""
    for name in DATABASES:
        command = f"base64 --decode | pg_restore --username postgres --exit-on-error --dbname {name}"
        stack.execute("postgres", "bash", "-c", command, text=(folder / f"{name}.base64").read_text())


def copy_bucket(stack: Deployment, direction: str, folder: Path) -> int:
    """Copy the bucket through S3, in a container on the store's network, and return the number of objects."""
    folder.mkdir(exist_ok=True)
    folder.chmod(0o777)
    folder.parent.chmod(0o755)
    script = Path(__file__).with_name("bucket.py")
    copied = run(
        *("podman", "run", "--rm", "--ulimit", "host", "--user", "root", "--network", f"{stack.name}_stores"),
        *("--env", f"STORE_ACCESS_KEY={stack.variables['STACK_STORE_ACCESS_KEY']}"),
        *("--env", f"STORE_SECRET_KEY={stack.variables['STACK_STORE_SECRET_KEY']}"),
        *("--volume", f"{folder}:/copy", "--volume", f"{script}:/bucket.py:ro"),
        *(ELT, "python", "/bucket.py", direction, stack.variables.get("ELT_BUCKET", "lakefs"), "/copy"),
    )
    return int(copied.stdout)
