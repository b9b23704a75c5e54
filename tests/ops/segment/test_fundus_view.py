"""segment.fundus_view: the round field of phantoms, whole and cut off."""

from __future__ import annotations

import numpy as np
import pytest

from isocenter.core.geometry import Geometry
from isocenter.core.image import Image
from isocenter.ops.segment.fundus_view import FundusView
from isocenter.testing.phantoms.fundus import fundus
from tests.ops.segment.seeded import dice


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("shape", [(128, 128), (200, 300), (256, 256)])
@pytest.mark.parametrize("noise", [0.0, 8.0])
def test_fields_of_phantoms(seed: int, shape: tuple[int, int], noise: float) -> None:
    phantom = fundus(shape, seed=seed, noise=noise)
    assert dice(FundusView()(phantom.image).array, np.asarray(phantom.truth.one("field of view").array) > 0) >= 0.98


def test_a_field_that_is_cut_off_and_a_grey_picture() -> None:
    phantom = fundus((200, 200), seed=1)
    colour = np.asarray(phantom.image.array)[:, 30:-30]
    truth = (np.asarray(phantom.truth.one("field of view").array) > 0)[30:-30]
    grey = Image(colour.mean(axis=0), ("y", "x"), Geometry.pixels(truth.shape))
    assert dice(FundusView()(grey).array, truth) >= 0.98


def test_what_is_no_photograph_of_a_retina_is_noted() -> None:
    flat = Image(np.full((3, 40, 40), 9, np.uint8), ("c", "y", "x"), Geometry.pixels((40, 40)))
    assert "No field of view" in FundusView()(flat).provenance.steps[-1].notes[0]
    dots = np.zeros((60, 60), np.uint8)
    dots[5:12, 5:12] = 200
    assert "10%" not in FundusView()(Image(dots, ("y", "x"), Geometry.pixels((60, 60)))).provenance.steps[-1].notes[0]
