"""What the executors share: a task that fails becomes a value, and the batch goes on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from isocenter.core.errors import IsocenterError

__all__ = ["Failure", "OnDone", "attempt"]

Task = TypeVar("Task")
Result = TypeVar("Result")

#: Called in the parent with (position of the task, the task, its result or `Failure`), in order of completion.
OnDone = Callable[[int, Any, Any], None]


@dataclass(frozen=True)
class Failure:
    """A task without a result.

    Attributes
    ----------
    task
        The task as given.
    reason
        One sentence.
    kind
        Name of the error's class; ``WorkerLost`` where the process died, ``Timeout`` where it took too long.
    """

    task: Any
    reason: str
    kind: str = ""


def attempt(function: Callable[[Task], Result], task: Task) -> Result | Failure:
    """Return the result of a task, or the `Failure` that its error turned into."""
    try:
        return function(task)
    except IsocenterError as error:
        return Failure(task, str(error), type(error).__name__)
    except Exception as error:  # noqa: BLE001  # one bad case never stops the rest: any error becomes its reason
        return Failure(task, f"{type(error).__name__}: {error}".rstrip(": "), type(error).__name__)
