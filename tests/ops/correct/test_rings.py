"""correct.rings on a disc with rings."""

from __future__ import annotations

import numpy as np
import pytest

from isocenter.core.geometry import Geometry
from isocenter.core.image import Image
from isocenter.ops.correct.rings import Rings


def disc(center: tuple[float, float]) -> tuple[np.ndarray, np.ndarray]:
    rows, columns = np.indices((160, 170))
    distance = np.hypot(rows - center[0], columns - center[1])
    truth = 1000.0 * (np.hypot(rows - 75, columns - 90) < 60) + 300.0 * (np.hypot(rows - 60, columns - 70) < 15)
    profile = np.zeros(300)
    profile[[8, 21, 22, 37, 51, 64]] = (40, -60, 50, 45, -50, 55)
    return truth, truth + np.interp(distance, np.arange(300), profile)


@pytest.mark.parametrize("center", [None, (70.0, 95.0)])
def test_rings_go_and_the_disc_stays(center: tuple[float, float] | None) -> None:
    truth, ringed = disc(center or (79.5, 84.5))
    found = np.asarray(Rings(center=center)(Image(ringed, ("y", "x"), Geometry.pixels(truth.shape))).array)
    won = 10 * np.log10(((ringed - truth) ** 2).mean() / ((found - truth) ** 2).mean())
    assert won >= 7.8
    assert found.mean() == pytest.approx(truth.mean(), rel=0.005)


def test_slices_and_a_flat_image() -> None:
    flat = Image(np.full((2, 30, 32), 7, np.int16), ("z", "y", "x"), Geometry.regular((2, 30, 32)))
    np.testing.assert_allclose(np.asarray(Rings()(flat).array), 7.0, atol=1e-6)
