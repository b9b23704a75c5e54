"""CONTRIBUTING.md is followed literally: its files are written, its commands are run, as they stand there."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SECTION = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").split("## Add a filter in ten minutes")[1].split("\n## ")[0]
FILES = re.findall(r"^`(?P<path>[\w/.]+)`:\n\n```python\n(?P<text>.*?)^```$", SECTION, flags=re.M | re.S)
COMMANDS = [line for block in re.findall(r"^```sh\n(.*?)^```$", SECTION, flags=re.M | re.S) for line in block.splitlines()]


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of the project with the two files of the text in place, and the environment these tests run in."""
    root = tmp_path_factory.mktemp("contributing")
    ignored = shutil.ignore_patterns("__pycache__", "*.nbi", "*.nbc")
    for folder in ("src", "tests"):
        shutil.copytree(ROOT / folder, root / folder, ignore=ignored)
    for name in ("pyproject.toml", "constraints.txt", "Makefile"):
        shutil.copy(ROOT / name, root / name)
    (root / ".venv").symlink_to(sys.prefix, target_is_directory=True)
    for path, text in FILES:
        assert not (root / path).exists(), f"{path} exists already: the text must add something new"
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text, encoding="utf-8")
    return root


def test_the_text_has_its_files_and_commands() -> None:
    assert [path for path, _ in FILES] == [
        "src/isocenter/ops/denoise/trimmed_mean.py",
        "tests/ops/denoise/test_trimmed_mean.py",
    ]
    assert len(COMMANDS) == 6


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_does_what_the_text_says(copy: Path, command: str) -> None:
    environment = {**os.environ, "PYTHONPATH": str(copy / "src"), "PYTHONDONTWRITEBYTECODE": "1", "COLUMNS": "120"}
    done = subprocess.run(command.split(), cwd=copy, env=environment, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    if "isocenter ops" in command:
        assert "Average each neighbourhood" in done.stdout
        assert "radius" in done.stdout
        assert "trim" in done.stdout
    if "pytest" in command:
        assert re.search(r"[1-9]\d* passed", done.stdout)
        assert "failed" not in done.stdout


def test_the_new_operation_obeys_the_house_and_runs_from_the_facade(copy: Path) -> None:
    code = """
import numpy as np, isocenter as iso
assert iso.__file__.startswith(COPY), iso.__file__
image = iso.Image(np.zeros((4, 5), np.int16), ("y", "x"), iso.Geometry.regular((4, 5)))
done = iso.op("denoise.trimmed_mean", radius=2)(image)
assert done.provenance.steps[-1].operation == "denoise.trimmed_mean"
assert iso.denoise.TrimmedMean(radius=2)(image).digest == done.digest
"""
    environment = {**os.environ, "PYTHONPATH": str(copy / "src"), "PYTHONDONTWRITEBYTECODE": "1"}
    run = [sys.executable, "-c", code.replace("COPY", repr(str(copy)))]
    subprocess.run(run, cwd=copy, env=environment, check=True, timeout=120)
    house = [sys.executable, "-m", "pytest", "-q", "tests/house/test_names.py", "-k", "trimmed_mean", "-p", "no:cacheprovider"]
    done = subprocess.run(house, cwd=copy, env=environment, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout
