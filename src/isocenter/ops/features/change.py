"""features.change: how each region changes between time points."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field, field_validator

from isocenter.core.families import Extractor
from isocenter.core.families.base import refuse_labels
from isocenter.core.image import Image
from isocenter.core.labels import LabelMap, MaskStack
from isocenter.core.operation import Context
from isocenter.core.results import Column, Features
from isocenter.kernels.change import Size, change, recist, size

__all__ = ["Change"]


class Change(Extractor):
    """Volume and RECIST axes of each region at the first and the last time point, and their change with its error.

    The region has time points along ``t`` on one grid (register and resample follow-ups first). Intervals are of 95 %;
    ``volume_changed`` is 1 where that of the volume leaves out 0. The response is judged by the region's own long axis
    against its first and its smallest value. Of one time point, changes are not defined.

    Parameters
    ----------
    contour_error
        Standard deviation in mm of where the outline is drawn, all around.
    planes
        The planes in whose slices diameters are measured, by axis names: ``[yx]`` takes stored slices; in an image of two
        axes there is no other.

    References
    ----------
    Eisenhauer et al., RECIST 1.1, Eur. J. Cancer 45 (2009) 228-247. Raunig et al., Stat. Methods Med. Res. 24 (2015) 27-67.
    """

    dims: ClassVar[tuple[str, ...]] = ("yx", "zyx")
    needs_mm: ClassVar[bool] = True
    uses_values: ClassVar[bool] = False
    ns_per_sample: ClassVar[float] = 60.0

    contour_error: float = Field(0.5, ge=0)
    planes: tuple[Literal["yx", "zx", "zy"], ...] = ("yx",)

    @field_validator("planes")
    @classmethod
    def _once(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not value or len(set(value)) != len(value):
            raise ValueError("expected some of yx, zx, zy, each once")
        return value

    def columns(self, context: Context) -> tuple[Column, ...]:
        """Return the columns; in a plane, volume stands for area."""
        unit = f"mm^{len(context.dims)}"
        return (
            Column("time_points", "1", "", "number of time points"),
            Column("volume_first", unit, "", "size at the first time point"),
            Column("volume_last", unit, "", "size at the last time point"),
            Column("volume_change", "%", "", "change from first to last"),
            Column("volume_change_low", "%", "", "lower bound of its 95 % interval"),
            Column("volume_change_high", "%", "", "upper bound of its 95 % interval"),
            Column("volume_changed", "1", "", "1 where the change is beyond measurement error, else 0"),
            Column("long_axis_first", "mm", "", "largest diameter in a slice at the first time point"),
            Column("long_axis_last", "mm", "", "largest diameter in a slice at the last time point"),
            Column("short_axis_last", "mm", "", "extent across it at the last time point"),
            Column("long_axis_change", "%", "", "change from first to last"),
            Column("long_axis_change_low", "%", "", "lower bound of its 95 % interval"),
            Column("long_axis_change_high", "%", "", "upper bound of its 95 % interval"),
            Column("response", "", "", "RECIST 1.1 category of the long axis; empty of one time point"),
        )

    def __call__(self, image: Image, region: LabelMap | MaskStack, /, *, seed: int = 0, threads: int | None = None) -> Features:
        """Return one row per segment, whatever the number of time points."""
        refuse_labels(self.name, image)
        core = self._core(image)
        image.geometry.require_match(region.geometry, ("the image", "the region"))
        notes: list[str] = []
        found: dict[str, list[Size]] = {}
        spacing = image.geometry.spacing
        planes = [(core.index(p[0]), core.index(p[1])) for p in self.planes if set(p) <= set(core)] or [(-2, -1)]
        for _, _, masks in self._frames(image, region, core):
            for name, mask, _ in masks:
                found.setdefault(name, []).append(size(mask, spacing, self.contour_error, planes))
        columns = self.columns(self._context(image, core, seed, threads, notes))
        rows = [tuple(self._row(sizes)[c.name] for c in columns) for sizes in found.values()]
        return Features(columns, tuple(rows), tuple(found), self.traced((image, region), seed, notes))

    @staticmethod
    def _row(sizes: list[Size]) -> dict[str, Any]:
        first, last = sizes[0], sizes[-1]
        row: dict[str, Any] = dict.fromkeys(
            [f"{what}_change{end}" for what in ("volume", "long_axis") for end in ("", "_low", "_high")], float("nan")
        )
        row |= {
            "time_points": float(len(sizes)),
            "volume_first": first.volume,
            "volume_last": last.volume,
            "volume_changed": float("nan"),
            "long_axis_first": first.long_axis,
            "long_axis_last": last.long_axis,
            "short_axis_last": last.short_axis,
            "response": "",
        }
        if len(sizes) > 1:
            pairs = {
                "volume": (first.volume, last.volume, first.volume_error, last.volume_error),
                "long_axis": (first.long_axis, last.long_axis, first.long_axis_error, last.long_axis_error),
            }
            for what, values in pairs.items():
                for end, value in zip(("", "_low", "_high"), change(*values), strict=True):
                    row[f"{what}_change{end}"] = value
            low, high = row["volume_change_low"], row["volume_change_high"]
            if low == low:  # NaN where there was nothing before
                row["volume_changed"] = float(low > 0.0 or high < 0.0)
            row["response"] = recist(first.long_axis, min(s.long_axis for s in sizes[:-1]), last.long_axis)
        return row
