"""segment.region_grow: seeds in mm, the same region as SimpleITK's filters, leaks that are noted."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk

from isocenter.core.errors import ContentError, ParameterError
from isocenter.core.geometry import Geometry
from isocenter.core.image import Image
from isocenter.core.labels import LabelMap
from isocenter.ops.segment.region_grow import RegionGrow
from tests.ops.segment.seeded import MIDDLE, ball, dice

SAMPLE = (9, 14, 16)  # z y x


def as_itk(image: Image) -> sitk.Image:
    return sitk.GetImageFromArray(np.asarray(image.array))


@pytest.mark.parametrize("multiplier", [1.5, 2.5])
def test_confidence_connected_like_a_peer(multiplier: float) -> None:
    image, truth = ball(10.0)
    peer = sitk.ConfidenceConnected(as_itk(image), [SAMPLE[::-1]], 4, multiplier, 1, 1)
    ours = RegionGrow(seeds=(MIDDLE,), multiplier=multiplier, iterations=4)(image)
    assert dice(ours.array, sitk.GetArrayFromImage(peer) > 0) > 0.99
    if multiplier == 2.5:
        assert dice(ours.array, truth) > 0.97


def test_range_and_neighbourhood_equal_a_peer() -> None:
    image, _ = ball(30.0)
    ours = RegionGrow(seeds_samples=(SAMPLE,), method="range", lower=40.0, upper=180.0)(image)
    peer = sitk.ConnectedThreshold(as_itk(image), [SAMPLE[::-1]], 40.0, 180.0, 1)
    assert np.array_equal(ours.array, sitk.GetArrayFromImage(peer))
    ours = RegionGrow(seeds_samples=(SAMPLE,), method="neighbourhood", lower=10.0, upper=220.0, radius=1)(image)
    peer = sitk.NeighborhoodConnected(as_itk(image), [SAMPLE[::-1]], 10.0, 220.0, [1, 1, 1], 1)
    assert np.array_equal(ours.array, sitk.GetArrayFromImage(peer))


def test_two_seeds_a_region_and_a_seed_on_another_grid() -> None:
    values = np.zeros((1, 9), np.float32)
    values[0, [1, 2, 6, 7]] = 5
    image = Image(values, ("y", "x"), Geometry.regular((1, 9), (1.0, 2.0), origin=(-4.0, 0.0, 0.0)))
    grown = RegionGrow(seeds=((-2.0, 0.0, 3.0), (10.0, 0.0, 0.0)), method="range", lower=1.0)
    assert grown(image).array.tolist() == [[0, 1, 1, 0, 0, 0, 1, 1, 0]]
    region = LabelMap(np.array([[1, 1, 0, 0, 0, 0, 1, 1, 1]], np.uint8), ("y", "x"), image.geometry)
    assert grown(image, region).array.tolist() == [[0, 1, 0, 0, 0, 0, 1, 1, 0]]


def test_a_leak_is_noted() -> None:
    image, _ = ball(1.0, step=0.0)
    notes = RegionGrow(seeds=(MIDDLE,), multiplier=6.0)(image).provenance.steps[-1].notes
    assert any("may have leaked" in note for note in notes)
    assert any("touches the edge" in note for note in notes)


@pytest.mark.parametrize(
    "settings, problem",
    [
        ({}, "no seed"),
        ({"seeds": (MIDDLE,), "method": "range"}, "'lower' or 'upper'"),
        ({"seeds": ((500.0, 0.0, 0.0),)}, "outside the image"),
        ({"seeds_samples": ((1, 2),)}, "one index per axis"),
    ],
)
def test_what_cannot_grow_is_refused(settings: dict[str, object], problem: str) -> None:
    with pytest.raises(ParameterError, match=problem):
        RegionGrow(**settings)(ball(1.0)[0])


def test_seeds_in_mm_need_a_pixel_size() -> None:
    image = Image(np.ones((5, 5), np.float32), ("y", "x"), Geometry.pixels((5, 5)))
    with pytest.raises(ContentError, match="no pixel size"):
        RegionGrow(seeds=((1.0, 1.0, 0.0),))(image)
    assert RegionGrow(seeds_samples=((1, 1),))(image).array.all()
