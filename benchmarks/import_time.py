"""Import time: what ``import isocenter`` costs, beside numpy and the readers of the field."""

from __future__ import annotations

import subprocess
import sys

from benchmarks.common import machine

STATEMENTS = {
    "numpy": "import numpy",
    "numpy, isocenter": "import numpy, isocenter",
    "isocenter, its nouns": "import isocenter; isocenter.Image, isocenter.LabelMap, isocenter.Study",
    "nibabel": "import nibabel",
    "pydicom": "import pydicom",
    "SimpleITK": "import SimpleITK",
    "skimage.filters": "import skimage.filters",
}


def seconds(statement: str) -> tuple[float, float] | None:
    """Return CPU and wall time of a statement in a fresh interpreter; None where it cannot be imported."""
    code = (
        "import time\ncpu, wall = time.process_time(), time.perf_counter()\n"
        f"{statement}\nprint(time.process_time() - cpu, time.perf_counter() - wall)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    if done.returncode:
        return None
    cpu, wall = done.stdout.split()
    return float(cpu), float(wall)


def main() -> None:
    """Print the table."""
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in STATEMENTS}
    for _ in range(9):  # in turn, so that a noisy minute falls on everyone
        for name, statement in STATEMENTS.items():
            run = seconds(statement)
            if run is not None:
                taken[name].append(run)
    print(f"Import time, least of 9 fresh interpreters\n{machine()}\n\n| statement | CPU ms | wall ms |\n| --- | ---: | ---: |")
    for name, runs in taken.items():
        cells = [f"{min(r[k] for r in runs) * 1e3:.0f}" if runs else "not installed" for k in (0, 1)]
        print(f"| {name} | {cells[0]} | {cells[1]} |", flush=True)


if __name__ == "__main__":
    main()
