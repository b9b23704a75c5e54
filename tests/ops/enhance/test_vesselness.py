"""enhance.vesselness."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from isocenter.core.errors import ParameterError
from isocenter.core.geometry import Geometry
from isocenter.core.image import Image
from isocenter.ops.enhance.vesselness import Vesselness

SPACING = (2.0, 1.0, 0.8)


def shapes() -> tuple[Image, dict[str, np.ndarray]]:
    """Return a tube along x, a plate and a ball of 2 mm radius, and masks of their middles."""
    shape = (24, 60, 70)
    z, y, x = np.meshgrid(*[np.arange(n) * s for n, s in zip(shape, SPACING, strict=True)], indexing="ij")
    tube = (z - 24) ** 2 + (y - 12) ** 2
    plate = (y - 30) ** 2
    ball = (z - 24) ** 2 + (y - 48) ** 2 + (x - 28) ** 2
    array = sum(np.exp(-d / (2 * 1.5**2)) for d in (tube, plate, ball)) * 500
    middles = {
        "tube": (tube < 0.5) & (abs(x - 28) < 18),
        "plate": (plate < 0.3) & (abs(z - 24) < 14) & (abs(x - 28) < 18),
        "ball": ball < 0.8,
    }
    return Image(array.astype(np.float32), ("z", "y", "x"), Geometry.regular(shape, SPACING)), middles


@pytest.mark.parametrize("method", ["frangi", "sato"])
def test_a_tube_responds_and_plate_and_ball_less(method: str) -> None:
    image, middles = shapes()
    found = np.asarray(Vesselness(method=method, sigmas=(1.5,))(image).array)
    response = {name: float(found[mask].mean()) for name, mask in middles.items()}
    assert response["tube"] > 5 * response["plate"]
    assert response["tube"] > (2 if method == "frangi" else 1.0) * response["ball"]
    assert not np.asarray(Vesselness(method=method, sigmas=(1.5,), bright=False)(image).array)[middles["tube"]].any()
    dark = image.replace(array=500 - np.asarray(image.array))
    np.testing.assert_allclose(
        np.asarray(Vesselness(method=method, sigmas=(1.5,), bright=False)(dark).array), found, atol=2e-3 * found.max()
    )


def test_equals_the_formula_from_eigenvalues() -> None:
    array = ndimage.gaussian_filter(np.random.default_rng(0).normal(0, 100, (12, 13, 14)), 1.0)
    smooth = ndimage.gaussian_filter(array, 1.2, mode="nearest")
    first = [np.gradient(smooth, axis=k) for k in range(3)]
    hessian = np.empty((*array.shape, 3, 3))
    for a in range(3):
        for b in range(3):
            second = ndimage.correlate1d(smooth, [1, -2, 1], axis=a, mode="nearest") if a == b else np.gradient(first[a], axis=b)
            hessian[..., a, b] = second * 1.2**2
    values = np.linalg.eigvalsh(hessian)
    one, two, three = np.moveaxis(np.take_along_axis(values, np.argsort(np.abs(values), axis=-1), -1), -1, 0)
    ratio, blob = two / three, one / np.sqrt(np.abs(two * three))
    strength = one**2 + two**2 + three**2
    expected = (1 - np.exp(-(ratio**2) / 0.5)) * np.exp(-(blob**2) / 0.5) * (1 - np.exp(-strength / (2 * 20.0**2)))
    expected[(two >= 0) | (three >= 0) | (one + two + three >= 0)] = 0
    found = np.asarray(Vesselness(sigmas=(1.2,), gamma=20.0)(Image(array, ("z", "y", "x"), Geometry.regular(array.shape))).array)
    inner = (slice(1, -1),) * 3
    np.testing.assert_allclose(found[inner], expected[inner], atol=1e-6)


def test_lines_in_slices_constant_and_no_scale() -> None:
    array = np.zeros((40, 40))
    array[20, :] = 100.0
    image = Image(ndimage.gaussian_filter(array, 1.0), ("y", "x"), Geometry.regular((40, 40)))
    found = np.asarray(Vesselness()(image).array)
    assert found[20, 20] > 0.5 and found[5, 5] < 1e-3
    assert not np.asarray(Vesselness()(image.replace(array=np.ones((40, 40)))).array).any()
    with pytest.raises(ParameterError, match="at least one scale"):
        Vesselness(sigmas=())
