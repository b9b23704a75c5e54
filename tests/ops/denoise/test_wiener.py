"""denoise.wiener."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import signal

from isocenter.core.geometry import Geometry
from isocenter.core.image import Image
from isocenter.ops.denoise.wiener import Wiener
from tests.ops.denoise._gain import Shared, gain


@pytest.mark.parametrize("shape, radius", [((12, 13, 14), 1), ((12, 13, 14), (2, 1, 3)), ((40, 41), 2)])
def test_equals_scipy_inside(shape: tuple[int, ...], radius: int | tuple[int, ...]) -> None:
    array = 1000 + 50 * np.random.default_rng(0).standard_normal(shape)
    size = [2 * r + 1 for r in (radius if isinstance(radius, tuple) else (radius,) * len(shape))]
    inner = tuple(slice(s, -s) for s in size)  # SciPy takes zeros beyond the edge
    result = Wiener(radius=radius, sigma=40.0)(Image(array, ("z", "y", "x")[3 - len(shape) :], Geometry.regular(shape)))
    np.testing.assert_allclose(np.asarray(result.array)[inner], signal.wiener(array, size, noise=1600.0)[inner], rtol=1e-9)


def test_a_flat_background_is_kept_where_scipy_says_nan() -> None:
    array = np.zeros((16, 16, 16), np.float32)
    array[4:12, 4:12, 4:12] = 500 + 20 * np.random.default_rng(0).standard_normal((8, 8, 8))
    for sigma in (None, 0.0, 20.0):
        result = np.asarray(Wiener(sigma=sigma)(Image(array, ("z", "y", "x"), Geometry.regular(array.shape))).array)
        assert np.isfinite(result).all()
        assert (result[:3] == 0).all()


def test_large_offsets_do_not_cancel() -> None:
    noise = np.random.default_rng(0).standard_normal((10, 20, 20)).astype(np.float32)
    geometry = Geometry.regular(noise.shape)
    low, high = (
        np.asarray(Wiener(sigma=1.0)(Image((noise + o).astype(np.float32), ("z", "y", "x"), geometry)).array) - o
        for o in (0, 32768)
    )
    np.testing.assert_allclose(low, high, atol=0.02)


@pytest.mark.parametrize("which, least", [("phantom", 5.7), ("real", 4.6)])
def test_wins_and_keeps_the_mean(which: str, least: float, shared: Shared) -> None:
    won, moved = gain(Wiener(), which, shared)
    assert won >= least
    assert abs(moved) < 0.005
