"""The benchmark machinery: equality first, missing peers named, failures loud."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.common import Row, compare, exactly, table, within

CONTESTANTS = """
import numpy as np

def ours():
    print("noise on standard output does no harm")
    return lambda: np.arange(10)

def same():
    return lambda: np.arange(10)

def slow():
    def work():
        return sum(np.arange(10) * 0 + k for k in range(20000)) * 0 + np.arange(10)
    return work

def other():
    return lambda: np.arange(10) + 1

def absent():
    import no_such_package

def broken():
    def work():
        raise RuntimeError("broken")
    return work
"""


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "contestants.py"
    path.write_text(CONTESTANTS)
    return str(path)


def test_a_comparison_checks_equality_and_gives_ratios(file: str) -> None:
    row = Row("counting", file, "ours", {"same": "same", "slow": "slow", "other": "other", "absent": "absent"}, rounds=2)
    ours, same, slow, other, absent = compare(row)
    assert (ours.name, same.remark) == ("isocenter", "equal")
    assert other.remark == "DIFFERS: 10 of 10 values differ"
    assert absent.remark == "not installed"
    assert slow.ratio_cpu is not None
    assert slow.ratio_cpu > 5
    text = table("counting", [ours, same, slow, other, absent])
    assert "| absent | | | | | | | not installed |" in text
    assert text.count("\n") == 9


def test_a_contestant_that_fails_is_an_error(file: str) -> None:
    with pytest.raises(RuntimeError, match="broken ended without an answer"):
        compare(Row("failing", file, "ours", {"broken": "broken"}, rounds=1))


def test_equality_checks() -> None:
    one = np.array([1.0, 2.0])
    assert exactly(one, one) is None
    assert exactly(one, one[:1]) == "shapes (2,) and (1,)"
    assert within(0.1)(one, one + 0.05) is None
    assert within(0.1)(one, one + 0.5) == "largest difference 0.5"
    assert within(0.1)(one, one[:1]) == "shapes (2,) and (1,)"
