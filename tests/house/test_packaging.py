"""What is installed: the wheel, its entry point, the lock and the extras."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

from tests.house.test_imports import imported_by_name
from tests.house.tree import ROOT, SRC, parsed, sources

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]
PINS = dict(line.split("==") for line in (ROOT / "constraints.txt").read_text().splitlines() if line and not line.startswith("#"))


def plain(requirement: str) -> str:
    """Return the normalised name of a requirement."""
    return re.sub(r"[-_.]+", "-", re.split(r"[\[<>=!~; ]", requirement, maxsplit=1)[0]).lower()


def wanted_by(group: str) -> list[str]:
    """Return the requirements of an extra, with those of the extras that it names."""
    found: list[str] = []
    for requirement in EXTRAS[group]:
        inner = re.fullmatch(r"isocenter\[(.+)\]", requirement)
        found += [r for name in inner[1].split(",") for r in wanted_by(name)] if inner else [requirement]
    return found


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=120)
    return zipfile.ZipFile(next(folder.glob("*.whl")))


def test_the_wheel_carries_everything_below_the_package(wheel: zipfile.ZipFile) -> None:
    inside = set(wheel.namelist())
    wanted = {
        p.relative_to(SRC.parent).as_posix()
        for p in SRC.rglob("*")
        if p.is_file() and "__pycache__" not in p.parts and p.suffix not in (".pyc", ".nbi", ".nbc")
    }
    assert wanted <= inside
    assert {"isocenter/py.typed", "isocenter/__init__.pyi"} <= inside
    assert any(n.startswith("isocenter/studies/") and n.endswith(".yaml") for n in inside)


def test_the_wheel_carries_nothing_else(wheel: zipfile.ZipFile) -> None:
    assert {n.split("/")[0].split("-")[0] for n in wheel.namelist()} == {"isocenter"}


def test_the_command_line_is_an_entry_point(wheel: zipfile.ZipFile) -> None:
    name = next(n for n in wheel.namelist() if n.endswith("entry_points.txt"))
    assert "isocenter = isocenter.cli.main:main" in wheel.read(name).decode()


def test_the_core_brings_no_torch() -> None:
    names = {plain(r) for r in PROJECT["dependencies"]}
    assert not names & {"torch", "monai", "django", "vtk", "pyvista", "scikit-learn", "simpleitk", "av", "openslide-python"}
    assert "torch" in {plain(r) for r in EXTRAS["deep"]}


def test_the_lock_pins_versions_and_names_no_host() -> None:
    for line in (ROOT / "constraints.txt").read_text().splitlines():
        assert line.startswith("#") or re.fullmatch(r"[A-Za-z0-9._-]+==[0-9][A-Za-z0-9.!+]*", line), line
    assert "+" not in PINS["torch"], "a local build is not on any index"


@pytest.mark.parametrize("group", ["core", "test", "docs"])
def test_the_lock_pins_everything_that_is_set_up(group: str) -> None:
    pinned = {plain(n) for n in PINS}
    wanted = PROJECT["dependencies"] if group == "core" else wanted_by(group)
    assert {plain(r) for r in wanted} <= pinned


#: Import name -> distribution, where they differ.
DISTRIBUTIONS = {
    "cc3d": "connected-components-3d",
    "distributed": "dask",
    "gdcm": "python-gdcm",
    "jpeg_ls": "pyjpegls",
    "openjpeg": "pylibjpeg-openjpeg",
    "rle": "pylibjpeg-rle",
    "PIL": "pillow",
    "skimage": "scikit-image",
    "sklearn": "scikit-learn",
    "yaml": "pyyaml",
    "ninja": "django-ninja",
    "openslide": "openslide-python",
    "dicomweb_client": "dicomweb-client",
    "vtkmodules": "vtk",
}

#: Declared though nothing imports them by name.
UNSEEN = {
    "nibabel": "its wheel carries an image that the demonstration reads",
    **dict.fromkeys(
        ("python-gdcm", "pyjpegls", "pylibjpeg", "pylibjpeg-openjpeg", "pylibjpeg-rle"), "pydicom finds them by itself"
    ),
}


def imported() -> set[str]:
    """Return the distributions that the package imports, at the top or inside a function, by statement or by name."""
    names: set[str] = set()
    for path in sources():
        for node in ast.walk(parsed(path)):
            if isinstance(node, ast.Import):
                names |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                names.add(node.module or "")
        names |= {package for _, package in imported_by_name(parsed(path))}
    tops = {name.split(".")[0] for name in names} - set(sys.stdlib_module_names) - {"isocenter", ""}
    return {plain(DISTRIBUTIONS.get(top, top)) for top in tops}


def test_every_import_is_declared_and_every_core_dependency_is_imported() -> None:
    core = {plain(r) for r in PROJECT["dependencies"]}
    optional = {plain(r) for group in EXTRAS.values() for r in group}
    undeclared = sorted(imported() - core - optional)
    assert undeclared == [], "imported, but neither a dependency nor in an extra"
    idle = sorted(core - imported() - set(UNSEEN))
    assert idle == [], "declared, but never imported"


def test_the_licence_and_the_readme_are_named() -> None:
    assert PROJECT["license"] == "Apache-2.0"
    assert (ROOT / PROJECT["readme"]).is_file()


def test_versions_agree() -> None:
    version = re.search(r'__version__ = "(.+)"', (SRC / "_version.py").read_text())
    assert version is not None
    assert f"version: {version[1]}" in (ROOT / "CITATION.cff").read_text()
    assert f"## {version[1]}" in (ROOT / "CHANGELOG.md").read_text()


def test_make_lists_its_targets() -> None:
    done = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True)
    for target in ("demo", "test", "lint", "types", "check", "docs", "bench", "clean"):
        assert f"make {target} " in done.stdout


def test_the_check_of_every_change_runs_everything() -> None:
    script = ROOT / ".ci" / "run"
    assert script.stat().st_mode & 0o111, "it can be executed"
    text = script.read_text()
    assert text.rstrip().endswith("make --no-print-directory test"), "its last line is that of pytest"
    assert "make --no-print-directory check" in text
    assert "set -euo pipefail" in text
    subprocess.run(["bash", "-n", script], check=True)


def test_make_says_what_is_missing_without_a_python(tmp_path: Path) -> None:
    command = ["make", "PYTHON=", f"VENV={tmp_path}/none", "demo"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "isocenter needs Python 3.11, 3.12 or 3.13" in done.stderr
