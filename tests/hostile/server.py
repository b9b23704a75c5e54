"""The command line on one file after another, each in a forked child with limits of its own.

Starting Python and importing everything takes longer than looking at a hostile file, so one process does that once
and forks for every request: a crash, a hang or a flood ends that child only, and is reported. The child runs the
very function that the command ``isocenter`` runs.

Run as ``python -m tests.hostile.server FILE...`` (the files are looked at once, so that what loads late is loaded);
every line on standard input is a request, every answer one line of JSON.
"""

from __future__ import annotations

import atexit
import contextlib
import importlib
import io
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

ROOT = Path(__file__).resolve().parents[2]


# -- asking ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Outcome:
    """How one command ended.

    Attributes
    ----------
    code
        Its exit code; minus the signal that ended it; None where it was still running when its time was up.
    seconds
        Wall time.
    peak_mib
        The most memory that it, or a process that it started, had in use.
    """

    code: int | None
    out: str
    err: str
    seconds: float
    peak_mib: float

    @property
    def document(self) -> dict[str, Any]:
        """What it printed, as JSON."""
        found: dict[str, Any] = json.loads(self.out)
        return found


class Server:
    """Runs commands in forked children of one warm process; use it as a context.

    Parameters
    ----------
    folder
        Where temporary files, caches and the working directory lie: nothing may be left in there.
    warm
        Sound files to look at first.
    """

    def __init__(self, folder: Path, warm: Sequence[Path] = ()) -> None:
        self.folder = folder
        self.home, self.temporary, self.here = (folder / name for name in ("home", "temporary", "here"))
        for one in (self.home, self.temporary, self.here):
            one.mkdir(parents=True)
        environment = {
            **os.environ, "TMPDIR": str(self.temporary), "HOME": str(self.home), "PYTHONPATH": str(ROOT), "OPENBLAS_NUM_THREADS": "1",
            "OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1", "MPLCONFIGDIR": str(folder / "matplotlib"),
        }  # fmt: skip
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.hostile.server", *map(str, warm)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            env=environment, cwd=self.here, text=True,
        )  # fmt: skip

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()

    def run(self, *arguments: str | os.PathLike[str], seconds: float = 10.0, memory_mib: float = 1024.0) -> Outcome:
        """Run ``isocenter`` with these arguments, within limits."""
        assert self._process.stdin is not None and self._process.stdout is not None
        request = {"arguments": [os.fsdecode(a) for a in arguments], "seconds": seconds, "memory_mib": memory_mib}
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the server itself ended (exit code {self._process.wait()})")
        return Outcome(**json.loads(line))

    def leftovers(self) -> list[str]:
        """Return what commands have left lying about."""
        return sorted(str(p.relative_to(self.folder)) for base in (self.home, self.temporary, self.here) for p in base.rglob("*"))


# -- serving -----------------------------------------------------------------------------------------------


def _limit(seconds: float, memory_mib: float) -> None:
    with open("/proc/self/statm", encoding="ascii") as handle:
        mapped = int(handle.read().split()[0]) * resource.getpagesize()
    space = mapped + int(memory_mib * 2**20)
    resource.setrlimit(resource.RLIMIT_AS, (space, space))
    resource.setrlimit(resource.RLIMIT_CPU, (int(seconds) + 1, int(seconds) + 1))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _child(request: dict[str, Any], out: BinaryIO, err: BinaryIO) -> int:
    """Run in the fork: the command, and everything that happens when a process ends."""
    from isocenter.cli.main import main

    os.setsid()
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(out.fileno(), 1)
    os.dup2(err.fileno(), 2)
    for name, descriptor, mode in (("stdin", 0, "r"), ("stdout", 1, "w"), ("stderr", 2, "w")):
        setattr(sys, name, os.fdopen(descriptor, mode, encoding="utf-8", closefd=False))
    _limit(request["seconds"], request["memory_mib"])
    code: Any = 0
    try:
        main(request["arguments"])
    except SystemExit as error:
        code = error.code
    except BaseException:  # noqa: BLE001 - what the interpreter would do with it: a traceback, which the tests look for
        sys.excepthook(*sys.exc_info())
        code = 1
    with contextlib.suppress(OSError, MemoryError):
        atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    return code if isinstance(code, int) else int(code is not None)


def _wait(pid: int, seconds: float) -> tuple[int | None, float]:
    """Return the exit code and the peak memory in MiB of a child, which is ended when its time is up."""
    deadline = time.monotonic() + seconds
    pause, late = 0.0005, False
    while True:
        done, status, usage = os.wait4(pid, os.WNOHANG)
        if done:
            return None if late else os.waitstatus_to_exitcode(status), usage.ru_maxrss / 1024
        if time.monotonic() > deadline and not late:
            late = True
            with contextlib.suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGKILL)
        time.sleep(pause)
        pause = min(2 * pause, 0.02)


def _serve(request: dict[str, Any]) -> dict[str, Any]:
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        started = time.monotonic()
        pid = os.fork()
        if not pid:
            os._exit(_child(request, out, err))
        code, peak = _wait(pid, request["seconds"] + 2.0)
        seconds = time.monotonic() - started
        texts = []
        for stream in (out, err):
            stream.seek(0)
            texts.append(stream.read().decode("utf-8", "backslashreplace"))
    return {"code": code, "out": texts[0], "err": texts[1], "seconds": seconds, "peak_mib": peak}


def _warm(paths: Sequence[str]) -> None:
    """Load what the commands load, by taking sound files through them."""
    from isocenter.cli import show
    from isocenter.io import formats
    from isocenter.jobs import info

    for name in ("isocenter.cli.main", "isocenter.jobs.convert", "isocenter.io.dicom.write_series"):
        importlib.import_module(name)
    for one in formats.FORMATS:
        one.module()
    for path in paths:
        with contextlib.redirect_stdout(io.StringIO()):
            show.json(info.info(path).to_dict())


def main() -> None:
    """Serve one line of standard input after the other."""
    replies = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    _warm(sys.argv[1:])
    for line in sys.stdin:
        replies.write(json.dumps(_serve(json.loads(line))) + "\n")
        replies.flush()


if __name__ == "__main__":
    main()
