"""The command line: exit codes, one sentence for every error, nothing heavy loaded for a list."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from isocenter.core.registry import operations


def call(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command line in a child, as a user does."""
    return subprocess.run(
        [sys.executable, "-m", "isocenter", *arguments],
        capture_output=True, text=True, timeout=120, check=False, env={**os.environ, "COLUMNS": "200", **environment},
    )  # fmt: skip


def test_ops_lists_everything_and_loads_nothing_heavy() -> None:
    code = (
        "import sys; from isocenter.cli.main import main\n"
        "try: main(['ops', '--json'])\n"
        "except SystemExit as end: assert end.code == 0\n"
        "heavy = [m for m in ('scipy', 'torch', 'SimpleITK', 'numba', 'skimage', 'matplotlib', 'pydicom') if m in sys.modules]\n"
        "print(heavy, file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stderr.strip() == "[]"
    listed = json.loads(done.stdout)
    assert [entry["name"] for entry in listed] == operations().names()
    assert all(entry["family"] and entry["summary"] for entry in listed)
    assert all({"name", "type", "default", "summary"} == set(p) for entry in listed for p in entry["parameters"])


def test_one_operation_in_full() -> None:
    done = call("ops", "denoise.median")
    assert done.returncode == 0
    assert "radius" in done.stdout
    assert "isocenter apply denoise.median" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["ops", "denoise.meidan"], 2, "Did you mean 'denoise.median'"),
        (["info", "no/such/file"], 3, "no/such/file"),
        (["run", "no/such/file", "-o", "out"], 3, "no/such/file"),
        (["run", ".", "-o", "out", "--study", "ct-chset"], 2, "ct-chest"),
        (["run", ".", "-o", "out", "--mask", "lesion"], 2, "NAME=PATH"),
        (["run", ".", "-o", "out", "--repair", "guess"], 2, "interpolate"),
        (["apply", "denoise.median", "x.nii.gz", "-o", "y.nii.gz", "--set", "radus=1"], 2, "radius"),
        (["verify", "."], 3, "lineage.json"),
        (["frobnicate"], 2, "frobnicate"),
    ],
)
def test_mistakes_are_one_sentence(arguments: list[str], code: int, words: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "isocenter", *arguments], capture_output=True, text=True, timeout=120, check=False, cwd=tmp_path,
        env={**os.environ, "COLUMNS": "200"},
    )  # fmt: skip
    assert done.returncode == code, done.stderr
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_nothing_usable(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no image")
    done = call("run", str(tmp_path / "notes.txt"), "-o", str(tmp_path / "out"))
    assert done.returncode == 3
    assert not (tmp_path / "out").exists()


def test_text_from_files_cannot_move_the_terminal(tmp_path: Path) -> None:
    path = tmp_path / "evil\x1b[2Jname.nii"
    path.write_bytes(b"not an image")
    done = call("info", str(path))
    assert done.returncode == 3
    assert "\x1b" not in done.stdout + done.stderr
