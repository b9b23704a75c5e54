"""features.lbp: equal to scikit-image's patterns, and blind to brightness and right angles."""

from __future__ import annotations

import numpy as np
import pytest
from skimage.feature import local_binary_pattern

from isocenter.core.geometry import Geometry
from isocenter.core.image import Image
from isocenter.core.labels import LabelMap
from isocenter.kernels.texture.binary_patterns import binary_patterns
from isocenter.ops.features.lbp import Lbp


@pytest.mark.parametrize("radius, points", [(1.0, 8), (2.0, 12), (3.0, 16)])
def test_patterns_are_those_of_scikit_image(radius: float, points: int) -> None:
    values = np.random.default_rng(0).integers(0, 4, (40, 37)) * 60  # many ties
    expected = local_binary_pattern(values.astype(np.uint8), points, radius, method="uniform")
    found = binary_patterns(values, radius=radius, points=points)
    inside = (slice(4, -4), slice(4, -4))
    if points == 8:
        # Corners of the circle lie between samples: with ties the two round alike only where the sum is not exactly 0.
        assert np.mean(found[inside] != expected[inside]) < 0.05
    smooth = np.random.default_rng(1).standard_normal((40, 37))
    with pytest.warns(UserWarning, match="floating-point"):  # on ties, of which there are none here
        expected = local_binary_pattern(smooth, points, radius, method="uniform").astype(int)
    np.testing.assert_array_equal(binary_patterns(smooth, radius=radius, points=points)[inside], expected[inside])
    np.testing.assert_array_equal(found, binary_patterns(values, radius=radius, points=points, threads=2))


def test_shares_of_a_region() -> None:
    grid = Geometry.pixels((30, 31))
    mask = np.zeros((30, 31), np.uint8)
    mask[5:25, 5:25] = 1
    region = LabelMap(mask, ("y", "x"), grid)
    flat = Lbp()(Image(np.full((30, 31), 7.0), ("y", "x"), grid), region)
    assert flat["lbp_8"] == 1.0 and flat["lbp_entropy"] == 0.0
    values = np.random.default_rng(2).standard_normal((30, 31))
    one = Lbp()(Image(values, ("y", "x"), grid), region)
    brighter = Lbp()(Image(3.0 * values + 100.0, ("y", "x"), grid), region)
    assert one.rows == brighter.rows and sum(one.rows[0][:-1]) == pytest.approx(1.0)
    turned = np.ascontiguousarray(np.rot90(values[:30, :30]))
    square = Geometry.pixels((30, 30))
    inside = LabelMap(mask[:30, :30], ("y", "x"), square)
    plain = Lbp()(Image(values[:30, :30], ("y", "x"), square), inside)
    again = Lbp()(Image(turned, ("y", "x"), square), inside)
    np.testing.assert_allclose(plain.rows[0], again.rows[0], atol=1e-12)
