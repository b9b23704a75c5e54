"""Serial: one task after the other, in this process."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from isocenter.pipeline.executors.base import OnDone, attempt

__all__ = ["run"]


def run(function: Callable[[Any], Any], tasks: Iterable[Any], *, workers: int = 1, on_done: OnDone | None = None) -> list[Any]:
    """Return the result, or the `Failure`, of every task in their order.

    Parameters
    ----------
    function
        Called with one task.
    tasks
        In the order of the results.
    workers
        Ignored: there is one.
    on_done
        Called after each task.
    """
    results = []
    for position, task in enumerate(tasks):
        result = attempt(function, task)
        results.append(result)
        if on_done is not None:
            on_done(position, task, result)
    return results
