"""Listing the operations: ``isocenter ops`` as a user types it, and what it loads (at most 0.5 s; no SciPy, no torch)."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from benchmarks.common import machine

HEAVY = ("scipy", "SimpleITK", "torch", "pydantic")


def main() -> None:
    """Print the figures; exit 1 where the promise is broken."""
    command = [str(Path(sys.executable).with_name("isocenter")), "ops"]
    best = float("inf")
    for _ in range(9):
        start = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        best = min(best, time.perf_counter() - start)
    code = f"import sys, isocenter; n = len(isocenter.ops()); print(n, [m for m in {HEAVY} if m in sys.modules])"
    listed = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.strip()
    print(f"isocenter ops, least of 9\n{machine()}\n\n{best * 1e3:.0f} ms; operations and heavy packages loaded: {listed}")
    if best > 0.5 or not listed.endswith("[]"):
        sys.exit(1)


if __name__ == "__main__":
    main()
