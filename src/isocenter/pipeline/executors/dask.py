"""Dask: tasks on a cluster, one that exists (its address) or one started here on loopback.

Tasks go by keys that derive from what they are, so that a lost worker's task is computed again elsewhere and
counted once. Results equal those of the serial executor.
"""

from __future__ import annotations

import contextlib
import logging
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from isocenter.core.errors import ParameterError
from isocenter.pipeline.executors.base import Failure, OnDone, attempt

__all__ = ["RETRIES", "connect", "run"]

#: How often a task is given to another worker after its own was lost.
RETRIES = 2
_TIMEOUT = "20s"
#: No pages are served, and a task is given up after as many lost workers as it has tries.
_SETTINGS = {
    "distributed.scheduler.allowed-failures": RETRIES,
    "distributed.scheduler.http.routes": [],
    "distributed.worker.http.routes": [],
    "distributed.worker.daemon": True,
}


@contextmanager
def connect(scheduler: str = "local", workers: int = 2) -> Iterator[Any]:
    """Connect to a Dask cluster and leave it again.

    Parameters
    ----------
    scheduler
        Address of a running scheduler (``tcp://host:8786``), or ``local``: a cluster of processes on this machine,
        reachable from loopback only, without a dashboard.
    workers
        Processes of a local cluster.

    Raises
    ------
    ParameterError
        If no scheduler answers at the address.
    """
    import dask
    from distributed import Client, LocalCluster

    with contextlib.ExitStack() as stack:
        stack.enter_context(dask.config.set(_SETTINGS))
        if scheduler == "local":
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="isocenter-dask-", ignore_cleanup_errors=True))
            cluster = stack.enter_context(
                LocalCluster(
                    n_workers=max(1, workers),
                    threads_per_worker=1,
                    processes=True,
                    host="127.0.0.1",
                    # The scheduler always opens a port for pages: any free one, on loopback, with nothing on it.
                    dashboard_address="127.0.0.1:0",
                    scheduler_kwargs={"dashboard": False},
                    local_directory=folder,
                    silence_logs=logging.CRITICAL,
                )
            )
            yield stack.enter_context(Client(cluster, timeout=_TIMEOUT, set_as_default=False))
            return
        try:
            client = stack.enter_context(Client(scheduler, timeout=_TIMEOUT, set_as_default=False))
        except (OSError, ValueError, TypeError) as error:
            raise ParameterError(
                f"No Dask scheduler answers at '{scheduler}' ({type(error).__name__}): expected an address such as tcp://host:8786, or 'local'."
            ) from error
        yield client


def run(
    function: Callable[[Any], Any],
    tasks: Iterable[Any],
    *,
    workers: int = 2,
    on_done: OnDone | None = None,
    scheduler: str = "local",
) -> list[Any]:
    """Return the result, or the `Failure`, of every task in their order.

    Parameters
    ----------
    function
        Importable on the workers; called with one task.
    tasks
        Values that pickle; equal tasks are computed once.
    workers
        Processes of a local cluster.
    on_done
        Called in this process after each task, in order of completion.
    scheduler
        As of `connect`.
    """
    given = list(tasks)
    if not given:
        return []
    with connect(scheduler, min(workers, len(given))) as client:
        return _gather(client, function, given, on_done)


def _gather(client: Any, function: Callable[[Any], Any], tasks: list[Any], on_done: OnDone | None) -> list[Any]:
    from dask.base import tokenize
    from distributed import as_completed

    results: list[Any] = [None] * len(tasks)
    positions: dict[str, list[int]] = {}
    futures = []
    for position, task in enumerate(tasks):
        key = f"isocenter-{tokenize(getattr(function, '__qualname__', repr(function)), task)}"
        if key in positions:
            positions[key].append(position)
            continue
        positions[key] = [position]
        futures.append(client.submit(attempt, function, task, key=key, retries=RETRIES, pure=True))
    for future in as_completed(futures, loop=client.loop):
        result = _result(future, tasks[positions[future.key][0]])
        for position in positions[future.key]:
            results[position] = result
            if on_done is not None:
                on_done(position, tasks[position], result)
        future.release()
    return results


def _result(future: Any, task: Any) -> Any:
    """Return what a future gave; an error here is the cluster's, for `attempt` turns those of the task into values."""
    from distributed import KilledWorker

    try:
        return future.result()
    except KilledWorker:
        return Failure(task, f"Its worker was lost {RETRIES + 1} times; it was set aside.", "WorkerLost")
    except Exception as error:  # noqa: BLE001  # the border to the cluster: whatever it raises, the batch goes on
        return Failure(task, f"{type(error).__name__}: {error}".rstrip(": "), type(error).__name__)
