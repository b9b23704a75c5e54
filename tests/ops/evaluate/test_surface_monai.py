"""Dice and surface distances equal MONAI's wherever both are defined, on anisotropic grids as well."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from monai.metrics import compute_average_surface_distance, compute_dice, compute_hausdorff_distance
from scipy import ndimage

import isocenter as iso


def blobs(seed: int, shape: tuple[int, int, int]) -> np.ndarray:
    noise = ndimage.gaussian_filter(np.random.default_rng(seed).standard_normal(shape), 2.0)
    found = noise > np.quantile(noise, 0.85)
    found[[0, -1]] = found[:, [0, -1]] = found[:, :, [0, -1]] = False  # peers differ in what lies beyond the edge
    return found


# MONAI hands its own function an argument that it deprecates itself.
@pytest.mark.filterwarnings("ignore:monai.metrics.utils get_mask_edges:FutureWarning")
@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (3.0, 0.7, 0.9)])
@pytest.mark.parametrize("seed", range(4))
def test_equal_to_monai(seed: int, spacing: tuple[float, float, float]) -> None:
    shape = (16, 22, 20)
    first, second = blobs(seed, shape), np.roll(blobs(seed, shape), (1, 2), (0, 2)) | blobs(seed + 50, shape)
    grid = iso.Geometry.regular(shape, spacing)
    maps = [iso.LabelMap(m.astype(np.uint8), ("z", "y", "x"), grid) for m in (first, second)]
    a, b = (torch.from_numpy(m[None, None].astype(np.float32)) for m in (first, second))
    surface, dice = iso.op("evaluate.surface")(*maps), iso.op("evaluate.dice")(*maps)
    options = {"include_background": True, "spacing": spacing}
    assert float(dice["dice"]) == pytest.approx(float(compute_dice(a, b)[0, 0]), abs=1e-6)
    assert float(surface["hausdorff"]) == pytest.approx(float(compute_hausdorff_distance(a, b, **options)[0, 0]), abs=1e-5)
    theirs = float(compute_hausdorff_distance(a, b, percentile=95, **options)[0, 0])
    assert float(surface["hausdorff_95"]) == pytest.approx(theirs, rel=1e-6, abs=1e-6)
    theirs = float(compute_average_surface_distance(a, b, symmetric=True, **options)[0, 0])
    assert float(surface["assd"]) == pytest.approx(theirs, rel=1e-6, abs=1e-6)
