"""segment.chan_vese: a ball in heavy noise, short outlines, and nothing from nothing."""

from __future__ import annotations

import numpy as np
import pytest

from isocenter.kernels.labels import components
from isocenter.ops.segment.chan_vese import ChanVese
from isocenter.ops.segment.otsu import Otsu
from tests.ops.segment.seeded import ball, dice


@pytest.mark.parametrize("noise", [20.0, 60.0])
def test_finds_a_ball_where_otsu_cannot(noise: float) -> None:
    image, truth = ball(noise)
    found = ChanVese()(image)
    assert dice(found.array, truth) > 0.95
    if noise > 50:
        assert dice(Otsu()(image).array, truth) < 0.5


def test_a_longer_outline_costs() -> None:
    image, _ = ball(40.0)
    parts = [components(np.asarray(ChanVese(smoothness=s)(image).array) > 0)[1] for s in (0.01, 1.0)]
    assert parts[0] >= 4 * parts[1]


def test_the_brighter_region_is_the_label_and_a_flat_image_has_none() -> None:
    image, truth = ball(10.0)
    assert dice(ChanVese()(image.replace(array=-np.asarray(image.array))).array, ~truth) > 0.98
    flat = ChanVese()(image.replace(array=np.ones_like(np.asarray(image.array))))
    assert not flat.array.any()
    assert "nothing to part" in flat.provenance.steps[-1].notes[0]
