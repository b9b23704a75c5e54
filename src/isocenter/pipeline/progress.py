"""Progress: what a run tells while it goes on, and two simple listeners.

A listener is any callable that takes an `Event`; the command line draws bars from them, a log takes lines.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TextIO

__all__ = ["Event", "Lines", "Listener", "silent"]

Kind = Literal["begin", "start", "done", "cached", "left out", "failed", "end"]


@dataclass(frozen=True)
class Event:
    """One thing that happened.

    Attributes
    ----------
    kind
        ``begin`` and ``end`` of a run; ``start`` and then ``done``, ``cached`` or ``failed`` of a step; ``left out``.
    case
        Pseudonym of the study.
    step, total
        Position of the step from 1, and how many there are (0 where it does not apply).
    to, op
        Slot and operation of the step.
    seconds
        How long it took, of the step or of the run.
    fraction
        Share of the run that is done, by the plan's estimate of time, 0 to 1.
    text
        A reason, where there is one.
    """

    kind: Kind
    case: str = ""
    step: int = 0
    total: int = 0
    to: str = ""
    op: str = ""
    seconds: float = 0.0
    fraction: float = 0.0
    text: str = ""

    def line(self) -> str:
        """Return the event as a line of a log."""
        place = f"{self.case}: " if self.case else ""
        if self.kind in ("begin", "end"):
            return f"{place}{'starts' if self.kind == 'begin' else 'done'}, {self.total} steps" + (
                f" in {self.seconds:.1f} s" if self.seconds else ""
            )
        where = f"step {self.step}/{self.total} {self.to} ({self.op})" if self.step else f"step {self.to} ({self.op})"
        told = {"start": "starts", "done": f"done in {self.seconds:.1f} s", "cached": "taken from the cache"}.get(
            self.kind, self.kind
        )
        return f"{place}{where} {told}" + (f": {self.text}" if self.text else "")


Listener = Callable[[Event], None]


def silent(event: Event) -> None:
    """Ignore an event."""


class Lines:
    """Writes one line per event, whole lines even from several threads.

    Parameters
    ----------
    stream
        Where to.
    kinds
        Which events; default: all but the start of each step.
    """

    def __init__(self, stream: TextIO, kinds: tuple[str, ...] = ("begin", "done", "cached", "left out", "failed", "end")) -> None:
        self._stream = stream
        self._kinds = kinds
        self._lock = threading.Lock()

    def __call__(self, event: Event) -> None:
        """Write the event's line."""
        if event.kind in self._kinds:
            with self._lock:
                self._stream.write(event.line() + "\n")
                self._stream.flush()
