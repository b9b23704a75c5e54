"""The one bridge to SimpleITK: arrays in memory go in and come out, and nowhere else are axes reversed.

ITK stores x first and arrays store z first, so spacing, origin and direction columns are turned round here. SimpleITK's
readers and writers are never used.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import SimpleITK as sitk

from isocenter.core.errors import ContentError, GeometryError
from isocenter.core.geometry import Geometry

__all__ = ["bias_field", "from_itk", "run_filter", "to_itk"]


def to_itk(array: npt.NDArray[Any], geometry: Geometry) -> sitk.Image:
    """Return an image of ITK with the array's samples and place.

    Parameters
    ----------
    array
        Two or three axes; bool becomes uint8.
    geometry
        Grid of the array.

    Raises
    ------
    GeometryError
        If the grid is sheared: ITK has no images on such grids.
    """
    if array.ndim not in (2, 3):
        raise ContentError(f"ITK takes images of two or three axes, but was given {array.ndim}: expected a slice or a volume.")
    if not geometry.is_orthogonal:
        raise GeometryError(
            f"ITK has no sheared grids, and this one is sheared by {geometry.shear:.2f} degrees: resample it first (resample.orient)."
        )
    data = array.astype(np.uint8) if array.dtype == np.bool_ else np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("="))
    image = sitk.GetImageFromArray(data)
    image.SetSpacing([float(s) for s in geometry.spacing[::-1]])
    if array.ndim == 3:
        direction = np.asarray(geometry.affine)[:3, :3] / np.asarray(geometry.spacing)
        image.SetDirection([float(v) for v in direction[:, ::-1].reshape(-1)])
        image.SetOrigin([float(v) for v in np.asarray(geometry.affine)[:3, 3]])
    return image


def from_itk(image: sitk.Image) -> npt.NDArray[Any]:
    """Return the samples of an image of ITK, z first."""
    array: npt.NDArray[Any] = sitk.GetArrayFromImage(image)
    return array


def run_filter(execute: Callable[[], sitk.Image], who: str) -> sitk.Image:
    """Return what a filter of ITK gives; what it raises becomes one sentence.

    Raises
    ------
    ContentError
        If ITK refuses the image.
    """
    try:
        return execute()
    except RuntimeError as problem:
        reason = next((line.strip() for line in reversed(str(problem).splitlines()) if line.strip()), "no reason given")
        raise ContentError(
            f"{who} could not be computed by ITK ({reason.rstrip('.')}): check size and values of the image."
        ) from problem


def bias_field(
    values: npt.NDArray[np.float32],
    region: npt.NDArray[np.bool_],
    geometry: Geometry,
    *,
    factors: Sequence[int],
    points: Sequence[int],
    iterations: Sequence[int],
    convergence: float,
    who: str,
) -> npt.NDArray[np.float32]:
    """Return the multiplicative field that N4 finds, on the whole grid.

    Parameters
    ----------
    values, region
        Samples, none below 0, and where they count.
    geometry
        Their grid.
    factors, points
        How many samples stand for one, and control points of the field, per axis in array order.
    iterations, convergence
        Iterations of each level at most, and the change at which it is done.
    who
        Named in errors.
    """
    n4 = sitk.N4BiasFieldCorrectionImageFilter()
    n4.SetMaximumNumberOfIterations([int(n) for n in iterations])
    n4.SetConvergenceThreshold(convergence)
    n4.SetNumberOfControlPoints([int(n) for n in points[::-1]])
    # On one thread: sums of several would depend on their number.
    n4.SetNumberOfThreads(1)
    image, mask = to_itk(values, geometry), to_itk(region, geometry)
    shrink = [int(f) for f in factors[::-1]]

    def execute() -> sitk.Image:
        n4.Execute(sitk.Shrink(image, shrink), sitk.Shrink(mask, shrink))
        return sitk.Exp(n4.GetLogBiasFieldAsImage(image))

    return from_itk(run_filter(execute, who))
