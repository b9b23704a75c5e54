"""Columns of `features.radiomics`: readable names, units, IBSI codes and reference tags."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from isocenter.core.results import Column
from isocenter.kernels.level_histogram import LEVEL_HISTOGRAM, VOLUME_HISTOGRAM
from isocenter.kernels.radiomics.diagnostics import DIAGNOSTICS
from isocenter.kernels.radiomics.features import STATISTICS
from isocenter.kernels.radiomics.morphology import MORPHOLOGY
from isocenter.kernels.radiomics.texture import AGGREGATIONS, DIRECTED, FAMILIES, FEATURES
from isocenter.kernels.units import intensity_unit

__all__ = ["radiomics_columns"]

#: Tag -> (column, power of the length unit, what it is).
_MORPHOLOGY = {
    "volume": ("volume_mesh", 3, "volume inside the surface mesh"),
    "vol_approx": ("volume_voxel", 3, "number of voxels times their volume"),
    "area_mesh": ("surface_area", 2, "area of the surface mesh"),
    "av": ("surface_volume_ratio", -1, "surface area over mesh volume"),
    "comp_1": ("compactness_1", 0, "volume over root of pi times area^1.5"),
    "comp_2": ("compactness_2", 0, "36 pi volume^2 over area^3"),
    "sph_dispr": ("spherical_disproportion", 0, "area over that of a sphere of the same volume"),
    "sphericity": ("sphericity", 0, "area of a sphere of the same volume over the area"),
    "asphericity": ("asphericity", 0, "spherical disproportion minus 1"),
    "com": ("centre_of_mass_shift", 1, "distance of the centre weighted by intensity from the geometric one"),
    "diam": ("maximum_diameter", 1, "largest distance between two points of the surface"),
    "pca_maj_axis": ("axis_major", 1, "4 root of the largest variance of voxel positions"),
    "pca_min_axis": ("axis_minor", 1, "4 root of the second variance"),
    "pca_least_axis": ("axis_least", 1, "4 root of the smallest variance"),
    "pca_elongation": ("elongation", 0, "minor over major axis: 1 is round"),
    "pca_flatness": ("flatness", 0, "least over major axis: 1 is round"),
    "vol_dens_aabb": ("volume_density_box", 0, "mesh volume over that of the box along the image axes"),
    "area_dens_aabb": ("area_density_box", 0, "surface area over that of the same box"),
    "vol_dens_aee": ("volume_density_ellipsoid", 0, "mesh volume over that of the ellipsoid with these axes"),
    "area_dens_aee": ("area_density_ellipsoid", 0, "surface area over that of the same ellipsoid"),
    "vol_dens_conv_hull": ("volume_density_hull", 0, "mesh volume over that of the convex hull"),
    "area_dens_conv_hull": ("area_density_hull", 0, "surface area over that of the convex hull"),
}

#: Statistic -> (power of the intensity unit, what it is); shared by intensities and levels.
_STATISTICS = {
    "mean": (1, "mean"),
    "variance": (2, "variance (population)"),
    "skewness": (0, "skewness"),
    "excess_kurtosis": (0, "kurtosis above that of a normal distribution"),
    "median": (1, "median"),
    "minimum": (1, "minimum"),
    "percentile_10": (1, "10th percentile"),
    "percentile_90": (1, "90th percentile"),
    "maximum": (1, "maximum"),
    "interquartile_range": (1, "75th minus 25th percentile"),
    "range": (1, "maximum minus minimum"),
    "mean_absolute_deviation": (1, "mean distance from the mean"),
    "robust_mean_absolute_deviation": (1, "the same between the 10th and 90th percentile"),
    "median_absolute_deviation": (1, "mean distance from the median"),
    "coefficient_of_variation": (0, "standard deviation over mean"),
    "quartile_coefficient_of_dispersion": (0, "interquartile range over the sum of the quartiles"),
    "energy": (2, "sum of squares"),
    "root_mean_square": (1, "root of the mean square"),
}

_HISTOGRAM = {
    "mode": ("mode", "most frequent level"),
    "entropy": ("entropy", "Shannon entropy of the levels (bits)"),
    "uniformity": ("uniformity", "sum of squared probabilities"),
    "max_grad": ("gradient_maximum", "steepest rise of the histogram"),
    "max_grad_g": ("gradient_maximum_level", "level of the steepest rise"),
    "min_grad": ("gradient_minimum", "steepest fall of the histogram"),
    "min_grad_g": ("gradient_minimum_level", "level of the steepest fall"),
}

_VOLUME = {
    "v10": ("volume_at_intensity_10", "share of the volume at or above 10 % of the intensity axis"),
    "v90": ("volume_at_intensity_90", "share of the volume at or above 90 % of the intensity axis"),
    "i10": ("intensity_at_volume_10", "lowest intensity that at most 10 % of the volume reach"),
    "i90": ("intensity_at_volume_90", "lowest intensity that at most 90 % of the volume reach"),
    "diff_v10_v90": ("volume_difference_10_90", "difference of the two shares"),
    "diff_i10_i90": ("intensity_difference_10_90", "difference of the two intensities"),
}

_GLCM = {
    "joint_max": "joint_maximum", "joint_avg": "joint_average", "joint_var": "joint_variance", "joint_entr": "joint_entropy",
    "diff_avg": "difference_average", "diff_var": "difference_variance", "diff_entr": "difference_entropy",
    "sum_avg": "sum_average", "sum_var": "sum_variance", "sum_entr": "sum_entropy", "energy": "angular_second_moment",
    "contrast": "contrast", "dissimilarity": "dissimilarity", "inv_diff": "inverse_difference",
    "inv_diff_norm": "inverse_difference_normalised", "inv_diff_mom": "inverse_difference_moment",
    "inv_diff_mom_norm": "inverse_difference_moment_normalised", "inv_var": "inverse_variance", "corr": "correlation",
    "auto_corr": "autocorrelation", "clust_tend": "cluster_tendency", "clust_shade": "cluster_shade",
    "clust_prom": "cluster_prominence", "info_corr1": "information_correlation_1", "info_corr2": "information_correlation_2",
}  # fmt: skip

_TAIL = (
    "level_nonuniformity", "level_nonuniformity_normalised", "{}_nonuniformity", "{}_nonuniformity_normalised",
    "{}_percentage", "level_variance", "{}_variance", "entropy", "energy",
)  # fmt: skip

#: Family -> (word for a small extent, for a large one, what the extent is).
_EXTENTS = {
    "glrlm": ("short_run", "long_run", "run_length"),
    "glszm": ("small_zone", "large_zone", "zone_size"),
    "gldzm": ("small_distance", "large_distance", "zone_distance"),
    "ngldm": ("low_dependence", "high_dependence", "dependence_count"),
}


def _texture_names(family: str) -> dict[str, str]:
    """Return tag -> readable name of a texture family."""
    tags = list(FEATURES[family])
    if family == "glcm":
        return _GLCM
    if family == "ngtdm":
        return {tag: tag for tag in tags}
    small, large, extent = _EXTENTS[family]
    heads = [f"{small}_emphasis", f"{large}_emphasis", "low_level_emphasis", "high_level_emphasis"]
    heads += [f"{s}_{level}_level_emphasis" for s in (small, large) for level in ("low", "high")]
    return dict(zip(tags, [*heads, *(tail.format(extent) for tail in _TAIL)], strict=False))


def _of_length(unit: str, power: int) -> str:
    return "1" if power == 0 else unit if power == 1 else f"1/{unit}" if power == -1 else f"{unit}^{power}"


def radiomics_columns(
    families: Sequence[str], aggregations: Sequence[str], quantity: str | None, length: str, diagnostics: bool, in_levels: bool
) -> tuple[Column, ...]:
    """Return the columns in the order of the reference tables.

    Parameters
    ----------
    families, aggregations
        What is measured; names of the kernels.
    quantity, length
        What intensities are, and the grid's unit.
    diagnostics
        Whether the figures of the chain come too.
    in_levels
        Whether the volume histogram's intensities are levels.
    """
    unit = intensity_unit(quantity)
    columns = [
        Column(f"diagnostics_{tag}", _diagnostic_unit(tag, unit, length), "", "", tag) for tag in DIAGNOSTICS if diagnostics
    ]
    if "morphology" in families:
        for tag, (name, power, text) in _MORPHOLOGY.items():
            columns.append(
                Column(f"morphology_{name}", _of_length(length, power), f"IBSI:{MORPHOLOGY[tag]}", text, f"morph_{tag}")
            )
        volume = f"{unit} {length}^3" if unit != "1" else f"{length}^3"
        text = "mean intensity times mesh volume"
        columns.append(Column("morphology_integrated_intensity", volume, "IBSI:99N0", text, "morph_integ_int"))
    if "autocorrelation" in families:
        columns.append(Column("morphology_moran_i", "1", "IBSI:N365", "Moran's I", "morph_moran_i"))
        columns.append(Column("morphology_geary_c", "1", "IBSI:NPT7", "Geary's C", "morph_geary_c"))
    if "local" in families:
        columns.append(Column("local_peak", unit, "IBSI:VJGA", "mean over 1 cm^3 around the maximum", "loc_peak_loc"))
        columns.append(Column("local_peak_global", unit, "IBSI:0F91", "largest mean over 1 cm^3", "loc_peak_glob"))
    columns.extend(_value_columns(families, quantity, unit, in_levels))
    for family in FAMILIES:
        if family in families:
            columns.extend(_texture_columns(family, aggregations))
    return tuple(columns)


def _diagnostic_unit(tag: str, unit: str, length: str) -> str:
    return length if tag.startswith("vox_dim") else unit if "_int_" in tag and "int_mask_" not in tag else (
        unit if tag.startswith(("int_mask_mean", "int_mask_min", "int_mask_max")) else "1"
    )  # fmt: skip


def _value_columns(families: Sequence[str], quantity: str | None, unit: str, in_levels: bool) -> Iterable[Column]:
    if "statistics" in families:
        for tag, (name, code) in STATISTICS.items():
            power, text = _STATISTICS[name]
            yield Column(f"intensity_{name}", intensity_unit(quantity, power), f"IBSI:{code}", text, f"stat_{tag}")
    if "histogram" in families:
        shared = {tag: name for tag, (name, _) in STATISTICS.items()}
        for tag, code in LEVEL_HISTOGRAM.items():
            name, text = _HISTOGRAM.get(tag) or (shared[tag], f"{_STATISTICS[shared[tag]][1]} of the levels")
            yield Column(f"histogram_{name}", "1", f"IBSI:{code}", text, f"ih_{tag}")
    if "volume_histogram" in families:
        for tag, code in VOLUME_HISTOGRAM.items():
            name, text = _VOLUME[tag]
            is_share = name.startswith("volume") or in_levels
            yield Column(f"volume_histogram_{name}", "1" if is_share else unit, f"IBSI:{code}", text, f"ivh_{tag}")


def _texture_columns(family: str, aggregations: Sequence[str]) -> Iterable[Column]:
    names = _texture_names(family)
    chosen = list(aggregations) if family in DIRECTED else list(dict.fromkeys(AGGREGATIONS[a] for a in aggregations))
    for aggregation in chosen:
        words = aggregation.lower().replace("_avg", "_average").replace("_comb", "_merged")
        for tag, code in FEATURES[family].items():
            text = names[tag].replace("_", " ")
            full = f"{FAMILIES[family]}_{tag}_{aggregation}"
            yield Column(f"{family}_{names[tag]}_{words}", "1", f"IBSI:{code}", text, full)
