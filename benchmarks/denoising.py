"""Denoising: ours beside SciPy, scikit-image and SimpleITK, on one thread."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

Work = Callable[[], Any]


def volume(side: int) -> Any:
    """Return a smooth volume with noise of 20: float32, the same for everyone."""
    axis = np.linspace(-1, 1, side, dtype=np.float32)
    ball = axis[:, None, None] ** 2 + axis[None, :, None] ** 2 + axis[None, None, :] ** 2
    return (ball * 300 + np.random.default_rng(0).normal(scale=20, size=ball.shape)).astype(np.float32)


def ours(name: str, array: Any, **parameters: Any) -> Work:
    import isocenter as iso

    operation = iso.op(name, **parameters)
    image = iso.Image(array, ("z", "y", "x"), iso.Geometry.regular(array.shape))
    return lambda: operation(image, threads=1).array


def itk(array: Any, make: Callable[[Any, Any], Any]) -> Work:
    import SimpleITK as sitk

    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
    image = sitk.GetImageFromArray(array)
    return lambda: sitk.GetArrayFromImage(make(sitk, image))


def ours_wiener() -> Work:
    return ours("denoise.wiener", volume(256), sigma=20.0)


def scipy_wiener() -> Work:
    from scipy.signal import wiener

    array = volume(256)
    return lambda: wiener(array, 3, noise=400.0)


def ours_rational() -> Work:
    return ours("denoise.anisotropic", volume(256), contrast=30.0, step=0.375)


def ours_exponential() -> Work:
    return ours("denoise.anisotropic", volume(256), contrast=30.0, step=0.375, conductance="exponential")


def itk_gradient() -> Work:
    return itk(volume(256), lambda sitk, v: sitk.GradientAnisotropicDiffusion(v, 0.0625, 3.0, 1, 5))


def ours_bilateral() -> Work:
    return ours("denoise.bilateral", volume(128), sigma=1.5, contrast=50.0)


def itk_bilateral() -> Work:
    return itk(volume(128), lambda sitk, v: sitk.Bilateral(v, 1.5, 50.0))


def ours_tv() -> Work:
    return ours("denoise.total_variation", volume(128), weight=30.0, iterations=20)


def skimage_tv() -> Work:
    from skimage.restoration import denoise_tv_chambolle

    array = volume(128)
    return lambda: denoise_tv_chambolle(array, weight=30.0, eps=0.0, max_num_iter=21)


def ours_near() -> Work:
    return ours("denoise.nonlocal_means", volume(128), sigma=20.0)


def skimage_near() -> Work:
    from skimage.restoration import denoise_nl_means

    array = volume(128)
    return lambda: denoise_nl_means(array, patch_size=3, patch_distance=2, h=20.0, sigma=20.0, fast_mode=True)


def ours_far() -> Work:
    return ours("denoise.nonlocal_means", volume(64), sigma=20.0, search=5)


def skimage_far() -> Work:
    from skimage.restoration import denoise_nl_means

    array = volume(64)
    return lambda: denoise_nl_means(array, patch_size=3, patch_distance=5, h=20.0, sigma=20.0, fast_mode=True)


def inside(tolerance: float) -> Callable[[Any, Any], str | None]:
    """Return a check of all but the outermost samples, where peers take other values beyond the edge.

    SciPy sums squares in float32, which costs it a few hundredths.
    """

    def check(one: Any, two: Any) -> str | None:
        inner = (slice(3, -3),) * 3
        worst = float(np.abs(one[inner].astype(float) - two[inner].astype(float)).max())
        return f"largest difference {worst:.3g}" if worst > tolerance else None

    return check


def not_compared(one: Any, two: Any) -> str | None:
    """Compare shapes alone: the peer has a scheme, window or weight of its own, as the row says."""
    return None if one.shape == two.shape else "shapes differ"


if __name__ == "__main__":
    from benchmarks.common import Row, main

    file = __file__
    main(
        [
            Row("Wiener 3^3, 256^3 float32", file, "ours_wiener", {"SciPy": "scipy_wiener"}, inside(0.05)),
            Row(
                "Anisotropic diffusion, rational, 5 steps, 256^3 (the peer: exponential, scheme of its own)",
                file,
                "ours_rational",
                {"SimpleITK": "itk_gradient"},
                not_compared,
            ),
            Row(
                "Anisotropic diffusion, exponential, 5 steps, 256^3 (the peer: scheme of its own)",
                file,
                "ours_exponential",
                {"SimpleITK": "itk_gradient"},
                not_compared,
                rounds=2,
            ),
            Row(
                "Bilateral 7^3, 128^3 (the peer: window of its own)",
                file,
                "ours_bilateral",
                {"SimpleITK": "itk_bilateral"},
                not_compared,
                rounds=2,
            ),
            Row("Total variation, 20 steps, 128^3", file, "ours_tv", {"scikit-image": "skimage_tv"}, inside(0.02)),
            Row(
                "Non-local means, patch 3, distance 2, 128^3 (the peer does not equal the definition)",
                file,
                "ours_near",
                {"scikit-image": "skimage_near"},
                not_compared,
                rounds=2,
            ),
            Row(
                "Non-local means, patch 3, distance 5, 64^3 (the peer does not equal the definition)",
                file,
                "ours_far",
                {"scikit-image": "skimage_far"},
                not_compared,
                rounds=2,
            ),
        ],
        "Denoising, one thread",
    )
