"""Constant, noisy, tiny, cut-off, holed, flat, moving and anisotropic images: what every segmenter and editor says of them.

The table says what is right: which find a plain bright block sample by sample, which find nothing and say so, and which
refuse values that are not finite. Whatever is not in it still gives labels on the image's grid, or one sentence.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from isocenter.core.errors import IsocenterError
from isocenter.core.families import Segmenter
from isocenter.core.geometry import Geometry
from isocenter.core.image import Image
from isocenter.core.labels import LabelMap
from isocenter.core.registry import operations

ENTRIES = [
    e for e in operations().entries.values() if e.module.startswith("isocenter.") and e.name.startswith(("segment.", "edit."))
]
SEGMENTERS = [e.name for e in ENTRIES if e.family == "Segmenter"]
EDITORS = [e.name for e in ENTRIES if e.family == "Editor"]

#: Those that part an image of two values exactly, with the settings that it takes.
EXACT: dict[str, dict[str, Any]] = {
    "segment.chan_vese": {},
    "segment.gmm": {"classes": 2},
    "segment.hysteresis": {"low": 50.0, "high": 100.0},
    "segment.kmeans": {"classes": 2},
    "segment.li": {},
    "segment.multi_otsu": {"classes": 2},
    "segment.otsu": {},
    "segment.threshold": {"lower": 100.0},
    "segment.triangle": {},
    "segment.watershed": {},
}
#: Those that look for one organ: they find nothing here, and say so.
READY = (
    "airway",
    "body",
    "bone",
    "head_ellipse",
    "lungs",
    "nodule_candidates",
    "skull_strip",
    "tumour_candidates",
    "optic_disc",
    "fundus_view",
)
#: Those that mark every sample by design, or grow from a seed whatever lies there: no object is no reason to label nothing.
EVERYWHERE = ("fast_marching", "geodesic", "graph_cut", "hot_spots", "random_walker", "region_grow", "snake", "superpixels")
KINDS = ("constant", "noise", "border", "voxel", "holes", "plane", "4D", "anisotropic")


def block(kind: str, dims: tuple[str, ...]) -> npt.NDArray[np.bool_]:
    """Return where the object lies."""
    volume = "zyx" in dims and kind != "plane"
    shape = (12, 14, 16) if volume else (24, 28)
    found = np.zeros(shape, np.bool_)
    if kind == "border":
        found[..., :5, :6] = True
    elif kind == "voxel":
        found[tuple(n // 2 for n in shape)] = True
    elif kind not in ("constant", "noise"):
        found[(slice(3, -3), slice(4, 10), slice(5, 11)) if volume else (slice(4, 10), slice(5, 11))] = True
    return found


def image_for(operation: Any, kind: str) -> tuple[Image, npt.NDArray[np.bool_]]:
    """Return an image that the operation is made for, and where its object lies."""
    quantity = None if operation.quantities is None else operation.quantities[0]
    low, high = (-1000.0, 60.0) if quantity == "HU" else (10.0, 200.0)
    mask = block(kind, operation.dims)
    array = np.where(mask, np.float32(high), np.float32(low))
    if kind == "noise":
        array = array + 5.0 * np.random.default_rng(0).standard_normal(array.shape).astype(np.float32)
    elif kind == "holes":
        array[tuple(n // 2 for n in array.shape)] = np.nan
    spacing = (10.0, 1.0, 1.0) if kind == "anisotropic" else (2.0, 2.0, 2.0)
    dims: tuple[str, ...] = ("z", "y", "x")[-array.ndim :]
    grid = Geometry.regular(array.shape, spacing[: array.ndim])
    if kind == "4D":
        array, dims = np.stack([array, np.flip(array, -1)]), ("t", *dims)
    names: tuple[str, ...] = ()
    if operation.dims == ("cyx",):
        names = ("red", "green", "blue")
        array, dims = np.stack([array, 0.6 * array, 0.8 * array], axis=-3), (*dims[:-2], "c", "y", "x")
    return Image(array, dims, grid, modality="CT" if quantity == "HU" else None, quantity=quantity, channels=names or None), mask


def made(name: str) -> Segmenter:
    loaded = operations().load(name)
    if name in EXACT:
        return loaded(**EXACT[name])
    operation: Segmenter = getattr(loaded, "examples", lambda: (loaded(),))()[0]
    return operation


def outcome(operation: Any, value: Image) -> tuple[LabelMap | None, str]:
    """Return the labels, or none and the sentence they were refused with."""
    try:
        return operation(value), ""
    except IsocenterError as error:
        return None, str(error)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", SEGMENTERS)
def test_labels_on_the_grid_or_one_sentence(name: str, kind: str) -> None:
    operation = made(name)
    image, mask = image_for(operation, kind)
    short = name.removeprefix("segment.")
    before = np.array(image.array)
    result, refusal = outcome(operation, image)
    if result is None:
        assert refusal.endswith(".") and "Traceback" not in refusal and "\n" not in refusal
        # A model takes the axes that it was trained on, whatever its operation could.
        other_axes = not {"yx", "cyx"} & set(operation.dims) or "was trained on" in refusal
        refuses_planes = kind == "plane" and other_axes
        assert refuses_planes or (kind == "holes" and "not finite" in refusal)
        return
    np.testing.assert_array_equal(before, image.array)
    found, notes = np.asarray(result.array), result.provenance.steps[-1].notes
    assert isinstance(result, LabelMap) and result.geometry == image.geometry
    assert found.shape == tuple(n for n, d in zip(image.shape, image.dims, strict=True) if d != "c")
    assert {int(v) for v in np.unique(found)} - {0} <= {s.value for s in result.segments}
    if kind == "constant" and short not in EVERYWHERE:
        assert not found.any()
    if short in READY and kind in ("constant", "voxel"):
        assert not found.any() and notes
    if name in EXACT and kind in ("border", "voxel", "plane", "anisotropic"):
        assert np.array_equal(bright(found, mask), mask)
    elif name in EXACT and kind == "4D":
        for frame, truth in zip(found, (mask, np.flip(mask, -1)), strict=True):
            assert np.array_equal(bright(frame, truth), truth)
    if kind == "holes" and short not in EVERYWHERE:
        assert not found[np.isnan(before).any(axis=0) if "c" in image.dims else np.isnan(before)].any()


def bright(found: npt.NDArray[Any], mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Return the bright class: where every sample has a class of its own, that of the object."""
    return found == found.max() if (found > 0).all() else found > 0


