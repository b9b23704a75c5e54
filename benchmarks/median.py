"""Median filter: denoise.median against SciPy, SimpleITK and scikit-image."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

Work = Callable[[], Any]


def _volume(side: int) -> Any:
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
    return _ours(_volume(256), 1, 1)


def scipy_float() -> Work:
    return _scipy(_volume(256), 1)


def itk_float() -> Work:
    return _itk(_volume(256), 1)


def ours_int() -> Work:
    return _ours(_volume(128).astype(np.int16), 2, 1)


def scipy_int() -> Work:
    return _scipy(_volume(128).astype(np.int16), 2)


def itk_int() -> Work:
    return _itk(_volume(128).astype(np.int16), 2)


def skimage_int() -> Work:
    from skimage.filters.rank import median

    array = _volume(128).astype(np.int16)
    low = int(array.min())
    shifted = (array - low).astype(np.uint16)
    return lambda: median(shifted, np.ones((5, 5, 5), np.uint8)).astype(np.int32) + low


def mahotas_float() -> Work:
    import mahotas  # type: ignore[import-not-found]  # a peer, in the benchmark environment only

    array = _volume(256)
    return lambda: mahotas.median_filter(array, np.ones((3, 3, 3), bool), mode="nearest")


def ours_wide() -> Work:
    return _ours(_volume(64).astype(np.int16), 5, 1)


def scipy_wide() -> Work:
    return _scipy(_volume(64).astype(np.int16), 5)


def itk_wide() -> Work:
    import SimpleITK as sitk

    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
    image = sitk.GetImageFromArray(_volume(64).astype(np.int16))
    return lambda: sitk.GetArrayFromImage(sitk.Rank(image, [5] * 3, 0.5))


def within_edges(one: Any, two: Any) -> str | None:
    """Require equal values wherever the window lies inside: peers cut it off at the edge."""
    inner = (slice(5, -5),) * 3
    share = float((one[inner] != two[inner]).mean())
    return f"{share:.2%} of the samples differ" if share > 0 else None


if __name__ == "__main__":
    from benchmarks.common import Row, main

    file = __file__
    whole = {"SciPy": "scipy_float", "SimpleITK": "itk_float", "mahotas": "mahotas_float"}
    middle = {"SciPy": "scipy_int", "SimpleITK": "itk_int", "scikit-image rank": "skimage_int"}
    wide = {"SimpleITK rank": "itk_wide", "SciPy": "scipy_wide"}
    main(
        [
            Row("Median 3 x 3 x 3, 256^3 float32", file, "ours_float", whole, within_edges, 2),
            Row("Median 5 x 5 x 5, 128^3 int16", file, "ours_int", middle, within_edges, 2),
            Row("Median 11 x 11 x 11, 64^3 int16", file, "ours_wide", wide, within_edges, 3),
        ],
        "Median filter, one thread",
    )
