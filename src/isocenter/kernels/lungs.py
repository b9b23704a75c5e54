"""The lungs on a CT: air spaces of the chest, without airway and bowel gas, and which side they are.

All functions work on a coarse volume (blocks of about 3 mm) in HU whose axes run to Superior, Posterior and Left.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter
from skimage.segmentation import watershed

from isocenter.kernels.body import AIR
from isocenter.kernels.labels import (
    bounding_box,
    closing,
    components,
    dilate,
    distance_inside,
    fill_holes,
    opening,
    sizes,
)

__all__ = ["CoarseLungs", "find_lungs", "median_plane"]

Mask = npt.NDArray[np.bool_]
FloatArray = npt.NDArray[np.float32]

RIGHT, LEFT = 1, 2

#: mm^3 in a millilitre.
_ML = 1000.0


@dataclass
class CoarseLungs:
    """What `find_lungs` found.

    Attributes
    ----------
    labels
        1 right, 2 left: air spaces with the vessels, nodules and notches that a closing takes in.
    aerated
        Where they are filled with lung or air.
    airway
        Trachea and main bronchi with their wall, and bowel gas: never lung.
    threshold
        HU between lung and tissue.
    notes
        What is implausible, one sentence each.
    """

    labels: npt.NDArray[np.uint8]
    aerated: Mask
    airway: Mask
    threshold: float
    notes: list[str] = field(default_factory=list)


def median_plane(hu: FloatArray, inside: Mask, spacing: Sequence[float]) -> tuple[float, str]:
    """Return the position of the patient's median plane along the last axis (in blocks), and what told it.

    The spine is the one bone that stands at the same place in nearly all slices. Without one it is the middle of the
    body, if both flanks are seen; else the flank that is seen tells where the middle must be beyond the edge.

    Parameters
    ----------
    hu, spacing
        Coarse volume, mm.
    inside
        The patient, of `isocenter.kernels.body.inside_patient`.
    """
    bone = (hu > 150.0).mean(axis=0) if len(hu) else np.zeros(hu.shape[1:])
    smooth = gaussian_filter(bone.astype(np.float64), [8.0 / s for s in spacing[1:]])
    if smooth.size and smooth.max() > 0.3:
        near = smooth > 0.7 * smooth.max()
        labels, _ = components(near, 8)
        peak = labels == labels[np.unravel_index(int(smooth.argmax()), smooth.shape)]
        where = np.nonzero(peak)
        return float(np.average(where[1], weights=smooth[where])), "spine"
    columns = np.flatnonzero(inside.mean(axis=(0, 1)) > 0.02)
    last = hu.shape[2] - 1
    if not columns.size:
        return last / 2.0, "nothing"
    first, final = int(columns[0]), int(columns[-1])
    open_right, open_left = first > 0, final < last
    if open_right == open_left:
        return (first + final) / 2.0, "body"
    return (float(last), "flank") if open_right else (0.0, "flank")


def _lung_threshold(hu: FloatArray, inside: Mask) -> float:
    """Return the HU halfway between well aerated lung and soft tissue, within -500 and -350."""
    lung = hu[inside & (hu > -950.0) & (hu < -600.0)]
    return float(np.clip(np.median(lung) / 2.0, -500.0, -350.0)) if lung.size else -450.0


def _walled_air(hu: FloatArray, inside: Mask, spacing: Sequence[float]) -> Mask:
    """Return pools of plain air whose wall is tissue: airway and bowel, not bullae (those border on lung)."""
    voxel = float(np.prod(spacing))
    lung = hu[inside & (hu > -950.0) & (hu < -600.0)]
    middle = float(np.median(lung)) if lung.size else -850.0
    # Halfway between air (-1000) and this patient's lung, so that well inflated lung is not taken for air.
    pools, count = components(inside & (hu < min(AIR + 20.0, (middle - 1000.0) / 2.0)), 6)
    result = np.zeros(hu.shape, dtype=np.bool_)
    if not count:
        return result
    volume = sizes(pools, count) * voxel
    reach = 1.01 * float(max(spacing))
    width = [int(np.ceil(2.5 * reach / s)) + 1 for s in spacing]
    for label in np.flatnonzero(volume >= 0.4 * _ML):
        if label == 0:
            continue
        box = bounding_box(pools == label, width)
        assert box is not None  # the component has samples
        part = pools[box] == label
        shell = dilate(part, 2.0 * reach, spacing) & ~dilate(part, reach, spacing) & inside[box]
        if shell.any() and float((hu[box][shell] > -500.0).mean()) > 0.5:
            result[box] |= part
    return result


def _split(piece: Mask, middle: float, spacing: Sequence[float]) -> npt.NDArray[np.uint8]:
    """Return a piece that reaches both sides of the median plane as right and left.

    It is eroded until its cores lie on one side each; those grow back along the distance to the wall. A single lung
    that bulges across never comes apart in this way and stays whole, on the side where most of it is.
    """
    place = np.arange(piece.shape[2])
    depth = distance_inside(piece, spacing)
    total = float(piece.sum())
    for radius in np.arange(1.0, 30.0, 1.0) * float(min(spacing)):
        cores, count = components(depth > radius, 6)
        volume = sizes(cores, count)
        if not count or volume[1:].sum() < 0.1 * total:
            break
        means = np.array([np.average(place, weights=(cores == k).sum(axis=(0, 1))) for k in range(1, count + 1)])
        large = volume[1:] >= 0.05 * total
        sides = np.where(means < middle, RIGHT, LEFT)
        straddles = [
            min(float(w[:, :, place < middle].sum()), float(w[:, :, place >= middle].sum())) > 0.1 * w.sum()
            for w in (cores == k + 1 for k in np.flatnonzero(large))
        ]
        if any(straddles):
            continue
        if len(set(sides[large].tolist())) < 2:
            break
        seeds = np.concatenate([[0], np.where(large, sides, 0)]).astype(np.int32)[cores]
        return np.asarray(watershed(-depth, seeds, mask=piece), dtype=np.uint8)
    side = RIGHT if float(piece[:, :, place < middle].sum()) > total / 2.0 else LEFT
    return piece.astype(np.uint8) * np.uint8(side)


def _sides(lung: Mask, middle: float, spacing: Sequence[float]) -> npt.NDArray[np.uint8]:
    """Return every piece of lung as right or left."""
    voxel = float(np.prod(spacing))
    pieces, count = components(lung, 6)
    volume = sizes(pieces, count) * voxel
    place = np.arange(lung.shape[2])
    result = np.zeros(lung.shape, dtype=np.uint8)
    order = [int(k) for k in np.argsort(-volume[1:], kind="stable") + 1] if count else []
    means = {k: float(np.average(place, weights=(pieces == k).sum(axis=(0, 1)))) for k in order[:2]}
    if len(means) == 2:
        first, second = order[:2]
        apart = abs(means[first] - means[second]) * spacing[2]
        if volume[second] > 0.2 * volume[first] and apart > 60.0 and not _astride(pieces, order[:2], middle):
            middle = (means[first] + means[second]) / 2.0 if (means[first] < middle) == (means[second] < middle) else middle
    for k in order:
        piece = pieces == k
        beyond = float(piece[:, :, place < middle].sum()) * voxel
        if min(beyond, volume[k] - beyond) > max(0.1 * volume[k], 20.0 * _ML):
            result[piece] = _split(piece, middle, spacing)[piece]
        else:
            result[piece] = RIGHT if beyond > volume[k] / 2.0 else LEFT
    return result


def _astride(pieces: npt.NDArray[np.uint32], which: Sequence[int], middle: float) -> bool:
    """Return whether one of these pieces lies on both sides of the median plane."""
    place = np.arange(pieces.shape[2])
    for k in which:
        along = (pieces == k).sum(axis=(0, 1))
        if min(along[place < middle].sum(), along[place >= middle].sum()) > 0.25 * along.sum():
            return True
    return False


def _aerated(hu: FloatArray, inside: Mask, airway: Mask, threshold: float, spacing: Sequence[float]) -> Mask:
    """Return the pieces inside the patient that are lung by size and HU."""
    voxel = float(np.prod(spacing))
    air = inside & (hu < threshold) & ~airway
    pieces, count = components(air, 6)
    volume = sizes(pieces, count) * voxel
    keep = np.zeros(count + 1, dtype=np.bool_)
    largest = float(volume[1:].max()) if count else 0.0
    for k in np.flatnonzero(volume >= max(10.0 * _ML, 0.01 * largest)):
        if k == 0:
            continue
        values = hu[pieces == k]
        # Gas in the bowel is plain air with a thin blurred rim; in fat streaks the values are all near the threshold.
        keep[k] = float(np.median(values)) > -965.0 and float(np.percentile(values, 25)) < threshold - 100.0
    result: Mask = keep[pieces]
    return result


def find_lungs(
    hu: FloatArray, inside: Mask, spacing: Sequence[float], closing_radius: float = 8.0, threads: int = 1
) -> CoarseLungs:
    """Return right and left lung.

    Parameters
    ----------
    hu
        Coarse volume.
    inside
        The patient.
    spacing
        mm, array order.
    closing_radius
        mm; notches in a lung that are narrower than twice this (nodules at the wall, vessels at the hilum) are taken
        in.
    """
    threshold = _lung_threshold(hu, inside)
    pools = _walled_air(hu, inside, spacing)
    airway = dilate(pools, 1.01 * float(max(spacing)), spacing, threads) & inside
    lung = _aerated(hu, inside, airway, threshold, spacing)
    found = CoarseLungs(np.zeros(hu.shape, np.uint8), lung, airway, threshold)
    if not lung.any():
        found.notes.append("No lung was found: nothing inside the body has the volume and density of lung.")
        return found
    middle, basis = median_plane(hu, inside, spacing)
    aerated = _sides(lung, middle, spacing)
    airy = np.zeros(hu.shape, dtype=np.bool_)
    for side in (RIGHT, LEFT):
        own = aerated == side
        if not own.any():
            continue
        # What a thin neck joins to the lung is a bronchus or gas behind the diaphragm rather than lung.
        solid = opening(own, 1.01 * float(max(spacing)), spacing, threads)
        own &= dilate(solid, 2.0 * float(max(spacing)), spacing, threads)
        # Bone is no notch of the lung, and nor is the other lung; contrast in vessels is a hole and comes back.
        whole = own | (closing(own, closing_radius, spacing, threads) & (hu < 300.0))
        whole = fill_holes(fill_holes(whole), axis=0) & inside & ~pools & (own | (aerated == 0))
        found.labels[whole & (found.labels == 0)] = side
        airy |= own
    found.aerated = airy
    if basis in ("nothing", "flank") and len(np.unique(found.labels)) < 3:
        found.notes.append("No spine was seen: which lung this is was told from the flank in the field of view.")
    return found
