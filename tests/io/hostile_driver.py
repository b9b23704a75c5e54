"""Inspect and load files, each in a child with limits; reads paths from stdin, writes one JSON line for each.

The modules are loaded once, then every file gets a fork of its own: a crash, a hang or a flood ends that child only.
"""

from __future__ import annotations

import gc
import json
import os
import resource
import signal
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from isocenter.io import door, formats

SECONDS = 30
ADDRESS_SPACE = 4 << 30


def look(path: Path) -> dict[str, Any]:
    """Return what becomes of one file."""
    found = door.inspect(path)
    result: dict[str, Any] = {
        "items": len(found.items),
        "reasons": [[r.kind, r.reason] for r in found.refusals],
        "problems": [p.sentence() for item in found.items for p in item.problems],
        "digests": [],
        "sum": None,
        "shown": repr(found.items) + repr([item.attributes for item in found.items]),
    }
    for item in found.items:
        value = item.load()
        result["digests"].append(value.digest)
        result["problems"] += list(value.provenance.notes)
        if np.asarray(value.array).dtype.kind in "iu":
            result["sum"] = int(np.asarray(value.array, np.int64).sum())
    return result


def child(path: Path, pipe: int) -> None:
    """Run in the fork: look at the file within limits and write what was found."""
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
    signal.alarm(SECONDS)
    try:
        result = look(path)
    except Exception as error:  # noqa: BLE001 - nothing may come out of the door but a refusal: whatever does is reported
        result = {"raised": f"{type(error).__name__}: {error}"}
    gc.collect()
    result["peak_mib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    os.write(pipe, json.dumps(result).encode("utf-8", "backslashreplace"))


def main() -> None:
    """Serve one line of stdin after the other."""
    for one in formats.FORMATS:
        one.module()
    door.inspect(Path(sys.argv[1]))  # whatever loads late, loads here
    for line in sys.stdin:
        reading, writing = os.pipe()
        started = time.monotonic()
        pid = os.fork()
        if not pid:
            os.close(reading)
            child(Path(line.rstrip("\n")), writing)
            os._exit(0)
        os.close(writing)
        with os.fdopen(reading, "rb") as handle:
            text = handle.read()
        _, status = os.waitpid(pid, 0)
        result = json.loads(text) if text else {}
        result |= {"status": status, "seconds": time.monotonic() - started}
        sys.stdout.write(json.dumps(result) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
