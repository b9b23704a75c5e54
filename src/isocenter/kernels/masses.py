"""Masses in the chest: solid bodies that lung surrounds, inside it or at its wall.

All functions work on a coarse volume (blocks of about 3 mm) in HU whose axes run to Superior, Posterior and Left.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from isocenter.kernels.labels import bounding_box, components, dilate, distance_inside, opening, sizes

__all__ = ["enclosure", "find_masses"]

Mask = npt.NDArray[np.bool_]
FloatArray = npt.NDArray[np.float32]

RIGHT, LEFT = 1, 2


def enclosure(air: Mask, spacing: Sequence[float], distance: float, medial: int) -> tuple[FloatArray, Mask]:
    """Return in how many of 26 directions lung is met, for every sample, and whether it is met towards the middle.

    Parameters
    ----------
    air
        One lung, where it is aerated.
    spacing
        mm, array order.
    distance
        mm that is looked along each direction.
    medial
        1 or -1: which way along the last axis the middle of the body lies.

    Returns
    -------
    everywhere : numpy.ndarray
        Fraction of all directions.
    medially : numpy.ndarray
        Whether lung is met straight towards the middle of the body.
    """
    everywhere = np.zeros(air.shape, dtype=np.float32)
    medially = np.zeros(air.shape, dtype=np.bool_)
    for way in itertools.product((-1, 0, 1), repeat=3):
        if way == (0, 0, 0):
            continue
        step = math.sqrt(sum((w * s) ** 2 for w, s in zip(way, spacing, strict=True)))
        source = tuple(slice(max(0, w), n - max(0, -w)) for w, n in zip(way, air.shape, strict=True))
        target = tuple(slice(max(0, -w), n - max(0, w)) for w, n in zip(way, air.shape, strict=True))
        met = air.copy()
        for _ in range(int(distance / step)):
            further = met.copy()
            further[target] |= met[source]
            met = further
        everywhere += met
        if way == (0, 0, medial):
            medially = met
    return everywhere / np.float32(26.0), medially


def find_masses(
    hu: FloatArray, labels: npt.NDArray[np.uint8], excluded: Mask, spacing: Sequence[float], smallest: float,
    lowest: float, enclosed: float, threads: int = 1,
) -> list[tuple[Mask, float]]:  # fmt: skip
    """Return the masses and how much of each one's surface lies on aerated lung, the largest first.

    A mass begins where lung is met in most directions, grows from there through solid samples that are still half
    surrounded, and has lung between itself and the middle of the body.

    Parameters
    ----------
    hu
        Coarse volume.
    labels
        Lungs, 1 and 2, as of `isocenter.kernels.lungs.find_lungs`.
    excluded
        What no mass is: outside the patient, airway.
    spacing
        mm, array order.
    smallest
        mm; diameter of the smallest ball that is found.
    lowest
        HU of the least dense mass.
    enclosed
        Fraction of directions for a core.
    """
    found = []
    for side, medial in ((RIGHT, 1), (LEFT, -1)):
        box = bounding_box(labels == side, [math.ceil(2.0 * smallest / s) for s in spacing])
        if box is None:
            continue
        own = labels[box] == side
        solid = (hu[box] > lowest) & (hu[box] < 300.0) & ~excluded[box]
        air = own & ~solid
        everywhere, medially = enclosure(air, spacing, 80.0, medial)
        core = opening(solid & (everywhere >= enclosed), 0.3 * smallest, spacing, threads)
        beside = dilate(medially & solid, 0.5 * smallest, spacing, threads)
        around = opening(solid & beside & (everywhere >= 0.65 * enclosed), 0.35 * smallest, spacing, threads)
        cores, count = components(core, 6)
        for k in range(1, count + 1):
            mass = _grown(cores == k, around, spacing, smallest, threads)
            # Heart and great vessels may be enclosed as well, but never from the middle of the body.
            if mass is not None and float(medially[mass].mean()) >= 0.3:
                whole = np.zeros(hu.shape, dtype=np.bool_)
                whole[box] = mass
                shell = dilate(mass, 1.01 * float(max(spacing)), spacing, threads) & ~mass
                found.append((whole, float(air[shell].mean()) if shell.any() else 0.0))
    return _apart(found)


def _grown(core: Mask, around: Mask, spacing: Sequence[float], smallest: float, threads: int) -> Mask | None:
    """Return what a core grows to, None if that is too small or no body of its own."""
    voxel = float(np.prod(spacing))
    if float(core.sum()) * voxel < 0.25 * math.pi / 6.0 * smallest**3:
        return None
    thickness = float(distance_inside(core, spacing, threads).max())
    near = around & dilate(core, max(1.5 * thickness, 0.5 * smallest), spacing, threads)
    pieces, count = components(near, 6)
    touched = np.bincount(pieces[core], minlength=count + 1)
    touched[0] = 0
    if not touched.any():
        return None
    mass = pieces == int(touched.argmax())
    return mass if float(mass.sum()) * voxel >= math.pi / 6.0 * smallest**3 else None


def _apart(found: list[tuple[Mask, float]]) -> list[tuple[Mask, float]]:
    """Return masses without those that a larger one takes in, the largest first."""
    order = sorted(range(len(found)), key=lambda k: (-int(found[k][0].sum()), k))
    kept: list[tuple[Mask, float]] = []
    for k in order:
        mass, contact = found[k]
        for other, _ in kept:
            mass = mass & ~other
        labels, count = components(mass, 6)
        if count and int(sizes(labels, count)[1:].max()) > 0.5 * int(found[k][0].sum()):
            kept.append((mass, contact))
    return kept
