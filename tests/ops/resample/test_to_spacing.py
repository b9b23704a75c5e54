"""resample.to_spacing: the same volume, sampled otherwise."""

from __future__ import annotations

import numpy as np
import pytest

from isocenter.core.errors import ContentError, ParameterError
from isocenter.core.geometry import Geometry
from isocenter.core.image import Image
from isocenter.ops.resample.to_spacing import ToSpacing
from isocenter.testing.contracts.inputs import grid


def test_centre_and_volume_stay() -> None:
    before = grid((20, 30, 40), (3.0, 1.0, 0.5))
    after = ToSpacing(spacing=1.0)(Image(np.zeros(before.shape, np.float32), ("z", "y", "x"), before)).geometry
    assert after.spacing == pytest.approx((1.0, 1.0, 1.0)) and after.shape == (60, 30, 20)
    middle = [g.to_world((np.asarray(g.shape) - 1) / 2) for g in (before, after)]
    np.testing.assert_allclose(middle[0], middle[1], atol=1e-9)
    assert after.extent == pytest.approx(before.extent)


def test_zero_keeps_an_axis_to_the_bit() -> None:
    before = grid((6, 9, 8), (5.0, 1.3, 0.7))
    array = np.random.default_rng(0).integers(0, 900, before.shape).astype(np.int16)
    after = ToSpacing(spacing=(0, 0.65, 0), interpolation="nearest")(Image(array, ("z", "y", "x"), before))
    assert after.shape == (6, 18, 8) and after.dtype == np.int16
    np.testing.assert_array_equal(after.array, np.repeat(array, 2, axis=1))


def test_constant_stays_constant_at_the_edges() -> None:
    before = grid((7, 8, 9), (2.5, 1.1, 0.7))
    for method in ("linear", "cubic"):
        after = ToSpacing(spacing=0.9, interpolation=method)(
            Image(np.full(before.shape, 40.0, np.float32), ("z", "y", "x"), before, quantity="HU")
        )
        np.testing.assert_allclose(after.array, 40.0, rtol=1e-6)
        assert not after.provenance.notes


def test_time_and_channels_are_kept() -> None:
    before = grid((7, 8), (1.0, 2.0))
    image = Image(
        np.random.default_rng(0).random((2, 3, 7, 8)).astype(np.float32), ("t", "c", "y", "x"), before, channels=("r", "g", "b")
    )
    after = ToSpacing(spacing=0.5)(image)
    assert after.shape == (2, 3, 14, 32) and after.channels == ("r", "g", "b")


@pytest.mark.parametrize("spacing", [0.0, -1.0, (0.0, 0.0, 0.0), ()])
def test_impossible_spacing(spacing: float) -> None:
    with pytest.raises(ParameterError, match="spacing"):
        ToSpacing(spacing=spacing)


def test_refusals() -> None:
    with pytest.raises(ContentError, match="no pixel size"):
        ToSpacing()(Image(np.zeros((4, 4)), ("y", "x"), Geometry.pixels((4, 4))))
    with pytest.raises(ParameterError, match="2 values for 3 spatial axes"):
        ToSpacing(spacing=(1.0, 1.0))(Image(np.zeros((4, 4, 4)), ("z", "y", "x"), grid((4, 4, 4))))
