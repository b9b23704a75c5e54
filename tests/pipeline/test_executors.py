from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pytest

from isocenter.core.errors import ParameterError
from isocenter.pipeline.executors import dask, processes, serial
from isocenter.pipeline.executors.base import Failure
from tests.pipeline import executors_tasks as tasks

RUNNERS: dict[str, Callable[..., list[Any]]] = {"serial": serial.run, "processes": partial(processes.run, workers=2)}
EXPECTED = [tasks.digests(seed) for seed in range(4)]


@pytest.mark.parametrize("name", RUNNERS)
def test_results_in_order_equal_to_serial_and_each_told_once(name: str) -> None:
    told: list[int] = []
    assert RUNNERS[name](tasks.digests, range(4), on_done=lambda k, task, result: told.append(k)) == EXPECTED
    assert sorted(told) == [0, 1, 2, 3]
    assert RUNNERS[name](tasks.double, []) == []


@pytest.mark.parametrize("name", RUNNERS)
def test_an_error_is_a_result_and_the_rest_goes_on(name: str) -> None:
    first, one, two, last = RUNNERS[name](tasks.picky, range(4))
    assert (first, last) == (0, 3)
    assert one == Failure(1, "One is not for me.", "ContentError")
    assert two == Failure(2, "ZeroDivisionError: by two", "ZeroDivisionError")


def test_a_crashed_worker_costs_one_task_only(tmp_path: Path) -> None:
    given = [(k, "") for k in range(6)]
    given[1] = (1, "always")
    given[3] = (3, str(tmp_path / "once"))
    found = processes.run(tasks.deadly, given, workers=2)
    assert [r for k, r in enumerate(found) if k != 1] == [0, 2, 3, 4, 5]
    assert found[1].kind == "WorkerLost" and "2 times (killed by SIGKILL" in found[1].reason


def test_a_task_that_takes_too_long_is_stopped() -> None:
    found = processes.run(tasks.slow, [0.0, 60.0, 0.0], workers=2, seconds=3.0)
    assert found[0] == found[2] == 0.0 and found[1].kind == "Timeout"


def test_what_cannot_be_sent_fails_alone() -> None:
    found = processes.run(tasks.unsendable, [0, 1, 0], workers=1)
    assert found[0] == found[2] == 0 and "cannot be sent back" in found[1].reason
    found = processes.run(tasks.double, [1, lambda: 0], workers=1)
    assert found[0] == 2 and "cannot be sent to a worker" in found[1].reason
    with pytest.raises(ParameterError, match="top of a module"):
        processes.run(lambda value: value, [1])


def test_workers_end_with_a_killed_parent(tmp_path: Path) -> None:
    root = Path(__file__).resolve().parents[2]
    code = (
        "from isocenter.pipeline.executors import processes\nfrom tests.pipeline import executors_tasks as t\n"
        f"if __name__ == '__main__':\n    processes.run(t.noted, [{str(tmp_path / 'pid')!r}], workers=1)\n"
    )
    (tmp_path / "parent.py").write_text(code)
    parent = subprocess.Popen(
        [sys.executable, str(tmp_path / "parent.py")], cwd=root, env={**os.environ, "PYTHONPATH": str(root)}
    )
    deadline = time.monotonic() + 30
    while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    worker = int((tmp_path / "pid").read_text())
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    while psutil.pid_exists(worker) and psutil.Process(worker).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline, "the worker outlived its parent"
        time.sleep(0.05)


def test_a_local_dask_cluster_gives_what_serial_gives(tmp_path: Path) -> None:
    told: list[int] = []
    found = dask.run(tasks.digests, [0, 1, 2, 3, 1], workers=2, on_done=lambda k, task, result: told.append(k))
    assert found == [*EXPECTED, EXPECTED[1]] and sorted(told) == [0, 1, 2, 3, 4]


def test_dask_survives_lost_workers_and_sets_a_poisoned_task_aside(tmp_path: Path) -> None:
    given = [(0, ""), (1, str(tmp_path / "once")), (2, ""), (3, "")]
    with dask.connect("local", 2) as client:
        address = client.scheduler.address
        assert address.startswith("tcp://127.0.0.1:")
        assert dask.run(tasks.deadly, given, scheduler=address) == [0, 1, 2, 3]
        found = dask.run(tasks.picky, range(3), scheduler=address)
        assert found[0] == 0 and found[1].reason == "One is not for me." and found[2].kind == "ZeroDivisionError"
        (lost,) = dask.run(tasks.deadly, [(1, "always")], scheduler=address)
        assert lost.kind == "WorkerLost"


def test_no_scheduler_at_an_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dask, "_TIMEOUT", "1s")
    with pytest.raises(ParameterError, match="No Dask scheduler answers"):
        dask.run(tasks.double, [1], scheduler="tcp://127.0.0.1:9")
