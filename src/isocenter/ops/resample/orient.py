"""Turn the storage axes of an image to a named orientation."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from pydantic import field_validator

from isocenter.core.families import Resampler
from isocenter.core.geometry import Geometry
from isocenter.core.image import Image
from isocenter.core.operation import Context

__all__ = ["Orient"]

_PAIRS = ("RL", "AP", "IS")


class Orient(Resampler):
    """Turn and mirror the storage axes of an image so that they run in named directions.

    Nothing is interpolated and no sample moves in the patient: only the order in which samples are stored changes. An
    oblique image gets the nearest orientation.

    Parameters
    ----------
    code
        One letter per array axis, the direction that it runs to: ``SPL`` is an axial stack from the feet up, with rows
        to the back and columns to the patient's left. Of a plane, the letters of its two axes are taken.

    References
    ----------
    DICOM PS3.3 C.7.6.1.1.1 (patient orientation letters).
    """

    ns_per_sample: ClassVar[float] = 2.0

    code: str = "SPL"

    @field_validator("code")
    @classmethod
    def _three_directions(cls, value: str) -> str:
        letters = value.upper()
        if len(letters) != 3 or any(sum(letter in pair for letter in letters) != 1 for pair in _PAIRS):
            raise ValueError("expected three letters, one each of R or L, A or P, and I or S")
        return letters

    @classmethod
    def examples(cls) -> tuple[Orient, ...]:
        """Return the variants that the contract suite runs."""
        return (cls(), cls(code="RAS"), cls(code="LIA"))

    def __call__(self, image: Image, /, *, seed: int = 0, threads: int | None = None) -> Image:  # type: ignore[override]  # its one port
        """Return the image with its axes turned."""
        return super().__call__(image, seed=seed, threads=threads)

    def _plan(self, geometry: Geometry) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Return the new order of the axes and which of them (in the new order) are mirrored."""
        pairs = [next(p for p in _PAIRS if letter in p) for letter in geometry.orientation]
        wanted = [letter for letter in self.code if any(letter in p for p in pairs)]
        order = tuple(next(k for k, p in enumerate(pairs) if letter in p) for letter in wanted)
        mirrored = tuple(k for k, letter in enumerate(wanted) if geometry.orientation[order[k]] != letter)
        return order, mirrored

    def target(self, geometry: Geometry, grid: Geometry | None) -> Geometry:
        """Return the grid with its axes turned."""
        order, mirrored = self._plan(geometry)
        turned = geometry.transpose(order)
        for axis in mirrored:
            turned = turned.flip(axis)
        return turned

    def compute(self, array: Any, context: Context) -> Any:
        """Return the block with its axes turned."""
        order, mirrored = self._plan(context.geometry)
        return np.ascontiguousarray(np.flip(np.transpose(array, order), mirrored))
