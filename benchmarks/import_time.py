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


def seconds(statement: str, runs: int = 9) -> float | None:
    """Return the least time of a statement in fresh interpreters; None where it cannot be imported."""
    code = f"import time\nstart = time.perf_counter()\n{statement}\nprint(time.perf_counter() - start)"
    best = float("inf")
    for _ in range(runs):
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
        if done.returncode:
            return None
        best = min(best, float(done.stdout))
    return best


def main() -> None:
    """Print the table."""
    print(f"Import time, least of 9 fresh interpreters\n{machine()}\n\n| statement | ms |\n| --- | ---: |")
    for name, statement in STATEMENTS.items():
        taken = seconds(statement)
        print(f"| {name} | {'not installed' if taken is None else f'{taken * 1e3:.0f}'} |", flush=True)


if __name__ == "__main__":
    main()