@pytest.mark.parametrize("name", ["segment.region_grow", "segment.random_walker", "segment.graph_cut"])
@pytest.mark.parametrize("spacing", [(2.0, 2.0, 2.0), (10.0, 1.0, 1.0)], ids=["even", "1:10"])
@pytest.mark.parametrize("kind", ["border", "4D", "voxel"])
def test_a_click_finds_the_block_it_falls_on(name: str, spacing: tuple[float, ...], kind: str) -> None:
    mask = block(kind, ("zyx",))
    array = np.where(mask, np.float32(200.0), np.float32(10.0))
    grid = Geometry.regular(mask.shape, spacing)
    inside, outside = np.rint(np.argwhere(mask).mean(axis=0)), np.array([11, 13, 15])
    clicks = {"seeds": (tuple(grid.to_world(inside)),)}
    if name == "segment.region_grow":
        settings: dict[str, Any] = {**clicks, "method": "range", "lower": 100.0}
    else:
        settings = {**clicks, "background": (tuple(grid.to_world(outside)),)}
    stack, dims = (np.stack([array, array]), ("t", "z", "y", "x")) if kind == "4D" else (array, ("z", "y", "x"))
    result = np.asarray(operations().load(name)(**settings)(Image(stack, dims, grid)).array) > 0
    frames = list(result) if kind == "4D" else [result]
    for frame in frames:
        assert np.array_equal(frame, frames[0])
        assert 2 * (frame & mask).sum() / (frame.sum() + mask.sum()) > 0.9


def labels(kind: str) -> LabelMap:
    """Return labels of one block (none where there is no object)."""
    mask = block("constant" if kind == "empty" else kind, ("zyx",)).astype(np.uint8)
    spacing = (10.0, 1.0, 1.0) if kind == "anisotropic" else (2.0, 2.0, 2.0)
    grid = Geometry.regular(mask.shape, spacing[: mask.ndim])
    if kind == "4D":
        return LabelMap(np.stack([mask, mask]), ("t", "z", "y", "x"), grid)
    return LabelMap(mask, ("z", "y", "x")[-mask.ndim :], grid)


@pytest.mark.parametrize("kind", ["empty", "border", "voxel", "plane", "4D", "anisotropic"])
@pytest.mark.parametrize("name", EDITORS)
def test_an_editor_without_orders_leaves_labels_as_they_are(name: str, kind: str) -> None:
    given = labels(kind)
    result, refusal = outcome(operations().load(name)(), given)
    if result is None:
        assert refusal.endswith(".") and "\n" not in refusal and name in refusal
        return
    assert result.geometry == given.geometry and result.dims == given.dims
    # One solid block: nothing to fill, to drop, to part or to join.
    np.testing.assert_array_equal(np.asarray(result.array) > 0, np.asarray(given.array) > 0)


@pytest.mark.parametrize("spacing", [(2.0, 2.0, 2.0), (10.0, 1.0, 1.0)], ids=["even", "1:10"])
def test_one_sample_painted_at_the_border_and_erased_again(spacing: tuple[float, ...]) -> None:
    grid = Geometry.regular((4, 5, 6), spacing)
    empty = LabelMap(np.zeros((4, 5, 6), np.uint8), ("z", "y", "x"), grid)
    corner = tuple(float(v) for v in grid.to_world(np.array([[0, 0, 0]]))[0])
    painted = operations().load("edit.paint")(strokes=((corner,),))(empty)
    assert np.argwhere(painted.array).tolist() == [[0, 0, 0]]
    erased = operations().load("edit.erase")(strokes=((corner,),))(painted)
    assert not np.asarray(erased.array).any()
    wide = np.asarray(operations().load("edit.paint")(strokes=((corner,),), radius=2.5)(empty).array) > 0
    distance = np.linalg.norm(grid.to_world(np.argwhere(np.ones(grid.shape))) - corner, axis=1).reshape(grid.shape)
    np.testing.assert_array_equal(wide, distance <= 2.5)
