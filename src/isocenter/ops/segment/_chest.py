"""A chest CT turned into the patient's axes and brought to a coarse grid: where all segmenters of the chest begin."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.kernels.body import inside_patient, tissue_of_patient
from isocenter.kernels.coarse import block_mean, factors_for, to_patient_axes

__all__ = ["Chest"]

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Chest:
    """A chest CT at full and at coarse resolution; axes run to Superior, Posterior, Left.

    Attributes
    ----------
    hu, spacing
        The volume (a view) and its mm.
    coarse, steps, factors
        Means of blocks of about 3 mm, their mm, and samples per block.
    inside
        The patient, in blocks.
    """

    hu: npt.NDArray[Any]
    spacing: tuple[float, ...]
    coarse: npt.NDArray[np.float32]
    steps: tuple[float, ...]
    factors: tuple[int, ...]
    inside: Mask
    order: tuple[int, ...]
    turn: tuple[slice, ...]

    @classmethod
    def of(cls, array: npt.NDArray[Any], affine: npt.NDArray[np.float64], threads: int) -> Chest:
        """Return the chest in a volume with this affine."""
        order, flipped = to_patient_axes(affine)
        turn = tuple(slice(None, None, -1 if f else 1) for f in flipped)
        hu = array.transpose(order)[turn]
        spacing = tuple(float(np.linalg.norm(affine[:3, k])) for k in order)
        factors = factors_for(hu.shape, spacing, 3.0)
        steps = tuple(s * f for s, f in zip(spacing, factors, strict=True))
        coarse = block_mean(hu, factors, threads)
        inside, _ = inside_patient(coarse, tissue_of_patient(coarse, steps, threads=threads), steps)
        return cls(hu, spacing, coarse, steps, factors, inside, order, turn)

    def turned(self, array: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Return an array of the image's grid in the patient's axes."""
        return array.transpose(self.order)[self.turn]

    def back(self, array: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Return an array of the patient's axes on the image's grid."""
        return np.ascontiguousarray(array[self.turn].transpose(np.argsort(self.order)))
