"""resample.to_grid: equal to SimpleITK, exact where nothing is to be interpolated, honest where nothing is known."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk

from isocenter.core.errors import ContentError, GeometryError, ParameterError
from isocenter.core.geometry import Geometry
from isocenter.core.image import Image
from isocenter.core.labels import LabelMap, Segment
from isocenter.core.transform import Affine, Chain, Displacement
from isocenter.ops.resample.to_grid import ToGrid
from isocenter.testing.contracts.inputs import grid as oblique

ITK = {"nearest": sitk.sitkNearestNeighbor, "linear": sitk.sitkLinear, "cubic": sitk.sitkBSpline}


def itk(array: np.ndarray, geometry: Geometry) -> sitk.Image:
    result = sitk.GetImageFromArray(array)
    place(result, geometry)
    return result


def place(image: sitk.Image, geometry: Geometry) -> None:
    image.SetSpacing(geometry.spacing[::-1])
    image.SetOrigin(geometry.origin)
    image.SetDirection(geometry.direction[:, ::-1].ravel())


def expected(
    array: np.ndarray, geometry: Geometry, target: Geometry, transform: Affine | None, method: str, fill: float
) -> np.ndarray:
    move = sitk.AffineTransform(3)
    if transform is not None:
        move.SetMatrix(transform.values[:3, :3].ravel())
        move.SetTranslation(transform.values[:3, 3])
    like = sitk.Image([int(n) for n in target.shape[::-1]], sitk.sitkUInt8)
    place(like, target)
    found = sitk.Resample(itk(array, geometry), like, move, ITK[method], fill, sitk.sitkFloat64)
    return sitk.GetArrayFromImage(found)


def smooth(shape: tuple[int, ...], seed: int = 0) -> np.ndarray:
    mesh = np.meshgrid(*[np.linspace(0, 3, n) for n in shape], indexing="ij")
    noise = np.random.default_rng(seed).standard_normal(shape)
    return (100 * np.sin(mesh[0] + 2 * mesh[1]) * np.cos(mesh[2]) + 10 * noise).astype(np.float32)


SOURCE = oblique((17, 22, 26), (2.5, 1.25, 0.75))
TARGETS = {
    "finer on the same axes": SOURCE.with_spacing((1.1, 0.9, 0.9)),
    "coarser": SOURCE.with_spacing((4.0, 3.0, 2.0)),
    "axis-parallel": Geometry.regular((20, 21, 22), (2.0, 1.5, 1.0), origin=(-30.0, 14.0, 106.0), frame="1.2.3"),
    "mirrored and turned": SOURCE.transpose((2, 0, 1)).flip(1),
}
MOTION = Affine.rotation((0.3, 0.2, 1.0), 9.0, center=(-20.0, 25.0, 120.0)).then(Affine.translation((1.5, -2.0, 0.7)))


@pytest.mark.parametrize("method", ["nearest", "linear", "cubic"])
@pytest.mark.parametrize("where", TARGETS)
@pytest.mark.parametrize("motion", [None, MOTION], ids=["still", "moved"])
@pytest.mark.parametrize("dtype", ["float64", "int16"])
def test_equals_simpleitk(method: str, where: str, motion: Affine | None, dtype: str) -> None:
    array = smooth(SOURCE.shape).astype(dtype)
    target = TARGETS[where]
    result = ToGrid(interpolation=method, fill=-7)(Image(array, ("z", "y", "x"), SOURCE), motion, target)
    truth = expected(array, SOURCE, target, motion, method, -7.0)
    index = SOURCE.to_index((motion or Affine(np.eye(4)))(target.to_world(np.moveaxis(np.indices(target.shape), 0, -1))))
    # On the very edge of the image, and half-way between two samples, rounding decides: leave those samples out.
    edge = np.abs(np.abs(index - (np.asarray(SOURCE.shape) - 1) / 2) - np.asarray(SOURCE.shape) / 2).min(axis=-1) < 1e-6
    tie = (np.abs(index - np.floor(index) - 0.5).min(axis=-1) < 1e-6) & (method == "nearest")
    use = ~(edge | tie)
    assert use.mean() > 0.5
    apart = np.abs(np.asarray(result.array, np.float64) - truth)[use]
    assert apart.max() <= (0 if method == "nearest" else 2e-4 if dtype == "int16" else 1e-9 if method == "linear" else 1e-6)
    assert result.geometry == target


@pytest.mark.parametrize("method", ["nearest", "linear"])
@pytest.mark.parametrize("dtype", ["uint8", "int16", "uint16", "int32", "float32", "float64"])
def test_own_grid_is_identity_to_the_bit(method: str, dtype: str) -> None:
    array = np.abs(smooth(SOURCE.shape)).astype(dtype)
    result = ToGrid(interpolation=method)(Image(array, ("z", "y", "x"), SOURCE), None, SOURCE)
    np.testing.assert_array_equal(result.array, array)
    turned = ToGrid(interpolation=method)(Image(array, ("z", "y", "x"), SOURCE), None, SOURCE.flip(2).transpose((1, 0, 2)))
    np.testing.assert_array_equal(turned.array, array[:, :, ::-1].transpose(1, 0, 2))


def test_a_ramp_stays_a_ramp_through_a_transform() -> None:
    ramp = SOURCE.to_world(np.moveaxis(np.indices(SOURCE.shape), 0, -1)) @ (1.0, 2.0, 3.0)
    target = TARGETS["axis-parallel"]
    result = ToGrid(fill=-1e9)(Image(ramp, ("z", "y", "x"), SOURCE), MOTION, target)
    points = MOTION(target.to_world(np.moveaxis(np.indices(target.shape), 0, -1)))
    index = SOURCE.to_index(points)
    inside = ((index >= 0) & (index <= np.asarray(SOURCE.shape) - 1)).all(axis=-1)
    assert inside.sum() > 1000
    np.testing.assert_allclose(result.array[inside], (points @ (1.0, 2.0, 3.0))[inside], atol=1e-9)


def test_a_chain_is_interpolated_once() -> None:
    image = Image(smooth(SOURCE.shape).astype(np.float64), ("z", "y", "x"), SOURCE)
    there_and_back = MOTION.then(MOTION.inverse())
    np.testing.assert_allclose(ToGrid()(image, there_and_back, SOURCE).array, image.array, atol=1e-6)


@pytest.mark.parametrize("method", ["nearest", "linear", "cubic"])
def test_displacement_field_of_a_shift_equals_the_shift(method: str) -> None:
    image = Image(smooth(SOURCE.shape).astype(np.float64), ("z", "y", "x"), SOURCE)
    shift = np.array([1.3, -0.8, 2.1])
    big = SOURCE.pad((9, 9, 9), (9, 9, 9))
    field = Displacement(np.broadcast_to(shift, (*big.shape, 3)).astype(np.float64), big)
    one = ToGrid(interpolation=method)(image, Affine.translation(shift), SOURCE)
    two = ToGrid(interpolation=method)(image, Chain((field,)), SOURCE)
    np.testing.assert_allclose(one.array, two.array, atol=1e-6)


@pytest.mark.parametrize("method", ["nearest", "linear", "cubic"])
@pytest.mark.parametrize("fill, quantity, value", [(None, "HU", -1000.0), (None, "SUVbw", 0.0), (5.0, "HU", 5.0)])
def test_outside_is_filled_and_noted(method: str, fill: float | None, quantity: str, value: float) -> None:
    image = Image(smooth(SOURCE.shape), ("z", "y", "x"), SOURCE, quantity=quantity)
    result = ToGrid(interpolation=method, fill=fill)(image, None, SOURCE.pad((4, 0, 0), (0, 0, 0)))
    assert (result.array[:4] == value).all()
    assert (result.array[4:] != value).any()
    assert f"lies outside the image and holds {value:g}" in result.provenance.notes[0]


def test_edges_are_extended_when_said() -> None:
    image = Image(smooth(SOURCE.shape), ("z", "y", "x"), SOURCE)
    for method in ("nearest", "linear"):
        result = ToGrid(interpolation=method, fill="edge")(image, None, SOURCE.pad((4, 0, 0), (0, 0, 2)))
        np.testing.assert_array_equal(result.array, np.pad(image.array, [(4, 0), (0, 0), (0, 2)], mode="edge"))


def labelled() -> LabelMap:
    array = np.zeros(SOURCE.shape, np.uint8)
    array[4:12, 5:15, 6:18] = 1
    array[6:9, 8:12, 12:16] = 7
    return LabelMap(array, ("z", "y", "x"), SOURCE, (Segment(1, "liver"), Segment(7, "lesion")))


@pytest.mark.parametrize("rule", ["nearest", "linear"])
def test_labels_keep_their_volume_and_values(rule: str) -> None:
    labels = labelled()
    finer = ToGrid(labels=rule)(labels, None, SOURCE.with_spacing((0.45, 0.3, 0.2)))
    assert isinstance(finer, LabelMap) and finer.dtype == np.uint8 and finer.present == (0, 1, 7)
    for value in (1, 7):
        before = (labels.array == value).sum() * SOURCE.voxel_size
        after = (finer.array == value).sum() * finer.geometry.voxel_size
        # A linear outline takes the corners off a box.
        assert after == pytest.approx(before, rel=0.06 if rule == "nearest" else 0.1)
    back = ToGrid(labels=rule)(finer, None, SOURCE)
    assert (back.array == labels.array).mean() > 0.97


def test_label_with_the_largest_linear_weight() -> None:
    source = Geometry.regular((1, 1, 2), 1.0)
    labels = LabelMap(np.array([[[3, 5]]], np.uint8), ("z", "y", "x"), source)
    target = Geometry.regular((1, 1, 5), (1.0, 1.0, 0.25))
    assert ToGrid(labels="linear")(labels, None, target).array.ravel().tolist() == [3, 3, 3, 5, 5]


def test_slice_of_a_volume_and_planes_that_miss_each_other() -> None:
    image = Image(smooth(SOURCE.shape), ("z", "y", "x"), SOURCE)
    affine = SOURCE.affine[:, 1:].copy()
    affine[:3, 2] = SOURCE.to_world((5, 0, 0))
    plane = Geometry(SOURCE.shape[1:], affine, SOURCE.frame)
    one = ToGrid()(image, None, plane)
    assert one.dims == ("y", "x")
    np.testing.assert_allclose(one.array, image.array[5], atol=1e-4)
    with pytest.raises(GeometryError, match="off the plane"):
        ToGrid()(one, None, _lifted(plane, 3.0))


def _lifted(plane: Geometry, mm: float) -> Geometry:
    affine = plane.affine.copy()
    affine[:3, 2] += mm * np.cross(plane.direction[:, 0], plane.direction[:, 1])
    return Geometry(plane.shape, affine, plane.frame)


@pytest.mark.parametrize(
    "change, error, text",
    [
        ({"frame": "9.9"}, GeometryError, "different frames of reference"),
        ({"px": True}, GeometryError, "in mm and a grid in px"),
        ({"grid": None}, ParameterError, "was given no grid"),
        ({"fill": 0.5}, ParameterError, "whole numbers"),
        ({"fill": 1e6}, ParameterError, "whole numbers"),
        ({"labels": "x"}, ParameterError, "labels"),
    ],
)
def test_refusals(change: dict[str, Any], error: type[Exception], text: str) -> None:
    image = Image(smooth(SOURCE.shape).astype(np.int16), ("z", "y", "x"), SOURCE)
    grid = SOURCE.with_frame(change.get("frame", SOURCE.frame))
    if "px" in change:
        grid = Geometry.pixels(SOURCE.shape)
    settings = {k: v for k, v in change.items() if k in ("fill", "labels")}
    with pytest.raises(error, match=text):
        ToGrid(interpolation="nearest", **settings)(image, None, change.get("grid", grid))


def test_different_frames_meet_through_a_transform() -> None:
    image = Image(smooth(SOURCE.shape), ("z", "y", "x"), SOURCE)
    result = ToGrid()(image, Affine(np.eye(4)), SOURCE.with_frame("9.9"))
    assert result.geometry.frame == "9.9"


def test_complex_values_are_refused() -> None:
    with pytest.raises(ContentError, match="no single real value"):
        ToGrid()(Image(np.zeros(SOURCE.shape, np.complex64), ("z", "y", "x"), SOURCE), None, SOURCE)
