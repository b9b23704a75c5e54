"""Texture maps: each window gives what its matrices give, to the bit on any number of threads."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from isocenter.kernels.texture.cooccurrence import cooccurrence_features
from isocenter.kernels.texture.maps import MAPPED, texture_maps


def directions(flat: bool) -> list[tuple[int, int, int]]:
    every = itertools.product((0, 1), (-1, 0, 1), (-1, 0, 1))
    return [d for d in every if d > (0, 0, 0) and not (flat and d[0])]


def matrix(window: npt.NDArray[Any], step: tuple[int, ...], distance: int, count: int) -> npt.NDArray[np.int64]:
    found = np.zeros((count, count), np.int64)
    for place in np.argwhere(window > 0):
        other = place + distance * np.asarray(step)
        if (other >= 0).all() and (other < window.shape).all() and window[tuple(other)] > 0:
            i, j = window[tuple(place)] - 1, window[tuple(other)] - 1
            found[i, j] += 1
            found[j, i] += 1
    return found


def by_definition(levels: npt.NDArray[Any], count: int, radius: int, distance: int, merged: bool) -> npt.NDArray[np.float64]:
    result = np.zeros((len(MAPPED), *levels.shape))
    flat = levels.shape[0] == 1
    for place in np.argwhere(levels > 0):
        window = levels[tuple(slice(max(0, k - radius), k + radius + 1) for k in place)]
        found = [matrix(window, step, distance, count) for step in directions(flat)]
        if merged:
            found = [np.sum(found, axis=0)]
        values = [cooccurrence_features(m) for m in found if m.any()]
        if values:
            result[(slice(None), *place)] = np.mean(values, axis=0)
    return result


@pytest.mark.parametrize("merged", [False, True])
@pytest.mark.parametrize("shape, radius, distance", [((4, 5, 6), 1, 1), ((3, 5, 6), 2, 1), ((1, 7, 8), 1, 1), ((4, 5, 6), 2, 2)])
def test_every_feature_equals_that_of_the_matrices(shape: Any, radius: int, distance: int, merged: bool) -> None:
    rng = np.random.default_rng(0)
    levels = rng.integers(1, 8, shape)
    levels[rng.random(shape) < 0.2] = 0
    levels[..., :2] = 4  # flat windows, where correlation and entropies are at their limits
    expected = by_definition(levels, 7, radius, distance, merged)
    given = levels[0] if shape[0] == 1 else levels
    found = texture_maps(given, 7, MAPPED, radius=radius, distance=distance, merged=merged)
    found = found[:, None] if shape[0] == 1 else found
    for name, one, two in zip(MAPPED, found, expected, strict=True):
        np.testing.assert_allclose(one, two, rtol=2e-6, atol=2e-6, err_msg=name)


def test_threads_and_company_do_not_matter() -> None:
    levels = np.random.default_rng(1).integers(0, 30, (6, 20, 21))
    every = texture_maps(levels, 30, MAPPED)
    np.testing.assert_array_equal(every, texture_maps(levels, 30, MAPPED, threads=2))
    for k, name in enumerate(MAPPED):
        np.testing.assert_array_equal(every[k], texture_maps(levels, 30, [name])[0])
    np.testing.assert_array_equal(every[:, 2:4, 5:9, 5:9], texture_maps(levels[1:5, 4:10, 4:10], 30, MAPPED)[:, 1:3, 1:5, 1:5])


def test_a_lone_sample_has_no_pair() -> None:
    levels = np.zeros((3, 3, 3), int)
    levels[1, 1, 1] = 2
    assert not texture_maps(levels, 2, MAPPED).any()
