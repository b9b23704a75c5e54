"""Fixtures that every test may use."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings

# A gate must give the same answer twice; new examples are looked for wherever CI is not set.
settings.register_profile("gate", derandomize=True)
if os.environ.get("CI"):
    settings.load_profile("gate")

ROOT = Path(__file__).resolve().parent.parent


def shared_folder() -> Path:
    """Return where the shared test data lies (it may not exist)."""
    return Path(os.environ.get("ISOCENTER_SHARED", ROOT.parent / "shared")).resolve()


@pytest.fixture(scope="session")
def shared() -> Callable[[str], Path]:
    """Return a function from a path below the shared test data to the full path; skips the test where it is absent."""

    def find(name: str) -> Path:
        path = shared_folder() / name
        if not path.exists():
            path = shared_folder() / "data" / name  # images lie below data/, so tests name the set alone
        if not path.exists():
            pytest.skip(f"shared test data '{name}' is absent: set ISOCENTER_SHARED to the folder that has it")
        return path

    return find
