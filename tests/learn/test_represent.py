"""Descriptions of pictures: what they must not depend on, and what they must see."""

from __future__ import annotations

import numpy as np
import pytest

from isocenter.core.errors import ContentError
from isocenter.core.geometry import Geometry
from isocenter.core.image import Image
from isocenter.learn.represent import represent


def picture(array: np.ndarray, dims: tuple[str, ...] = ("y", "x")) -> Image:
    shape = tuple(n for n, d in zip(array.shape, dims, strict=True) if d in "zyx")
    return Image(array, dims, Geometry.regular(shape, (1.0,) * len(shape)))


def blobs(n: int = 96, seed: int = 0) -> np.ndarray:
    generator = np.random.default_rng(seed)
    y, x = np.mgrid[:n, :n] / n
    return sum(np.exp(-((y - a) ** 2 + (x - b) ** 2) / 0.01) for a, b in generator.random((6, 2))) * 100.0


def test_window_and_gain_do_not_matter() -> None:
    a = blobs()
    np.testing.assert_allclose(represent(picture(a)).values, represent(picture(a * 3.0 + 7.0)).values, atol=1e-9)


def test_left_is_told_from_right() -> None:
    a = np.zeros((64, 64))
    a[20:40, 5:20] = 1.0
    first, second = represent(picture(a)), represent(picture(a[:, ::-1].copy()))
    sides = [k for k, n in enumerate(first.names) if n.startswith("left less right")]
    assert np.abs(first.values[sides] + second.values[sides]).max() < 0.02 and np.abs(first.values[sides]).max() > 0.5


def test_names_fit_and_do_not_depend_on_size() -> None:
    small, large = represent(picture(blobs(64))), represent(picture(blobs(200)))
    assert small.names == large.names and len(small.names) == small.values.size == len(set(small.names))
    assert np.isfinite(small.values).all()


@pytest.mark.parametrize("dims", [("z", "y", "x"), ("t", "y", "x"), ("c", "y", "x"), ("t", "z", "y", "x")])
def test_volumes_times_and_colours(dims: tuple[str, ...]) -> None:
    lead = {"z": 12, "t": 3, "c": 3}
    array = np.stack([blobs(40, k) for k in range(12)])
    shape = tuple(lead.get(d, 40) for d in dims)
    data = np.resize(array, shape)
    found = represent(picture(data, dims))
    assert np.isfinite(found.values).all() and len(found.names) == found.values.size


def test_gaps_are_bridged_and_nothing_is_refused() -> None:
    a = blobs()
    a[3, 4] = np.nan
    assert np.isfinite(represent(picture(a)).values).all()
    assert np.isfinite(represent(picture(np.ones((32, 32)))).values).all()
    for bad in (np.full((32, 32), np.nan), np.ones((4, 32))):
        with pytest.raises(ContentError):
            represent(picture(bad))
