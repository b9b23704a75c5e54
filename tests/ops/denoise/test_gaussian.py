"""denoise.gaussian: sigma is in mm on every grid."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from isocenter.core.errors import ContentError, ParameterError
from isocenter.core.geometry import Geometry
from isocenter.core.image import Image
from isocenter.ops.denoise.gaussian import Gaussian
from isocenter.testing.contracts.inputs import grid


@pytest.mark.parametrize("sigma, mm", [(2.0, (2.0, 2.0, 2.0)), ((0.0, 1.0, 3.0), (0.0, 1.0, 3.0))])
def test_equals_scipy_in_mm(sigma: float | tuple[float, ...], mm: tuple[float, ...]) -> None:
    array = np.random.default_rng(0).standard_normal((12, 14, 16)).astype(np.float32)
    geometry = grid(array.shape, (2.5, 1.25, 0.75))
    samples = [m / s for m, s in zip(mm, geometry.spacing, strict=True)]
    expected = ndimage.gaussian_filter(array.astype(float), samples, mode="nearest")
    result = Gaussian(sigma=sigma)(Image(array, ("z", "y", "x"), geometry))
    np.testing.assert_allclose(result.array, expected, atol=2e-6)


def test_a_point_spreads_by_sigma_along_every_axis() -> None:
    geometry = Geometry.regular((31, 41, 61), (1.5, 1.0, 0.7))
    array = np.zeros(geometry.shape)
    array[15, 20, 30] = 1.0
    result = np.asarray(Gaussian(sigma=3.0)(Image(array, ("z", "y", "x"), geometry)).array)
    for axis, step in enumerate(geometry.spacing):
        profile = result.sum(axis=tuple(k for k in range(3) if k != axis))
        place = (np.arange(len(profile)) - len(profile) // 2) * step
        assert np.sqrt((profile * place**2).sum()) == pytest.approx(3.0, rel=0.01)
    assert result.sum() == pytest.approx(1.0, abs=1e-9)


def test_sheared_grid_is_noted() -> None:
    affine = Geometry.regular((5, 6, 7), 2.0).affine.copy()
    affine[1, 0] = 0.5
    image = Image(np.zeros((5, 6, 7), np.float32), ("z", "y", "x"), Geometry((5, 6, 7), affine))
    (note,) = Gaussian()(image).provenance.notes
    assert "sheared by 14.04 degrees" in note


def test_refusals() -> None:
    with pytest.raises(ContentError, match="no pixel size"):
        Gaussian()(Image(np.zeros((4, 4)), ("y", "x"), Geometry.pixels((4, 4))))
    with pytest.raises(ParameterError, match="2 values for 3"):
        Gaussian(sigma=(1.0, 1.0))(Image(np.zeros((3, 3, 3)), ("z", "y", "x"), grid((3, 3, 3))))
    with pytest.raises(ParameterError, match="sigma"):
        Gaussian(sigma=-1)
