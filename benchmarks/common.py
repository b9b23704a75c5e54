"""The machinery of the benchmarks: contestants in processes of their own, run in turn, equality first, a table last.

A benchmark is a file with functions, one per contestant. Each imports what it needs, prepares the same input, and
returns a function that does the work and returns an array. `compare` starts one child per contestant, checks the
first results against each other, then runs all of them in turn, round after round, so that a noisy minute falls on
everyone. The least CPU and wall time of each count: noise only adds.
"""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["Result", "Row", "compare", "main", "table"]

WORKER = Path(__file__).with_name("worker.py")

#: Says how two results differ beyond what is allowed; None where they agree.
Equal = Callable[[npt.NDArray[Any], npt.NDArray[Any]], str | None]


def exactly(ours: npt.NDArray[Any], theirs: npt.NDArray[Any]) -> str | None:
    """Require equal values."""
    if ours.shape != theirs.shape:
        return f"shapes {ours.shape} and {theirs.shape}"
    different = int((ours != theirs).sum())
    return f"{different} of {ours.size} values differ" if different else None


def within(tolerance: float) -> Equal:
    """Return a check that the largest absolute difference is at most `tolerance`."""

    def check(ours: npt.NDArray[Any], theirs: npt.NDArray[Any]) -> str | None:
        if ours.shape != theirs.shape:
            return f"shapes {ours.shape} and {theirs.shape}"
        worst = float(np.abs(ours.astype(float) - theirs.astype(float)).max(initial=0.0))
        return f"largest difference {worst:.3g}" if worst > tolerance else None

    return check


@dataclass(frozen=True)
class Row:
    """One piece of work and who does it.

    Attributes
    ----------
    work
        What is done, with sizes and types.
    file
        The file that holds the contestants.
    ours
        Name of our function in it.
    peers
        What a peer is called -> name of its function.
    equal
        Compares our result with a peer's, before anything is timed.
    rounds
        How often each runs.
    """

    work: str
    file: str
    ours: str
    peers: dict[str, str]
    equal: Equal = exactly
    rounds: int = 5


@dataclass
class Result:
    """What one contestant took: least CPU and wall seconds, the first run's wall seconds, peak memory above its start in MiB."""

    name: str
    first: float = float("inf")
    cpu: float = float("inf")
    wall: float = float("inf")
    peak_mib: float = 0.0
    remark: str = ""
    ratio_cpu: float | None = None
    ratio_wall: float | None = None


@dataclass
class _Child:
    name: str
    process: subprocess.Popen[str]
    result_file: Path
    result: Result = field(init=False)

    def __post_init__(self) -> None:
        self.result = Result(self.name)
        answer = self.read()
        if "missing" in answer:
            self.result.remark = "not installed"

    def read(self) -> dict[str, Any]:
        """Return the next answer."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.name} ended without an answer (exit code {self.process.wait()})")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def run(self) -> None:
        """Run once and keep the best figures."""
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        answer = self.read()
        if self.result.first == float("inf"):
            self.result.first = answer["wall"]
        self.result.cpu = min(self.result.cpu, answer["cpu"])
        self.result.wall = min(self.result.wall, answer["wall"])
        self.result.peak_mib = max(self.result.peak_mib, answer["peak_mib"])

    @property
    def array(self) -> npt.NDArray[Any]:
        """The result of the last run."""
        loaded: npt.NDArray[Any] = np.load(self.result_file, allow_pickle=False)
        return loaded


def _start(name: str, row: Row, function: str, folder: Path) -> _Child:
    result_file = folder / f"{function}.npy"
    command = [sys.executable, str(WORKER), row.file, function, str(result_file)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    return _Child(name, process, result_file)


def compare(row: Row) -> list[Result]:
    """Run one row and return ours first, then the peers.

    Raises
    ------
    RuntimeError
        If a contestant fails.
    """
    with tempfile.TemporaryDirectory() as folder:
        children = [_start("isocenter", row, row.ours, Path(folder))]
        children += [_start(name, row, function, Path(folder)) for name, function in row.peers.items()]
        try:
            present = [c for c in children if not c.result.remark]
            for child in present:
                child.run()  # the first run also compiles or loads what the others find ready: it is shown on its own
            for child in present[1:]:
                difference = row.equal(present[0].array, child.array)
                child.result.remark = f"DIFFERS: {difference}" if difference else "equal"
            for _ in range(row.rounds):
                for child in present:
                    child.run()
        finally:
            for child in children:
                child.process.communicate()  # closes the pipe, which ends the child
    ours = children[0].result
    for child in present[1:]:
        child.result.ratio_cpu = child.result.cpu / ours.cpu
        child.result.ratio_wall = child.result.wall / ours.wall
    return [c.result for c in children]


def table(work: str, results: Sequence[Result]) -> str:
    """Return results as a Markdown table."""
    lines = [
        f"\n{work}\n",
        "| who | CPU ms | wall ms | first ms | peak MiB | x CPU | x wall | |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | --- |",
    ]
    for r in results:
        if r.wall == float("inf"):
            lines.append(f"| {r.name} | | | | | | | {r.remark} |")
            continue
        ratios = [f"{v:.1f}" if v is not None else "" for v in (r.ratio_cpu, r.ratio_wall)]
        lines.append(
            f"| {r.name} | {r.cpu * 1e3:.1f} | {r.wall * 1e3:.1f} | {r.first * 1e3:.0f} | {r.peak_mib:.0f} | {ratios[0]} | {ratios[1]} | {r.remark} |"
        )
    return "\n".join(lines)


def machine() -> str:
    """Return what the figures were taken on, without a name of the machine."""
    import os

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"Python {platform.python_version()}, {platform.system()} {platform.machine()}, {cores} cores"


def main(rows: Sequence[Row], description: str) -> None:
    """Run the rows of a benchmark file and print their tables; ``--json FILE`` keeps the figures."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--rounds", type=int, help="runs of each contestant")
    parser.add_argument("--only", default="", help="run the rows whose description contains this")
    parser.add_argument("--json", type=Path, help="file to write the figures to")
    options = parser.parse_args()
    print(f"{description}\n{machine()}")
    kept = {}
    for row in rows:
        if options.only not in row.work:
            continue
        if options.rounds:
            row = Row(row.work, row.file, row.ours, row.peers, row.equal, options.rounds)
        results = compare(row)
        print(table(row.work, results), flush=True)
        kept[row.work] = [asdict(r) for r in results]
    if options.json:
        options.json.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
    if any("DIFFERS" in r["remark"] for results in kept.values() for r in results):
        sys.exit(1)
