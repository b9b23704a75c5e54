"""Gaussian smoothing of a volume: ours beside OpenCV, SciPy and SimpleITK, on one thread."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

Work = Callable[[], Any]


def volume() -> Any:
    return np.random.default_rng(0).normal(300, 40, (256,) * 3).astype(np.float32)


def ours() -> Work:
    import isocenter as iso

    array = volume()
    operation = iso.op("denoise.gaussian", sigma=2.0)
    image = iso.Image(array, ("z", "y", "x"), iso.Geometry.regular(array.shape))
    return lambda: operation(image, threads=1).array


def opencv() -> Work:
    import cv2  # type: ignore[import-not-found]  # a peer, in the benchmark environment only

    cv2.setNumThreads(1)
    array = volume()
    kernel = np.exp(-0.5 * (np.arange(-8, 9) / 2.0) ** 2)
    kernel = (kernel / kernel.sum()).astype(np.float32)
    one, edge = np.ones(1, np.float32), cv2.BORDER_REPLICATE

    def work() -> Any:
        out = np.empty_like(array)
        for z in range(len(array)):
            cv2.sepFilter2D(array[z], cv2.CV_32F, kernel, kernel, dst=out[z], borderType=edge)
        return cv2.sepFilter2D(out.reshape(len(array), -1), cv2.CV_32F, one, kernel, borderType=edge).reshape(array.shape)

    return work


def scipy() -> Work:
    from scipy.ndimage import gaussian_filter

    array = volume()
    return lambda: gaussian_filter(array, 2.0, mode="nearest")


def itk() -> Work:
    import SimpleITK as sitk

    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
    image = sitk.GetImageFromArray(volume())
    return lambda: sitk.GetArrayFromImage(sitk.SmoothingRecursiveGaussian(image, 2.0))


def alike(one: Any, two: Any) -> str | None:
    """Allow for the recursive approximation, which is off by a few tenths, and for the order of sums."""
    inner = (slice(12, -12),) * 3
    worst = float(np.abs(one[inner] - two[inner]).max())
    return f"largest difference {worst:.3g}" if worst > 0.5 else None


if __name__ == "__main__":
    from benchmarks.common import Row, main

    peers = {"OpenCV": "opencv", "SciPy": "scipy", "SimpleITK": "itk"}
    main([Row("Gaussian, sigma 2, 256^3 float32", __file__, "ours", peers, alike)], "Smoothing, one thread")
