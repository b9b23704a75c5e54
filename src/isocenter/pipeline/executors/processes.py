"""Processes: tasks in worker processes of this machine, which may crash without stopping the rest.

Each worker has its own pipe, so the parent knows which task a lost worker was at: that task is tried once more
in a fresh worker of its own, and set aside with the reason when it is lost again. Workers are spawned, not
forked (threads of numerical libraries do not survive a fork), and end when their parent does.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import pickle
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from typing import Any

from isocenter.core.errors import ParameterError
from isocenter.pipeline.executors.base import Failure, OnDone, attempt

__all__ = ["TRIES", "run"]

#: A task whose worker is lost this many times is set aside.
TRIES = 2
#: What the numerical libraries read to decide on their threads.
_THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMBA_NUM_THREADS",
    "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS",
)


def _serve(pipe: Connection, threads: int) -> None:
    """Run tasks from the pipe until it closes: what a worker process does."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides when to stop
    for name in _THREAD_VARIABLES:
        os.environ.setdefault(name, str(threads))
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        function = pickle.loads(pipe.recv_bytes())  # noqa: S301  # sent by our own parent through an inherited pipe
    except Exception as error:  # noqa: BLE001  # the function's module may not import here: every task then says so
        reason = f"the worker could not load its function ({type(error).__name__}: {error})"

        def function(task: Any) -> Any:
            return Failure(task, reason, "ImportError")

    while True:
        try:
            task = pipe.recv()
        except EOFError:
            return
        result = attempt(function, task)
        try:
            pipe.send_bytes(pickle.dumps(result))
        except BrokenPipeError:
            return
        except Exception as error:  # noqa: BLE001  # a result that cannot be sent is a failed task, not a lost worker
            pipe.send_bytes(
                pickle.dumps(Failure(task, f"Its result cannot be sent back ({type(error).__name__}: {error}).", "PicklingError"))
            )


