"""Imports of large packages, without the garbage collector."""

from __future__ import annotations

import gc
from importlib import import_module

import pytest

from orchestration.imports import heavy_imports


def test_the_collector_is_paused_and_works_again_afterwards() -> None:
    with heavy_imports():
        assert not gc.isenabled()
        with heavy_imports():
            assert not gc.isenabled()
        assert not gc.isenabled()
    assert gc.isenabled()


def test_the_collector_works_again_after_a_failed_import() -> None:
    with pytest.raises(ImportError), heavy_imports():
        import_module("no_such_package")

    assert gc.isenabled()


def test_a_collector_that_was_off_stays_off() -> None:
    gc.disable()
    try:
        with heavy_imports():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()
