"""Responses of the samples of a region: those of filtering the whole image, wherever the region lies."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
import SimpleITK
from scipy import ndimage

from isocenter.kernels.radiomics.chain import Chain, Region, prepare
from isocenter.kernels.radiomics.responses import Response, gradient, log, pointwise, reach_of, response_values, wavelet
from isocenter.kernels.responses.blobs import laplacian_of_gaussian
from isocenter.kernels.responses.wavelets import wavelet_bands

SPACE, PLANE = (0, 1, 2), (1, 2)
SPACING = (2.0, 1.0, 1.25)
MODES: dict[Any, Any] = {"mirror": "reflect", "nearest": "nearest", "zero": "constant"}


def scene(corner: bool) -> tuple[Any, Any]:
    """Return an image, and a mask inside it or in its corner."""
    array = np.random.default_rng(3).integers(-200, 400, (24, 30, 33)).astype(np.int16)
    mask = np.zeros(array.shape, bool)
    z, y, x = (np.arange(n) for n in array.shape)
    middle = (2, 28, 1) if corner else (12, 14, 17)
    mask |= (z[:, None, None] - middle[0]) ** 2 + (y[:, None] - middle[1]) ** 2 + (x - middle[2]) ** 2 < 30
    return array, mask


def region(array: Any, mask: Any, *responses: Response, spacing: Any = SPACING) -> Region:
    whole = tuple(slice(0, n) for n in array.shape)
    found = prepare(array, mask, whole, spacing, Chain(reach=reach_of(responses)))
    assert found is not None
    return found


@pytest.mark.parametrize("corner, boundary", list(itertools.product((False, True), MODES)))
def test_filters_give_what_the_filtered_image_has(corner: bool, boundary: Any) -> None:
    array, mask = scene(corner)
    wide = array.astype(np.float64)
    for axes in (SPACE, PLANE):
        bands = wavelet_bands(wide, "coif1", axes, boundary=boundary)
        each = wavelet("coif1", axes)
        assert [one.tag.removeprefix("wavelet-") for one in each] == sorted(bands, key=lambda b: b.replace("L", "A"))
        here = region(array, mask, *each, log(4.0, SPACING, axes))  # the margin of the widest serves all
        for one in each:
            found = response_values(here, one, boundary, 1.0)
            np.testing.assert_allclose(found, bands[one.tag.removeprefix("wavelet-")][mask], atol=1e-3, rtol=1e-6)
        one = log(2.5, SPACING, axes)
        expected = laplacian_of_gaussian(wide, SPACING, 2.5, axes=axes, boundary=boundary)[mask]
        np.testing.assert_allclose(response_values(region(array, mask, one), one, boundary, 1.0), expected, atol=1e-4)


@pytest.mark.parametrize("corner", [False, True])
@pytest.mark.parametrize("sigma", [0.8, 2.0, 3.0])
def test_the_recursive_kernel_is_that_of_itk(corner: bool, sigma: float) -> None:
    array, mask = scene(corner)
    image = SimpleITK.GetImageFromArray(array.astype(np.float64))
    image.SetSpacing(SPACING[::-1])
    judge = SimpleITK.LaplacianRecursiveGaussianImageFilter()
    judge.SetNormalizeAcrossScale(True)
    judge.SetSigma(sigma)
    expected = SimpleITK.GetArrayFromImage(judge.Execute(image))[mask]
    one = log(sigma, SPACING, SPACE, recursive=True)
    found = response_values(region(array, mask, one), one, "nearest", 1.0)
    assert np.abs(found - expected).max() < 1e-4 * np.ptp(expected)


@pytest.mark.parametrize("boundary", MODES)
def test_the_gradient_is_that_of_central_differences(boundary: Any) -> None:
    array, mask = scene(True)
    one = gradient(SPACING, SPACE)
    wide, mode = array.astype(np.float64), MODES[boundary]
    parts = [ndimage.correlate1d(wide, [-0.5 / s, 0.0, 0.5 / s], k, mode=mode) for k, s in enumerate(SPACING)]
    expected = np.sqrt(sum(part**2 for part in parts))[mask]
    np.testing.assert_allclose(response_values(region(array, mask, one), one, boundary, 1.0), expected, rtol=1e-5)


def test_functions_of_the_intensity_keep_sign_and_range() -> None:
    array, mask = scene(False)
    top = float(np.abs(array).max())
    x = array[mask].astype(np.float64)
    expected = {
        "square": x**2 / top,
        "squareroot": np.sign(x) * np.sqrt(np.abs(x) * top),
        "logarithm": np.sign(x) * np.log(np.abs(x) + 1.0) * top / np.log(top + 1.0),
        "exponential": top ** (x / top),
    }
    for name, values in expected.items():
        found = response_values(region(array, mask), pointwise(name), "mirror", top)
        np.testing.assert_allclose(found, values, rtol=1e-5)
        assert np.abs(found).max() <= top * 1.0001


@pytest.mark.parametrize("kind", [np.uint8, np.int16, ">i2", np.uint16, np.float32, np.float64])
def test_types_and_threads_change_nothing(kind: Any) -> None:
    array, mask = scene(False)
    array = np.abs(array % 200)
    for one in (log(2.0, SPACING, SPACE), wavelet("db2", SPACE)[3], gradient(SPACING, PLANE)):
        plain = response_values(region(array, mask, one), one, "mirror", 1.0)
        again = response_values(region(array.astype(kind), mask, one), one, "mirror", 1.0, threads=2)
        np.testing.assert_array_equal(plain, again)


def test_names_say_what_they_are() -> None:
    assert (log(0.5, SPACING, SPACE).name, log(0.5, SPACING, SPACE).tag) == ("log_0_5mm", "log-sigma-0-5-mm-3D")
    assert [one.name for one in wavelet("haar", PLANE)] == ["wavelet_ll", "wavelet_lh", "wavelet_hl", "wavelet_hh"]
    assert wavelet("haar", PLANE)[1].groups[0][0][0].offsets == (0,)  # nothing along z
