"""Outlines follow the borders of samples: their area is that of the samples, whatever the shape."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage

from isocenter.kernels.labels import components
from isocenter.kernels.outlines import outlined, repeated


def shoelace(corners: np.ndarray) -> float:
    y, x = corners[:, 0].astype(float), corners[:, 1].astype(float)
    return 0.5 * float(np.sum(x * np.roll(y, -1) - y * np.roll(x, -1)))


@pytest.mark.parametrize(
    ("rows", "corners"),
    [
        (["#"], [(0, 0), (0, 1), (1, 1), (1, 0)]),
        (["##", "#."], [(0, 0), (0, 2), (1, 2), (1, 1), (2, 1), (2, 0)]),
        ([".#", "##"], [(0, 1), (0, 2), (2, 2), (2, 0), (1, 0), (1, 1)]),
        (["###", "#.#", "###"], [(0, 0), (0, 3), (3, 3), (3, 0)]),
    ],
)
def test_small_shapes(rows: list[str], corners: list[tuple[int, int]]) -> None:
    mask = np.array([[cell == "#" for cell in row] for row in rows])
    (found,) = outlined(np.pad(mask, 2).astype(np.uint16) * 5)
    assert found.label == 5 and found.area == mask.sum()
    assert [tuple(c) for c in (found.corners - 2).tolist()] == corners


@settings(max_examples=60, deadline=None)
@given(arrays(np.bool_, st.tuples(st.integers(1, 9), st.integers(1, 9)), elements=st.booleans()))
def test_the_area_of_an_outline_is_that_of_its_samples_with_holes_filled(mask: np.ndarray) -> None:
    labels, count = components(mask, 4)
    found = outlined(labels)
    assert [one.label for one in found] == list(range(1, count + 1))
    for one in found:
        own = labels == one.label
        # The ground reaches into a hole through a corner, as the outline does.
        assert shoelace(one.corners) == ndimage.binary_fill_holes(own, np.ones((3, 3))).sum()
        assert one.area == own.sum()
        np.testing.assert_allclose(one.center, [axis.mean() for axis in np.nonzero(own)])


def test_objects_seen_twice_count_once() -> None:
    centers = np.array([[10.0, 10.0], [40.0, 10.0], [10.5, 10.5], [10.0, 16.0]])
    areas = np.full(4, np.pi * 25)
    assert repeated(centers, areas).tolist() == [False, False, True, False]
    assert repeated(centers[:0], areas[:0]).tolist() == []
