"""The memory of a process tree, and how a measured command ended."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from benchmarks.compare.measure import Peak, TreeMemory, measure, process_tree, resident

LARGE = 150_000_000
CHILD = f"import sys; held = bytearray({LARGE}); print('ready', flush=True); sys.stdin.read()"
PARENT = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {CHILD!r}])"


def test_the_memory_of_a_child_of_the_child_counts() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PARENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout
        assert parent.stdout.readline() == "ready\n"
        tree = process_tree(parent.pid)
        memory = Peak(TreeMemory(parent.pid))
        total, alone = resident(tree), resident(tree[:1])
        peak = memory.stop()

    assert len(tree) == 2
    assert alone < LARGE < total
    assert peak > LARGE


def test_processes_that_have_ended_use_no_memory() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        tree = process_tree(process.pid)
        assert resident(tree) > 0

    assert resident(tree) == 0
    assert process_tree(process.pid) == []


def test_a_command_is_measured_with_its_outputs_and_exit_code(tmp_path: Path) -> None:
    script = "import os, sys; print(os.getcwd(), os.environ['X']); print('log', file=sys.stderr); sys.exit(3)"
    measured = measure([sys.executable, "-c", script], {**os.environ, "X": "y"}, tmp_path)

    assert (measured.code, measured.output, measured.log) == (3, f"{tmp_path} y\n", "log\n")
    assert measured.seconds > 0
    assert measured.peak > 0
