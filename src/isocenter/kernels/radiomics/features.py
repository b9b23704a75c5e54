"""Every feature family of a prepared region, by the tags of the IBSI reference tables."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.kernels.autocorrelation import autocorrelation
from isocenter.kernels.discretise import Bins
from isocenter.kernels.level_histogram import level_histogram, volume_histogram, volume_of_sorted
from isocenter.kernels.radiomics.chain import Region, is_whole
from isocenter.kernels.radiomics.morphology import morphology
from isocenter.kernels.radiomics.peaks import peaks
from isocenter.kernels.radiomics.texture import FAMILIES as TEXTURES
from isocenter.kernels.radiomics.texture import GLCM_LEVELS, texture
from isocenter.kernels.statistics import first_order
from isocenter.kernels.texture.sweep import Levels

__all__ = ["STATISTICS", "Discretisation", "Wanted", "measure", "measure_values"]

#: Tag (after ``stat_``) -> (name in `first_order`, IBSI code).
STATISTICS = {
    "mean": ("mean", "Q4LE"), "var": ("variance", "ECT3"), "skew": ("skewness", "KE2A"), "kurt": ("excess_kurtosis", "IPH6"),
    "median": ("median", "Y12H"), "min": ("minimum", "1GSF"), "p10": ("percentile_10", "QG58"),
    "p90": ("percentile_90", "8DWT"), "max": ("maximum", "84IY"), "iqr": ("interquartile_range", "SALO"),
    "range": ("range", "2OJQ"), "mad": ("mean_absolute_deviation", "4FUA"),
    "rmad": ("robust_mean_absolute_deviation", "1128"), "medad": ("median_absolute_deviation", "N72L"),
    "cov": ("coefficient_of_variation", "7TET"), "qcod": ("quartile_coefficient_of_dispersion", "9S40"),
    "energy": ("energy", "N8CA"), "rms": ("root_mean_square", "5ZWQ"),
}  # fmt: skip

#: Points of the volume histogram of values that are not discretised; beyond it the values themselves are taken.
_POINTS = 1 << 16

#: Values that are widened at a time.
_CHUNK = 1 << 12

#: Levels that are told apart.
_MOST_LEVELS = 65535


@dataclass(frozen=True)
class Discretisation:
    """How intensities become levels.

    Attributes
    ----------
    kind
        ``none`` (values are levels), ``width``, ``width_from_zero`` (edges at multiples of the width) or ``count``.
    width, count
        Of the bins.
    """

    kind: str
    width: float = 1.0
    count: int = 1

    def bins(self, low: float | None, lowest: float, highest: float) -> Bins:
        """Return the bins for a region with these extremes, re-segmented from `low` (None: open)."""
        if self.kind == "count":
            return Bins.of_count(self.count, lowest, highest)
        if self.kind == "none":
            return Bins(0.5, 1.0, 1, max(1, round(highest)))
        if self.kind == "width_from_zero":
            return Bins.of_width(self.width, math.floor(lowest / self.width) * self.width, highest)
        return Bins.of_width(self.width, lowest if low is None else low, highest)


@dataclass(frozen=True)
class Wanted:
    """Which features, and how their intensities become levels.

    Attributes
    ----------
    families
        ``morphology``, ``autocorrelation``, ``local``, ``statistics``, ``volume_histogram``, ``histogram`` and the textures.
    aggregations
        Of textures.
    texture, volume
        Discretisation for textures and the histogram, and for the volume histogram.
    low, high
        Ends of the range that intensities were restricted to.
    """

    families: tuple[str, ...]
    aggregations: tuple[str, ...]
    texture: Discretisation
    volume: Discretisation
    low: float | None = None
    high: float | None = None


def measure(
    region: Region,
    step: npt.NDArray[np.float64],
    wanted: Wanted,
    threads: int,
    notes: list[str],
) -> dict[str, float]:
    """Return the features of a region by tag.

    Parameters
    ----------
    region
        Prepared and re-segmented.
    step
        Shape (3, 3): column k is the step in mm along array axis k of the region's grid.
    wanted
        Which features.
    threads
        Threads that may run at once.
    notes
        Quality flags are added here.
    """
    found: dict[str, float] = {}
    values = region.values()
    values.sort()
    if values.size:
        _of_values(found, values, wanted)
    if "morphology" in wanted.families:
        mean = found["stat_mean"] if "stat_mean" in found else float(values.mean(dtype=np.float64)) if values.size else math.nan
        shape = morphology(region.mask, region.intensities, step, region.spacing, region.box, mean)
        found.update({f"morph_{tag}": value for tag, value in shape.items()})
    if not values.size:
        return found
    lowest, highest = float(values[0]), float(values[-1])
    bins = wanted.texture.bins(wanted.low, lowest, highest)
    counts = bins.counts(values) if bins.count <= _MOST_LEVELS and "histogram" in wanted.families else None
    del values  # what follows needs its room
    if counts is not None:
        found.update({f"ih_{tag}": value for tag, value in level_histogram(counts).items()})
    if "autocorrelation" in wanted.families:
        inside = region.mask[1:-1, 1:-1, 1:-1] == 3
        found["morph_moran_i"], found["morph_geary_c"] = autocorrelation(region.intensities, inside, region.spacing, threads)
        del inside
    if "local" in wanted.families:
        local, top = peaks(region.array, region.inner, region.mask, region.spacing, highest, threads)
        found["loc_peak_loc"], found["loc_peak_glob"] = local, top
    textures = _textures(bins, wanted, notes)
    if textures:
        levels = _levels(region, bins)
        found.update(texture(levels, region.mask, bins.count, textures, wanted.aggregations, threads))
    return found


def measure_values(
    make: Callable[[], tuple[npt.NDArray[Any], npt.NDArray[np.uint8]]], wanted: Wanted, threads: int, notes: list[str]
) -> dict[str, float]:
    """Return the features of other values of a region's samples, a filter's responses for instance, by tag.

    Parameters
    ----------
    make
        Returns one value per sample of the intensity mask, in the order of the samples, which nobody else holds (they are
        sorted in place, and let go before textures are counted), and the mask, as of `Region`.
    wanted
        Which features; those of form and place are left out.
    threads
        Threads that may run at once.
    notes
        Quality flags are added here.
    """
    found: dict[str, float] = {}
    values, mask = make()
    if not values.size:
        return found
    bins = wanted.texture.bins(wanted.low, float(values.min()), float(values.max()))
    textures = _textures(bins, wanted, notes)
    levels = _scattered(values, mask, bins) if textures else None
    values.sort()
    _of_values(found, values, wanted)
    counts = bins.counts(values) if bins.count <= _MOST_LEVELS and "histogram" in wanted.families else None
    del values  # what follows needs its room
    if counts is not None:
        found.update({f"ih_{tag}": value for tag, value in level_histogram(counts).items()})
    if levels is not None:
        found.update(texture(levels, mask, bins.count, textures, wanted.aggregations, threads))
    return found


def _textures(bins: Bins, wanted: Wanted, notes: list[str]) -> list[str]:
    """Return the texture families that so many levels allow, with a note on those they do not."""
    textures = [family for family in TEXTURES if family in wanted.families]
    if bins.count > _MOST_LEVELS:
        notes.append(f"Its intensities make {bins.count} levels: expected at most {_MOST_LEVELS}; widen the bins for textures.")
        return []
    if "glcm" in textures and bins.count > GLCM_LEVELS:
        notes.append(f"Co-occurrence of {bins.count} levels was left out: expected at most {GLCM_LEVELS}; widen the bins.")
        textures.remove("glcm")
    return textures


def _of_values(found: dict[str, float], values: npt.NDArray[Any], wanted: Wanted) -> None:
    """Add what depends on the sorted intensities alone."""
    if "statistics" in wanted.families:
        statistics = first_order(values, is_sorted=True)
        found.update({f"stat_{tag}": statistics[name] for tag, (name, _) in STATISTICS.items()})
    if "volume_histogram" in wanted.families:
        axis = _volume_axis(values, wanted)
        volumes = volume_of_sorted(values, wanted.low, wanted.high) if axis is None else volume_histogram(*axis)
        found.update({f"ivh_{tag}": value for tag, value in volumes.items()})


def _volume_axis(values: npt.NDArray[Any], wanted: Wanted) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]] | None:
    """Return the intensities at which the volume histogram is taken, and the samples at each; None: the values themselves.

    The axis spans the range that intensities were restricted to, where there is one, else that of the values.
    """
    lowest, highest = float(values[0]), float(values[-1])
    start = lowest if wanted.low is None else wanted.low
    stop = highest if wanted.high is None else wanted.high
    how = wanted.volume
    if how.kind == "count":  # levels are not in units of the image: the axis is that of the levels
        bins = Bins.of_count(how.count, lowest, highest)
        return np.arange(1.0, how.count + 1.0), bins.counts(values)
    if how.kind != "none":
        bins = how.bins(wanted.low, lowest, highest)
        count = max(1, math.ceil((stop - bins.start) / how.width - 1e-9)) if wanted.high is not None else bins.count
        bins = Bins(bins.start, how.width, 1, count)
        return bins.centres, bins.counts(values)
    if stop - start < _POINTS and is_whole(values) and start == math.floor(start):
        bins = Bins(start - 0.5, 1.0, 1, int(stop - start) + 1)
        return bins.centres, bins.counts(values)
    return None


def _levels(region: Region, bins: Bins) -> Levels:
    """Return the levels of the intensity mask, padded as the mask is; plane by plane, to hold no wide copy."""
    levels = np.zeros(region.mask.shape, np.uint8 if bins.count < 256 else np.uint16)
    core, inside = levels[1:-1, 1:-1, 1:-1], region.mask[1:-1, 1:-1, 1:-1]
    for z, plane in enumerate(region.intensities):
        chosen = inside[z] == 3
        core[z][chosen] = bins.levels(plane[chosen])
    return levels


def _scattered(values: npt.NDArray[Any], mask: npt.NDArray[np.uint8], bins: Bins) -> Levels:
    """Return the levels of values that are listed sample by sample, padded as the mask is."""
    levels = np.zeros(mask.shape, np.uint8 if bins.count < 256 else np.uint16)
    first = 0
    for plane, inside in zip(levels, mask, strict=True):
        chosen = inside == 3
        last = first + int(np.count_nonzero(chosen))
        found = np.empty(last - first, levels.dtype)
        for start in range(0, last - first, _CHUNK):  # widened a little at a time
            part = values[first + start : min(first + start + _CHUNK, last)]
            found[start : start + part.size] = bins.levels(part)
        plane[chosen] = found
        first = last
    return levels
