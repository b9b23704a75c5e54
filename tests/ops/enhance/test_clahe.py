"""enhance.clahe: equal to its definition, in volumes and slice by slice."""

from __future__ import annotations

import numpy as np
import pytest

from isocenter.core.errors import ContentError
from isocenter.core.geometry import Geometry
from isocenter.core.image import Image
from isocenter.ops.enhance.clahe import Clahe


def definition(array: np.ndarray, tiles: int, clip: float, bins: int) -> np.ndarray:
    levels = np.clip((array - array.min()) * (bins / np.ptp(array)), 0, bins - 1).astype(int)
    counts = [min(tiles, n) for n in array.shape]
    curves = np.empty((*counts, bins))
    for tile in np.ndindex(*counts):
        box = tuple(slice(t * n // c, (t + 1) * n // c) for t, n, c in zip(tile, array.shape, counts, strict=True))
        held = np.bincount(levels[box].ravel(), minlength=bins).astype(float)
        size = levels[box].size
        limit = max(clip * size, size / bins)
        over = np.maximum(held - limit, 0).sum()
        curves[tile] = np.cumsum(np.minimum(held, limit) + over / bins) / size
    result = np.zeros(array.shape)
    place = [(np.arange(n) + 0.5) * c / n - 0.5 for n, c in zip(array.shape, counts, strict=True)]
    for corner in np.ndindex(*(2,) * array.ndim):
        weight, index = np.ones(array.shape), []
        for axis, (p, side, c) in enumerate(zip(place, corner, counts, strict=True)):
            low = np.floor(p).astype(int)
            share = (p - low) if side else 1 - (p - low)
            shape = [-1 if k == axis else 1 for k in range(array.ndim)]
            weight = weight * share.reshape(shape)
            index.append(np.clip(low + side, 0, c - 1).reshape(shape))
        result += weight * curves[(*[np.broadcast_to(i, array.shape) for i in index], levels)]
    return result


@pytest.mark.parametrize(
    "shape, tiles, bins", [((12, 20, 31), 3, 64), ((40, 50), 8, 256), ((6, 7, 200), 2, 8), ((2, 3, 9), 8, 16)]
)
def test_equals_its_definition(shape: tuple[int, ...], tiles: int, bins: int) -> None:
    array = np.random.default_rng(0).gamma(2.0, 100.0, shape)
    image = Image(array, ("z", "y", "x")[3 - len(shape) :], Geometry.regular(shape))
    found = Clahe(tiles=tiles, clip=0.03, bins=bins)(image).array
    np.testing.assert_allclose(found, definition(array, tiles, 0.03, bins), atol=2e-6)


def test_slices_are_each_their_own() -> None:
    array = np.random.default_rng(0).gamma(2.0, 100.0, (3, 24, 26))
    array[1] += 50
    image = Image(array, ("z", "y", "x"), Geometry.regular(array.shape))
    found = np.asarray(Clahe(over="slices", tiles=2)(image).array)
    changed = array.copy()
    changed[1] = np.clip(changed[1][::-1], array.min(), array.max())
    again = np.asarray(Clahe(over="slices", tiles=2)(image.replace(array=changed)).array)
    np.testing.assert_array_equal(found[[0, 2]], again[[0, 2]])


def test_local_contrast_grows() -> None:
    array = np.linspace(0, 1000, 64)[None, :] + 10 * (np.indices((64, 64)).sum(axis=0) % 2)
    found = np.asarray(Clahe(clip=0.05)(Image(array, ("y", "x"), Geometry.pixels((64, 64)))).array)
    assert np.abs(np.diff(found, axis=0)).mean() > 3 * np.abs(np.diff(array / np.ptp(array), axis=0)).mean()


def test_nan_is_refused() -> None:
    with pytest.raises(ContentError, match="not finite"):
        Clahe()(Image(np.array([[1.0, np.nan]]), ("y", "x"), Geometry.pixels((1, 2))))
