"""correct.gibbs on a phantom whose k-space was cut off."""

from __future__ import annotations

import numpy as np
import pytest

from isocenter.core.geometry import Geometry
from isocenter.core.image import Image
from isocenter.ops.correct.gibbs import Gibbs


def truncated(big: int = 512, small: int = 96) -> tuple[np.ndarray, np.ndarray]:
    """Return a drawing averaged to a small grid, and the same from the middle of its k-space, which rings."""
    rows, columns = (np.indices((big, big)) - big / 2 + 0.5) / big
    drawing = 100.0 * (((rows / 0.38) ** 2 + (columns / 0.3) ** 2) < 1)
    drawing += 100.0 * ((np.abs(rows + 0.05) < 0.11) & (np.abs(columns - 0.04) < 0.09))
    spectrum = np.fft.fftshift(np.fft.fft2(drawing))
    low = (big - small) // 2
    cut = np.fft.ifft2(np.fft.ifftshift(spectrum[low : low + small, low : low + small])).real * (small / big) ** 2
    weight = np.outer(*(np.sinc(np.fft.fftshift(np.fft.fftfreq(small))),) * 2)  # the same, seen through a sample's width
    soft = np.fft.ifft2(np.fft.ifftshift(spectrum[low : low + small, low : low + small] * weight**4)).real * (small / big) ** 2
    return soft, cut


def test_ringing_in_flat_parts_falls_to_less_than_half() -> None:
    soft, cut = truncated()
    found = np.asarray(Gibbs()(Image(cut, ("y", "x"), Geometry.regular(cut.shape))).array)
    steps = np.hypot(*np.gradient(soft))
    flat = steps < 1.0
    assert (found - soft)[flat].std() < 0.5 * (cut - soft)[flat].std()
    assert found.mean() == pytest.approx(cut.mean(), rel=0.005)


def test_slices_each_their_own_and_smooth_images_stay() -> None:
    rows, columns = np.indices((40, 44)) / 8.0
    smooth = 100 + 20 * np.sin(rows) * np.cos(columns * 2 * np.pi * 8 / 44)
    found = np.asarray(Gibbs()(Image(np.stack([smooth, smooth[::-1]]), ("z", "y", "x"), Geometry.regular((2, 40, 44)))).array)
    alone = np.asarray(Gibbs()(Image(smooth, ("y", "x"), Geometry.regular((40, 44)))).array)
    np.testing.assert_array_equal(found[0], alone)
    assert np.abs(alone[6:-6, 6:-6] - smooth[6:-6, 6:-6]).max() < 2.0
