"""Enhancement and correction: ours beside scikit-image and SimpleITK, on one thread."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

Work = Callable[[], Any]


def volume(side: int, dtype: Any = np.float32) -> Any:
    """Return a smooth volume with noise: the same for everyone."""
    axis = np.linspace(-1, 1, side, dtype=np.float32)
    ball = axis[:, None, None] ** 2 + axis[None, :, None] ** 2 + axis[None, None, :] ** 2
    return (ball * 300 + 300 + np.random.default_rng(0).normal(scale=20, size=ball.shape)).astype(dtype)


def reference(side: int) -> Any:
    return (np.sqrt(np.maximum(volume(side), 0)) * 40).astype(np.float32)


def image(array: Any) -> Any:
    import isocenter as iso

    return iso.Image(array, ("z", "y", "x"), iso.Geometry.regular(array.shape), modality="MR")


def ours(name: str, array: Any, *others: Any, **parameters: Any) -> Work:
    import isocenter as iso

    operation = iso.op(name, **parameters)
    inputs = [image(a) for a in (array, *others)]
    return lambda: operation(*inputs, threads=1).array


def ours_equalize() -> Work:
    return ours("enhance.equalize", volume(256, np.int16))


def skimage_equalize() -> Work:
    from skimage.exposure import equalize_hist

    array = volume(256, np.int16)
    return lambda: equalize_hist(array, 1024)


def ours_clahe() -> Work:
    return ours("enhance.clahe", volume(128))


def skimage_clahe() -> Work:
    from skimage.exposure import equalize_adapthist

    array = volume(128)
    scaled = (array - array.min()) / np.ptp(array)
    return lambda: equalize_adapthist(scaled)


def ours_match() -> Work:
    return ours("enhance.match_histogram", volume(256), reference(256))


def skimage_match() -> Work:
    from skimage.exposure import match_histograms

    one, two = volume(256), reference(256)
    return lambda: match_histograms(one, two)


def ours_frangi() -> Work:
    return ours("enhance.vesselness", volume(128), sigmas=(1.0, 2.0))


def itk_frangi() -> Work:
    import SimpleITK as sitk

    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
    picture = sitk.GetImageFromArray(volume(128))

    def work() -> Any:
        found = [
            sitk.ObjectnessMeasure(sitk.SmoothingRecursiveGaussian(picture, s), 0.5, 0.5, 5.0, True, 1, True) for s in (1.0, 2.0)
        ]
        return np.maximum(*[sitk.GetArrayFromImage(f) for f in found])

    return work


def skimage_frangi() -> Work:
    from skimage.filters import frangi

    array = volume(128)
    return lambda: frangi(array, sigmas=(1.0, 2.0), black_ridges=False)


def spread_alike(one: Any, two: Any) -> str | None:
    """Compare the distributions: curves that stand half a bin aside, or tiles cut elsewhere, are alike in them."""
    at = np.linspace(0.02, 0.98, 25)
    worst = float(np.abs(np.quantile(one, at) - np.quantile(two, at)).max()) / float(np.ptp(two))
    return f"quantiles differ by {worst:.1%} of the range" if worst > 0.06 else None


def not_compared(one: Any, two: Any) -> str | None:
    """Compare shapes alone: every package weighs tubes in its own way."""
    return None if one.shape == two.shape else "shapes differ"


if __name__ == "__main__":
    from benchmarks.common import Row, main

    file = __file__
    main(
        [
            Row(
                "Histogram equalisation, 256^3 int16",
                file,
                "ours_equalize",
                {"scikit-image": "skimage_equalize"},
                spread_alike,
                3,
            ),
            Row("CLAHE 3D, 128^3", file, "ours_clahe", {"scikit-image": "skimage_clahe"}, spread_alike, 3),
            Row("Histogram matching, 256^3 float32", file, "ours_match", {"scikit-image": "skimage_match"}, spread_alike, 2),
            Row(
                "Frangi, two scales, 128^3 (each its own weights)",
                file,
                "ours_frangi",
                {"SimpleITK": "itk_frangi", "scikit-image": "skimage_frangi"},
                not_compared,
                1,
            ),
        ],
        "Enhancement, one thread",
    )
