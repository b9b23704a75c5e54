"""The thread budget holds, is restored, and inputs compile once."""

from __future__ import annotations

import threading

import numba
import numpy as np
import pytest

from isocenter.kernels.otsu import histogram
from isocenter.kernels.threads import kernel_input, numba_threads, run_rows


def test_budget_is_set_held_to_the_machine_and_restored() -> None:
    before = numba.get_num_threads()
    with numba_threads(1) as n:
        assert n == numba.get_num_threads() == 1
    with numba_threads(10**6) as n:
        assert n == numba.config.NUMBA_NUM_THREADS
    with pytest.raises(KeyError), numba_threads(1):
        raise KeyError
    assert numba.get_num_threads() == before


def test_kernels_of_several_python_threads_do_not_disturb_each_other() -> None:
    values = np.random.default_rng(0).integers(0, 50, 100_000)
    expected = histogram(values)[0]
    found: list[np.ndarray] = []
    workers = [threading.Thread(target=lambda: found.append(histogram(values, threads=2)[0])) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(30)
    assert len(found) == 4
    assert all(np.array_equal(f, expected) for f in found)


def test_kernel_input_is_contiguous_native_and_read_only() -> None:
    array = np.arange(12, dtype=">i2").reshape(3, 4).T
    ready = kernel_input(array)
    assert ready.flags.c_contiguous
    assert not ready.flags.writeable
    assert ready.dtype.isnative
    np.testing.assert_array_equal(ready, array)
    same = np.zeros(3)
    assert np.shares_memory(kernel_input(same), same)
    assert same.flags.writeable


@pytest.mark.parametrize("rows", [0, 1, 2, 7, 100])
@pytest.mark.parametrize("threads", [1, 2, 5])
def test_every_row_is_done_once(rows: int, threads: int) -> None:
    done = np.zeros(rows, int)

    def kernel(first: int, last: int, out: np.ndarray) -> None:
        out[first:last] += 1

    run_rows(kernel, rows, threads, done)
    assert (done == 1).all()


def test_an_error_in_one_share_is_raised() -> None:
    def kernel(first: int, last: int) -> None:
        if first <= 50 < last:
            raise KeyError("row 50")

    with pytest.raises(KeyError, match="row 50"):
        run_rows(kernel, 100, 3)
