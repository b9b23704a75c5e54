"""segment.geodesic: an outline grows or shrinks onto an edge, in mm."""

from __future__ import annotations

import numpy as np
import pytest

from isocenter.core.errors import ParameterError
from isocenter.core.labels import LabelMap
from isocenter.kernels.levelset import signed_distance
from isocenter.ops.segment.geodesic import Geodesic
from tests.ops.segment.seeded import MIDDLE, ball, dice


def test_grows_from_a_seed_onto_the_edge() -> None:
    image, truth = ball(10.0)
    assert dice(Geodesic(seeds=(MIDDLE,), radius=4.0, attraction=3.0)(image).array, truth) > 0.83


def test_shrinks_from_a_region_onto_the_edge() -> None:
    image, truth = ball(5.0)
    box = np.zeros(truth.shape, np.uint8)
    box[2:16, 2:27, 4:29] = 1
    region = LabelMap(box, image.dims, image.geometry)
    assert dice(Geodesic(balloon=-1.0, attraction=3.0)(image, region).array, truth) > 0.85


def test_distance_has_its_zero_on_the_outline() -> None:
    mask = np.zeros((9, 9), bool)
    mask[:, 4:] = True
    assert signed_distance(mask, (1.0, 2.0))[0].tolist()[2:6] == [-3.5, -1.5, 1.5, 3.5]


def test_seeds_or_a_region_are_needed() -> None:
    with pytest.raises(ParameterError, match="neither seeds nor a region"):
        Geodesic()(ball(1.0)[0])
