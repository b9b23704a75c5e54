"""The patient on a CT: told from table, clothes and room air.

All functions work on a coarse volume (blocks of about 3 mm, see `isocenter.kernels.coarse`) in HU whose axes run to
Superior, Posterior and Left.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from isocenter.kernels.labels import components, dilate, fill_holes, opening, sizes

__all__ = ["AIR", "inside_patient", "tissue_of_patient"]

Mask = npt.NDArray[np.bool_]
FloatArray = npt.NDArray[np.float32]

#: HU below which a block is plain air rather than lung: well inflated and emphysematous lung stays above it.
AIR = -930.0


def tissue_of_patient(hu: FloatArray, spacing: Sequence[float], threshold: float = -300.0, threads: int = 1) -> Mask:
    """Return the tissue that belongs to the patient, without what lies inside it (lungs, bowel gas).

    Parts that are at least a tenth of the largest count too: two legs, an arm, the chest wall in a cropped field.

    Parameters
    ----------
    hu
        Coarse volume.
    spacing
        mm, array order.
    threshold
        HU above which a block is tissue.
    """
    tissue = hu > threshold
    # Table tops, sheets and tubes are thin: they do not survive an opening, and what does grows back a little.
    radius = max(5.0, 1.5 * float(max(spacing[1:])))
    thick = np.stack([opening(part, radius, spacing[1:], threads) for part in tissue]) if tissue.size else tissue
    labels, count = components(thick, 6)
    if not count:
        return thick
    volume = sizes(labels, count)
    keep = volume >= 0.1 * volume[1:].max()
    keep[0] = False
    kept: Mask = keep[labels]
    return kept | (tissue & dilate(kept, 1.01 * float(max(spacing[1:])), spacing, threads))


def _touches_side(labels: npt.NDArray[np.uint32], count: int) -> Mask:
    """Return which labels touch the edge of the image in the axial plane (not its first or last slice)."""
    touches = np.zeros(count + 1, dtype=np.bool_)
    for axis in (1, 2):
        for end in (0, -1):
            touches[np.unique(labels.take(end, axis=axis))] = True
    return touches


def _sides_with_tissue(tissue: Mask) -> npt.NDArray[np.uint8]:
    """Return in how many of the four directions of the axial plane tissue lies, for every sample."""
    sides = np.zeros(tissue.shape, dtype=np.uint8)
    for axis in (1, 2):
        sides += np.maximum.accumulate(tissue, axis=axis)
        sides += np.flip(np.maximum.accumulate(np.flip(tissue, axis), axis=axis), axis)
    return sides


def _holds_lung(part: Mask, hu: FloatArray, enclosed: Mask, spacing: Sequence[float]) -> bool:
    """Return whether a piece without tissue holds at least 50 ml of lung.

    Blankets and pads have the density of lung as well, but the first are thin and the second have the patient on one
    side only.
    """
    lung = opening(part & (hu >= AIR) & (hu < -500.0), 8.0, spacing)
    size = int(lung.sum())
    return size * float(np.prod(spacing)) >= 50_000.0 and int((lung & enclosed).sum()) > 0.5 * size


def inside_patient(hu: FloatArray, tissue: Mask, spacing: Sequence[float]) -> tuple[Mask, bool]:
    """Return the patient with all that is inside the skin, and whether a lung is cut open by the edge of the image.

    What is not tissue and touches the edge in the axial plane is the room, unless it is filled with lung: then the
    field of view ends inside the chest.

    Parameters
    ----------
    hu, spacing
        As of `tissue_of_patient`.
    tissue
        Its result.
    """
    labels, count = components(~tissue, 6)
    touches = _touches_side(labels, count)
    touches[0] = False
    outside = np.zeros(tissue.shape, dtype=np.bool_)
    enclosed = _sides_with_tissue(tissue) >= 2
    voxel = float(np.prod(spacing))
    plain, plains = components(opening(~tissue & (hu < AIR), float(max(spacing)), spacing), 6)
    room = _touches_side(plain, plains) & (sizes(plain, plains) * voxel > 5000.0)
    room[0] = False
    if not room.any():  # the whole field lies inside the patient
        return np.ones(tissue.shape, dtype=np.bool_), bool(touches.any())
    cut = False
    for label in np.flatnonzero(touches):
        part = labels == label
        if not _holds_lung(part, hu, enclosed, spacing):
            outside |= part
            continue
        cut = True
        # What is plain air and reaches the edge beside a lung is the room, with a rim for blur.
        outside |= dilate(room[plain] & part, 1.5 * float(max(spacing)), spacing) & part
    inside = ~outside
    return (inside if cut else fill_holes(inside, axis=0)), cut
