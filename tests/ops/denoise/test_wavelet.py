"""denoise.wavelet."""

from __future__ import annotations

import numpy as np
import pytest

from isocenter.core.geometry import Geometry
from isocenter.core.image import Image
from isocenter.kernels.wavelet_shrink import WAVELETS, low_pass
from isocenter.ops.denoise.wavelet import Wavelet
from tests.ops.denoise._gain import DIMS, Shared, gain


@pytest.mark.parametrize("name, moments", WAVELETS.items())
def test_filters_are_orthonormal_with_vanishing_moments(name: str, moments: int) -> None:
    taps = low_pass(name)
    assert len(taps) == 2 * moments
    for k in range(moments):
        assert taps[2 * k :] @ taps[: len(taps) - 2 * k] == pytest.approx(float(k == 0), abs=1e-12)
        high = taps[::-1] * (-1.0) ** np.arange(len(taps))
        assert high @ np.arange(len(taps)) ** float(k) == pytest.approx(0.0, abs=1e-8)


def test_db2_has_the_known_taps() -> None:
    root = np.sqrt(3.0)
    np.testing.assert_allclose(low_pass("db2"), np.array([1 + root, 3 + root, 3 - root, 1 - root]) / (4 * np.sqrt(2)), atol=1e-12)


@pytest.mark.parametrize("shape", [(7, 9, 12), (1, 30, 17), (50,)])
@pytest.mark.parametrize("name", WAVELETS)
def test_without_noise_the_image_comes_back(shape: tuple[int, ...], name: str) -> None:
    array = np.random.default_rng(0).normal(-100, 300, shape)
    image = Image(array, DIMS[3 - len(shape) :], Geometry.regular(shape))
    for rule in ("local", "bayes", "visu"):
        np.testing.assert_allclose(Wavelet(wavelet=name, sigma=1e-9, rule=rule)(image).array, array, atol=1e-8)


def test_pure_noise_goes() -> None:
    array = 100 + np.random.default_rng(0).standard_normal((32, 33, 34))
    for rule, left in (("local", 0.25), ("bayes", 0.15), ("visu", 0.15)):
        found = np.asarray(Wavelet(sigma=1.0, rule=rule)(Image(array, DIMS, Geometry.regular(array.shape))).array)
        assert found.std() < left


WON = [("local", "phantom", 7.9), ("local", "real", 7.1), ("bayes", "phantom", 5.3), ("bayes", "real", 6.3),
       ("visu", "phantom", 6.0), ("visu", "real", 4.8)]  # fmt: skip


@pytest.mark.parametrize("rule, which, least", WON)
def test_wins_and_keeps_the_mean(rule: str, which: str, least: float, shared: Shared) -> None:
    won, moved = gain(Wavelet(rule=rule), which, shared)
    assert won >= least
    assert abs(moved) < 0.005
