"""features.shape: size, form and place of each region."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from isocenter.core.families import Extractor
from isocenter.core.operation import Context
from isocenter.core.results import Column
from isocenter.kernels.labels import bounding_box
from isocenter.kernels.radiomics.mesh import crossing_area
from isocenter.kernels.radiomics.morphology import surface_features
from isocenter.kernels.surface import hull_measure, largest_distance, outlines, polygon_measure
from isocenter.kernels.units import intensity_unit

FloatArray = npt.NDArray[np.float64]

#: Column in space -> (IBSI identifier, power of the length unit, what it is).
_SPACE = {
    "volume_mesh": ("RNU0", 3, "volume inside the surface mesh"),
    "volume_voxel": ("YEKZ", 3, "number of voxels times their volume"),
    "surface_area": ("C0JK", 2, "area of the surface mesh"),
    "surface_area_smooth": (
        "",
        2,
        "area by line crossings: that of a smooth body, which the steps of the mesh overstate by 8 % and more",
    ),
    "surface_volume_ratio": ("2PR5", -1, "surface area over mesh volume"),
    "compactness_1": ("SKGS", 0, "volume over root of pi times area^1.5"),
    "compactness_2": ("BQWJ", 0, "36 pi volume^2 over area^3"),
    "spherical_disproportion": ("KRCK", 0, "area over that of a sphere of the same volume"),
    "sphericity": ("QCFX", 0, "area of a sphere of the same volume over the area"),
    "asphericity": ("25C7", 0, "spherical disproportion minus 1"),
    "centre_of_mass_shift": ("KLMA", 1, "distance of the centre weighted by intensity from the geometric one"),
    "maximum_diameter": ("L0JK", 1, "largest distance between two points of the surface"),
    "axis_major": ("TDIC", 1, "4 root of the largest variance of voxel positions"),
    "axis_minor": ("P9VJ", 1, "4 root of the second variance"),
    "axis_least": ("7J51", 1, "4 root of the smallest variance"),
    "elongation": ("Q3CK", 0, "minor over major axis: 1 is round"),
    "flatness": ("N17B", 0, "least over major axis: 1 is round"),
    "volume_density_box": ("PBX1", 0, "mesh volume over that of the box along the image axes"),
    "area_density_box": ("R59B", 0, "surface area over that of the same box"),
    "volume_density_ellipsoid": ("6BDE", 0, "mesh volume over that of the ellipsoid with these axes"),
    "area_density_ellipsoid": ("RDD2", 0, "surface area over that of the same ellipsoid"),
    "volume_density_hull": ("R3ER", 0, "mesh volume over that of the convex hull"),
    "area_density_hull": ("7T7F", 0, "surface area over that of the convex hull"),
}

#: Column in space -> tag of the kernel that computes it; the shift of the centre weighs by intensity and stands apart.
_TAGS = {
    "volume_mesh": "volume", "volume_voxel": "vol_approx", "surface_area": "area_mesh", "surface_volume_ratio": "av",
    "compactness_1": "comp_1", "compactness_2": "comp_2", "spherical_disproportion": "sph_dispr",
    "sphericity": "sphericity", "asphericity": "asphericity", "maximum_diameter": "diam", "axis_major": "pca_maj_axis",
    "axis_minor": "pca_min_axis", "axis_least": "pca_least_axis", "elongation": "pca_elongation",
    "flatness": "pca_flatness", "volume_density_box": "vol_dens_aabb", "area_density_box": "area_dens_aabb",
    "volume_density_ellipsoid": "vol_dens_aee", "area_density_ellipsoid": "area_dens_aee",
    "volume_density_hull": "vol_dens_conv_hull", "area_density_hull": "area_dens_conv_hull",
}  # fmt: skip

_PLANE = {
    "area": ("", 2, "number of pixels times their area"),
    "perimeter": ("", 1, "length of all outlines, those of holes included"),
    "equivalent_diameter": ("", 1, "diameter of a disc of the same area"),
    "circularity": ("", 0, "4 pi area over perimeter^2"),
    "centre_of_mass_shift": ("", 1, "distance of the centre weighted by intensity from the geometric one"),
    "maximum_diameter": ("", 1, "largest distance between two points of the outline"),
    "axis_major": ("", 1, "4 root of the larger variance of pixel positions"),
    "axis_minor": ("", 1, "4 root of the smaller variance"),
    "elongation": ("", 0, "minor over major axis: 1 is round"),
    "eccentricity": ("", 0, "of the ellipse with these axes: 0 is round"),
    "solidity": ("", 0, "area inside the outer outline over that of the convex hull"),
}

_PLACE = {
    "centroid_left": "towards the patient's left (LPS x)",
    "centroid_posterior": "towards the patient's back (LPS y)",
    "centroid_superior": "towards the patient's head (LPS z)",
}


def _unit(base: str, exponent: int) -> str:
    if exponent == 0:
        return "1"
    return base if exponent == 1 else f"1/{base}" if exponent == -1 else f"{base}^{exponent}"


class Shape(Extractor):
    """Size, form and place of each region: the IBSI morphology in 3D, area and outline measures in 2D.

    In space the columns are those of the IBSI on a marching-cubes mesh halfway between voxels, with the identifier in
    ``standard``. In the plane they are ``area``, ``perimeter``, ``circularity`` and so on. Both have
    ``centroid_left``, ``centroid_posterior`` and ``centroid_superior``: the mean position in the patient (LPS).
    Lengths are in mm (in px on an image without a pixel size); sheared grids are measured as they lie in the world.

    An empty region has volume (area) 0, all else is NaN. A ratio by something that is 0 (the ellipsoid of a single
    voxel) is NaN. The shift of the centre of mass needs a positive sum of intensities and is NaN otherwise, as in
    air on a CT.

    References
    ----------
    Zwanenburg et al., The Image Biomarker Standardization Initiative, Radiology 295 (2020), manual section 3.1
    (morphology). Its spatial autocorrelations (Moran's I, Geary's C) are in `features.radiomics`; the two bounding shapes
    without reference values are not computed.
    """

    dims: ClassVar[tuple[str, ...]] = ("yx", "zyx")
    ns_per_sample: ClassVar[float] = 25.0
    bytes_per_sample: ClassVar[float] = 6.0

    def columns(self, context: Context) -> tuple[Column, ...]:
        """Return the columns for images of two or three axes, in the grid's unit."""
        base = context.geometry.unit
        table = _SPACE if len(context.dims) == 3 else _PLANE
        columns = [Column(n, _unit(base, p), f"IBSI:{code}" if code else "", text) for n, (code, p, text) in table.items()]
        if len(context.dims) == 3:
            unit = f"{intensity_unit(context.quantity)} {base}^3"
            columns.append(Column("integrated_intensity", unit, "IBSI:99N0", "mean intensity times mesh volume"))
        return (*columns, *(Column(n, base, "", text) for n, text in _PLACE.items()))

    def compute(self, array: Any, context: Context) -> dict[str, float]:
        """Return the measures of ``context.region``, weighted by `array` where intensities enter."""
        assert context.region is not None  # the family hands one to every extractor
        box = bounding_box(context.region)
        if box is None:
            return {"volume_mesh": 0.0, "volume_voxel": 0.0} if len(context.dims) == 3 else {"area": 0.0}
        mask = context.region[box]
        start = np.array([part.start for part in box], dtype=np.float64)
        values, place = _positions(mask, start, np.asarray(array[box], dtype=np.float64), context)
        if len(context.dims) == 3:
            values.update(_in_space(mask, context))
            inside = np.asarray(array[box], dtype=np.float64)[mask]
            values["integrated_intensity"] = (
                float(inside[np.isfinite(inside)].mean() if np.isfinite(inside).any() else math.nan) * values["volume_mesh"]
            )
            return {**values, **place}
        values.update(_in_plane(mask, values, context))
        values.pop("axis_least", None)
        values.pop("flatness", None)
        return {**values, **place}


