"""Work directories: one for each run, deleted at its end, or by a later run if its process died."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from orchestration.workdir import WORK_FOLDER, work_directory

RUN = """
import sys, time
from pathlib import Path
from orchestration.workdir import work_directory
with work_directory(Path(sys.argv[1]), "2025-05-20") as folder:
    print(folder, flush=True)
    time.sleep(60)
"""


def begun(state: Path) -> tuple[subprocess.Popen[str], Path]:
    """Starts a process that has a work directory, and returns both."""
    process = subprocess.Popen([sys.executable, "-c", RUN, str(state)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    return process, Path(process.stdout.readline().strip())


def test_a_work_directory_is_empty_and_deleted_at_the_end(tmp_path: Path) -> None:
    with work_directory(tmp_path, "2025-05-20") as folder:
        assert [path.name for path in folder.iterdir()] == [".lock"]
        (folder / "page.json").touch()

    assert list((tmp_path / WORK_FOLDER).iterdir()) == []


def test_the_directory_of_a_killed_run_is_deleted_by_the_next(tmp_path: Path) -> None:
    process, left = begun(tmp_path)
    with process:
        os.kill(process.pid, signal.SIGKILL)
    assert left.is_dir()

    with work_directory(tmp_path, "2025-05-21"):
        assert not left.exists()


def test_the_directory_of_a_run_in_another_container_is_kept(tmp_path: Path) -> None:
    """Such a run has a process id that means nothing here: it may be free, or another process's."""
    process, folder = begun(tmp_path)
    with process:
        foreign = folder.rename(folder.with_name("4000000-2025-05-20-x"))
        with work_directory(tmp_path, "2025-05-21"):
            assert foreign.is_dir()
        process.kill()


def test_two_runs_of_one_process_have_their_own(tmp_path: Path) -> None:
    with work_directory(tmp_path, "2025-05-20") as first, work_directory(tmp_path, "2025-05-20") as second:
        assert first != second
        assert first.is_dir()
