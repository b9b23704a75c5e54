"""The slope of a ramp is that of its axes in mm, whatever the spacing."""

from __future__ import annotations

import numpy as np
import pytest

from isocenter.kernels.slope import squared_slope


@pytest.mark.parametrize(("shape", "spacing"), [((5, 6), (2.0, 0.5)), ((4, 5, 6), (3.0, 1.0, 0.7)), ((1, 5, 6), (3.0, 1.0, 0.7))])
def test_the_slope_of_a_ramp(shape: tuple[int, ...], spacing: tuple[float, ...]) -> None:
    rises = np.arange(1.0, len(shape) + 1.0)
    places = np.indices(shape)
    ramp = sum(r * s * p for r, s, p in zip(rises, spacing, places, strict=True))
    expected = sum(r**2 for r, n in zip(rises, shape, strict=True) if n > 1)
    np.testing.assert_allclose(squared_slope(np.asarray(ramp, np.float64), spacing), expected, rtol=1e-12)
