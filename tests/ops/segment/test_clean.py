"""segment.clean: each step alone, in mm, and segments that never take each other's samples."""

from __future__ import annotations

import numpy as np
import pytest

from isocenter.core.errors import ContentError, ParameterError
from isocenter.core.geometry import Geometry
from isocenter.core.labels import LabelMap, Segment
from isocenter.kernels.labels import components
from isocenter.ops.segment.clean import Clean

GRID = Geometry.regular((12, 24, 24), (2.0, 1.0, 1.0))


def labels(mask: np.ndarray, geometry: Geometry = GRID) -> LabelMap:
    rows = (Segment(1, "liver"), Segment(2, "lesion"))
    return LabelMap(mask.astype(np.uint8), ("z", "y", "x")[3 - mask.ndim :], geometry, rows)


def scene() -> np.ndarray:
    mask = np.zeros(GRID.shape, np.uint8)
    mask[2:10, 3:15, 3:15] = 1
    mask[5:7, 8:10, 8:10] = 0  # a cavity
    mask[5, 20, 20] = 1  # an island of 2 mm^3
    mask[3:6, 18:21, 4:7] = 1  # a part of 54 mm^3
    return mask


def test_cavities_are_filled_and_tunnels_only_in_slices() -> None:
    mask = scene()
    assert Clean()(labels(mask)).array[5, 8, 8] == 1
    assert Clean(holes="keep")(labels(mask)).array[5, 8, 8] == 0
    mask[:, 8:10, 8:10] = 0  # now it runs through
    assert Clean()(labels(mask)).array[5, 8, 8] == 0
    assert Clean(holes="slices")(labels(mask)).array[5, 8, 8] == 1


@pytest.mark.parametrize(
    "settings, parts",
    [
        ({}, 3),
        ({"islands": 3.0}, 2),
        ({"islands": 54.0}, 2),
        ({"islands": 54.5}, 1),
        ({"islands_samples": 2}, 2),
        ({"islands_samples": 28}, 1),
        ({"largest": 1}, 1),
        ({"largest": 2}, 2),
        ({"largest": 9}, 3),
    ],
)
def test_islands_and_largest(settings: dict[str, float], parts: int) -> None:
    assert components(Clean(**settings)(labels(scene())).mask())[1] == parts


def test_opening_cuts_a_bridge_and_closing_a_gap_in_mm() -> None:
    mask = np.zeros(GRID.shape, np.uint8)
    mask[2:10, 2:11, 2:11] = mask[2:10, 13:22, 2:11] = 1
    apart = mask.copy()
    mask[5, 11:13, 6] = 1  # a bridge of one sample
    assert components(Clean(opening=1.5)(labels(mask)).mask())[1] == 2
    assert components(Clean(closing=1.4)(labels(apart)).mask())[1] == 1
    assert components(Clean(closing=0.9)(labels(apart)).mask())[1] == 2


def test_segments_do_not_take_each_others_samples() -> None:
    mask = scene()
    mask[5:7, 8:10, 8:10] = 2  # what was a cavity is a lesion
    mask[6, 9, 9] = 0  # with a hole towards the liver
    result = Clean(closing=3.0)(labels(mask)).array
    assert (result[5, 8:10, 8:10] == 2).all()
    assert result[6, 9, 9] == 1
    assert ((mask == 0) | (result == mask) | (result == 0)).all()


def test_values_without_samples_and_connectivity() -> None:
    mask = np.zeros((4, 4), np.uint8)
    mask[0, 0] = mask[1, 1] = 1
    plane = Geometry.pixels((4, 4))
    assert Clean(largest=1)(labels(mask, plane)).array.sum() == 2
    assert Clean(largest=1, connectivity=6)(labels(mask, plane)).array.sum() == 1


def test_pixels_take_samples_but_no_mm() -> None:
    plane = Geometry.pixels((4, 4))
    mask = labels(np.eye(4, dtype=np.uint8), plane)
    assert Clean(islands_samples=2)(mask).array.sum() == 4
    for name in ("opening", "closing", "islands"):
        with pytest.raises(ContentError, match="no pixel size"):
            Clean(**{name: 1.0})(mask)
        with pytest.raises(ParameterError, match=name):
            Clean(**{name: -1.0})
