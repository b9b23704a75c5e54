"""The child of a comparison: prepares once, then runs whenever it is told to, and says what it cost.

Run as ``python worker.py FILE FUNCTION ARRAY_FILE``; every line on standard input is one run, every answer one line
of JSON. A contestant may have an interpreter of its own, so nothing but numpy and the benchmark's file is needed here.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import runpy
import sys
import time
from typing import Any

import numpy as np


def _answer(**facts: Any) -> None:
    print(json.dumps(facts), file=REPLIES, flush=True)


#: Answers go out here; whatever a library prints goes to standard error instead.
REPLIES = sys.stdout


def _family() -> list[int]:
    """Return the processes that this one has started, and those that they have, that still live."""
    found: list[int] = []
    pending = [os.getpid()]
    while pending:
        pid = pending.pop()
        with contextlib.suppress(OSError):  # not Linux: only this process is counted
            for task in os.listdir(f"/proc/{pid}/task"):
                with open(f"/proc/{pid}/task/{task}/children", encoding="ascii") as handle:
                    new = [int(child) for child in handle.read().split()]
                found += new
                pending += new
    return found


def _cpu() -> float:
    """Return CPU seconds of this process, of those it has waited for, and of those that still serve it."""
    waited = resource.getrusage(resource.RUSAGE_CHILDREN)
    total = time.process_time() + waited.ru_utime + waited.ru_stime
    for pid in _family():
        with contextlib.suppress(OSError), open(f"/proc/{pid}/stat", encoding="latin-1") as handle:
            fields = handle.read().rsplit(")", 1)[1].split()
            # A helper's own time, and that of the helpers which it has ended already.
            total += sum(int(ticks) for ticks in fields[11:15]) / os.sysconf("SC_CLK_TCK")
    return total


def _status(pid: int | str, field: str) -> int:
    """Return a memory field of a process in KiB, 0 where the system does not tell."""
    with contextlib.suppress(OSError), open(f"/proc/{pid}/status", encoding="latin-1") as handle:
        return sum(int(line.split()[1]) for line in handle if line.startswith(field))
    return 0


def _share(pid: int) -> int:
    """Return what a helper holds in KiB; a page that several processes share is counted once among them."""
    with contextlib.suppress(OSError), open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as handle:
        return sum(int(line.split()[1]) for line in handle if line.startswith("Pss:"))
    return 0


def _resident() -> int:
    """Forget the peaks so far and return the memory in use now, in KiB, with that of the processes that serve this one."""
    for pid in ("self", *_family()):
        with contextlib.suppress(OSError), open(f"/proc/{pid}/clear_refs", "w", encoding="ascii") as handle:
            handle.write("5")
    return _status("self", "VmRSS") + sum(map(_share, _family()))


def _peak() -> int:
    """Return the peak memory since then, in KiB: of a helper its share now, and how much it has held above that."""
    helpers = sum(_share(pid) + max(0, _status(pid, "VmHWM") - _status(pid, "VmRSS")) for pid in _family())
    return _status("self", "VmHWM") + helpers


def main() -> None:
    """Serve runs until the parent closes the pipe."""
    path, function, result_file = sys.argv[1:4]
    sys.stdout = sys.stderr
    sys.path.pop(0)  # this folder: a contestant imports libraries, not its neighbours
    try:
        contestant = runpy.run_path(path, run_name="contestant")[function]
        work = contestant()  # imports and prepares; the work itself is what it returns
    except ImportError as error:
        _answer(missing=str(error))
        return
    _answer(ready=True)
    for _ in sys.stdin:
        base = _resident()
        cpu, wall = _cpu(), time.perf_counter()
        result = work()
        cpu, wall = _cpu() - cpu, time.perf_counter() - wall
        peak = _peak()
        np.save(result_file, np.asarray(result), allow_pickle=False)
        del result  # or the next run would be charged for it
        _answer(cpu=cpu, wall=wall, peak_mib=(peak - base) / 1024)


if __name__ == "__main__":
    main()
