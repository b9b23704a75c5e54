"""features.change: how each region changes between time points."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field, field_validator

from isocenter.core.errors import ContentError
from isocenter.core.families import Extractor
from isocenter.core.families.base import refuse_labels
from isocenter.core.image import Image
from isocenter.core.labels import LabelMap, MaskStack
from isocenter.core.operation import Context, Spec
from isocenter.core.results import Column, Features
from isocenter.kernels.change import Size, change, recist, size

__all__ = ["Change"]


def _dims(region: LabelMap | MaskStack) -> tuple[str, ...]:
    """Return the axes of one segment; refuses a time axis."""
    dims = tuple(d for d in region.dims if d in ("z", "y", "x"))
    if "t" in region.dims:
        raise ContentError("A region with a time axis was given as one examination: expected spatial axes only.")
    return dims


class Change(Extractor):
    """Volume and RECIST axes of each region at the first and the last time point, and their change with its error.

    The region has time points along ``t`` on one grid; `between` compares examinations that each have their own. Intervals are of 95 %;
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

    def between(self, *regions: LabelMap | MaskStack) -> Features:
        """Return the same table for regions that each lie on the grid of their own examination, first to last.

        Sizes are measured in mm where they were drawn: nothing is resampled, and nothing need be registered. Segments belong
        together by name; one that an examination lacks has size 0 there.

        Parameters
        ----------
        regions
            Two or more, without time axis, all of as many axes.

        Raises
        ------
        ContentError
            If there are fewer, or their axes differ.
        GeometryError
            If a grid is not in mm.
        """
        if len(regions) < 2 or len({region.geometry.ndim for region in regions}) > 1:
            raise ContentError(f"{self.name} was given {len(regions)} regions: expected two or more, of as many spatial axes.")
        notes: list[str] = []
        names = tuple(dict.fromkeys(row.name for region in regions for row in region.segments))
        found: dict[str, list[Size]] = {name: [] for name in names}
        context: Context | None = None
        for region in regions:
            self.check_image(Spec("Image", _dims(region), geometry=region.geometry))
            core = _dims(region)
            context = context or Context(geometry=region.geometry, dims=core, name=self.name)
            planes = [(core.index(p[0]), core.index(p[1])) for p in self.planes if set(p) <= set(core)] or [(-2, -1)]
            here = {name: mask for name, mask, _ in self.masks(region)}
            for name in names:
                mask = here.get(name)
                found[name].append(Size() if mask is None else size(mask, region.geometry.spacing, self.contour_error, planes))
        assert context is not None  # there are two regions
        columns = self.columns(context)
        rows = [tuple(self._row(found[name])[c.name] for c in columns) for name in names]
        return Features(columns, tuple(rows), names, self.traced(tuple(regions), None, notes))

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
