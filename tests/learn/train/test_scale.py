"""Values that are measurements keep their meaning on the way into a network."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from isocenter.core.errors import SpecError
from isocenter.core.geometry import Geometry
from isocenter.core.image import Image
from isocenter.learn.loading.augment import USUAL
from isocenter.learn.places.places import Places
from isocenter.learn.train.frames import framed
from isocenter.learn.train.images import sized
from isocenter.learn.train.place_plan import PlacePlan, detection_plan, landmark_plan
from isocenter.learn.train.scale import SCALES, common_quantity, kept_values, scaled, steps


def test_a_scale_is_taken_only_where_all_images_share_it() -> None:
    assert common_quantity(["HU", "HU"]) == "HU" and common_quantity(["SUVbw"]) == "SUVbw"
    assert common_quantity(["HU", None]) is None and common_quantity(["HU", "SUVbw"]) is None
    assert common_quantity([]) is None and common_quantity([None]) is None and common_quantity(["furlongs"]) is None


@pytest.mark.parametrize("quantity", sorted(SCALES))
def test_values_are_cut_off_and_scaled_alike(quantity: str) -> None:
    scale = SCALES[quantity]
    data = np.array([[[scale.low - 1e4, scale.middle, scale.middle + scale.width, scale.high + 1e4]]], np.float32)
    low, high = (scale.low - scale.middle) / scale.width, (scale.high - scale.middle) / scale.width
    np.testing.assert_allclose(scaled(data, quantity).ravel(), [low, 0.0, 1.0, high], rtol=1e-6)
    assert abs(float(scaled(data, None).mean())) < 1e-6
    assert f"({quantity}) at {scale.low:g} and {scale.high:g}" in steps(quantity) and "its mean" in steps(None)


def test_measured_values_are_not_changed_by_chance() -> None:
    assert kept_values(USUAL, None) == USUAL
    kept = kept_values(USUAL, "HU")
    assert (kept.gain, kept.offset, kept.gamma) == (0.0, 0.0, 0.0) and kept.turn == USUAL.turn and kept.noise == USUAL.noise
    assert replace(kept, gain=USUAL.gain, offset=USUAL.offset, gamma=USUAL.gamma) == USUAL


def test_both_ways_into_a_network_follow_the_scale() -> None:
    dense = Image(np.full((40, 40), 150.0, np.float32), ("y", "x"), Geometry.regular((40, 40)), modality="CT", quantity="HU")
    for seen in (sized(dense, (32, 32), "HU"), framed(dense, (2.0, 2.0), 1, "HU").data, framed(dense, (1.0, 1.0), 1, "HU").data):
        assert np.allclose(seen, 1.0)
    for seen in (sized(dense, (32, 32)), framed(dense, (2.0, 2.0), 1).data):
        assert np.allclose(seen, 0.0)


def test_plans_of_places_name_the_quantity_and_refuse_another() -> None:
    grid = Geometry.regular((64, 64), (1.0, 1.0))
    images = [Image(np.zeros((64, 64), np.float32), ("y", "x"), grid, modality="CT", quantity="HU")] * 2
    box = Places("boxes", np.array([[10.0, 10.0, 29.0, 29.0]]), ("lump",), grid)
    plans = (detection_plan(images, [box, box], ["lump"], 1.0), landmark_plan(images, ["tip"], 1.0))
    for plan in plans:
        assert plan.quantity == "HU" and PlacePlan.from_dict(plan.to_dict()) == plan
        before = {k: v for k, v in plan.to_dict().items() if k != "quantity"}
        assert PlacePlan.from_dict(before).quantity is None
        with pytest.raises(SpecError, match="quantity 'furlongs', expected one of HU, SUVbw"):
            PlacePlan.from_dict({**before, "quantity": "furlongs"})
    assert landmark_plan([images[0], images[0].replace(quantity=None)], ["tip"], 1.0).quantity is None
