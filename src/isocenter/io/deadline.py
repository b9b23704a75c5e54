"""The time that one input may take: asked for at the borders of loops, and given to the children that decode.

A deadline holds for the thread that set it and for the threads that are started with a copy of its context.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from isocenter.core.errors import BudgetError
from isocenter.core.text import plain

__all__ = ["Timed", "check", "left", "within"]

#: Bytes of samples that buy one second more than the budget states: a large image is not a slow one.
BYTES_A_SECOND = 4 << 20


@dataclass(frozen=True)
class _Deadline:
    until: float
    seconds: float
    name: str


_now: ContextVar[_Deadline | None] = ContextVar("isocenter_deadline", default=None)


@contextmanager
def within(seconds: float, path: Path) -> Iterator[None]:
    """Give an input that many seconds of wall time; a deadline that is running already goes on where it is earlier.

    Parameters
    ----------
    seconds
        Time from now.
    path
        The input, for the message.
    """
    until = time.monotonic() + seconds
    running = _now.get()
    if running is not None and running.until <= until:
        yield
        return
    token = _now.set(_Deadline(until, seconds, plain(path.name, 200)))
    try:
        yield
    finally:
        _now.reset(token)


def left() -> float:
    """Return the seconds that are left, infinity where there is no deadline."""
    running = _now.get()
    return math.inf if running is None else max(0.0, running.until - time.monotonic())


def check() -> None:
    """Refuse the input where its time is up.

    Raises
    ------
    BudgetError
        If so.
    """
    running = _now.get()
    if running is not None and time.monotonic() > running.until:
        raise BudgetError(
            f"{running.name}: reading it takes longer than {running.seconds:.3g} s: expected it to end by then; raise the budget "
            "if the file is sound."
        )


@dataclass(frozen=True)
class Timed:
    """Loads an item within its time."""

    load: Callable[[], Any]
    seconds: float
    path: Path

    def __call__(self) -> Any:
        with within(self.seconds, self.path):
            return self.load()
