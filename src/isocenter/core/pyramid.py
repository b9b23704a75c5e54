"""Pyramid: an image too large to hold, at several resolutions.

Operations never see a pyramid; the runner cuts regions out of it and hands those on as images.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from isocenter.core.errors import ParameterError
from isocenter.core.geometry import Geometry
from isocenter.core.image import Image, spatial_axes
from isocenter.core.provenance import Provenance

__all__ = ["Level", "Pyramid", "Region"]

#: (start, stop) of each spatial array axis, in samples of a level.
Region = tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Level:
    """One resolution.

    Attributes
    ----------
    geometry
        Its grid: sample centres in the same world as every other level.
    read
        Returns the samples of a region of this level, as an array in the pyramid's dims.
    """

    geometry: Geometry
    read: Callable[[Region], Any]


@dataclass(frozen=True)
class Pyramid:
    """Levels of one picture, finest first.

    Parameters
    ----------
    levels
        Finest first.
    dims
        Names of the array axes, as of `Image`.
    modality, quantity, channels
        As of `Image`.
    """

    levels: tuple[Level, ...]
    dims: tuple[str, ...]
    modality: str | None = None
    quantity: str | None = None
    channels: tuple[str, ...] | None = None
    provenance: Provenance = Provenance()

    def __post_init__(self) -> None:
        if not self.levels:
            raise ParameterError("A pyramid without levels: expected at least one.")
        sizes = [level.geometry.size for level in self.levels]
        if sizes != sorted(sizes, reverse=True):
            raise ParameterError(f"Pyramid levels of {sizes} samples: expected the finest first.")
        n = len(spatial_axes(self.dims))
        if any(level.geometry.ndim != n for level in self.levels):
            raise ParameterError(f"Pyramid of dims {self.dims}: expected levels of {n} spatial axes.")

    @property
    def geometry(self) -> Geometry:
        """The finest grid."""
        return self.levels[0].geometry

    @property
    def mpp(self) -> tuple[float, ...]:
        """Micrometres per sample of each level (of its finest axis); NaN where uncalibrated."""
        return tuple(min(v.geometry.spacing) * 1000.0 if v.geometry.unit == "mm" else float("nan") for v in self.levels)

    def level_for(self, mpp: float) -> int:
        """Return the coarsest level that is at least as fine as `mpp` micrometres per sample (else the finest)."""
        self.geometry.require_mm("Choosing a level by micrometres per sample")
        fine = [k for k, value in enumerate(self.mpp) if value <= mpp * 1.001]
        return max(fine, default=0)

    def region(self, bounds: Region, level: int | None = None, mpp: float | None = None) -> Image:
        """Return a region of one level as an image.

        Parameters
        ----------
        bounds
            (start, stop) of each spatial axis in samples of the *finest* level, whatever the level read.
        level
            Index of the level; or give `mpp`.
        mpp
            Micrometres per sample; the coarsest level at least that fine is read.

        Raises
        ------
        ParameterError
            If the level does not exist or the bounds leave the picture.
        """
        if level is None:
            level = 0 if mpp is None else self.level_for(mpp)
        if not 0 <= level < len(self.levels):
            raise ParameterError(f"Level {level} of a pyramid of {len(self.levels)}: expected 0 to {len(self.levels) - 1}.")
        finest = self.geometry.shape
        if len(bounds) != len(finest) or any(not 0 <= a < b <= n for (a, b), n in zip(bounds, finest, strict=True)):
            raise ParameterError(f"Region {bounds} of a picture of {finest} samples: expected (start, stop) inside it per axis.")
        chosen = self.levels[level]
        scaled = []
        for (a, b), n, m in zip(bounds, finest, chosen.geometry.shape, strict=True):
            start = min(a * m // n, m - 1)
            scaled.append((start, max(start + 1, min(m, -(-b * m // n)))))
        box = tuple(scaled)
        grid = chosen.geometry.crop([a for a, _ in box], [b - a for a, b in box])
        return Image(
            chosen.read(box),
            self.dims,
            grid,
            modality=self.modality,
            quantity=self.quantity,
            channels=self.channels,
            provenance=self.provenance,
        )
