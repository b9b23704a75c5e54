"""denoise.nonlocal_means against its definition."""

from __future__ import annotations

import numpy as np
import pytest

from isocenter.core.errors import ContentError
from isocenter.core.geometry import Geometry
from isocenter.core.image import Image
from isocenter.ops.denoise.nonlocal_means import NonlocalMeans
from tests.ops.denoise._gain import DIMS, Shared, add, clean, gain


def definition(
    array: np.ndarray, patch: tuple[int, ...], search: tuple[int, ...], strength: float, sigma: float, power: int
) -> np.ndarray:
    margin = [p + s for p, s in zip(patch, search, strict=True)]
    padded = np.pad(array, [(m, m) for m in margin], mode="edge")

    def shifted(by: tuple[int, ...]) -> np.ndarray:
        return padded[tuple(slice(m + b, m + b + n) for m, b, n in zip(margin, by, array.shape, strict=True))]

    inside = [tuple(k - p for k, p in zip(i, patch, strict=True)) for i in np.ndindex(*[2 * p + 1 for p in patch])]
    top, bottom = np.zeros(array.shape), np.zeros(array.shape)
    for index in np.ndindex(*[2 * s + 1 for s in search]):
        by = tuple(k - s for k, s in zip(index, search, strict=True))
        apart = sum((shifted(i) - shifted(tuple(a + b for a, b in zip(i, by, strict=True)))) ** 2 for i in inside) / len(inside)
        weight = np.exp(-np.maximum(apart - 2 * sigma**2, 0) / strength**2)
        top += weight * shifted(by) ** power
        bottom += weight
    return top / bottom


@pytest.mark.parametrize(
    "shape, patch, search", [((8, 9, 30), (1, 1, 1), (2, 2, 2)), ((30, 31), (2, 1), (3, 4)), ((90,), (1,), (7,))]
)
def test_equals_its_definition(shape: tuple[int, ...], patch: tuple[int, ...], search: tuple[int, ...]) -> None:
    array = np.random.default_rng(0).normal(500, 30, shape)
    array[: shape[0] // 2] += 100
    image = Image(array.astype(np.float32), DIMS[3 - len(shape) :], Geometry.regular(shape))
    found = NonlocalMeans(patch=patch, search=search, sigma=30.0, strength=0.9)(image).array
    np.testing.assert_allclose(found, definition(array, patch, search, 27.0, 30.0, 1), atol=0.01)


def test_rician_takes_the_bias_of_the_squares_off() -> None:
    shape = (8, 9, 10)
    array = np.random.default_rng(0).normal(500, 30, shape)
    found = NonlocalMeans(sigma=30.0, model="rician")(Image(array, DIMS, Geometry.regular(shape))).array
    np.testing.assert_allclose(found, np.sqrt(definition(array, (1,) * 3, (2,) * 3, 30.0, 30.0, 2) - 1800), atol=0.01)


@pytest.mark.parametrize("which, least", [("phantom", 11.5), ("real", 7.9)])
def test_wins_and_keeps_the_mean(which: str, least: float, shared: Shared) -> None:
    won, moved = gain(NonlocalMeans(), which, shared)
    assert won >= least
    assert abs(moved) < 0.005


@pytest.mark.parametrize("which, sigma, least", [("phantom", 42.5, 11.3), ("real", 6.55, 7.9)])
def test_rician_noise_and_the_mean_within_the_head(which: str, sigma: float, least: float, shared: Shared) -> None:
    operation = NonlocalMeans(model="rician", sigma=sigma)
    assert gain(operation, which, shared, "rician")[0] >= least
    truth, geometry = clean(which, None if which == "phantom" else shared("brain_mr") / "ch2.nii.gz")
    noisy = add("rician", truth, 0.05).astype(np.float32)
    found = np.asarray(operation(Image(noisy, DIMS, geometry)).array, np.float64)
    head = truth > 0.2 * truth.max()
    assert abs(found[head].mean() / truth[head].mean() - 1) < 0.005


def test_measures_the_noise_and_refuses_nan() -> None:
    array = np.random.default_rng(0).normal(500, 30, (12, 12, 12))
    image = Image(array, DIMS, Geometry.regular(array.shape))
    assert "measured as" in NonlocalMeans()(image).provenance.steps[-1].notes[0]
    array[3, 3, 3] = np.nan
    with pytest.raises(ContentError, match="not finite"):
        NonlocalMeans()(Image(array, DIMS, Geometry.regular(array.shape)))


@pytest.mark.parametrize("which, least", [("phantom", 9.3), ("real", 9.9)])
def test_poisson_noise_and_the_mean(which: str, least: float, shared: Shared) -> None:
    won, moved = gain(NonlocalMeans(model="poisson"), which, shared, "poisson", 100.0)
    assert won >= least
    assert abs(moved) < 0.0025


def test_counts_below_zero_are_refused() -> None:
    array = np.full((4, 4, 4), -1.0)
    with pytest.raises(ContentError, match="counts are 0 or more"):
        NonlocalMeans(model="poisson")(Image(array, DIMS, Geometry.regular(array.shape)))
