"""Voxel-wise co-occurrence contrast, radius 1: filter.texture_map against PyRadiomics."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

Work = Callable[[], Any]

_SIDE = 24  # of the region; the peer takes a minute for 64


def _volume() -> tuple[Any, Any]:
    """Return a smooth random volume of 0 to 799 and the mask of a cube in it: the same for everyone."""
    from scipy.ndimage import gaussian_filter

    values = gaussian_filter(np.random.default_rng(0).standard_normal((_SIDE + 8,) * 3), 1.0)
    values = (values - values.min()) / np.ptp(values) * 799.0
    mask = np.zeros(values.shape, np.uint8)
    mask[4:-4, 4:-4, 4:-4] = 1
    return values, mask


def ours() -> Work:
    import isocenter as iso

    values, mask = _volume()
    geometry = iso.Geometry.regular(values.shape)
    image = iso.Image(values, ("z", "y", "x"), geometry)
    region = iso.LabelMap(mask, ("z", "y", "x"), geometry)
    start = float(np.floor(values[mask > 0].min() / 25.0) * 25.0)  # where the peer's first bin begins
    operation = iso.op("filter.texture_map", feature="contrast", bin_width=25.0, start=start)
    return lambda: np.asarray(operation(image, region, threads=1).array)[4:-4, 4:-4, 4:-4]


def pyradiomics() -> Work:
    import radiomics  # type: ignore[import-not-found]  # a peer, in the benchmark environment only
    import SimpleITK as sitk
    from radiomics import glcm

    class Silent:
        """Stands in for the peer's own reporter, which fails in this mode."""

        def __init__(self, iterable: Any = (), **_: Any) -> None:
            self.iterable = iterable

        def __enter__(self) -> Silent:
            return self

        def __exit__(self, *_: object) -> None:
            return None

        def __iter__(self) -> Any:
            return iter(self.iterable)

        def update(self, *_: object) -> None:
            """Say nothing."""

    radiomics._DummyProgressReporter = Silent
    values, mask = _volume()
    images = sitk.GetImageFromArray(values), sitk.GetImageFromArray(mask)

    def work() -> Any:
        engine = glcm.RadiomicsGLCM(
            *images, binWidth=25, kernelRadius=1, maskedKernel=True, voxelBased=True, voxelBatch=2000, label=1
        )
        engine.enableFeatureByName("Contrast", True)
        found = sitk.GetArrayFromImage(engine.execute()["Contrast"])
        edge = (found.shape[0] - _SIDE) // 2
        return found[(slice(edge, edge + _SIDE),) * 3]

    return work


if __name__ == "__main__":
    from benchmarks.common import Row, main, within

    main(
        [
            Row(
                f"GLCM contrast of every voxel, region {_SIDE}^3, one thread",
                __file__,
                "ours",
                {"PyRadiomics": "pyradiomics"},
                equal=within(1e-5),
            )
        ],
        "Texture map",
    )
