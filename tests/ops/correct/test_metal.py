"""correct.metal: two steel pins in a slice of known truth, seen by a beam that hardens."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from isocenter.core.errors import ContentError
from isocenter.core.geometry import Geometry
from isocenter.core.image import Image
from isocenter.kernels.projection import angles_for, back_projected, line_sums, ramp_filtered
from isocenter.ops.correct.metal import Metal

SIZE = 128
WATER = 0.02  # attenuation of one sample


def _ellipse(y: float, x: float, height: float, width: float) -> np.ndarray:
    rows, columns = np.indices((SIZE, SIZE)) - (SIZE - 1) / 2
    return ((rows - y) / height) ** 2 + ((columns - x) / width) ** 2 <= 1


def _hounsfield(sums: np.ndarray, angles: np.ndarray) -> np.ndarray:
    return back_projected(ramp_filtered(sums), angles, (SIZE, SIZE)) / WATER * 1000 - 1000


@pytest.fixture(scope="module")
def scan() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the slice with pins, the same without, and where they are compared."""
    tissue = np.full((SIZE, SIZE), -1000.0)
    for value, part in ((40.0, (0, 0, 48, 56)), (-100.0, (-16, -24, 11, 10)), (700.0, (12, 0, 8, 11)), (90.0, (-12, 20, 7, 7))):
        tissue[_ellipse(*part)] = value
    pins = _ellipse(4, -30, 3.5, 3.5) | _ellipse(4, 30, 3.5, 3.5)
    angles = angles_for((SIZE, SIZE))
    plain = line_sums(ndimage.gaussian_filter(WATER / 1000 * (tissue + 1000), 0.7), angles)
    steel = line_sums(ndimage.gaussian_filter(pins.astype(float), 0.7), angles)
    # Two energies: the softer half is lost in steel first, which makes dark bands between the pins.
    through = np.exp(-plain) * (0.5 * np.exp(-0.7 * steel) + 0.5 * np.exp(-0.18 * steel))
    counts = np.random.default_rng(0).poisson(1e6 * through)
    seen = _hounsfield(-np.log(np.maximum(counts, 0.5) / 1e6), angles)
    compared = _ellipse(0, 0, 46, 54) & ~ndimage.binary_dilation(pins, iterations=3)
    return seen.astype(np.float32), _hounsfield(plain, angles), compared


def _image(array: np.ndarray) -> Image:
    dims = ("z", "y", "x")[3 - array.ndim :]
    return Image(array, dims, Geometry.regular(array.shape), modality="CT", quantity="HU")


def _error(array: np.ndarray, scan: tuple[np.ndarray, np.ndarray, np.ndarray]) -> float:
    return float(np.sqrt(((np.asarray(array, float) - scan[1])[scan[2]] ** 2).mean()))


def test_projection_and_back_give_the_slice_again() -> None:
    disc = ndimage.gaussian_filter(_ellipse(5, -8, 30, 40).astype(float), 1.5)
    angles = angles_for((SIZE, SIZE))
    sums = line_sums(disc, angles)
    np.testing.assert_allclose(sums.sum(axis=1), disc.sum(), rtol=1e-3)
    inner = _ellipse(0, 0, 50, 50)
    found = back_projected(ramp_filtered(sums), angles, (SIZE, SIZE))
    assert np.abs(found - disc)[inner].max() < 0.025
    np.testing.assert_array_equal(sums, line_sums(disc, angles, threads=2))


@pytest.mark.parametrize("method, most", [("normalized", 0.35), ("linear", 0.65)])
def test_the_error_outside_the_metal_falls(method: str, most: float, scan: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    result = Metal(method=method)(_image(scan[0]))
    assert _error(result.array, scan) <= most * _error(scan[0], scan)
    metal = scan[0] > 2500
    np.testing.assert_array_equal(np.asarray(result.array)[metal], scan[0][metal])
    assert "metal in 1 slices" in result.provenance.steps[-1].notes[0]


def test_slices_without_metal_stay_bit_equal(scan: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    plain = scan[1].astype(np.float32)
    found = np.asarray(Metal()(_image(np.stack([plain, scan[0], plain]))).array)
    np.testing.assert_array_equal(found[[0, 2]], np.stack([plain, plain]))
    np.testing.assert_array_equal(found[1], Metal()(_image(scan[0])).array)


def test_only_calibrated_values() -> None:
    with pytest.raises(ContentError, match="works on HU"):
        Metal()(_image(np.ones((9, 9))).replace(quantity=None))
