"""Tasks for the executors' tests: defined at the top of a module, so that workers can import them."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from isocenter.core.errors import ContentError
from isocenter.pipeline import run
from tests.pipeline import cases


def double(value: int) -> int:
    return 2 * value


def digests(seed: int) -> dict[str, str]:
    one = cases.study(seed)
    return run.execute(cases.planned(cases.CHAIN, one), one, seed=seed).digests


def picky(value: int) -> int:
    if value == 1:
        raise ContentError("One is not for me.")
    if value == 2:
        raise ZeroDivisionError("by two")
    return value


def deadly(task: tuple[int, str]) -> int:
    """Kill the worker: always for 'always', the first time only for a path."""
    value, how = task
    if how == "always":
        os.kill(os.getpid(), signal.SIGKILL)
    if how and not Path(how).exists():
        Path(how).write_text("was here")
        os._exit(7)
    return value


def slow(seconds: float) -> float:
    time.sleep(seconds)
    return seconds


def unsendable(value: int) -> object:
    return (lambda: value) if value else value


def noted(path: str) -> str:
    time.sleep(0.3)
    Path(path).write_text(str(os.getpid()))
    time.sleep(30)
    return path
