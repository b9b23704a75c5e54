"""Tiles: a filter run block by block gives what it gives in one piece."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isocenter.core.errors import ContentError, ParameterError
from isocenter.core.geometry import Geometry
from isocenter.core.operation import Operation
from isocenter.core.tiles import run_tiled, tile_boxes
from tests.core.values import Density, Shift, Spread, image

SHAPES = st.tuples(st.integers(1, 7), st.integers(1, 7), st.integers(1, 7))


@given(SHAPES, SHAPES)
def test_tiles_cover_every_sample_once(shape: tuple[int, ...], tile: tuple[int, ...]) -> None:
    seen = np.zeros(shape, int)
    for box in tile_boxes(shape, tile):
        seen[tuple(slice(a, b) for a, b in box)] += 1
    assert (seen == 1).all()


@given(SHAPES, SHAPES)
def test_tiled_equals_whole(shape: tuple[int, int, int], tile: tuple[int, int, int]) -> None:
    given_image = image(shape)
    for operation in (Spread(), Shift(by=0.5)):
        whole = operation(given_image)
        tiled = run_tiled(operation, given_image, tile)
        np.testing.assert_array_equal(tiled.array, whole.array)
        assert tiled.digest == whole.digest
        assert tiled.provenance == whole.provenance


def test_time_and_channels_are_not_tiled() -> None:
    movie = image((2, 3, 4, 5), "tcyx")
    np.testing.assert_array_equal(run_tiled(Spread(), movie, (2, 3)).array, Spread()(movie).array)


def test_a_halo_that_is_too_small_shows() -> None:
    class Wrong(Spread):
        """States no halo, though it looks at its neighbours."""

        name: ClassVar[str] = "local.wrong"

        def halo(self, geometry: Geometry) -> tuple[int, ...]:
            return (0,) * geometry.ndim

    given_image = image((6, 6, 6))
    assert run_tiled(Wrong(), given_image, (2, 2, 2)).digest != Wrong()(given_image).digest


def test_a_declared_quantity_survives_tiling() -> None:
    class Local(Density):
        """The same with a halo."""

        name: ClassVar[str] = "local.density"

        def halo(self, geometry: Geometry) -> tuple[int, ...]:
            return (0,) * geometry.ndim

    assert run_tiled(Local(), image(quantity="HU"), (2, 2, 2)).quantity == "g/ml"


def test_what_cannot_be_tiled_is_refused() -> None:
    assert Operation().halo(Geometry.regular((2,))) is None
    with pytest.raises(ContentError, match="local.density depends on the whole image"):
        run_tiled(Density(), image(quantity="HU"), (2, 2, 2))
    for tile in ((2, 2), (0, 2, 2)):
        with pytest.raises(ParameterError, match="one positive size per axis"):
            run_tiled(Shift(), image(), tile)
