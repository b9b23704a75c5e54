"""Many mutated inputs, looked at in forked children: a crash or a hang costs one child and is reported with its number.

A child takes one batch; after each input it says so, and whoever says nothing for the time that an input may take is
ended. Input number k of a seed is the same on every machine, however many there are and whoever looks at them.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import resource
import select
import shutil
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from isocenter.core.errors import IsocenterError, SpecError
from isocenter.io import child, door, fork_server, formats
from isocenter.pipeline import spec
from tests.fuzz import held
from tests.fuzz.containers import bent, containers
from tests.fuzz.mutate import mutation
from tests.fuzz.seeds import seeds

__all__ = ["Finding", "Fuzzer", "Report", "part", "scratch"]

SECONDS = 10.0
MEMORY = 2 << 30
BATCH = 250


@dataclass(frozen=True)
class Finding:
    """An input that did something it must not."""

    number: int
    name: str
    what: str


@dataclass
class Report:
    """What came of a run.

    Attributes
    ----------
    done, read, refused
        Inputs looked at; of these, how many gave something to load, and how many none.
    findings
        Crashes, hangs and uncaught exceptions.
    taken_mib
        The most that a child took above what it was forked with.
    children_mib
        The most that a file took in the child that read it (containers only).
    ended
        Children that died or were ended over a file (containers only).
    damaged
        How often the last border had to put an exception of a library into words: kind -> count.
    """

    done: int = 0
    read: int = 0
    refused: int = 0
    seconds: float = 0.0
    slowest: float = 0.0
    taken_mib: float = 0.0
    children_mib: float = 0.0
    ended: int = 0
    findings: list[Finding] = field(default_factory=list)
    damaged: Counter[str] = field(default_factory=Counter)

    def __str__(self) -> str:
        lines = [
            f"{self.done} inputs in {self.seconds:.0f} s ({self.done / max(self.seconds, 1e-9):.0f} a second): {self.read} read, "
            f"{self.refused} refused, slowest {self.slowest:.2f} s, {self.taken_mib:.0f} MiB taken, {len(self.findings)} findings"
        ]
        if self.children_mib or self.ended:
            lines.append(f"  in children of their own: {self.children_mib:.0f} MiB taken, {self.ended} children ended")
        lines += [f"  {f.name} {f.number}: {f.what}" for f in self.findings]
        lines += [f"  put into words at the last border {count} times: {kind}" for kind, count in self.damaged.most_common(20)]
        return "\n".join(lines)


class Fuzzer:
    """Mutated inputs of one seed.

    Parameters
    ----------
    seed
        Chooses all mutations.
    folder
        Scratch space.
    kind
        ``video``, ``ismrmrd`` or ``minc``: files that children of their own read; empty: all others.
    """

    def __init__(self, seed: int, folder: Path, kind: str = "") -> None:
        self.seed, self.folder, self.kind = seed, folder, kind
        self.sound = containers(kind, folder / "seeds") if kind else seeds(folder / "seeds")
        self.names = sorted(self.sound)
        for one in formats.FORMATS:
            one.module()
        for name in self.names:  # whatever loads late is loaded before the first fork
            path = folder / name
            path.write_bytes(self.sound[name])
            look(path)
            path.unlink()
        child.stop()
        fork_server.stop()

    def input(self, number: int) -> tuple[str, bytes]:
        """Return the name and the bytes of one input."""
        name = self.names[number % len(self.names)]
        suffix = name[name.find(".") :]
        others = [self.sound[n] for n in self.names if n.endswith(suffix)]
        rng = np.random.default_rng([self.seed, number])
        if self.kind and rng.random() < 0.6:
            return name, bent(self.sound[name], rng)
        return name, mutation(name, self.sound[name], others, rng)

    def run(self, start: int, stop: int, seconds: float | None = None) -> Report:
        """Look at inputs `start` to `stop`, ending early where the time is up."""
        report, began = Report(), time.monotonic()
        at = start
        while at < stop and (seconds is None or time.monotonic() - began < seconds):
            at = self._batch(at, min(at + BATCH, stop), report)
        report.seconds = time.monotonic() - began
        return report

    def _batch(self, start: int, stop: int, report: Report) -> int:
        """Look at one batch in one child, and return the number of the next input."""
        reading, writing = os.pipe()
        pid = os.fork()
        if not pid:
            os.close(reading)
            os.setsid()
            try:
                self._child(start, stop, writing)
            finally:
                os._exit(70)  # the fork never goes on with what its parent was doing
        os.close(writing)
        number, hung = start, False
        with os.fdopen(reading, "rb") as pipe:
            try:
                for line in _lines(pipe.fileno(), SECONDS):
                    answer = json.loads(line)
                    number = answer["number"] + 1
                    self._count(answer, report)
            except TimeoutError:
                hung = True
        if hung:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGKILL)
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        if number < stop:
            what = f"hung for more than {SECONDS:g} s" if hung else f"ended the process (status {status})"
            report.findings.append(Finding(number, self.input(number)[0], what))
            report.done += 1
            number += 1
        return number

    def _count(self, answer: dict[str, Any], report: Report) -> None:
        report.done += 1
        report.taken_mib = max(report.taken_mib, answer["taken"])
        report.children_mib = max(report.children_mib, answer["children"])
        report.ended += answer["ended"]
        report.slowest = max(report.slowest, answer["seconds"])
        report.read += answer["read"]
        report.refused += not answer["read"]
        report.damaged.update(answer["damaged"])
        if answer["raised"]:
            report.findings.append(Finding(answer["number"], answer["name"], answer["raised"]))

    def _child(self, start: int, stop: int, pipe: int) -> None:
        before = _resident()  # all that the parent has loaded: no work of the inputs
        with open("/proc/self/statm", encoding="ascii") as handle:
            space = int(handle.read().split()[0]) * resource.getpagesize() + MEMORY
        resource.setrlimit(resource.RLIMIT_AS, (space, space))
        quiet = os.open(os.devnull, os.O_RDWR)
        for descriptor in (0, 1, 2):
            os.dup2(quiet, descriptor)
        if self.kind:
            held.install()
        for number in range(start, stop):
            ended, held.Held.taken_mib = held.Held.ended, 0.0
            name, data = self.input(number)
            path = self.folder / f"{number}-{name}"
            path.write_bytes(data)
            began = time.monotonic()
            read, raised = False, ""
            damaged: list[str] = []
            try:
                read, damaged = look(path)
            except BaseException as error:  # noqa: BLE001 - whatever comes out of the door is what is being looked for
                raised = f"{type(error).__name__}: {error}"[:300]
            path.unlink()
            answer = {
                "number": number,
                "name": name,
                "read": read,
                "damaged": damaged,
                "raised": raised,
                "seconds": time.monotonic() - began,
                "children": held.Held.taken_mib,
                "ended": held.Held.ended - ended,
                "taken": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024 - before,
            }
            os.write(pipe, json.dumps(answer).encode() + b"\n")
        atexit._run_exitfuncs()
        os._exit(0)


def look(path: Path) -> tuple[bool, list[str]]:
    """Take one input through the door (or the reader of specifications) and return whether it could be read.

    Raises
    ------
    Exception
        Whatever is no deliberate refusal.
    """
    if path.suffix == ".yaml":
        try:
            spec.load(path)
        except SpecError as error:
            _sentence(str(error), lines=True)
            return False, []
        return True, []
    found = door.inspect(path)
    damaged: list[str] = []
    for refusal in found.refusals:
        _sentence(refusal.reason)
        if "the file is damaged (" in refusal.reason:
            damaged.append(refusal.reason.split("the file is damaged (")[1].split(":")[0] + f" {path.suffix}")
    read = False
    for item in found.items:
        for problem in item.problems:
            _sentence(problem.sentence())
        try:
            item.load()
            read = True
        except IsocenterError as error:
            _sentence(str(error))
    if not found.items and not found.refusals and not found.skipped:
        raise AssertionError("neither an item, nor a refusal, nor skipped")
    return read, damaged


def _sentence(text: str, *, lines: bool = False) -> None:
    shown = text.replace("\n", " ") if lines else text
    if not shown.isprintable():
        raise AssertionError(f"a message with control characters: {text!r}")


def _lines(descriptor: int, patience: float) -> Iterator[bytes]:
    """Yield lines until the pipe ends.

    Raises
    ------
    TimeoutError
        If nothing comes for `patience` seconds.
    """
    rest = b""
    while True:
        ready, _, _ = select.select([descriptor], [], [], patience)
        if not ready:
            raise TimeoutError
        part = os.read(descriptor, 1 << 16)
        if not part:
            return
        *whole, rest = (rest + part).split(b"\n")
        yield from whole


def _resident() -> float:
    """Return what this process holds, in MiB."""
    with open("/proc/self/statm", encoding="ascii") as handle:
        return int(handle.read().split()[1]) * resource.getpagesize() / 2**20


def scratch() -> Path:
    """Return a scratch folder, in memory where the system has such a place."""
    memory = Path("/dev/shm")
    return Path(tempfile.mkdtemp(prefix="isocenter-fuzz-", dir=memory if os.access(memory, os.W_OK) else None))


def part(seed: int, start: int, stop: int, seconds: float | None, kind: str = "") -> Report:
    """Look at one share of the inputs."""
    folder = scratch()
    try:
        return Fuzzer(seed, folder, kind).run(start, stop, seconds)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
