"""Frame: one plane of samples with all that placing, ordering and converting it takes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.io.dicom.pixels import Pixels
from isocenter.io.dicom.rescale import Rescale

__all__ = ["Frame", "Plane"]


@dataclass(frozen=True, slots=True)
class Plane:
    """Where a plane lies.

    Attributes
    ----------
    position
        Centre of its first sample (L, P, S) in mm.
    along_x, along_y
        Unit vectors in which the column and the row index grow.
    spacing
        mm between rows and between columns.
    """

    position: npt.NDArray[np.float64]
    along_x: npt.NDArray[np.float64]
    along_y: npt.NDArray[np.float64]
    spacing: tuple[float, float]

    @property
    def normal(self) -> npt.NDArray[np.float64]:
        """Unit vector at right angles to the plane."""
        result: npt.NDArray[np.float64] = np.cross(self.along_x, self.along_y)
        return result / np.linalg.norm(result)

    def steps(self) -> npt.NDArray[np.float64]:
        """Shape (3, 2): the step of one row and of one column in mm."""
        return np.stack([self.along_y * self.spacing[0], self.along_x * self.spacing[1]], axis=1)


@dataclass(slots=True)
class Frame:
    """One plane of samples.

    Attributes
    ----------
    pixels, index
        The file's pixels, and which of its frames this is.
    plane
        Where it lies.
    rescale
        How stored values become quantities.
    number
        Instance number (or frame number).
    sop
        SOP instance UID.
    kind
        What tells stacks of one series apart: image type, echo time, b-value ...
    clocks
        Temporal attributes: keyword -> number.
    crop
        First row, first column, rows and columns of the part of the stored frame that is meant; None is all of it.
    """

    pixels: Pixels
    index: int
    plane: Plane
    rescale: Rescale
    number: int
    sop: str
    kind: tuple[tuple[str, Any], ...] = ()
    clocks: dict[str, float] = field(default_factory=dict)
    crop: tuple[int, int, int, int] | None = None

    @property
    def size(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.crop[2:] if self.crop is not None else (self.pixels.layout.rows, self.pixels.layout.columns)

    @property
    def where(self) -> str:
        """The file's name, and the frame where it has several."""
        from isocenter.io.dicom.words import clean

        name = clean(self.pixels.path)
        return name if self.pixels.layout.frames == 1 else f"{name} frame {self.index + 1}"
