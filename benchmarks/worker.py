"""The child of a comparison: prepares once, then runs whenever it is told to, and says what it cost.

Run as ``python worker.py FILE FUNCTION ARRAY_FILE``; every line on standard input is one run, every answer one line
of JSON. A contestant may have an interpreter of its own, so nothing but numpy and the benchmark's file is needed here.
"""

from __future__ import annotations

import json
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
    base = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    _answer(ready=True)
    for _ in sys.stdin:
        cpu, wall = time.process_time(), time.perf_counter()
        result = work()
        cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
        np.save(result_file, np.asarray(result), allow_pickle=False)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        _answer(cpu=cpu, wall=wall, peak_mib=(peak - base) / 1024)


if __name__ == "__main__":
    main()
