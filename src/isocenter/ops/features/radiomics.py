"""features.radiomics: the complete IBSI-1 feature set of each region, with the whole chain that leads to it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, ClassVar, Literal, Self

import numpy as np
import numpy.typing as npt
from pydantic import Field, model_validator
from scipy import ndimage

from isocenter.core.errors import ContentError
from isocenter.core.families import Extractor
from isocenter.core.labels import LabelMap, MaskStack
from isocenter.core.operation import Context
from isocenter.core.results import Column
from isocenter.kernels.radiomics.chain import Chain, Region, cut, grid_axes, grid_spacing, prepare, resegment
from isocenter.kernels.radiomics.diagnostics import image_diagnostics, region_diagnostics
from isocenter.kernels.radiomics.features import Discretisation, Wanted, measure, measure_values
from isocenter.kernels.radiomics.responses import Response, reach_of, response_values
from isocenter.kernels.radiomics.texture import FAMILIES as TEXTURES
from isocenter.ops.features._radiomics_columns import radiomics_columns
from isocenter.ops.features._responses import Responses

Family = Literal[
    "morphology", "autocorrelation", "local", "statistics", "volume_histogram", "histogram",
    "glcm", "glrlm", "glszm", "gldzm", "ngtdm", "ngldm",
]  # fmt: skip
Aggregation = Literal["2d_average", "2d_merged", "2.5d_average", "2.5d_merged", "3d_average", "3d_merged"]

_ALL: tuple[Family, ...] = (
    "morphology", "local", "statistics", "volume_histogram", "histogram",
    "glcm", "glrlm", "glszm", "gldzm", "ngtdm", "ngldm",
)  # fmt: skip

#: Families that are of the region and its place: the image alone has them.
_OF_PLACE = ("morphology", "autocorrelation", "local")

#: Name of an aggregation -> as the reference tags spell it.
_SPELLED: dict[str, str] = {
    "2d_average": "2D_avg", "2d_merged": "2D_comb", "2.5d_average": "2_5D_avg", "2.5d_merged": "2_5D_comb",
    "3d_average": "3D_avg", "3d_merged": "3D_comb",
}  # fmt: skip

_ORDERS = {"nearest": 0, "linear": 1, "cubic": 3}


class Radiomics(Extractor):
    """Every IBSI-1 feature of each region: morphology, intensities, histograms and six texture families.

    One set of parameters describes the whole chain: interpolation, rounding, re-segmentation, discretisation and
    aggregation. Columns carry readable names (``glcm_joint_maximum_3d_average``), units, the IBSI code in ``standard`` and
    the reference tables' tag in ``tag`` (``cm_joint_max_3D_avg``).

    A region of three axes is measured in space. An image of two axes is one slice: its textures are those of the plane,
    and morphology, autocorrelation and local intensity, which the IBSI defines in space, are left to `features.shape`.

    An empty region (also one that vanishes in interpolation or re-segmentation) has NaN everywhere but in the counts of the
    diagnostics; where only its intensities vanish, morphology stays. Of one sample, variance, skewness and kurtosis are 0,
    co-occurrence has no pair and is NaN, as are tone differences and autocorrelation. A flat region has entropy 0,
    correlation 1, coarseness 10^6, and contrast, busyness, complexity and strength 0. Averages over slices and directions
    leave out empty matrices. Samples that are not finite leave the intensity mask, with a note.

    Parameters
    ----------
    spacing : float or tuple of float
        mm of interpolated samples: one number for all axes, or one per axis of the image in array order, 0 for an axis
        that stays as it is (``(0, 2, 2)`` interpolates in the slice). None: no interpolation.
    order : {"nearest", "linear", "cubic"}
        Of the interpolation of intensities; the mask is always interpolated linearly.
    mask_threshold
        Share of an interpolated sample, 0 to 1, that the mask must cover.
    rounding : {"auto", "always", "never"}
        Whether interpolated intensities are rounded to whole numbers; ``auto``: HU only.
    lowest, highest
        Ends of the intensity range that is measured, both belonging to it, in units of the image. None: open.
    outlier_sigma
        Intensities farther than this many standard deviations from the mean of the region are left out. Mean and deviation
        are those before the range is applied; of both, the intersection is measured. None: all stay.
    discretisation : {"width", "width_from_zero", "count", "none"}
        ``width``: bins of `bin_width` from `lowest` (or the lowest intensity); ``width_from_zero``: the same with
        edges at multiples of the width; ``count``: `bin_count` bins over the intensities of the region; ``none``: intensities
        are levels already, whole numbers from 1.
    bin_width
        In units of the image.
    bin_count
        Number of bins.
    volume_discretisation : {"width", "count", "none"}
        Of the intensity-volume histogram; ``none`` takes whole numbers as they are, and other values one by one.
    volume_bin_width, volume_bin_count
        As above, units of the image and number of bins.
    aggregations
        How textures of directions and slices are brought together: ``2d`` averages over slices, ``2.5d`` merges slices,
        ``3d`` counts in space; ``average`` over directions or ``merged``.
    families
        What is measured; ``autocorrelation`` (Moran's I, Geary's C) only where it is named, since it takes as long as the rest.
    diagnostics
        Whether size, spacing and intensities after each step of the chain come as columns too.
    responses
        Image types measured beside the image: ``log`` (standard deviations in mm), ``wavelet`` (its name), ``others``
        (``gradient``, ``square``, ``squareroot``, ``logarithm``, ``exponential``), ``original`` (false leaves the image out),
        ``log_kernel`` (``sampled``, ``recursive``), ``in_plane`` and ``boundary`` (``mirror``, ``nearest``, ``zero``). Of each come statistics, histograms
        and textures, in the samples that the range of the image left, discretised from the lowest response.

    References
    ----------
    Zwanenburg et al., The Image Biomarker Standardization Initiative, Radiology 295 (2020); reference manual v11,
    arXiv:1612.07003.
    """

    dims: ClassVar[tuple[str, ...]] = ("yx", "zyx")
    ns_per_sample: ClassVar[float] = 15.0
    bytes_per_sample: ClassVar[float] = 6.0

    spacing: float | tuple[float, ...] | None = None
    order: Literal["nearest", "linear", "cubic"] = "linear"
    mask_threshold: float = Field(0.5, gt=0.0, le=1.0)
    rounding: Literal["auto", "always", "never"] = "auto"
    lowest: float | None = None
    highest: float | None = None
    outlier_sigma: float | None = Field(None, gt=0.0)
    discretisation: Literal["width", "width_from_zero", "count", "none"] = "count"
    bin_width: float = Field(25.0, gt=0.0)
    bin_count: int = Field(32, ge=1, le=65535)
    volume_discretisation: Literal["width", "count", "none"] = "none"
    volume_bin_width: float = Field(2.5, gt=0.0)
    volume_bin_count: int = Field(1000, ge=1, le=65535)
    aggregations: tuple[Aggregation, ...] = ("3d_average", "3d_merged")
    families: tuple[Family, ...] = _ALL
    diagnostics: bool = False
    responses: Responses = Responses()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        given = self.spacing if isinstance(self.spacing, tuple) else () if self.spacing is None else (self.spacing,)
        if any(not math.isfinite(s) or s < 0.0 for s in given) or (given and not any(given)) or len(given) > 3:
            raise ValueError("spacing: expected mm above 0, one number or one per axis (0 keeps an axis)")
        if self.lowest is not None and self.highest is not None and self.lowest >= self.highest:
            raise ValueError("lowest must lie below highest")
        if len(set(self.aggregations)) < len(self.aggregations) or len(set(self.families)) < len(self.families):
            raise ValueError("aggregations and families: expected each name once")
        if self.discretisation == "none" and self.responses != Responses(boundary=self.responses.boundary):
            raise ValueError("responses are no levels: expected discretisation 'width' or 'count'")
        if not self.families or (set(self.families) & set(TEXTURES) and not self.aggregations):
            raise ValueError("families and aggregations: expected at least one")
        return self

    @classmethod
    def examples(cls) -> tuple[Self, ...]:
        """Return what the contract checks run on; local intensities stay away, as their 1 cm^3 does not scale with the world."""
        families = tuple(f for f in _ALL if f != "local")
        flat: tuple[Aggregation, ...] = ("2d_merged", "2.5d_average")
        return (
            cls(families=families),
            cls(families=("statistics", "glrlm", "ngtdm"), aggregations=flat, discretisation="width", bin_width=40.0),
            cls(families=("statistics", "glcm"), responses=Responses(wavelet="haar", others=("square",))),
        )

    # -- what is asked for, by the number of axes -------------------------------------------------------

    def _aggregations(self, space: bool) -> tuple[str, ...]:
        if space:
            return tuple(_SPELLED[a] for a in self.aggregations)
        flat = tuple(_SPELLED[a] for a in self.aggregations if a.startswith("2d"))
        return flat or ("2D_avg", "2D_comb")

    def _families(self, space: bool, unit: str) -> tuple[str, ...]:
        lost = set() if space and unit == "mm" else {"local"} if space else {"morphology", "autocorrelation", "local"}
        return tuple(f for f in self.families if f not in lost)

    def _chain(self, context: Context) -> Chain:
        space = len(context.dims) == 3
        families = self._families(space, context.geometry.unit)
        rounding = self.rounding == "always" or (self.rounding == "auto" and context.quantity == "HU")
        steps: tuple[float | None, ...] | None = None
        if self.spacing is not None:
            context.geometry.require_mm(f"{self.name} with a spacing")
            count = len(context.dims)
            given = self.spacing if isinstance(self.spacing, tuple) else (self.spacing,) * count
            if len(given) != count:
                raise ContentError(
                    f"{self.name} was given {len(given)} spacings for an image of {count} axes: expected one number or one per axis."
                )
            steps = (*(() if space else (None,)), *(s or None for s in given))
        plain = Chain(spacing=steps)
        around = grid_spacing(context.spacing if space else (1.0, *context.spacing), plain)
        return Chain(
            spacing=steps,
            order=_ORDERS[self.order],
            threshold=self.mask_threshold,
            rounding=rounding,
            low=self.lowest,
            high=self.highest,
            sigma=self.outlier_sigma,
            with_peaks="local" in families,
            reach=reach_of(self.responses.on(around, not space)),
        )

    def _wanted(self, context: Context) -> Wanted:
        space = len(context.dims) == 3
        return Wanted(
            tuple(f for f in self._families(space, context.geometry.unit) if self.responses.original or f == "morphology"),
            self._aggregations(space),
            Discretisation(self.discretisation, self.bin_width, self.bin_count),
            Discretisation(self.volume_discretisation, self.volume_bin_width, self.volume_bin_count),
            self.lowest,
            self.highest,
        )

    def _of_responses(self, context: Context) -> Wanted:
        """Return what is measured of the other image types: what intensities give, from their own lowest value on."""
        space = len(context.dims) == 3
        families = tuple(f for f in self._families(space, context.geometry.unit) if f not in _OF_PLACE)
        return replace(self._wanted(context), families=families, low=None, high=None)

    # -- the operation ----------------------------------------------------------------------------------

    def columns(self, context: Context) -> tuple[Column, ...]:
        """Return the columns for an image of these axes and this quantity."""
        wanted = self._wanted(context)
        in_levels = self.volume_discretisation == "count" or self.discretisation == "none"
        length = context.geometry.unit
        found = radiomics_columns(wanted.families, wanted.aggregations, context.quantity, length, self.diagnostics, in_levels)
        others = self.responses.on((1.0, 1.0, 1.0), len(context.dims) < 3)
        if others:
            of_each = self._of_responses(context)
            each = radiomics_columns(of_each.families, of_each.aggregations, None, length, False, in_levels)
            found += tuple(
                replace(c, name=f"{one.name}_{c.name}", tag=f"{one.tag}_{c.tag}", summary=f"{c.summary}, of {one.tag}")
                for one in others
                for c in each
            )
        return found

    def masks(self, region: LabelMap | MaskStack) -> Iterator[tuple[str, npt.NDArray[np.bool_], tuple[slice, ...] | None]]:
        """Yield the mask of every segment cropped to its box: what lies beside it is never touched."""
        if isinstance(region, MaskStack):
            for row, mask in zip(region.segments, region.array, strict=True):
                yield self._cropped(row.name, mask, cut(mask))
            return
        data = np.asarray(region.array)
        data = data if data.dtype.isnative else data.astype(data.dtype.newbyteorder("="))
        values = [row.value for row in region.segments]
        boxes = _boxes(data) if max(values, default=0) < 1 << 16 else None
        for row in region.segments:
            if boxes is None:
                mask = data == row.value
                yield self._cropped(row.name, mask, cut(mask))
                continue
            box = boxes[row.value - 1] if row.value <= len(boxes) else None
            yield row.name, np.zeros((0,) * data.ndim, np.bool_) if box is None else data[box] == row.value, box or _nowhere(data)

    @staticmethod
    def _cropped(
        name: str, mask: npt.NDArray[np.bool_], box: tuple[slice, ...] | None
    ) -> tuple[str, npt.NDArray[np.bool_], tuple[slice, ...]]:
        place = box or _nowhere(mask)
        return name, mask[place], place

    def compute(self, array: Any, context: Context) -> dict[str, float]:
        """Return the features of ``context.region``, which covers ``context.box`` of `array`."""
        assert context.region is not None  # the family hands one to every extractor
        chain = self._chain(context)
        mask, box = context.region, context.box or tuple(slice(0, n) for n in array.shape)
        spacing: tuple[float, ...] = context.spacing
        direction = context.geometry.direction
        if array.ndim == 2:
            array, mask, box, spacing = array[None], mask[None], (slice(0, mask.shape[0] > 0), *box), (1.0, *spacing)
            direction = np.column_stack((np.cross(direction[:, 0], direction[:, 1]), direction))
        elif not context.geometry.is_orthogonal and (chain.spacing is not None or "autocorrelation" in self.families):
            raise ContentError(
                f"{self.name} was given a grid sheared by {context.geometry.shear:.2f} degrees: interpolation and autocorrelation "
                "expect right angles; use resample.to_spacing first."
            )
        found = {} if not self.diagnostics else image_diagnostics(array, spacing, chain)
        shape = [axis.count for axis in grid_axes(array.shape, spacing, chain)]
        if self.diagnostics:
            first = prepare(array, mask, box, spacing, Chain()) if mask.size else None
            found.update(region_diagnostics(first, array.shape, "init"))
            del first
        region = prepare(array, mask, box, spacing, chain) if mask.size else None
        if self.diagnostics:
            found.update(region_diagnostics(region, shape, "interp"))
        if region is not None:
            resegment(region, chain)
        if self.diagnostics:
            found.update(region_diagnostics(region, shape, "reseg"))
        if region is None:
            if mask.any():
                context.note("A region vanished in interpolation: no sample of the new grid lies mostly inside it.")
            return self._named(found, context)
        if region.lost:
            context.note(f"{region.lost} samples of the region are not finite and were left out.")
        if self.discretisation == "none":
            _require_levels(region.values())
        found.update(self._measured(region, array, direction * np.asarray(region.spacing), context))
        return self._named(found, context)

    def _measured(self, region: Region, array: Any, step: npt.NDArray[np.float64], context: Context) -> dict[str, float]:
        """Return the features of the image and of its responses by tag."""
        notes: list[str] = []
        others = self.responses.on(region.spacing, len(context.dims) < 3)
        found = measure(region, step, self._wanted(context), context.threads, notes)
        top = max(abs(float(np.nanmin(array))), abs(float(np.nanmax(array)))) if self.responses.needs_top else 0.0
        thin = self.responses.too_thin(region.spacing[1:] if len(context.dims) < 3 else region.spacing)
        if thin:
            notes.append(f"{thin}: a sampled Gaussian is none there; choose log_kernel 'recursive', or interpolate first.")
        wanted = self._of_responses(context)
        for one in others:
            for tag, value in self._of_response(region, one, top, wanted, context.threads, notes).items():
                found[f"{one.tag}_{tag}"] = value
        for note in notes:
            context.note(note)
        return found

    def _of_response(
        self, region: Region, one: Response, top: float, wanted: Wanted, threads: int, notes: list[str]
    ) -> dict[str, float]:
        """Return the features of one image type; samples where it is not finite are left out."""

        def make() -> tuple[npt.NDArray[Any], npt.NDArray[np.uint8]]:
            values = response_values(region, one, self.responses.boundary, top or 1.0, threads)
            finite = np.isfinite(values) if region.array.dtype.kind == "f" else np.True_
            if finite.all():
                return values, region.mask
            notes.append(f"{int(np.count_nonzero(~finite))} samples of {one.tag} are not finite and were left out.")
            mask = region.mask.copy()
            mask[mask == 3] = np.where(finite, np.uint8(3), np.uint8(1))
            return values[finite], mask

        return measure_values(make, wanted, threads, notes)

    def _named(self, found: dict[str, float], context: Context) -> dict[str, float]:
        """Return the values under their column names; tags that are not columns are left out."""
        return {c.name: found[c.tag] for c in self.columns(context) if c.tag in found and math.isfinite(found[c.tag])}


def _boxes(labels: npt.NDArray[Any]) -> list[tuple[slice, ...] | None]:
    """Return the box around each label 1, 2 ...; rows without any are left out before boxes are looked for."""
    wide = labels.view(np.uint64) if labels.flags.c_contiguous and labels.shape[-1] * labels.itemsize % 8 == 0 else labels
    rows = np.bitwise_or.reduce(wide, axis=-1) != 0
    around = cut(rows)
    if around is None:
        return []
    start = [part.start for part in around]
    return [
        None if box is None else (*(slice(b.start + a, b.stop + a) for b, a in zip(box, start, strict=False)), box[-1])
        for box in ndimage.find_objects(labels[around])
    ]


def _nowhere(data: npt.NDArray[Any]) -> tuple[slice, ...]:
    return (slice(0, 0),) * data.ndim


def _require_levels(values: npt.NDArray[Any]) -> None:
    if values.size and (float(values.min()) < 1.0 or not np.array_equal(values, np.floor(values))):
        raise ContentError(
            f"Intensities from {float(values.min()):.6g} to {float(values.max()):.6g} with discretisation 'none': expected "
            "whole numbers from 1, which are levels already; choose 'width' or 'count'."
        )
