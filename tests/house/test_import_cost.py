"""Importing isocenter loads nothing heavy and costs next to nothing."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

HEAVY = ("scipy", "skimage", "SimpleITK", "torch", "numba", "pydantic", "matplotlib", "pydicom", "highdicom", "nibabel", "dask")


def cpu_seconds(statement: str) -> float:
    """Return the CPU time of a statement in a fresh interpreter: importing waits for nothing, and others' work does not count."""
    code = f"import time\nstart = time.process_time()\n{statement}\nprint(time.process_time() - start)"
    return float(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout)


def loaded(statement: str) -> set[str]:
    """Return the top-level modules that a statement brings into a fresh interpreter."""
    code = f"import sys\n{statement}\nimport json\nprint(json.dumps(sorted({{m.split('.')[0] for m in sys.modules}})))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(json.loads(run.stdout.splitlines()[-1]))


def test_import_costs_at_most_150_ms_over_numpy() -> None:
    pairs = [(cpu_seconds("import numpy"), cpu_seconds("import numpy, isocenter")) for _ in range(5)]
    assert min(b for _, b in pairs) - min(a for a, _ in pairs) <= 0.150


@pytest.mark.parametrize(
    "statement",
    [
        "import isocenter",
        "import isocenter; dir(isocenter); isocenter.__version__",
        "import isocenter; isocenter.Geometry; isocenter.Image; isocenter.LabelMap; isocenter.Study; isocenter.Scores",
        "import isocenter; assert isocenter.ops()",
        "import isocenter; dir(isocenter.denoise)",
    ],
)
def test_nothing_heavy_is_loaded(statement: str) -> None:
    assert not loaded(statement) & set(HEAVY)


def test_one_operation_brings_what_it_needs_and_no_network() -> None:
    modules = loaded("import isocenter; isocenter.op(next(iter(isocenter.ops())))")
    assert "pydantic" in modules
    assert not modules & {"torch", "django", "highdicom"}
