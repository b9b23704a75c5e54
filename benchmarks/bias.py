"""N4 bias field correction of a 256^3 MR at shrink 4: ours beside SimpleITK, on one thread, by what is left of the field."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

Work = Callable[[], Any]


def head() -> tuple[Any, Any]:
    """Return a head of three tissues with noise under a field of +-30 %, and the tissues."""
    z, y, x = np.ogrid[-1:1:256j, -1:1:256j, -1:1:256j]
    radius = z**2 / 0.75 + y**2 / 0.8 + x**2 / 0.55
    folds = 0.12 * np.sin(9 * z) * np.sin(11 * y) * np.sin(10 * x)
    tissue = np.zeros(radius.shape, np.uint8)
    for value, limit in ((1, 1.0), (2, 0.8), (3, 0.45)):
        tissue[radius + folds < limit] = value
    field = 1 + 0.3 * np.tanh(1.2 * x + 0.8 * y * z - 0.7 * z)
    clean = np.array([0, 200, 500, 800], np.float32)[tissue]
    noisy = clean * field + np.random.default_rng(0).normal(0, 12, clean.shape)
    return np.maximum(noisy, 0).astype(np.float32), tissue


def ours() -> Work:
    import isocenter as iso

    array, _ = head()
    image = iso.Image(array, ("z", "y", "x"), iso.Geometry.regular(array.shape), modality="MR")
    operation = iso.op("correct.bias_field", resolution=4.0, spacing=256.0)  # one span at first, as the peer has
    return lambda: operation(image, threads=1).array


def itk() -> Work:
    """As SimpleITK's own guide does it: shrink, correct, apply the field to all samples; in the region that ours looks at."""
    import SimpleITK as sitk

    from isocenter.kernels.otsu import otsu

    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
    array = head()[0]
    positive = array[array > 0]
    region = array > min(otsu(positive) * 0.5, float(np.median(positive)))
    picture, mask = sitk.GetImageFromArray(array), sitk.GetImageFromArray(region.astype(np.uint8))

    def work() -> Any:
        n4 = sitk.N4BiasFieldCorrectionImageFilter()
        n4.SetMaximumNumberOfIterations([50] * 4)
        n4.Execute(sitk.Shrink(picture, [4] * 3), sitk.Shrink(mask, [4] * 3))
        return sitk.GetArrayFromImage(picture / sitk.Exp(n4.GetLogBiasFieldAsImage(picture)))

    return work


def even(one: Any, two: Any) -> str | None:
    """Require that the coefficient of variation in each tissue is at most 2 % larger than the peer's."""
    tissue = head()[1]
    for value in (1, 2, 3):
        inside = tissue == value
        left = [float(a[inside].std(dtype=np.float64) / a[inside].mean(dtype=np.float64)) for a in (one, two)]
        if left[0] > 1.02 * left[1]:
            return f"variation {left[0]:.4f} and {left[1]:.4f} in tissue {value}"
    return None


if __name__ == "__main__":
    from benchmarks.common import Row, main

    main(
        [Row("N4, 256^3 at shrink 4, 50 iterations x 4 levels", __file__, "ours", {"SimpleITK": "itk"}, even, 1)],
        "Bias field, one thread",
    )
