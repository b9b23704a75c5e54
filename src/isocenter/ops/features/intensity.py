"""features.intensity: first-order statistics of the values inside each region."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import numpy as np

from isocenter.core.families import Extractor
from isocenter.core.operation import Context
from isocenter.core.results import Column
from isocenter.kernels.labels import bounding_box
from isocenter.kernels.radiomics.peaks import margin, peaks
from isocenter.kernels.statistics import first_order
from isocenter.kernels.units import intensity_unit

#: Statistic -> (IBSI identifier, power of the image's unit, what it is).
_STATISTICS = {
    "mean": ("Q4LE", 1, "mean"),
    "variance": ("ECT3", 2, "variance (population)"),
    "skewness": ("KE2A", 0, "skewness"),
    "excess_kurtosis": ("IPH6", 0, "kurtosis above that of a normal distribution"),
    "median": ("Y12H", 1, "median"),
    "minimum": ("1GSF", 1, "minimum"),
    "percentile_10": ("QG58", 1, "10th percentile"),
    "percentile_90": ("8DWT", 1, "90th percentile"),
    "maximum": ("84IY", 1, "maximum"),
    "interquartile_range": ("SALO", 1, "75th minus 25th percentile"),
    "range": ("2OJQ", 1, "maximum minus minimum"),
    "mean_absolute_deviation": ("4FUA", 1, "mean distance from the mean"),
    "robust_mean_absolute_deviation": ("1128", 1, "the same between the 10th and 90th percentile"),
    "median_absolute_deviation": ("N72L", 1, "mean distance from the median"),
    "coefficient_of_variation": ("7TET", 0, "standard deviation over mean"),
    "quartile_coefficient_of_dispersion": ("9S40", 0, "interquartile range over the sum of the quartiles"),
    "energy": ("N8CA", 2, "sum of squares"),
    "root_mean_square": ("5ZWQ", 1, "root of the mean square"),
}


def _is_uptake(quantity: str | None) -> bool:
    return quantity is not None and (quantity.startswith("SUV") or quantity == "Bq/ml")


class Intensity(Extractor):
    """Intensity statistics of each region: the 18 of the IBSI, and peaks and metabolic volume for PET.

    Columns are ``mean``, ``variance`` ... with the image's unit and the IBSI identifier in
    ``standard``, and ``samples``, the number of samples behind them. On uptake (SUV or Bq/ml) of three
    dimensions come ``peak_local`` (mean over 1 cm^3 around the hottest sample) and
    ``peak_global`` (the largest such mean in the region; SUVpeak), ``metabolic_volume`` and
    ``total_lesion_uptake`` (mean times volume: total lesion glycolysis for SUV of FDG).

    An empty region has 0 samples and volume 0, all else is NaN. Equal values have variance, skewness and excess
    kurtosis 0. Samples that are not finite are left out, with a note.

    Parameters
    ----------
    peaks : {"auto", "always", "never"}
        Whether to compute the two peaks: ``auto`` on SUV and Bq/ml only. They need three axes in mm.

    References
    ----------
    Zwanenburg et al., The Image Biomarker Standardization Initiative, Radiology 295 (2020), manual sections 3.2
    (local intensity) and 3.3 (statistics).
    """

    dims: ClassVar[tuple[str, ...]] = ("yx", "zyx")
    ns_per_sample: ClassVar[float] = 8.0
    bytes_per_sample: ClassVar[float] = 4.0

    peaks: Literal["auto", "always", "never"] = "auto"

    def _with_peaks(self, context: Context) -> bool:
        possible = len(context.dims) == 3 and context.geometry.unit == "mm"
        return possible and (self.peaks == "always" or (self.peaks == "auto" and _is_uptake(context.quantity)))

    def _with_uptake(self, context: Context) -> bool:
        return len(context.dims) == 3 and context.geometry.unit == "mm" and _is_uptake(context.quantity)

    def columns(self, context: Context) -> tuple[Column, ...]:
        """Return the columns for an image of this quantity."""
        unit = intensity_unit(context.quantity)
        columns = [Column("samples", "1", "", "number of samples measured")]
        for name, (code, exponent, summary) in _STATISTICS.items():
            columns.append(Column(name, intensity_unit(context.quantity, exponent), f"IBSI:{code}", summary))
        if self._with_peaks(context):
            columns.append(Column("peak_local", unit, "IBSI:VJGA", "mean over 1 cm^3 around the maximum"))
            columns.append(Column("peak_global", unit, "IBSI:0F91", "largest mean over 1 cm^3"))
        if self._with_uptake(context):
            total = "g" if unit == "g/ml" else f"{unit} ml"
            columns.append(Column("metabolic_volume", "ml", "", "volume of the region"))
            columns.append(Column("total_lesion_uptake", total, "", "mean times volume"))
        return tuple(columns)

    def compute(self, array: Any, context: Context) -> dict[str, float]:
        """Return the statistics of ``context.region`` in `array`."""
        assert context.region is not None  # the family hands one to every extractor
        volume = context.geometry.voxel_size / 1000.0
        values = np.asarray(array[context.region], dtype=np.float64)
        finite = np.isfinite(values)
        if not finite.all():
            context.note(f"{int((~finite).sum())} samples of the region are not finite and were left out.")
            values = values[finite]
        result = {"samples": float(values.size)}
        if self._with_uptake(context):
            result["metabolic_volume"] = float(context.region.sum()) * volume
        if not values.size:
            return result
        result.update(first_order(values))
        if self._with_peaks(context):
            local, top = self._peaks(array, context, result["maximum"])
            result["peak_local"] = local
            result["peak_global"] = top
        if self._with_uptake(context):
            result["total_lesion_uptake"] = result["mean"] * result["metabolic_volume"]
        return result

    @staticmethod
    def _peaks(array: Any, context: Context, highest: float) -> tuple[float, float]:
        """Return the local and the global peak; where several samples are hottest, the highest mean counts."""
        region = context.region
        assert region is not None
        box = bounding_box(region)
        assert box is not None  # there are values
        around = tuple(slice(max(part.start - m, 0), part.stop + m) for part, m in zip(box, margin(context.spacing), strict=True))
        inner = tuple(slice(b.start - a.start, b.stop - a.start) for a, b in zip(around, box, strict=True))
        mask = np.pad(np.where(region[box] & np.isfinite(array[box]), np.uint8(3), np.uint8(0)), 1)
        return peaks(array[around], inner, mask, context.spacing, highest)
