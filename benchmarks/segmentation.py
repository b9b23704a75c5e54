"""Segmenters and metrics against scikit-image, SciPy, SimpleITK and scikit-learn."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

Work = Callable[[], Any]


def _ball(side: int = 128, noise: float = 0.15) -> Any:
    axis = np.linspace(-1, 1, side)
    ball = axis[:, None, None] ** 2 + 1.5 * axis[None, :, None] ** 2 + 1.2 * axis[None, None, :] ** 2 < 0.4
    return ball * 1.0 + np.random.default_rng(0).normal(0, noise, ball.shape)


def _fresh_smoothing() -> None:
    """Let scikit-image begin with its first smoothing operator: the turn is kept from call to call."""
    from itertools import cycle

    from skimage.segmentation import morphsnakes as m

    m._curvop.funcs = cycle([lambda u: m.sup_inf(m.inf_sup(u)), lambda u: m.inf_sup(m.sup_inf(u))])


def ours_chan_vese() -> Work:
    from isocenter.kernels.morphsnakes import chan_vese, checkerboard

    image = _ball()
    return lambda: chan_vese(image, checkerboard(image.shape), 30)


def skimage_chan_vese() -> Work:
    from skimage.segmentation import morphological_chan_vese

    image = _ball()

    def work() -> Any:
        _fresh_smoothing()
        return morphological_chan_vese(image, 30, "checkerboard") > 0

    return work


def _edges() -> tuple[Any, Any]:
    from scipy.ndimage import gaussian_gradient_magnitude

    image = _ball()
    start = np.zeros(image.shape, np.int8)
    start[50:78, 50:78, 50:78] = 1
    return 1.0 / np.sqrt(1.0 + 1000.0 * gaussian_gradient_magnitude(image, 2, mode="nearest")), start


def ours_geodesic() -> Work:
    from isocenter.kernels.morphsnakes import geodesic

    edges, start = _edges()
    return lambda: geodesic(edges, start, 50, 1, 1.0, float(np.percentile(edges, 40)))


def skimage_geodesic() -> Work:
    from skimage.segmentation import morphological_geodesic_active_contour

    edges, start = _edges()

    def work() -> Any:
        _fresh_smoothing()
        return morphological_geodesic_active_contour(edges, 50, start, 1, "auto", 1) > 0

    return work


def _relief() -> tuple[Any, Any]:
    from scipy.ndimage import gaussian_gradient_magnitude

    rng = np.random.default_rng(0)
    values = gaussian_gradient_magnitude(rng.standard_normal((128,) * 3), 2).astype(np.float32)
    markers = np.zeros(values.shape, np.int32)
    markers.ravel()[rng.choice(markers.size, 400, replace=False)] = np.arange(1, 401)
    return values, markers


def ours_watershed() -> Work:
    from isocenter.kernels.flooding import watershed

    values, markers = _relief()
    return lambda: watershed(values, markers)


def skimage_watershed() -> Work:
    from skimage.segmentation import watershed

    values, markers = _relief()
    return lambda: watershed(values, markers)


def _walk(side: int) -> tuple[Any, Any]:
    image = _ball(side, 0.2).astype(np.float32)
    seeds = np.zeros(image.shape, np.int32)
    middle = side // 2
    seeds[middle - 6 : middle + 6, middle - 6 : middle + 6, middle - 6 : middle + 6] = 1
    for axis in range(3):
        for end in (0, -1):
            seeds[(slice(None),) * axis + (end,)] = 2
    return image, seeds


def ours_walker() -> Work:
    from isocenter.kernels.walker import random_walker

    image, seeds = _walk(128)
    return lambda: random_walker(image, seeds, (1.0, 1.0, 1.0), 130 / (10 * float(image.std())))


def skimage_walker() -> Work:
    from skimage.segmentation import random_walker

    image, seeds = _walk(128)
    return lambda: random_walker(image, seeds, beta=130, mode="cg_j", tol=1e-3)


def _values() -> Any:
    rng = np.random.default_rng(0)
    return np.clip(rng.choice([100, 400, 900], (256,) * 3) + rng.normal(0, 60, (256,) * 3), 0, 2000).astype(np.int16)


def ours_kmeans() -> Work:
    import isocenter as iso

    values = _values()
    image = iso.Image(values, ("z", "y", "x"), iso.Geometry.regular(values.shape))
    image.digest  # noqa: B018 - computed once for every operation on an image, so not part of this one
    kmeans = iso.op("segment.kmeans", classes=3)
    return lambda: kmeans(image, threads=1).array


def sklearn_kmeans() -> Work:
    from sklearn.cluster import KMeans

    values = _values()

    def work() -> Any:
        found = KMeans(3, n_init=1, random_state=0).fit(values.reshape(-1, 1).astype(np.float32))
        rank = np.argsort(np.argsort(found.cluster_centers_[:, 0])) + 1
        return rank[found.labels_].astype(np.uint8).reshape(values.shape)

    return work


def nearly(ours: Any, theirs: Any) -> str | None:
    """Require that at most one sample in a thousand differs."""
    share = float((ours != theirs).mean())
    return f"{share:.2%} of the samples differ" if share > 1e-3 else None


if __name__ == "__main__":
    from benchmarks.common import Row, main

    main(
        [
            Row(
                "Morphological Chan-Vese, 30 iterations, 128^3",
                __file__,
                "ours_chan_vese",
                {"scikit-image": "skimage_chan_vese"},
                rounds=2,
            ),
            Row(
                "Morphological geodesic contour, 50 iterations, 128^3",
                __file__,
                "ours_geodesic",
                {"scikit-image": "skimage_geodesic"},
                rounds=2,
            ),
            Row("Watershed, 400 markers, 128^3 float32", __file__, "ours_watershed", {"scikit-image": "skimage_watershed"}),
            Row("Random walker, 128^3", __file__, "ours_walker", {"scikit-image": "skimage_walker"}, equal=nearly, rounds=1),
            Row(
                "k-means, 3 classes, 256^3 int16",
                __file__,
                "ours_kmeans",
                {"scikit-learn": "sklearn_kmeans"},
                equal=nearly,
                rounds=3,
            ),
        ],
        "Segmentation",
    )
