"""features.relations: distances, shares, depth and sides of boxes whose answers are known."""

from __future__ import annotations

import numpy as np
import pytest

from isocenter.core.errors import ContentError
from isocenter.core.geometry import Geometry
from isocenter.core.image import Image
from isocenter.core.labels import LabelMap, MaskStack, Segment
from isocenter.ops.features.relations import Relations

SPACING = (2.0, 1.0, 0.5)


def test_boxes_apart() -> None:
    labels = np.zeros((8, 12, 20), np.uint8)
    labels[2:4, 2:5, 2:6] = 1
    labels[2:4, 2:5, 12:16] = 2
    grid = Geometry.regular(labels.shape, SPACING)
    region = LabelMap(labels, ("z", "y", "x"), grid, (Segment(1, "organ"), Segment(2, "lesion")))
    table = Relations(to="organ")(Image(np.zeros(labels.shape), region.dims, grid), region)
    assert table["lesion", "distance_nearest"] == pytest.approx(3.5)  # from sample 5 to sample 12 of 0.5 mm
    assert table["lesion", "distance_farthest"] == pytest.approx(5.0)
    assert table["lesion", "distance_of_centroids"] == pytest.approx(5.0)
    assert table["lesion", "share_inside"] == 0 and np.isnan(table["lesion", "depth_mean"])
    assert table["lesion", "offset_left"] == pytest.approx(5.0) and table["lesion", "side"] == "left"
    assert table["organ", "distance_nearest"] == 0 and table["organ", "share_of"] == 1 and table["organ", "side"] == "midline"


def test_a_lesion_in_an_organ() -> None:
    organ = np.zeros((9, 20, 30), bool)
    organ[1:8, 2:18, 3:27] = True
    lesion = np.zeros_like(organ)
    lesion[4, 8:10, 5:9] = True
    grid = Geometry.regular(organ.shape, SPACING, direction=np.diag([-1.0, 1.0, 1.0])[::-1].T)
    rows = (Segment(1, "organ"), Segment(2, "lesion"))
    region = MaskStack(np.stack([organ, lesion]), ("z", "y", "x"), grid, rows)
    table = Relations(midline=0.5)(Image(np.zeros(organ.shape), ("z", "y", "x"), grid), region)
    assert table["lesion", "share_inside"] == 1.0 and table["lesion", "distance_nearest"] == 0.0
    assert table["lesion", "share_of"] == pytest.approx(lesion.sum() / organ.sum())
    assert table["lesion", "depth_least"] == pytest.approx(1.5)  # from sample 5 to sample 2 of 0.5 mm
    assert table["lesion", "depth_most"] == pytest.approx(3.0)
    assert {table["lesion", "side"], table["organ", "side"]} == {"left", "right"}


def test_refuses_an_unknown_segment() -> None:
    grid = Geometry.regular((4, 4), 1.0)
    region = LabelMap(np.eye(4, dtype=np.uint8), ("y", "x"), grid, (Segment(1, "liver"),))
    with pytest.raises(ContentError, match="no segment 'spleen' to relate to: the region has liver"):
        Relations(to="spleen")(Image(np.zeros((4, 4)), ("y", "x"), grid), region)
    alone = Relations()(Image(np.zeros((4, 4)), ("y", "x"), grid), region)
    assert np.isnan(alone["distance_nearest"]) and alone["side"] == ""
