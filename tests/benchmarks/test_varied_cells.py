"""Copies of pictures of cells: the nuclei stay where they are, and what is added is no nucleus."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

import isocenter as iso
from benchmarks.train.varied_cells import varied_cells, varied_fluorescence, varied_stain

SEEDS = range(6)


def discs() -> npt.NDArray[np.int32]:
    """Return nine discs on a ground of 96 x 96."""
    y, x = np.mgrid[:96, :96]
    return np.where((y % 32 - 16) ** 2 + (x % 32 - 16) ** 2 < 64, 1 + y // 32 * 3 + x // 32, 0).astype(np.int32)


@pytest.mark.parametrize("seed", SEEDS)
def test_nuclei_shine_where_they_shone(seed: int) -> None:
    numbers = discs()
    grey = 6.0 + 90.0 * (numbers > 0)
    changed = varied_fluorescence(grey, numbers, np.random.default_rng(seed))
    assert changed.shape == grey.shape and changed.min() >= 0 and changed.max() <= 255
    ground = float(np.median(changed[numbers == 0]))
    brightness = np.array([float(np.median(changed[numbers == k])) for k in range(1, 10)])
    assert (brightness > ground + 5).all() and brightness.std() > 0  # not all alike any more
    assert not np.array_equal(changed, varied_fluorescence(grey, numbers, np.random.default_rng(seed + 100)))
    assert np.array_equal(changed, varied_fluorescence(grey, numbers, np.random.default_rng(seed)))


@pytest.mark.parametrize("seed", SEEDS)
def test_stained_nuclei_stay_darker_in_red_than_their_ground(seed: int) -> None:
    inside = discs() > 0
    color = np.where(inside, np.array([90.0, 60.0, 140.0])[:, None, None], np.array([235.0, 190.0, 220.0])[:, None, None])
    changed = varied_stain(color, np.random.default_rng(seed))
    assert changed.shape == color.shape and changed.min() >= 0 and changed.max() <= 255
    assert changed[0][inside].max() + 20 < changed[0][~inside].min()
    assert float(np.abs(changed - color).max()) > 3
    white = np.full((3, 8, 8), 255.0)
    assert np.allclose(varied_stain(white, np.random.default_rng(seed)), 255.0)


def test_a_picture_keeps_its_grid_whatever_it_shows() -> None:
    numbers, rng = discs(), np.random.default_rng(0)
    geometry = iso.Geometry.regular((96, 96), 0.5)
    shining = iso.Image((6 + 90 * (numbers > 0)).astype(np.uint8), ("y", "x"), geometry)
    dark = iso.Image((220 - 90 * (numbers > 0)).astype(np.uint8), ("y", "x"), geometry)
    color = np.where(numbers > 0, np.array([90, 60, 140])[:, None, None], np.array([235, 190, 220])[:, None, None])
    stained = iso.Image(color.astype(np.uint8), ("c", "y", "x"), geometry)
    for picture, channels in ((shining, ()), (dark, ()), (stained, (3,))):
        changed = varied_cells(picture, numbers, rng)
        assert changed.geometry.matches(geometry) and changed.shape == (*channels, 96, 96)
    bright = np.asarray(varied_cells(dark, numbers, rng).array)
    assert bright[numbers > 0].max() < bright[numbers == 0].min()
