"""``python -m tests.fuzz``: many mutated inputs, as ``make fuzz`` runs them."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from tests.fuzz.containers import KINDS
from tests.fuzz.engine import Fuzzer, Report, part, scratch


def main() -> int:
    """Run and print; exit 1 where anything was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=100_000, help="inputs in all")
    parser.add_argument("--start", type=int, default=0, help="number of the first")
    parser.add_argument("--seed", type=int, default=20261121)
    parser.add_argument("--seconds", type=float, help="stop after this time, whatever was done")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument(
        "--kind", choices=["", *KINDS], default="", help="containers that children of their own read; default: all other files"
    )
    parser.add_argument("--keep", type=Path, help="folder for the inputs that were found")
    given = parser.parse_args()
    bounds = [given.start + given.count * k // given.workers for k in range(given.workers + 1)]
    total = Report()
    with ProcessPoolExecutor(given.workers, get_context("spawn")) as pool:
        work = [
            given.workers * [given.seed],
            bounds[:-1],
            bounds[1:],
            given.workers * [given.seconds],
            given.workers * [given.kind],
        ]
        for one in pool.map(part, *work):
            total.done, total.read, total.refused = total.done + one.done, total.read + one.read, total.refused + one.refused
            total.seconds, total.slowest = max(total.seconds, one.seconds), max(total.slowest, one.slowest)
            total.taken_mib = max(total.taken_mib, one.taken_mib)
            total.children_mib, total.ended = max(total.children_mib, one.children_mib), total.ended + one.ended
            total.findings += one.findings
            total.damaged += one.damaged
    sys.stdout.write(f"seed {given.seed}, numbers {given.start} and up\n{total}\n")
    if given.keep and total.findings:
        given.keep.mkdir(parents=True, exist_ok=True)
        folder = scratch()
        again = Fuzzer(given.seed, folder, given.kind)
        for finding in total.findings:
            name, data = again.input(finding.number)
            (given.keep / f"{finding.number}-{name}").write_bytes(data)
        shutil.rmtree(folder, ignore_errors=True)
    return 1 if total.findings else 0


if __name__ == "__main__":
    sys.exit(main())
