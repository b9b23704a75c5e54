"""Median filter: denoise.median against SciPy, SimpleITK and scikit-image."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

Work = Callable[[], Any]


def _volume(side: int = 128) -> Any:
    """Return a smooth volume with noise: float32, the same for everyone."""
    axis = np.linspace(-1, 1, side, dtype=np.float32)
    ball = axis[:, None, None] ** 2 + axis[None, :, None] ** 2 + axis[None, None, :] ** 2
    return (ball * 500 + np.random.default_rng(0).normal(scale=30, size=ball.shape)).astype(np.float32)


def _ours(array: Any, radius: int, threads: int) -> Work:
    import isocenter as iso

    median = iso.op("denoise.median", radius=radius)
    image = iso.Image(array, ("z", "y", "x"), iso.Geometry.regular(array.shape))
    return lambda: median(image, threads=threads).array


def _scipy(array: Any, radius: int) -> Work:
    from scipy.ndimage import median_filter

    return lambda: median_filter(array, 2 * radius + 1, mode="nearest")


def _itk(array: Any, radius: int) -> Work:
    import SimpleITK as sitk

    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
    image = sitk.GetImageFromArray(array)
    return lambda: sitk.GetArrayFromImage(sitk.Median(image, [radius] * 3))


def ours_float() -> Work:
    return _ours(_volume(), 1, 1)


def scipy_float() -> Work:
    return _scipy(_volume(), 1)


def itk_float() -> Work:
    return _itk(_volume(), 1)


def ours_int() -> Work:
    return _ours(_volume(64).astype(np.int16), 2, 1)


def scipy_int() -> Work:
    return _scipy(_volume(64).astype(np.int16), 2)


def itk_int() -> Work:
    return _itk(_volume(64).astype(np.int16), 2)


def mahotas_int() -> Work:
    import mahotas  # type: ignore[import-not-found]  # a peer, in the benchmark environment only

    array = _volume(64).astype(np.int16)
    return lambda: mahotas.median_filter(array, np.ones((5, 5, 5), bool), mode="nearest")


if __name__ == "__main__":
    from benchmarks.common import Row, main

    main(
        [
            Row(
                "Median 3 x 3 x 3, 128^3 float32, one thread",
                __file__,
                "ours_float",
                {"scipy": "scipy_float", "SimpleITK": "itk_float"},
            ),
            Row(
                "Median 5 x 5 x 5, 64^3 int16, one thread",
                __file__,
                "ours_int",
                {"scipy": "scipy_int", "SimpleITK": "itk_int", "mahotas": "mahotas_int"},
            ),
        ],
        "Median filter",
    )
