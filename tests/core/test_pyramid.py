"""Pyramid: regions of any level lie where the finest says."""

from __future__ import annotations

import numpy as np
import pytest

from isocenter.core.errors import ContentError, ParameterError
from isocenter.core.geometry import Geometry
from isocenter.core.pyramid import Level, Pyramid, Region

FINE = np.arange(64 * 96).reshape(64, 96)


def level(factor: int, calibrated: bool = True) -> Level:
    shape = (64 // factor, 96 // factor)
    step = 0.00025 * factor
    half = (factor - 1) / 2 * 0.00025
    grid = Geometry.regular(shape, step, (half, half, 0.0)) if calibrated else Geometry.pixels(shape)

    def read(box: Region) -> np.ndarray:
        part = FINE.reshape(shape[0], factor, shape[1], factor).mean(axis=(1, 3))
        return part[tuple(slice(a, b) for a, b in box)]

    return Level(grid, read)


def pyramid(calibrated: bool = True) -> Pyramid:
    return Pyramid((level(1, calibrated), level(2, calibrated), level(8, calibrated)), ("y", "x"), modality="SM")


def test_a_region_is_an_image_of_that_place() -> None:
    region = pyramid().region(((8, 24), (16, 48)))
    assert region.shape == (16, 32)
    assert region.modality == "SM"
    np.testing.assert_array_equal(region.array, FINE[8:24, 16:48])
    np.testing.assert_allclose(region.geometry.origin, (16 * 0.00025, 8 * 0.00025, 0.0))


@pytest.mark.parametrize("index", [0, 1, 2])
def test_levels_lie_over_each_other(index: int) -> None:
    region = pyramid().region(((8, 24), (16, 48)), level=index)
    centre = region.geometry.to_world((np.asarray(region.shape) - 1) / 2)
    np.testing.assert_allclose(centre, (31.5 * 0.00025, 15.5 * 0.00025, 0.0), atol=1e-12)


@pytest.mark.parametrize(("mpp", "index"), [(0.1, 0), (0.25, 0), (0.4, 0), (0.5, 1), (1.9, 1), (2.0, 2), (100.0, 2)])
def test_the_coarsest_level_that_is_fine_enough(mpp: float, index: int) -> None:
    assert pyramid().level_for(mpp) == index
    assert pyramid().region(((0, 64), (0, 96)), mpp=mpp).shape == pyramid().levels[index].geometry.shape


def test_a_region_of_one_sample_has_a_sample_on_every_level() -> None:
    for index in range(3):
        assert pyramid().region(((63, 64), (95, 96)), level=index).shape == (1, 1)


def test_uncalibrated_pictures_have_no_micrometres() -> None:
    assert all(np.isnan(v) for v in pyramid(calibrated=False).mpp)
    with pytest.raises(ContentError, match="micrometres per sample measures in mm"):
        pyramid(calibrated=False).level_for(0.5)


@pytest.mark.parametrize("bounds", [((0, 65), (0, 96)), ((-1, 5), (0, 5)), ((5, 5), (0, 5)), ((0, 5),)])
def test_regions_outside_are_refused(bounds: Region) -> None:
    with pytest.raises(ParameterError, match="inside it per axis"):
        pyramid().region(bounds)


def test_other_refusals() -> None:
    with pytest.raises(ParameterError, match="expected 0 to 2"):
        pyramid().region(((0, 4), (0, 4)), level=3)
    with pytest.raises(ParameterError, match="without levels"):
        Pyramid((), ("y", "x"))
    with pytest.raises(ParameterError, match="finest first"):
        Pyramid((level(2), level(1)), ("y", "x"))
    with pytest.raises(ParameterError, match="levels of 3 spatial axes"):
        Pyramid((level(1),), ("z", "y", "x"))
