"""The budget refuses in one sentence, before anything is allocated, and counts with whole numbers of any size."""

from __future__ import annotations

from pathlib import Path

import pytest

from isocenter.core.errors import BudgetError
from isocenter.io.budget import Budget, default_bytes, readable_size

PATH = Path("folder/a.nii")


@pytest.mark.parametrize(
    ("method", "sound", "refused"),
    [
        ("check_bytes", 100, 101), ("check_voxels", 50, 51), ("check_frames", 7, 8), ("check_nesting", 3, 4), ("check_files", 9, 10),
        ("check_entries", 5, 6), ("check_pixels", 20, 21), ("check_bytes", 0, 1 << 200),
    ],
)  # fmt: skip
def test_limits(method: str, sound: int, refused: int) -> None:
    budget = Budget(
        max_bytes=100,
        max_voxels=50,
        max_frames=7,
        max_nesting=3,
        max_files=9,
        max_entries=5,
        max_pixels=20,
        max_ratio=10,
        ratio_floor=100,
    )
    assert getattr(budget, method)(sound, PATH) == sound
    with pytest.raises(BudgetError, match=r"^a\.nii: .*expected at most") as caught:
        getattr(budget, method)(refused, PATH)
    assert isinstance(caught.value, MemoryError)


def test_shapes_do_not_overflow() -> None:
    with pytest.raises(BudgetError):
        Budget().check_shape((1 << 40, 1 << 40, 1 << 40), 8, PATH)
    assert Budget().check_shape((3, 4, 5), 2, PATH) == 120


def test_ratios_count_above_a_floor() -> None:
    budget = Budget(max_ratio=10, ratio_floor=1000)
    assert budget.check_ratio(1, 1000, PATH) == 1000
    assert budget.check_ratio(200, 2000, PATH) == 2000
    with pytest.raises(BudgetError, match="bomb"):
        budget.check_ratio(199, 2000, PATH)
    with pytest.raises(BudgetError, match="bomb"):
        budget.check_ratio(0, 2000, PATH)


def test_the_default_fits_the_machine() -> None:
    assert 0 < default_bytes() <= 4 << 30
    assert Budget().max_bytes == default_bytes()


@pytest.mark.parametrize(
    ("n", "text"), [(0, "0 bytes"), (1023, "1023 bytes"), (1 << 10, "1 KiB"), (3 << 29, "1.5 GiB"), (1 << 62, "4096 PiB")]
)
def test_sizes_for_people(n: int, text: str) -> None:
    assert readable_size(n) == text
