"""edit.interpolate: a cone from its ends, drawn slices untouched, gaps that are too wide left."""

from __future__ import annotations

import numpy as np

from isocenter.core.geometry import Geometry
from isocenter.core.labels import LabelMap, Segment
from isocenter.ops.edit.interpolate import Interpolate

GEOMETRY = Geometry.regular((13, 40, 40), (3.0, 1.0, 1.0))


def cone(slices: list[int]) -> np.ndarray:
    y, x = np.indices((40, 40))
    array = np.zeros((13, 40, 40), np.uint8)
    for k in slices:
        array[k] = np.hypot(y - 20, x - 14 - k) < 5.5 + 0.5 * k
    return array


def labels(array: np.ndarray) -> LabelMap:
    return LabelMap(array, ("z", "y", "x"), GEOMETRY, (Segment(1, "tumour"), Segment(2, "vessel")))


def test_a_cone_comes_back_from_every_fourth_slice() -> None:
    drawn, truth = cone([0, 4, 8, 12]), cone(list(range(13)))
    found = np.asarray(Interpolate()(labels(drawn)).array)
    assert np.array_equal(found[[0, 4, 8, 12]], truth[[0, 4, 8, 12]])
    for k in range(13):
        assert 2 * ((found[k] > 0) & (truth[k] > 0)).sum() / ((found[k] > 0).sum() + truth[k].sum()) > 0.93


def test_other_labels_and_wide_gaps_are_left_alone() -> None:
    drawn = cone([0, 4, 12])
    drawn[2, 18:22, 15:19] = 2
    found = Interpolate(label=1, gap=3)(labels(drawn))
    assert (np.asarray(found.array)[2, 18:22, 15:19] == 2).all()
    assert not np.asarray(found.array)[5:12].any()
    assert found.provenance.steps[-1].notes == ("edit.interpolate: 3 slices were filled between drawn ones.",)


def test_across_another_axis() -> None:
    drawn = np.moveaxis(cone([0, 4, 8, 12])[:, :13, :], 0, 1)
    turned = LabelMap(
        np.ascontiguousarray(drawn), ("z", "y", "x"), Geometry.regular(drawn.shape, (1.0, 3.0, 1.0)), (Segment(1, "tumour"),)
    )
    straight = LabelMap(
        np.ascontiguousarray(np.moveaxis(drawn, 1, 0)),
        ("z", "y", "x"),
        Geometry.regular((13, 13, 40), (3.0, 1.0, 1.0)),
        (Segment(1, "tumour"),),
    )
    assert np.array_equal(np.moveaxis(np.asarray(Interpolate(axis=1)(turned).array), 1, 0), Interpolate()(straight).array)
