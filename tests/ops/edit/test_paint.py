"""edit.paint: strokes in mm, recorded and replayed bit by bit."""

from __future__ import annotations

import numpy as np
import pytest

from isocenter.core.errors import ContentError, ParameterError
from isocenter.core.geometry import Geometry
from isocenter.core.labels import LabelMap
from isocenter.ops.edit.erase import Erase
from isocenter.ops.edit.interpolate import Interpolate
from isocenter.ops.edit.paint import Paint
from tests.ops.edit.drawn import GRID, at, labels, replayed


def test_a_stroke_paints_what_lies_within_its_radius() -> None:
    ends = (at(1, 1, 1), at(8, 14, 3))
    painted = np.asarray(Paint(strokes=(ends,), radius=2.0)(labels(fill=False)).array) > 0
    place = GRID.to_world(np.argwhere(np.ones(GRID.shape, bool)))
    a, b = np.array(ends)
    share = np.clip((place - a) @ (b - a) / ((b - a) @ (b - a)), 0, 1)
    far = np.linalg.norm(place - a - share[:, None] * (b - a), axis=1).reshape(GRID.shape)
    assert np.array_equal(painted, far <= 2.0 + 1e-6)


def test_background_alone_or_everything_and_a_new_row() -> None:
    dot = ((at(3, 4, 4),),)
    kept = Paint(strokes=dot, radius=3.0, label=3, name_of_label="vein")(labels())
    assert not (np.asarray(kept.array)[np.asarray(labels().array) > 0] == 3).any()
    over = Paint(strokes=dot, radius=3.0, label=3, name_of_label="vein", over="everything")(labels())
    assert (np.asarray(over.array)[np.asarray(labels().array) == 1] == 3).any()
    assert [s.name for s in over.segments] == ["liver", "lesion", "vein"]
    assert over.array[3, 4, 4] == 3


def test_a_corrected_mask_replays_from_its_lineage_bit_equal() -> None:
    start = labels()
    corrected = Paint(strokes=((at(1, 2, 2), at(8, 13, 15)),), radius=1.7, over="everything", label=2)(start)
    corrected = Erase(strokes=((at(5, 5, 5),), (at(4, 4, 4), at(4, 9, 9))), radius=1.3)(corrected)
    corrected = Interpolate(label=2)(corrected)
    again = replayed(start, corrected)
    assert again.digest == corrected.digest
    assert again.provenance == corrected.provenance


def test_strokes_outside_missing_pixel_sizes_and_large_labels_are_refused() -> None:
    with pytest.raises(ParameterError, match="outside the labels' grid"):
        Paint(strokes=(((900.0, 0.0, 0.0),),))(labels())
    with pytest.raises(ContentError, match="no pixel size"):
        Paint()(LabelMap(np.zeros((4, 4), np.uint8), ("y", "x"), Geometry.pixels((4, 4))))
    with pytest.raises(ParameterError, match="does not fit"):
        Paint(label=300)(labels())
