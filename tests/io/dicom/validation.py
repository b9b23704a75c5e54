"""The independent validator of DICOM objects (dicom3tools' dciodvfy), where it is installed."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

TOOL = shutil.which("dciodvfy")

needs_validator = pytest.mark.skipif(TOOL is None, reason="dciodvfy (Debian package dicom3tools) is not installed")


def errors(path: Path) -> list[str]:
    """Return the errors that the validator reports of a file."""
    assert TOOL is not None
    found = subprocess.run([TOOL, str(path)], capture_output=True, text=True, errors="replace", timeout=120, check=False)
    lines = (found.stderr + found.stdout).splitlines()
    assert lines, "the validator said nothing"
    return [line for line in lines if line.startswith("Error")]
