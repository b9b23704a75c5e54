"""Wavelet filters: orthonormal, with the vanishing moments of their names, and their bands add up to the image."""

from __future__ import annotations

import numpy as np
import pytest

from isocenter.kernels.responses.boundary import BOUNDARIES, padded, source_indices
from isocenter.kernels.responses.separable import Taps, filter_axis
from isocenter.kernels.responses.wavelets import WAVELETS, wavelet_band, wavelet_bands, wavelet_taps

#: Published low-pass taps (Daubechies 1992, table 6.1), in the order of decomposition.
DB3 = (0.0352262919, -0.0854412739, -0.1350110200, 0.4598775021, 0.8068915093, 0.3326705530)


@pytest.mark.parametrize("name", WAVELETS)
def test_filters_are_orthonormal(name: str) -> None:
    low, high = (np.asarray(taps) for taps in wavelet_taps(name))
    assert low.sum() == pytest.approx(np.sqrt(2.0), abs=1e-12) and high.sum() == pytest.approx(0.0, abs=1e-10)
    for shift in range(0, len(low), 2):
        part = slice(0, len(low) - shift)
        assert low[part] @ low[shift:] == pytest.approx(float(shift == 0), abs=2e-11)
        assert low[part] @ high[shift:] == pytest.approx(0.0, abs=2e-11)
    if name.startswith("db"):
        places = np.arange(len(high))
        for moment in range(int(name[2:])):
            assert high @ (places / len(high)) ** moment == pytest.approx(0.0, abs=1e-8)


def test_published_taps() -> None:
    np.testing.assert_allclose(wavelet_taps("db3")[0], DB3, atol=1e-9)
    np.testing.assert_allclose(wavelet_taps("haar")[0], np.full(2, np.sqrt(0.5)))


def test_bands_keep_the_energy_and_share_their_passes() -> None:
    values = np.random.default_rng(0).standard_normal((8, 10, 12))
    bands = wavelet_bands(values, "coif1", (0, 1, 2), boundary="periodic")
    assert len(bands) == 8
    assert sum(float((b**2).sum()) for b in bands.values()) == pytest.approx(8 * float((values**2).sum()), rel=1e-9)
    for name, band in bands.items():
        np.testing.assert_array_equal(band, wavelet_band(values, "coif1", name, (0, 1, 2), boundary="periodic"))


@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize("size", [1, 2, 7])
def test_source_indices_continue_as_numpy_does(boundary: str, size: int) -> None:
    values = np.arange(1.0, size + 1)
    index = source_indices(size, 9, 11, boundary)  # type: ignore[arg-type]  # one of the four names
    found = np.where(index >= 0, values[index], 0.0)
    np.testing.assert_array_equal(found, padded(values, [(9, 11)], boundary))  # type: ignore[arg-type]  # likewise


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_threads_and_layout_give_the_same_bits(axis: int) -> None:
    values = np.random.default_rng(1).standard_normal((7, 9, 11)).astype(np.float32)
    taps = Taps.convolving([0.1, -0.7, 0.4, 0.2], 2, 2)
    one = filter_axis(values, taps, axis, "mirror", 1)
    np.testing.assert_array_equal(one, filter_axis(values, taps, axis, "mirror", 2))
    np.testing.assert_array_equal(one, filter_axis(np.asfortranarray(values), taps, axis, "mirror", 1))
    expected = np.apply_along_axis(
        lambda v: np.convolve(np.pad(v, 9, mode="symmetric"), [0.1, 0, -0.7, 0, 0.4, 0, 0.2], "full"), axis, values
    )
    middle = [slice(None)] * 3
    middle[axis] = slice(9 + 4, 9 + 4 + values.shape[axis])
    np.testing.assert_allclose(one, expected[tuple(middle)], atol=1e-5)
