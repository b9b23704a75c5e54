"""segment.hysteresis: weak parts that hang on strong ones."""

from __future__ import annotations

import numpy as np
import pytest
from skimage.filters import apply_hysteresis_threshold

from isocenter.core.errors import ParameterError
from isocenter.core.geometry import Geometry
from isocenter.core.image import Image
from isocenter.core.labels import LabelMap
from isocenter.ops.segment.hysteresis import Hysteresis


@pytest.mark.parametrize("shape", [(40,), (30, 40), (12, 20, 18)])
def test_equals_a_peer_with_face_neighbours(shape: tuple[int, ...]) -> None:
    values = np.random.default_rng(len(shape)).random(shape).astype(np.float32)
    image = Image(values, ("z", "y", "x")[3 - len(shape) :], Geometry.pixels(shape))
    found = Hysteresis(low=0.5, high=0.9, connectivity=6)(image)
    assert np.array_equal(found.array > 0, apply_hysteresis_threshold(values, 0.5, 0.9))


def test_a_region_cuts_what_hangs_together() -> None:
    values = np.array([[0, 5, 5, 9, 5, 0, 5]], np.float32)
    image = Image(values, ("y", "x"), Geometry.pixels(values.shape))
    assert Hysteresis(low=4, high=8)(image).array.tolist() == [[0, 1, 1, 1, 1, 0, 0]]
    half = LabelMap(np.array([[1, 1, 1, 0, 1, 1, 1]], np.uint8), ("y", "x"), image.geometry)
    assert not Hysteresis(low=4, high=8)(image, half).array.any()


def test_thresholds_the_wrong_way_round_and_a_flood() -> None:
    with pytest.raises(ParameterError, match=r"low \(5\) is above high \(3\)"):
        Hysteresis(low=5, high=3)
    image = Image(np.ones((4, 4), np.float32), ("y", "x"), Geometry.pixels((4, 4)))
    assert "100% of the image" in Hysteresis(low=0, high=0.5)(image).provenance.steps[-1].notes[0]
