"""Every texture value of the IBSI digital phantom, in all six aggregations (408 values), and what single passes promise."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from scipy import ndimage

from isocenter.kernels.radiomics.texture import AGGREGATIONS, FAMILIES, texture
from isocenter.kernels.texture.sweep import DIRECTIONS_3D, sweep
from isocenter.kernels.texture.zones import border_distance, joined, zone_matrices


def padded(levels: npt.ArrayLike) -> Any:
    return np.pad(np.asarray(levels, np.uint16), 1)


def computed(levels: Any, mask: Any, threads: int = 1) -> dict[str, float]:
    return texture(
        padded(levels), np.pad(mask.astype(np.uint8), 1), int(levels.max()), tuple(FAMILIES), tuple(AGGREGATIONS), threads
    )


def test_digital_phantom(shared: Callable[[str], Path]) -> None:
    import nibabel

    folder = shared("ibsi")
    image = np.asarray(nibabel.load(folder / "1_digital_phantom/image/phantom.nii.gz").dataobj).transpose(2, 1, 0)
    mask = np.asarray(nibabel.load(folder / "1_digital_phantom/mask/mask.nii.gz").dataobj).transpose(2, 1, 0) > 0
    found = computed(np.where(mask, image, 0).astype(np.int32), mask)
    wrong, compared = [], 0
    with (folder / "1_reference_values/ibsi_1_dig_phantom.csv").open(newline="") as handle:
        for row in csv.DictReader(handle, delimiter=";"):
            tag = row["tag"]
            if tag.split("_")[0] not in ("cm", "rlm", "szm", "dzm", "ngt", "ngl"):
                continue
            compared += 1
            # The references are stated to three significant digits, so that is where they are compared.
            if abs(float(f"{found[tag]:.3g}") - float(row["reference value"])) > float(row["tolerance"]) + 1e-12:
                wrong.append((tag, found[tag], row["reference value"]))
    assert compared == 408
    assert wrong == []


def test_flat_and_single_regions_are_defined() -> None:
    flat = np.ones((3, 3, 3), np.int32)
    for levels in (flat, flat[:1, :1, :1]):
        values = computed(levels, levels > 0)
        single = levels.size == 1
        assert all(np.isfinite(v) for name, v in values.items() if not single or name.split("_")[0] not in ("cm", "ngt"))
    assert computed(flat, flat > 0)["ngt_coarseness_3D"] == 1e6
    assert computed(flat, flat > 0)["cm_corr_3D_comb"] == 1.0


@pytest.fixture(scope="module")
def noise() -> tuple[Any, Any]:
    rng = np.random.default_rng(3)
    mask = ndimage.gaussian_filter(rng.standard_normal((40, 90, 80)), 3) > -0.02
    smooth = ndimage.gaussian_filter(rng.standard_normal(mask.shape), 1.5)
    return np.where(mask, np.digitize(smooth, np.quantile(smooth, np.linspace(0.2, 0.8, 4))) + 1, 0), mask


def test_two_threads_give_the_same_numbers(noise: tuple[Any, Any]) -> None:
    levels, mask = noise
    one, two = sweep(padded(levels), 5, threads=1), sweep(padded(levels), 5, threads=2)
    for name in ("pairs", "runs", "occurrences", "differences", "dependences"):
        assert np.array_equal(getattr(one, name), getattr(two, name))
    assert computed(levels, mask) == computed(levels, mask, threads=2)


def test_matrices_equal_their_definitions(noise: tuple[Any, Any]) -> None:
    levels = noise[0][:12, :20, :15]
    found = sweep(padded(levels), 5)
    pad = padded(levels).astype(int)
    core = pad[1:-1, 1:-1, 1:-1]
    for k, (dz, dy, dx) in enumerate(DIRECTIONS_3D):
        other = np.roll(pad, (-dz, -dy, -dx), (0, 1, 2))[1:-1, 1:-1, 1:-1]
        both = (core > 0) & (other > 0)
        pairs = np.zeros((5, 5), int)
        np.add.at(pairs, (core[both] - 1, other[both] - 1), 1)
        assert np.array_equal(found.pairs[k], pairs + pairs.T)
        lengths = found.runs[k] * np.arange(1, found.runs.shape[2] + 1)
        assert lengths.sum() == (core > 0).sum()  # every sample belongs to one run of each direction
    kernel = np.ones((3, 3, 3))
    kernel[1, 1, 1] = 0
    total = ndimage.convolve(pad.astype(float), kernel, mode="constant")[1:-1, 1:-1, 1:-1]
    inside = ndimage.convolve((pad > 0).astype(float), kernel, mode="constant")[1:-1, 1:-1, 1:-1]
    for level in range(1, 6):
        chosen = (core == level) & (inside > 0)
        expected = np.abs(level - total[chosen] / inside[chosen]).sum()
        assert found.differences[level - 1] == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("in_plane", [False, True])
def test_zones_equal_connected_components(noise: tuple[Any, Any], in_plane: bool) -> None:
    levels, mask = noise
    structure = np.ones((3, 3, 3))
    faces = ndimage.generate_binary_structure(3, 1)
    if in_plane:
        structure[[0, 2]] = 0
        faces[[0, 2]] = False
    distance = (
        ndimage.distance_transform_cdt(np.pad(mask, 1), "taxicab")[1:-1, 1:-1, 1:-1]
        if not in_plane
        else np.stack([ndimage.distance_transform_cdt(np.pad(m, 1), "taxicab")[1:-1, 1:-1] for m in mask])
    )
    steps = border_distance(np.pad(mask.astype(np.uint8), 1), in_plane)
    assert np.array_equal(steps[1:-1, 1:-1, 1:-1], distance)
    sizes: dict[tuple[int, int], int] = {}
    near: dict[tuple[int, int], int] = {}
    for level in range(1, 6):
        labels, count = ndimage.label(levels == level, structure)
        for n in np.bincount(labels.ravel())[1:]:
            sizes[level, int(n)] = sizes.get((level, int(n)), 0) + 1
        for n in ndimage.minimum(distance, labels, np.arange(1, count + 1)):
            near[level, int(n)] = near.get((level, int(n)), 0) + 1
    bounds = [(k, k + 1) for k in range(len(levels))] if in_plane else [None]
    parts = [zone_matrices(padded(levels), steps, 5, in_plane=in_plane, planes=b) for b in bounds]
    for kind, expected in enumerate((sizes, near)):
        at, extent, number = joined([part[kind] for part in parts])
        assert dict(zip(zip(at.tolist(), extent.tolist()), number.tolist(), strict=True)) == expected
