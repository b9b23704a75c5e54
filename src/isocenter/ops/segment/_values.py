"""What the segmenters of this stage share: checked values, seeds, and notes on what looks wrong."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.core.dtype import working_array
from isocenter.core.errors import ContentError, ParameterError
from isocenter.core.operation import Context, Spec
from isocenter.kernels.otsu import histogram

__all__ = ["blobs", "check_seeds", "finite", "judge_growth", "parted", "seed_marks", "seed_samples", "within"]

Seeds = tuple[tuple[float, float, float], ...]
Places = tuple[tuple[int, ...], ...]


def finite(who: str, array: Any) -> npt.NDArray[Any]:
    """Return an array in its working type; values that are not finite are refused."""
    data = working_array(array)
    if not np.isfinite(data).all():
        raise ContentError(f"{who} was given values that are not finite: expected finite intensities; replace them first.")
    return data


def within(found: npt.NDArray[Any], context: Context) -> npt.NDArray[Any]:
    """Return labels held to the region, if there is one."""
    if context.region is None:
        return found
    result: npt.NDArray[Any] = np.where(context.region, found, np.zeros((), found.dtype))
    return result


def parted(
    who: str, array: Any, context: Context, bins: int, keep: str, find: Callable[[Any, Any], float]
) -> npt.NDArray[np.bool_]:
    """Return the class above (or below) the threshold that `find` sees in the histogram (counts, centres); notes say which.

    With a region, values are counted and labelled in it alone; an image of one value has no label.
    """
    data, region = np.asarray(array), context.region
    if region is not None and not region.any():
        context.note(f"{who}: the region is empty, and so is the result.")
        return np.zeros(data.shape, np.bool_)
    counts, centers = histogram(data, region, bins, context.threads)
    if np.count_nonzero(counts) < 2:
        context.note(f"{who}: every value is {centers[np.argmax(counts)]:.6g}; there is nothing to part, and no label.")
        return np.zeros(data.shape, np.bool_)
    threshold = find(counts, centers)
    context.note(f"{who}: the threshold is {threshold:.6g}{'' if context.quantity is None else ' ' + context.quantity}.")
    found = data > threshold
    return within(found if keep == "above" else ~found, context)


def check_seeds(who: str, spec: Spec, *groups: Seeds) -> None:
    """Refuse seeds in mm on a grid without a pixel size."""
    if any(groups) and spec.geometry is not None:
        spec.geometry.require_mm(who)


def seed_samples(who: str, context: Context, seeds: Seeds, places: Places) -> npt.NDArray[np.int64]:
    """Return the samples that hold the seeds, shape (n, axes); one outside the image is refused.

    Parameters
    ----------
    who
        The operation's name.
    context
        Holds the grid.
    seeds
        Positions (L, P, S) in mm; in a plane they are projected onto it.
    places
        Sample indices in array order.
    """
    shape = context.geometry.shape
    found = []
    for point in seeds:
        index = np.floor(context.geometry.to_index(point) + 0.5 + 1e-9).astype(np.int64)
        if (index < 0).any() or (index >= shape).any():
            raise ParameterError(
                f"{who}: the seed at {tuple(point)} mm lies outside the image: expected a point inside it; take one from a viewer "
                "that shows mm (L, P, S)."
            )
        found.append(index)
    for place in places:
        index = np.asarray(place, dtype=np.int64)
        if index.size != len(shape) or (index < 0).any() or (index >= shape).any():
            raise ParameterError(
                f"{who}: the seed at sample {tuple(place)} does not lie in an image of {tuple(shape)}: expected one index per axis."
            )
        found.append(index)
    return np.array(found, dtype=np.int64).reshape(-1, len(shape))


def seed_marks(
    who: str, shape: tuple[int, ...], context: Context, seeds: Seeds, background: Seeds, radius: float
) -> npt.NDArray[np.uint8]:
    """Return 1 on balls of `radius` mm around the seeds, 2 on those of the background, else 0.

    Without clicks on the background, the edge of the image counts as background. Seeds win where both lie.
    """
    places, others = (seed_samples(who, context, group, ()) for group in (seeds, background))
    if not len(places):
        raise ParameterError(f"{who} was given no seed: expected one or more points in 'seeds' (mm).")
    marks = np.zeros(shape, np.uint8)
    if not len(others):
        for axis, size in enumerate(shape):
            for end in (0, size - 1) if size > 1 else ():
                marks[(slice(None),) * axis + (end,)] = 2
    reach = [int(np.ceil(radius / s)) for s in context.spacing]
    for value, group in ((2, others), (1, places)):
        for place in group:
            box = tuple(slice(max(0, int(p) - r), int(p) + r + 1) for p, r in zip(place, reach, strict=True))
            mesh = np.ogrid[tuple(slice(b.start, min(b.stop, n)) for b, n in zip(box, shape, strict=True))]
            far = sum(((m - p) * s) ** 2 for m, p, s in zip(mesh, place, context.spacing, strict=True))
            marks[box][np.broadcast_to(far <= radius**2 * (1 + 1e-9), marks[box].shape)] = value
    return marks


def judge_growth(who: str, mask: npt.NDArray[np.bool_], context: Context) -> None:
    """Note what makes a grown mask suspicious: nothing, nearly everything, or the edge of the image."""
    if not mask.any():
        context.note(f"{who}: nothing was labelled.")
        return
    share = float(mask.mean())
    if share > 0.5:
        context.note(f"{who}: {share:.0%} of the image is labelled: it may have leaked into the surroundings.")
    ends = [mask.take(end, axis=axis).any() for axis in range(mask.ndim) for end in (0, -1) if mask.shape[axis] > 1]
    if any(ends):
        context.note(f"{who}: the label touches the edge of the image: the object may go on beyond it, or the label have leaked.")


def blobs(labels: Sequence[float] = (0.0, 100.0)) -> Any:
    """Return a small volume with one bright ball off its centre, for the contract checks of seeded segmenters."""
    from isocenter.core.geometry import Geometry
    from isocenter.core.image import Image
    from isocenter.core.provenance import Provenance

    shape, spacing = (12, 16, 18), (2.0, 1.25, 1.0)
    z, y, x = (np.arange(n) * s for n, s in zip(shape, spacing, strict=True))
    far = np.sqrt((z[:, None, None] - 12.0) ** 2 + (y[None, :, None] - 10.0) ** 2 + (x[None, None, :] - 8.0) ** 2)
    values = np.where(far < 5.5, labels[1], labels[0]) + 4.0 * np.random.default_rng(21).standard_normal(shape)
    image = Image(values.astype(np.float32), ("z", "y", "x"), Geometry.regular(shape, spacing), modality="MR")
    return image.replace(provenance=Provenance.read(image.digest, "example"))
