"""enhance.adaptive."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from isocenter.core.geometry import Geometry
from isocenter.core.image import Image
from isocenter.ops.enhance.adaptive import Adaptive


def test_equals_its_formula_in_mm() -> None:
    array = np.random.default_rng(0).normal(1000, 30, (20, 24))
    spacing = (2.0, 1.0)

    def mean(v: np.ndarray) -> np.ndarray:
        return ndimage.gaussian_filter(v, [4.0 / s for s in spacing], mode="nearest", truncate=3.0)

    local = mean(array)
    expected = (array - local) / np.sqrt(np.maximum(mean(array**2) - local**2, 5.0**2))
    found = Adaptive(sigma=4.0, floor=5.0)(Image(array, ("y", "x"), Geometry.regular(array.shape, spacing))).array
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_uneven_light_goes_and_even_parts_stay_quiet() -> None:
    stripes = np.tile(np.sin(np.arange(120)), (120, 1))
    light = 1 + 4 * np.linspace(0, 1, 120)
    found = np.asarray(Adaptive(sigma=6.0)(Image(100 * light * (stripes + 2), ("y", "x"), Geometry.regular((120, 120)))).array)
    left, right = found[:, 20:50].std(), found[:, 70:100].std()
    assert left == pytest.approx(right, rel=0.1)
    flat = np.zeros((60, 60))
    flat[:30] = 100
    quiet = np.asarray(Adaptive(sigma=3.0)(Image(flat, ("y", "x"), Geometry.regular((60, 60)))).array)
    assert abs(quiet[50, 30]) < 1e-3