def _ratio(over: float, under: float) -> float:
    return over / under if under > 0.0 else math.nan


def _positions(
    mask: npt.NDArray[np.bool_], start: FloatArray, array: FloatArray, context: Context
) -> tuple[dict[str, float], dict[str, float]]:
    """Return what follows from the voxel positions: axes and shift of the centre, and the centroid."""
    n = mask.ndim
    step = context.geometry.affine[:3, :n]
    index = np.argwhere(mask).astype(np.float64)
    middle = index.mean(axis=0)
    away = index - middle
    variances = np.linalg.eigvalsh(step @ (away.T @ away / max(len(index) - 1, 1)) @ step.T)
    axes = [
        4.0 * math.sqrt(v) if v > 1e-12 * max(float(variances[-1]), 1e-300) else 0.0 for v in np.clip(variances[::-1], 0.0, None)
    ]
    values = dict(zip(("axis_major", "axis_minor", "axis_least"), axes, strict=True))
    values["elongation"] = _ratio(axes[1], axes[0])
    values["flatness"] = _ratio(axes[2], axes[0])
    weights = array[mask]
    weights = np.where(np.isfinite(weights), weights, 0.0)
    total = float(weights.sum())
    if total > 0.0:
        values["centre_of_mass_shift"] = float(np.linalg.norm(step @ (weights @ away / total)))
    centre = context.geometry.to_world(middle + start)
    return values, dict(zip(_PLACE, (float(v) for v in centre), strict=True))


def _in_space(mask: npt.NDArray[np.bool_], context: Context) -> dict[str, float]:
    """Return what follows from the form of a region of three axes."""
    padded = np.pad(mask.astype(np.uint8), 1)
    step = context.geometry.affine[:3, :3]
    found = surface_features(padded, step, context.spacing, mask.shape)
    return {**{name: found[tag] for name, tag in _TAGS.items()}, "surface_area_smooth": crossing_area(padded, step)}


def _in_plane(mask: npt.NDArray[np.bool_], values: dict[str, float], context: Context) -> dict[str, float]:
    """Return what follows from the outlines of a region of two axes."""
    step = context.geometry.affine[:3, :2]
    lines = outlines(mask)
    area = float(mask.sum()) * context.geometry.voxel_size
    perimeter = polygon_measure(lines, step)
    points = np.concatenate(lines)
    # The plane of the image has axes of its own: lengths and areas in it do not depend on how it lies in the world.
    basis = np.linalg.qr(step)[0]
    flat = points @ step.T @ basis
    hull_area, _ = hull_measure(flat)
    return {
        "area": area,
        "perimeter": perimeter,
        "equivalent_diameter": 2.0 * math.sqrt(area / math.pi),
        "circularity": 4.0 * math.pi * area / perimeter**2,
        "maximum_diameter": largest_distance(flat),
        "eccentricity": math.sqrt(max(1.0 - _ratio(values["axis_minor"], values["axis_major"]) ** 2, 0.0))
        if values["axis_major"] > 0.0
        else 0.0,
        "solidity": min(_ratio(area, hull_area), 1.0),
    }
