"""Threads of compiled kernels: how many run, and inputs that compile once.

A kernel here is compiled for one thread (``@njit(nogil=True, cache=True)``), takes the first and last row of its share,
and is run on several shares at once by `run_rows`. Compared with numba's own parallel loops that compiles several times
faster, needs no threading layer (which may not survive a fork, or two Python threads), and keeps to the thread budget of
each call. For kernels that do use ``prange``, `numba_threads` sets the budget.
"""

from __future__ import annotations

import itertools
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import numba
import numpy as np
import numpy.typing as npt

__all__ = ["kernel_input", "numba_threads", "run_rows"]

_LOCK = threading.RLock()
_SAFE_LAYERS = frozenset({"tbb", "omp"})


def _renew_lock() -> None:
    """Give a forked child its own lock: the parent's may have been held by a thread that the child lacks."""
    global _LOCK
    _LOCK = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_lock)


def _needs_turns() -> bool:
    """Return whether parallel kernels of several Python threads must wait for each other."""
    try:
        return numba.threading_layer() not in _SAFE_LAYERS
    except ValueError:  # the layer is chosen at the first start of a parallel kernel: not known yet
        return True


@contextmanager
def numba_threads(count: int) -> Iterator[int]:
    """Run compiled kernels on at most `count` threads.

    Parameters
    ----------
    count
        Threads wanted; held to between 1 and what the process was started with.

    Yields
    ------
    int
        The number of threads that kernels in the block use.

    Notes
    -----
    Results of the kernels here do not depend on the number: no kernel sums across threads in floating point.
    """
    wanted = max(1, min(int(count), int(numba.config.NUMBA_NUM_THREADS)))
    turn = _LOCK if _needs_turns() else None
    if turn is not None:
        turn.acquire()
    before = numba.get_num_threads()
    try:
        numba.set_num_threads(wanted)
        yield wanted
    finally:
        numba.set_num_threads(before)
        if turn is not None:
            turn.release()


def kernel_input(array: Any, dtype: Any = None) -> npt.NDArray[Any]:
    """Return an array as kernels take their inputs: native byte order, C-contiguous, read-only.

    Parameters
    ----------
    array
        Any array; it is copied only where its layout, byte order or dtype asks for it.
    dtype
        The wanted dtype; None keeps it.

    Notes
    -----
    A kernel is compiled once per argument type, and being read-only is part of the type. Images are read-only and
    temporary arrays are not, so without this every kernel would be compiled twice.
    """
    data = np.asarray(array)
    wanted = data.dtype if dtype is None else np.dtype(dtype)
    data = np.ascontiguousarray(data, dtype=wanted.newbyteorder("="))
    view = data.view()
    view.setflags(write=False)
    return view


def run_rows(kernel: Callable[..., Any], rows: int, threads: int, *arguments: Any) -> None:
    """Call ``kernel(first, last, *arguments)`` on shares of the rows 0 to `rows`, several at a time.

    Parameters
    ----------
    kernel
        Writes only to what belongs to its rows, and releases the GIL; so the result does not depend on the shares.
    rows
        How many there are.
    threads
        Most to run at once.
    arguments
        Handed on as they are.
    """
    workers = max(1, min(int(threads), rows))
    if workers == 1:
        kernel(0, rows, *arguments)
        return
    shares = min(rows, 4 * workers)  # a few each, so that one slow share does not keep the others waiting
    bounds = [rows * k // shares for k in range(shares + 1)]
    with ThreadPoolExecutor(workers) as pool:
        waiting = [pool.submit(kernel, a, b, *arguments) for a, b in itertools.pairwise(bounds)]
        for one in waiting:
            one.result()
