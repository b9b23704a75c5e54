"""filter.texture_map: binning, regions, tiles and refusals."""

from __future__ import annotations

import numpy as np
import pytest

from isocenter.core.errors import ContentError, GridMismatchError, ParameterError
from isocenter.core.geometry import Geometry
from isocenter.core.image import Image
from isocenter.core.labels import LabelMap
from isocenter.core.tiles import run_tiled
from isocenter.kernels.texture.maps import texture_maps
from isocenter.ops.filter.texture_map import TextureMap
from tests.ops.filter.maps import volume


def test_bins_begin_where_they_are_told() -> None:
    values = np.random.default_rng(0).uniform(-100.0, 300.0, (5, 6, 7)).astype(np.float32)
    levels = np.floor((values + 200.0) / 25.0).astype(int) + 1
    expected = texture_maps(levels, int(levels.max()), ["joint_avg"])[0]
    np.testing.assert_array_equal(TextureMap(feature="joint_avg", start=-200.0)(volume(values)).array, expected)
    lowest = float(values.min())
    np.testing.assert_array_equal(
        TextureMap(feature="joint_avg")(volume(values)).array, TextureMap(feature="joint_avg", start=lowest)(volume(values)).array
    )


def test_a_region_is_all_there_is() -> None:
    values = np.random.default_rng(1).integers(0, 400, (6, 8, 9)).astype(np.int16)
    mask = np.zeros(values.shape, np.uint8)
    mask[1:5, 2:6, 3:8] = 1
    image = volume(values)
    region = LabelMap(mask, image.dims, image.geometry)
    found = np.asarray(TextureMap(feature="contrast")(image, region).array)
    inside = (slice(1, 5), slice(2, 6), slice(3, 8))
    np.testing.assert_array_equal(found[inside], TextureMap(feature="contrast")(volume(values[inside])).array)
    assert not found[mask == 0].any()
    step = TextureMap()(image, region).provenance.steps[-1]
    assert len(step.inputs) == 2 and not step.notes


def test_tiles_give_the_same_bits() -> None:
    image = volume(np.random.default_rng(2).uniform(0.0, 800.0, (9, 17, 13)).astype(np.float32))
    operation = TextureMap(feature="info_corr1", start=0.0, radius=2)
    np.testing.assert_array_equal(run_tiled(operation, image, (4, 7, 5)).array, operation(image).array)
    assert TextureMap().halo(image.geometry) is None and operation.halo(image.geometry) == (2, 2, 2)


def test_what_is_not_a_number_is_left_out_with_a_note() -> None:
    values = np.random.default_rng(3).uniform(0.0, 100.0, (5, 5, 5))
    values[2, 2, 2] = np.nan
    result = TextureMap(start=0.0)(volume(values))
    assert np.isfinite(result.array).all() and result.array[2, 2, 2] == 0.0
    assert "1 samples are not finite" in result.provenance.steps[-1].notes[0]


def test_refusals() -> None:
    with pytest.raises(ParameterError, match="expected one of joint_max"):
        TextureMap(feature="haralick")
    with pytest.raises(ParameterError, match="either 'bin_width' or 'bins'"):
        TextureMap(bins=8)
    with pytest.raises(ParameterError, match="at most twice the radius"):
        TextureMap(distance=3)
    with pytest.raises(ContentError, match="levels: expected wider bins"):
        TextureMap(start=0.0)(volume(np.array([[[0.0, 1e12]]])))
    image = volume(np.zeros((3, 3, 3)))
    other = LabelMap(np.ones((3, 3, 3), np.uint8), image.dims, Geometry.regular((3, 3, 3), 1.0))
    with pytest.raises(GridMismatchError):
        TextureMap()(image, other)
    plane = Image(np.zeros((4, 4)), ("y", "x"), Geometry.pixels((4, 4)))
    assert TextureMap()(plane).shape == (4, 4)
