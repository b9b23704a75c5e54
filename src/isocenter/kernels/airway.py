"""Trachea and bronchi on a CT whose axes run to Superior, Posterior and Left, in HU."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.kernels.labels import closing, components, fill_holes, sizes

__all__ = ["grow_airway", "trachea_seed"]

Mask = npt.NDArray[np.bool_]


def trachea_seed(hu: npt.NDArray[Any], inside: Mask, spacing: Sequence[float]) -> tuple[int, int, int] | None:
    """Return a sample in the trachea, None where none is seen.

    A pool of air of 60 to 700 mm^2, about as wide as deep, within 40 mm of the middle of the body; of chains of such pools
    from slice to slice the longest is the trachea.
    """
    area = float(spacing[1] * spacing[2])
    chains: list[tuple[int, float, float, int]] = []  # slices so far, place, last slice
    best: tuple[int, tuple[int, int, int]] | None = None
    for k in range(hu.shape[0] - 1, -1, -1):
        if not inside[k].any():
            continue
        middle = float(np.argwhere(inside[k].any(axis=0)).mean())
        labels, count = components((hu[k] < -850) & inside[k], 4)
        many = sizes(labels, count)
        now: list[tuple[int, float, float, int]] = []
        for label in np.flatnonzero((many * area > 60.0) & (many * area < 700.0)):
            if label == 0:
                continue
            place = np.argwhere(labels == label)
            wide = (np.ptp(place, axis=0) + 1) * spacing[1:]
            row, column = place.mean(axis=0)
            if not 0.4 < wide[0] / wide[1] < 2.5 or abs(column - middle) * spacing[2] > 40.0:
                continue
            if many[label] * area < 0.5 * float(np.prod(wide)):
                continue
            before = [c for c in chains if np.hypot((c[1] - row) * spacing[1], (c[2] - column) * spacing[2]) < 8.0]
            length = 1 + max((c[0] for c in before), default=0)
            now.append((length, float(row), float(column), k))
            if best is None or length > best[0]:
                nearest = place[np.argmin(np.abs(place - (row, column)).sum(axis=1))]
                best = (length, (k, int(nearest[0]), int(nearest[1])))
        chains = now
    if best is None or best[0] * spacing[0] < 20.0:
        return None
    return best[1]


def grow_airway(
    hu: npt.NDArray[Any], inside: Mask, seed: tuple[int, int, int], spacing: Sequence[float], jump: float
) -> tuple[Mask, float]:
    """Return the airway and the HU it was grown to.

    Parameters
    ----------
    hu, inside
        The volume, and the patient in it.
    seed
        A sample in the trachea.
    spacing
        mm, array order.
    jump
        ml that a step of 16 HU may add.
    """
    voxel = float(np.prod(spacing)) / 1000.0
    best, used, last = np.zeros(hu.shape, np.bool_), float(hu[seed]), 0.0
    for threshold in range(int(min(-850, max(-950, int(hu[seed]) + 16))), -640, 16):
        labels, _ = components((hu < threshold) & inside, 6)
        if not labels[seed]:
            continue
        grown = labels == labels[seed]
        volume = float(np.count_nonzero(grown)) * voxel
        if last and volume - last > max(jump, 0.5 * last):
            break
        if not last and volume > 250.0:  # the very first step already fills the lungs
            break
        best, used, last = grown, float(threshold), volume
    return fill_holes(closing(best, 1.5 * float(min(spacing)), spacing)) & inside if best.any() else best, used
