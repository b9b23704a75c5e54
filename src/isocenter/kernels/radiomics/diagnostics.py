"""Diagnostic figures of the chain, as the IBSI's reference tables list them: what each step made of image and mask."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.kernels.radiomics.chain import Chain, Region, cut, grid_axes, grid_spacing
from isocenter.kernels.regrid import planes

__all__ = ["DIAGNOSTICS", "image_diagnostics", "region_diagnostics"]

_AXES = ("z", "y", "x")

#: Every tag, in the order of the reference tables.
DIAGNOSTICS = (
    *(
        f"{name}_{stage}_img"
        for stage in ("init", "interp")
        for name in (
            *(f"img_dim_{a}" for a in "xyz"), *(f"vox_dim_{a}" for a in "xyz"), "mean_int", "min_int", "max_int",
        )
    ),
    *(
        f"{name}_{stage}_roi"
        for stage in ("init", "interp", "reseg")
        for name in (
            *(f"int_mask_dim_{a}" for a in "xyz"), *(f"int_mask_bb_dim_{a}" for a in "xyz"),
            *(f"morph_mask_bb_dim_{a}" for a in "xyz"), "int_mask_vox_count", "morph_mask_vox_count",
            "int_mask_mean_int", "int_mask_min_int", "int_mask_max_int",
        )
    ),
)  # fmt: skip


def image_diagnostics(array: npt.NDArray[Any], spacing: Sequence[float], chain: Chain) -> dict[str, float]:
    """Return size, spacing and intensities of a whole image before and after interpolation (made plane by plane)."""
    found: dict[str, float] = {}
    _describe(found, "init", array.shape, spacing, iter(array))
    axes = grid_axes(array.shape, spacing, chain)
    if all(axis.is_identity for axis in axes):
        found.update({f"{tag[:-9]}_interp_img": value for tag, value in list(found.items())})
        return found
    made = planes(array, axes, chain.order)
    rounded = (np.rint(plane) for plane in made) if chain.rounding else made
    _describe(found, "interp", [axis.count for axis in axes], grid_spacing(spacing, chain), rounded)
    return found


def _describe(found: dict[str, float], stage: str, shape: Sequence[int], spacing: Sequence[float], parts: Any) -> None:
    for name, count, step in zip(_AXES, shape, spacing, strict=True):
        found[f"img_dim_{name}_{stage}_img"], found[f"vox_dim_{name}_{stage}_img"] = float(count), float(step)
    total, low, high = 0.0, math.inf, -math.inf
    for plane in parts:
        total += float(plane.sum(dtype=np.float64))
        low, high = min(low, float(plane.min())), max(high, float(plane.max()))
    found[f"mean_int_{stage}_img"] = total / math.prod(shape)
    found[f"min_int_{stage}_img"], found[f"max_int_{stage}_img"] = low, high


def region_diagnostics(region: Region | None, shape: Sequence[int], stage: str) -> dict[str, float]:
    """Return size, box, count and intensities of both masks after a step; counts of an empty region are 0."""
    found = {f"int_mask_dim_{name}_{stage}_roi": float(n) for name, n in zip(_AXES, shape, strict=True)}
    core = None if region is None else region.mask[1:-1, 1:-1, 1:-1]
    for kind, least in (("int", 3), ("morph", 1)):
        chosen = None if core is None else core >= least
        box = None if chosen is None else cut(chosen)
        for k, name in enumerate(_AXES):
            found[f"{kind}_mask_bb_dim_{name}_{stage}_roi"] = 0.0 if box is None else float(box[k].stop - box[k].start)
        found[f"{kind}_mask_vox_count_{stage}_roi"] = 0.0 if chosen is None else float(np.count_nonzero(chosen))
    values = None if region is None else region.values()
    if values is not None and values.size:
        found[f"int_mask_mean_int_{stage}_roi"] = float(values.mean(dtype=np.float64))
        found[f"int_mask_min_int_{stage}_roi"] = float(values.min())
        found[f"int_mask_max_int_{stage}_roi"] = float(values.max())
    return found
