"""filter.riesz: the reference map 9.a, energy, directions and alignment."""

from __future__ import annotations

import numpy as np
import pytest

from isocenter.core.errors import ContentError, ParameterError
from isocenter.core.geometry import Geometry
from isocenter.core.image import Image
from isocenter.ops.filter.riesz import Riesz
from isocenter.ops.filter.simoncelli import Simoncelli
from tests.ops.filter.maps import PLANE, Shared, require_map, require_slicewise, require_turning, volume


def test_reference_map(shared: Shared) -> None:
    require_map(shared, "9_a", "impulse", Riesz(order=(1, 0, 0), sigma=3.0, boundary="zero"), 0.05)


def test_components_of_an_order_keep_the_energy() -> None:
    image = volume(np.random.default_rng(7).standard_normal((15, 13, 17)))
    band = np.asarray(Simoncelli(boundary="periodic")(image).array)
    for total in (1, 2, 3):
        orders = [(a, b, total - a - b) for a in range(total + 1) for b in range(total + 1 - a)]
        parts = [np.asarray(Riesz(order=o, level=1, boundary="periodic")(image).array) for o in orders]
        assert sum(float((p**2).sum()) for p in parts) == pytest.approx(float((band**2).sum()), rel=1e-6)


def test_the_first_order_is_along_x() -> None:
    step = np.zeros((15, 15, 15))
    step[:, :, 8:] = 100.0
    along = np.asarray(Riesz(order=(1, 0, 0), sigma=3.0)(volume(step)).array)[7, 7]
    across = np.asarray(Riesz(order=(0, 1, 0), sigma=3.0)(volume(step)).array)[7, 7]
    assert abs(along).max() > 10.0 and abs(across).max() < 1e-3
    require_slicewise(Riesz(order=(1, 0), level=1, axes=PLANE))


def test_alignment_turns_with_the_image_and_finds_the_strongest_direction() -> None:
    require_turning(Riesz(order=(2, 0, 0), sigma=3.0, tensor_sigma=3.0))
    y = np.indices((15, 15, 15))[1] * 1.0
    stripes = volume(np.cos(2 * np.pi * y / 7.5))
    plain = np.asarray(Riesz(order=(0, 2, 0), sigma=3.0)(stripes).array)
    turned = np.asarray(Riesz(order=(2, 0, 0), sigma=3.0, tensor_sigma=3.0)(stripes).array)
    np.testing.assert_allclose(turned, plain, atol=1e-6 * np.abs(plain).max())


def test_refusals() -> None:
    for wrong in ({}, {"sigma": 1.0, "level": 1}):
        with pytest.raises(ParameterError, match="either 'sigma'"):
            Riesz(**wrong)
    with pytest.raises(ParameterError, match="1 to 6 in all"):
        Riesz(order=(0, 0, 0), level=1)
    with pytest.raises(ContentError, match="pixel size"):
        Riesz(sigma=1.0)(Image(np.zeros((4, 5, 6)), ("z", "y", "x"), Geometry.pixels((4, 5, 6))))
