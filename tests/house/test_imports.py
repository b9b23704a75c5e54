"""Who may import whom: the contracts of pyproject.toml, and what they cannot see."""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.house.tree import ROOT, SRC, parsed, relative, sources

CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]


def test_the_import_contracts_are_kept() -> None:
    command = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run(
        [command, "--no-logo", "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_stage_of_ops_is_in_the_independence_contract() -> None:
    listed = next(c for c in CONTRACTS if c["type"] == "independence")["modules"]
    stages = sorted(p.parent.name for p in (SRC / "ops").glob("*/__init__.py"))
    assert listed == [f"isocenter.ops.{stage}" for stage in stages]


def test_every_forbidden_contract_names_every_package_it_means() -> None:
    """A new package below isocenter must be added to the contracts, else it would be free of them."""
    packages = {f"isocenter.{p.parent.name}" for p in SRC.glob("*/__init__.py")}
    for contract in CONTRACTS:
        if contract["type"] == "forbidden" and contract["source_modules"] != ["isocenter"]:
            unknown = set(contract["source_modules"]) - packages - {"isocenter._facade"}
            assert not unknown, f"{contract['name']}: {unknown} do not exist"


#: Package -> where it may be imported. Import strings (`require("pyarrow", ...)`) are seen by no import linter.
HOMES: dict[str, tuple[str, ...]] = {
    "scipy": ("kernels", "ops", "testing", "view", "learn"),
    "skimage": ("kernels", "ops", "testing", "view", "learn"),
    "numba": ("kernels", "ops", "testing", "view", "learn"),
    "SimpleITK": (),  # a judge of the tests
    "sklearn": ("ops", "learn"),
    **dict.fromkeys(("torch", "monai", "lightning", "safetensors", "onnx"), ("nets", "learn")),
    "pydicom": ("io", "secure/deidentify"),
    **dict.fromkeys(("highdicom", "pynetdicom", "dicomweb_client", "nibabel", "tifffile", "imagecodecs", "PIL"), ("io",)),
    **dict.fromkeys(("openslide", "av", "zarr", "trimesh", "pyarrow"), ("io",)),
    **dict.fromkeys(("vtk", "pyvista"), ("view", "ops/reconstruct/surface")),
    **dict.fromkeys(("matplotlib", "jinja2", "reportlab"), ("view",)),
    **dict.fromkeys(("django", "ninja"), ("web",)),
    "cryptography": ("secure",),
    **dict.fromkeys(("dask", "distributed"), ("pipeline/executors/dask",)),
    **dict.fromkeys(("cc3d", "edt"), ("kernels",)),
    **dict.fromkeys(("pytest", "hypothesis"), ("testing/strategies", "testing/contracts")),
}


def imported_by_name(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Yield (line, package) of every import by string."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not node.args:
            continue
        function = ast.unparse(node.func).rsplit(".", 1)[-1]
        first = node.args[0]
        if function in ("require", "import_module", "__import__") and isinstance(first, ast.Constant):
            yield node.lineno, str(first.value).split(".")[0]


@pytest.mark.parametrize("path", sources(), ids=relative)
def test_imports_by_name_obey_the_same_table(path: Path) -> None:
    where = path.relative_to(SRC).with_suffix("").as_posix()
    for line, package in imported_by_name(parsed(path)):
        if package in HOMES:
            allowed = any(where == home or where.startswith(home + "/") for home in HOMES[package])
            assert allowed, f"{relative(path)}:{line} imports {package} by name: it may be used in {HOMES[package]} only"


def test_relative_imports_are_not_used() -> None:
    for path in sources():
        for node in ast.walk(parsed(path)):
            if isinstance(node, ast.ImportFrom):
                assert node.level == 0, f"{relative(path)}:{node.lineno} imports relatively"
