"""Where to look: the point whose three planes show most of what was found."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from isocenter.core.codes import MORPHOLOGY
from isocenter.core.image import Image
from isocenter.view.contours import Layer, same_place
from isocenter.view.slices import Vector, Volume

__all__ = ["focus"]

_WHOLE = ("body", "foreground", "background")


def focus(image: Image, volume: Volume, drawn: tuple[Layer, ...]) -> Vector:
    """Return the point (of the display frame, mm from the centre) that the planes should go through.

    A finding (a segment of abnormal morphology) comes first: the planes that cut its largest connected part most
    widely. Then the largest named structure, then the whole. Without segments it is the hottest sample of a PET image
    and the middle of what is not background of any other.
    """
    layer = _subject(drawn)
    if layer is None:
        return volume.point(_bright(image, volume))
    mask = _largest_part(layer.mask()) if layer.segment.category == MORPHOLOGY else layer.mask()
    index = tuple(_widest(np.count_nonzero(mask, axis=tuple(k for k in range(3) if k != axis))) for axis in range(3))
    if same_place(volume.geometry, layer.volume.geometry):
        return volume.point(index)
    return volume.local(layer.volume.geometry.to_world(index))


def _subject(drawn: tuple[Layer, ...]) -> Layer | None:
    abnormal = [d for d in drawn if d.segment.category == MORPHOLOGY]
    named = [d for d in drawn if d.segment.name.lower() not in _WHOLE]
    pool = abnormal or named or list(drawn)
    counts: dict[int, npt.NDArray[np.intp]] = {}
    for layer in pool:
        if id(layer.volume) not in counts:
            counts[id(layer.volume)] = _counts(layer.volume.array)
    return max(pool, key=lambda d: counts[id(d.volume)][d.segment.value] * d.volume.geometry.voxel_size) if pool else None


def _counts(labels: npt.NDArray[Any]) -> npt.NDArray[np.intp]:
    """Return how often each label occurs; slab by slab, since counting widens every sample to eight bytes."""
    total = np.zeros(int(labels.max()) + 1, np.intp)
    for slab in labels:
        total += np.bincount(slab.reshape(-1), minlength=len(total))
    return total


def _largest_part(mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    box = ndimage.find_objects(mask.astype(np.uint8))[0]
    parts, count = ndimage.label(mask[box], np.ones((3, 3, 3)))
    if count < 2:
        return mask
    sizes = np.bincount(parts.reshape(-1))[1:]
    result = np.zeros_like(mask)
    result[box] = parts == int(sizes.argmax()) + 1
    return result


def _widest(counts: npt.NDArray[np.intp]) -> int:
    """Return the middle of the run of slices about the widest one that are nearly as wide."""
    top = int(counts.argmax())
    wide = counts >= 0.97 * counts[top]
    first = last = top
    while first > 0 and wide[first - 1]:
        first -= 1
    while last < len(counts) - 1 and wide[last + 1]:
        last += 1
    return (first + last) // 2


def _bright(image: Image, volume: Volume) -> tuple[float, ...]:
    data = volume.array if not volume.colour else volume.array[..., 0]
    step = max(1, round((data.size / 4_000_000) ** (1 / 3)))
    thin = np.ascontiguousarray(data[::step, ::step, ::step]).astype(np.float64)
    thin = np.where(np.isfinite(thin), thin, -np.inf)
    if image.modality in ("PT", "NM"):
        hottest = np.unravel_index(int(thin.argmax()), thin.shape)
        return tuple(float(k) * step for k in hottest)
    finite = thin[np.isfinite(thin)]
    if not finite.size:
        return tuple(float(v) for v in volume.middle)
    level = -400.0 if image.quantity == "HU" else float(finite.mean())
    shown = thin > level
    if not shown.any():
        return tuple(float(v) for v in volume.middle)
    centre = []
    for axis in range(3):
        counts = np.count_nonzero(shown, axis=tuple(k for k in range(3) if k != axis))
        centre.append(float(round(int((counts * np.arange(len(counts))).sum()) / int(counts.sum())) * step))
    return tuple(centre)
