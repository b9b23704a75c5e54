"""segment.hot_spots on balls of known uptake."""

from __future__ import annotations

import numpy as np
import pytest

from isocenter.core.errors import ContentError
from isocenter.core.geometry import Geometry
from isocenter.core.image import Image
from isocenter.core.labels import LabelMap, Segment
from isocenter.ops.segment.hot_spots import HotSpots
from isocenter.testing.phantoms.pet import pet

GRID = Geometry.regular((40, 60, 60), (3.0, 2.0, 2.0))
BALLS = (((60.0, 40.0, 40.0), 15.0, 8.0), ((60.0, 80.0, 80.0), 10.0, 14.0), ((60.0, 30.0, 90.0), 2.0, 9.0))


def scene() -> Image:
    """Return two hot balls, a tiny one and a background of 1; centre (mm, array order), radius, SUV."""
    z, y, x = np.indices(GRID.shape) * np.asarray(GRID.spacing)[:, None, None, None]
    values = np.ones(GRID.shape, np.float32)
    for (cz, cy, cx), radius, uptake in BALLS:
        values[(z - cz) ** 2 + (y - cy) ** 2 + (x - cx) ** 2 <= radius**2] = uptake
    return Image(values, ("z", "y", "x"), GRID, modality="PT", quantity="SUVbw")


def test_spots_are_numbered_from_the_hottest_and_tiny_ones_left_out() -> None:
    found = HotSpots()(scene())
    labels = np.asarray(found.array)
    assert [s.name for s in found.segments] == ["hot spot 1", "hot spot 2"]
    assert labels[20, 40, 40] == 1 and labels[20, 20, 20] == 2
    for label, (_, radius, _) in ((1, BALLS[1]), (2, BALLS[0])):
        assert float((labels == label).sum()) * GRID.voxel_size == pytest.approx(4 / 3 * np.pi * radius**3, rel=0.06)
    assert np.asarray(HotSpots(minimum_volume=0.0)(scene()).array).max() == 3


def test_the_share_of_the_maximum_cuts_each_spot_at_its_own_level() -> None:
    z, y, x = np.indices(GRID.shape) * np.asarray(GRID.spacing)[:, None, None, None]
    values = np.zeros(GRID.shape, np.float32)
    for (cz, cy, cx), radius, uptake in BALLS[:2]:
        values += uptake * np.exp(-((z - cz) ** 2 + (y - cy) ** 2 + (x - cx) ** 2) / (2 * radius**2))
    labels = np.asarray(HotSpots(method="relative", share=0.5)(scene().with_array(values)).array)
    for label, (_, radius, _) in ((1, BALLS[1]), (2, BALLS[0])):
        half = radius * np.sqrt(2 * np.log(2))  # where a Gaussian falls to one half
        assert float((labels == label).sum()) * GRID.voxel_size == pytest.approx(4 / 3 * np.pi * half**3, rel=0.1)


def test_in_a_region_the_share_needs_no_fixed_threshold() -> None:
    image = scene().with_array(np.asarray(scene().array) * 0.1)
    mask = np.zeros(GRID.shape, np.uint8)
    mask[8:32, 8:33, 8:33] = 1
    region = LabelMap(mask, ("z", "y", "x"), GRID, (Segment(1, "lesion"),))
    assert not np.asarray(HotSpots()(image, region).array).any()
    labels = np.asarray(HotSpots(method="relative")(image, region).array)
    assert labels.max() == 1 and labels[20, 20, 20] == 1 and labels[20, 40, 40] == 0
    assert float(labels.sum()) * GRID.voxel_size == pytest.approx(4 / 3 * np.pi * 15.0**3, rel=0.06)


def test_spheres_of_the_phantom_are_found() -> None:
    phantom = pet()
    found = np.asarray(HotSpots(method="relative")(phantom.image).array) > 0
    truth = np.asarray(phantom.truth.array)
    diameters = phantom.spheres.values
    assert diameters is not None
    seen = {k + 1: float(found[truth == phantom.truth.segment(f"hot spot {k + 1}").value].mean()) for k in range(len(diameters))}
    assert all(share > 0.6 for k, share in seen.items() if diameters[k - 1] >= 17.0)
    assert found[truth == phantom.truth.segment("body").value].mean() < 0.01


def test_nothing_hot_is_said_and_other_quantities_are_refused() -> None:
    cold = scene().with_array(np.ones(GRID.shape, np.float32))
    result = HotSpots()(cold)
    assert not np.asarray(result.array).any() and "No hot spot" in result.provenance.steps[-1].notes[0]
    with pytest.raises(ContentError, match="SUVbw"):
        HotSpots()(cold.replace(quantity="Bq/ml"))