def _end_with_parent() -> None:
    """End this process when the parent is gone, so that a killed run leaves nobody writing into its folder."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)


@dataclass
class _Worker:
    """A process, its pipe, and the position of the task it is at."""

    process: Any
    pipe: Connection
    position: int | None = None
    since: float = field(default_factory=time.monotonic)


class _Crew:
    """The workers of one run and the tasks that wait."""

    def __init__(
        self, function: Callable[[Any], Any], tasks: list[Any], workers: int, seconds: float | None, on_done: OnDone | None
    ) -> None:
        self.context = multiprocessing.get_context("spawn")
        try:
            self.function = pickle.dumps(function)
        except Exception as error:
            raise ParameterError(
                f"Function {function!r} cannot be sent to a worker ({error}): expected one defined at the top of a module."
            ) from error
        self.tasks, self.seconds, self.on_done = tasks, seconds, on_done
        self.count = max(1, min(workers, len(tasks)))
        self.threads = max(1, (os.cpu_count() or 1) // self.count)
        self.waiting = deque(range(len(tasks)))
        self.tries = [0] * len(tasks)
        self.results: list[Any] = [None] * len(tasks)
        self.left = len(tasks)
        self.workers: list[_Worker] = []

    def hire(self) -> _Worker:
        ours, theirs = self.context.Pipe()
        process = self.context.Process(target=_serve, args=(theirs, self.threads), daemon=True, name="isocenter-worker")
        process.start()
        theirs.close()
        worker = _Worker(process, ours)
        self.workers.append(worker)
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # died at once: `collect` sees that
            ours.send_bytes(self.function)
        return worker

    def assign(self) -> None:
        """Give every idle worker a task; hire where there are too few."""
        while self.waiting and len(self.workers) < self.count:
            self.hire()
        for worker in list(self.workers):
            if worker.position is None and self.waiting:
                position = self.waiting.popleft()
                worker.position, worker.since = position, time.monotonic()
                try:
                    worker.pipe.send(self.tasks[position])
                except (BrokenPipeError, ConnectionResetError):
                    pass  # it died: `collect` sees that
                except Exception as error:  # noqa: BLE001  # a task that cannot be pickled fails alone
                    worker.position = None
                    self.finish(
                        position,
                        Failure(
                            self.tasks[position],
                            f"It cannot be sent to a worker ({type(error).__name__}: {error}).",
                            "PicklingError",
                        ),
                    )

    def collect(self) -> None:
        """Wait for something to happen and deal with it."""
        busy = [w for w in self.workers if w.position is not None]
        if not busy:
            return
        handles: list[Any] = [w.pipe for w in busy] + [w.process.sentinel for w in busy]
        wait(handles, timeout=None if self.seconds is None else 0.2)
        for worker in busy:
            if worker.position is None:
                continue
            if worker.pipe.poll():
                try:
                    result = pickle.loads(worker.pipe.recv_bytes())  # noqa: S301  # from our own worker
                except (EOFError, OSError, pickle.UnpicklingError):
                    self.lost(worker, "")
                    continue
                position, worker.position = worker.position, None
                self.finish(position, result)
            elif not worker.process.is_alive():
                self.lost(worker, "")
            elif self.seconds is not None and time.monotonic() - worker.since > self.seconds:
                worker.process.kill()
                self.lost(worker, f"it took longer than {self.seconds:g} s and was stopped")

    def lost(self, worker: _Worker, reason: str) -> None:
        """Deal with a worker that is gone: its task is tried again, or set aside."""
        worker.process.join(5)
        code = worker.process.exitcode
        self.dismiss(worker)
        position = worker.position
        if position is None:
            return
        self.tries[position] += 1
        if reason:
            self.finish(position, Failure(self.tasks[position], reason[0].upper() + reason[1:] + ".", "Timeout"))
        elif self.tries[position] >= TRIES:
            self.finish(
                position,
                Failure(
                    self.tasks[position],
                    f"Its worker process was lost {TRIES} times ({_cause(code)}); it was set aside.",
                    "WorkerLost",
                ),
            )
        else:
            self.waiting.appendleft(position)

    def dismiss(self, worker: _Worker) -> None:
        self.workers.remove(worker)
        worker.pipe.close()

    def finish(self, position: int, result: Any) -> None:
        self.results[position] = result
        self.left -= 1
        if self.on_done is not None:
            self.on_done(position, self.tasks[position], result)

    def stop(self) -> None:
        """End every worker: idle ones leave when their pipe closes, the others are killed."""
        for worker in self.workers:
            worker.pipe.close()
            if worker.position is not None:
                worker.process.kill()
        for worker in self.workers:
            worker.process.join(5)
            if worker.process.is_alive():
                worker.process.kill()
                worker.process.join(5)


def _cause(code: int | None) -> str:
    if code is None:
        return "no reason known"
    if code >= 0:
        return f"it ended with code {code}"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    return f"killed by {name}" + (", often for want of memory" if name == "SIGKILL" else "")


def run(
    function: Callable[[Any], Any],
    tasks: Iterable[Any],
    *,
    workers: int = 2,
    on_done: OnDone | None = None,
    seconds: float | None = None,
) -> list[Any]:
    """Return the result, or the `Failure`, of every task in their order.

    Parameters
    ----------
    function
        Defined at the top of a module (it is sent by name); called with one task.
    tasks
        Values that pickle.
    workers
        Processes at a time.
    on_done
        Called in this process after each task, in order of completion.
    seconds
        A task that takes longer is stopped and fails; None lets it run.

    Raises
    ------
    ParameterError
        If the function cannot be sent to a worker.
    """
    given = list(tasks)
    if not given:
        return []
    crew = _Crew(function, given, workers, seconds, on_done)
    try:
        while crew.left:
            crew.assign()
            crew.collect()
    finally:
        crew.stop()
    return crew.results
