"""denoise.bilateral against its definition."""

from __future__ import annotations

import numpy as np
import pytest

from isocenter.core.errors import ContentError, ParameterError
from isocenter.core.geometry import Geometry
from isocenter.core.image import Image
from isocenter.ops.denoise.bilateral import Bilateral
from tests.ops.denoise._gain import Shared, gain


def definition(array: np.ndarray, spacing: tuple[float, ...], sigma: float, contrast: float, truncate: float) -> np.ndarray:
    reach = [int(truncate * sigma / s + 0.5) for s in spacing]
    padded = np.pad(array, [(r, r) for r in reach], mode="edge")
    top, bottom = np.zeros(array.shape), np.zeros(array.shape)
    for shift in np.ndindex(*[2 * r + 1 for r in reach]):
        value = padded[tuple(slice(k, k + n) for k, n in zip(shift, array.shape, strict=True))]
        away = sum(((k - r) * s / sigma) ** 2 for k, r, s in zip(shift, reach, spacing, strict=True))
        weight = np.exp(-0.5 * away - 0.5 * ((value - array) / contrast) ** 2)
        top += weight * value
        bottom += weight
    return top / bottom


@pytest.mark.parametrize("spacing", [(2.0, 1.0, 0.7), (1.3, 0.8), (1.0,)])
@pytest.mark.parametrize("dtype, tolerance", [("float32", 2e-5), ("float64", 2e-5), ("int16", 2e-5)])
def test_equals_its_definition(spacing: tuple[float, ...], dtype: str, tolerance: float) -> None:
    shape = (9, 10, 12)[: len(spacing)]
    array = np.random.default_rng(0).normal(-200, 300, shape).astype(dtype)
    image = Image(array, ("z", "y", "x")[3 - len(shape) :], Geometry.regular(shape, spacing))
    found = Bilateral(sigma=1.4, contrast=150.0)(image).array
    np.testing.assert_allclose(found, definition(array.astype(float), spacing, 1.4, 150.0, 2.0), atol=tolerance * np.ptp(array))


@pytest.mark.parametrize("which, least", [("phantom", 5.3), ("real", 4.1)])
def test_wins_and_keeps_the_mean(which: str, least: float, shared: Shared) -> None:
    won, moved = gain(Bilateral(), which, shared)
    assert won >= least
    assert abs(moved) < 0.005


def test_refusals() -> None:
    with pytest.raises(ContentError, match="no pixel size"):
        Bilateral()(Image(np.zeros((4, 4)), ("y", "x"), Geometry.pixels((4, 4))))
    with pytest.raises(ParameterError, match="contrast"):
        Bilateral(contrast=0)
