"""NIfTI against nibabel and SimpleITK, round trips of anything, and what the headers of the field get wrong."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import HealthCheck, given, settings

from isocenter.core.errors import FormatError, GeometryError, InputError, UnsupportedError, WriteError
from isocenter.core.geometry import Geometry
from isocenter.core.image import Image
from isocenter.core.labels import LabelMap, MaskStack, Segment
from isocenter.io import nifti, seam
from isocenter.io.budget import Budget
from tests.io.grids import images

LPS = np.diag([-1.0, -1.0, 1.0, 1.0])
AXIAL = Geometry.regular((4, 5, 6), (3.0, 1.0, 0.5), origin=(-10, 20, 30))


def read(path: Path) -> Any:
    return nifti.inspect(path, Budget())[0].load()


def problems(path: Path) -> str:
    return " ".join(p.sentence() for p in nifti.inspect(path, Budget())[0].problems)


def nibabel_grid(image: Any) -> np.ndarray[Any, Any]:
    """Return nibabel's affine as ours: LPS, columns in array order."""
    return (LPS @ image.affine)[:, [2, 1, 0, 3]]


def _fits_quaternion(geometry: Geometry) -> bool:
    """Return whether the part of the quaternion that is not stored is well above what rounding leaves."""
    turn = (LPS[:3, :3] @ geometry.direction)[:, [2, 1, 0]]
    if np.linalg.det(turn) < 0:
        turn = turn * [1.0, 1.0, -1.0]
    return bool((1.0 + np.trace(turn)) / 4.0 > 1e-4)


# -- round trips ------------------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(image=images())
def test_written_files_read_the_same_here_and_in_nibabel(image: Image, tmp_path: Path) -> None:
    path = tmp_path / "a.nii"
    nifti.write(image, path)
    again = read(path)
    assert again.dtype == image.dtype
    np.testing.assert_array_equal(again.array, image.array)
    assert again.geometry.matches(image.geometry, mm=1e-3)
    theirs = nib.load(path)
    np.testing.assert_array_equal(np.asanyarray(theirs.dataobj), image.array.T)
    assert Geometry(image.geometry.shape, nibabel_grid(theirs)).matches(image.geometry, mm=1e-3)
    quaternion, code = theirs.get_qform(coded=True)
    if code:  # where a qform is written it says what the sform says
        grid = (LPS @ quaternion)[:, [2, 1, 0, 3]]
        assert Geometry(image.geometry.shape, grid).matches(image.geometry, mm=1e-3)
    # Near half a turn 32 bits cannot hold the rotation, and on a large grid they round too far: then there is the sform alone.
    assert bool(code) or not image.geometry.is_orthogonal or not _fits_quaternion(image.geometry)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(image=images(ndim=2))
def test_planes(image: Image, tmp_path: Path) -> None:
    nifti.write(image, tmp_path / "a.nii.gz")
    again = read(tmp_path / "a.nii.gz")
    assert again.dims == ("y", "x")
    np.testing.assert_array_equal(again.array, image.array)
    assert again.geometry.matches(image.geometry, mm=1e-3)


def test_simpleitk_agrees_on_positions(tmp_path: Path) -> None:
    direction = np.array([[0, 0.6, 0.8], [0, -0.8, 0.6], [-1, 0, 0]])
    grid = Geometry.regular((4, 5, 6), (3.0, 1.0, 0.5), (-10, 20, 30), direction)
    image = Image(np.arange(120, dtype=np.int16).reshape(4, 5, 6), ("z", "y", "x"), grid)
    nifti.write(image, tmp_path / "a.nii.gz")
    theirs = sitk.ReadImage(str(tmp_path / "a.nii.gz"))
    np.testing.assert_array_equal(sitk.GetArrayFromImage(theirs), image.array)
    for index in ((0, 0, 0), (3, 0, 0), (3, 4, 5), (1, 2, 3)):
        point = theirs.TransformIndexToPhysicalPoint(tuple(reversed(index)))
        np.testing.assert_allclose(point, grid.to_world(index), atol=1e-4)


@pytest.mark.parametrize(
    ("shape", "dims", "extra"),
    [
        ((3, 4, 5, 6), ("t", "z", "y", "x"), {"times": (0.5, 2.5, 4.5)}),
        ((3, 4, 5, 6), ("t", "z", "y", "x"), {"times": (0.0, 1.0, 7.25)}),
        ((2, 4, 5, 6), ("c", "z", "y", "x"), {"channels": ("fat", "water")}),
        ((3, 2, 4, 5, 6), ("t", "c", "z", "y", "x"), {}),
        ((1, 4, 5, 6), ("t", "z", "y", "x"), {"times": (3.0,)}),
        ((3, 4, 5, 6), ("c", "z", "y", "x"), {"channels": ("red", "green", "blue")}),
    ],
)
def test_time_and_channels(shape: tuple[int, ...], dims: tuple[str, ...], extra: dict[str, Any], tmp_path: Path) -> None:
    array = np.random.default_rng(1).integers(0, 255, shape, np.uint8)
    image = Image(array, dims, AXIAL, modality="MR", quantity="a.u.", **extra)
    nifti.write(image, tmp_path / "a.nii.gz")
    again = read(tmp_path / "a.nii.gz")
    assert again.digest == image.digest
    assert nib.load(tmp_path / "a.nii.gz").shape[:3] == (6, 5, 4)


@pytest.mark.parametrize("dims", [("t", "y", "x"), ("c", "y", "x"), ("x",)])
def test_fewer_spatial_axes(dims: tuple[str, ...], tmp_path: Path) -> None:
    shape = {"t": 3, "c": 2, "y": 5, "x": 6}
    grid = AXIAL if len(dims) > 3 else Geometry.regular([shape[d] for d in dims if d in "yx"], 0.7)
    image = Image(np.random.default_rng(1).normal(size=[shape[d] for d in dims]), dims, grid)
    nifti.write(image, tmp_path / "a.nii")
    assert read(tmp_path / "a.nii").digest == image.replace(geometry=read(tmp_path / "a.nii").geometry).digest


def test_an_uncalibrated_picture_stays_uncalibrated(tmp_path: Path) -> None:
    image = Image(np.zeros((4, 5), np.uint8), ("y", "x"), Geometry.pixels((4, 5)))
    nifti.write(image, tmp_path / "a.nii")
    again = read(tmp_path / "a.nii")
    assert again.geometry.unit == "px"
    assert again.digest == image.digest


def test_more_samples_along_an_axis_than_nifti_1_can_hold(tmp_path: Path) -> None:
    image = Image(np.arange(40000, dtype=np.int32)[None, None], ("z", "y", "x"), Geometry.regular((1, 1, 40000)))
    nifti.write(image, tmp_path / "a.nii")
    assert isinstance(nib.load(tmp_path / "a.nii"), nib.Nifti2Image)
    assert read(tmp_path / "a.nii").digest == image.digest


def test_labels_keep_their_table(tmp_path: Path) -> None:
    table = (Segment(1, "left lung"), Segment(7, "Tumor, Größe 3", color=(1, 2, 3)))
    labels = LabelMap(np.random.default_rng(0).choice([0, 1, 7], (4, 5, 6)).astype(np.uint8), ("z", "y", "x"), AXIAL, table)
    nifti.write(labels, tmp_path / "a.nii.gz")
    again = read(tmp_path / "a.nii.gz")
    assert isinstance(again, LabelMap)
    assert again.segments == table
    assert again.digest == labels.digest
    assert nib.load(tmp_path / "a.nii.gz").header["intent_code"] == 1002


def test_overlapping_masks_come_back(tmp_path: Path) -> None:
    array = np.random.default_rng(0).random((2, 4, 5, 6)) > 0.4
    stack = MaskStack(array, ("z", "y", "x"), AXIAL, (Segment(1, "a"), Segment(2, "b")))
    nifti.write(stack, tmp_path / "a.nii.gz")
    again = read(tmp_path / "a.nii.gz")
    assert isinstance(again, MaskStack)
    assert again.digest == stack.digest


def test_equal_images_give_equal_files(tmp_path: Path) -> None:
    image = Image(np.random.default_rng(1).normal(size=(4, 5, 6)), ("z", "y", "x"), AXIAL)
    nifti.write(image, tmp_path / "a.nii.gz")
    nifti.write(image.replace(array=image.array.copy()), tmp_path / "b.nii.gz")
    assert (tmp_path / "a.nii.gz").read_bytes() == (tmp_path / "b.nii.gz").read_bytes()


# -- reading what others wrote ----------------------------------------------------------------------------


def test_the_volume_that_nibabel_ships() -> None:
    path = Path(nib.__file__).parent / "tests" / "data" / "example4d.nii.gz"
    theirs, ours = nib.load(path), read(path)
    assert ours.dims == ("t", "z", "y", "x")
    np.testing.assert_array_equal(ours.array, np.asanyarray(theirs.dataobj).T)
    assert Geometry(ours.geometry.shape, nibabel_grid(theirs)).matches(ours.geometry, mm=1e-9)
    assert ours.times == (0.0, 2000.0)


@pytest.mark.parametrize("dtype", ["u1", "i1", "u2", "i2", "u4", "i4", "i8", "u8", "f4", "f8", "c8", "c16"])
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("kind", [nib.Nifti1Image, nib.Nifti2Image, nib.Nifti1Pair])
def test_every_type_and_byte_order(dtype: str, order: str, kind: Any, tmp_path: Path) -> None:
    array = (np.random.default_rng(2).normal(size=(3, 4, 5)) * 50).astype(dtype)
    header = kind.header_class(endianness=order)
    image = kind(array, np.diag([2.0, 3.0, 4.0, 1.0]), header=header, dtype=array.dtype)
    path = tmp_path / ("a.img" if kind is nib.Nifti1Pair else "a.nii")
    nib.save(image, path)
    ours = read(path)
    assert ours.dtype == np.dtype(dtype)
    np.testing.assert_array_equal(ours.array, array.T)
    if kind is nib.Nifti1Pair:
        assert {p.name for p in nifti.inspect(tmp_path / "a.hdr", Budget())[0].paths} == {"a.hdr", "a.img"}


@pytest.mark.parametrize(
    ("stored", "slope", "inter", "expected"),
    [
        ("u2", 1.0, -1024.0, "i4"),
        ("u1", 2.0, 0.0, "i2"),
        ("i2", 0.5, 3.0, "f4"),
        ("i4", 0.5, 0.0, "f8"),
        ("f4", 2.0, 1.0, "f4"),
        ("f8", 2.0, 1.0, "f8"),
        ("i2", 0.0, 5.0, "i2"),
        ("i2", 1.0, 0.0, "i2"),
        ("i2", 1e36, 0.0, "f8"),
    ],
)
def test_scaling(stored: str, slope: float, inter: float, expected: str, tmp_path: Path) -> None:
    array = np.arange(60).reshape(3, 4, 5).astype(stored)
    image = nib.Nifti1Image(array, np.eye(4))
    nib.save(image, tmp_path / "a.nii")
    data = bytearray((tmp_path / "a.nii").read_bytes())
    data[112:120] = np.array([slope, inter], "<f4").tobytes()
    (tmp_path / "a.nii").write_bytes(data)
    ours = read(tmp_path / "a.nii")
    assert ours.dtype == np.dtype(expected)
    np.testing.assert_allclose(ours.array, nib.load(tmp_path / "a.nii").get_fdata().T, rtol=1e-6)


def test_scaling_that_overflows_is_refused(tmp_path: Path) -> None:
    nib.save(nib.Nifti1Image(np.full((2, 2, 2), 1e30), np.eye(4)), tmp_path / "a.nii")
    data = bytearray((tmp_path / "a.nii").read_bytes())
    data[112:116] = np.array([3e38], "<f4").tobytes()
    (tmp_path / "a.nii").write_bytes(data)
    image = read(tmp_path / "a.nii")  # 3e68 fits a float64
    assert np.isfinite(image.array).all()
    nib.save(nib.Nifti1Image(np.full((2, 2, 2), 1e280), np.eye(4)), tmp_path / "b.nii")
    data[352:] = (tmp_path / "b.nii").read_bytes()[352:]
    (tmp_path / "b.nii").write_bytes(data)
    with pytest.raises(InputError, match=r"b\.nii: scaling by scl_slope"):
        read(tmp_path / "b.nii")


@pytest.mark.parametrize(("code", "factor"), [("meter", 1000.0), ("mm", 1.0), ("micron", 0.001)])
def test_units_of_length(code: str, factor: float, tmp_path: Path) -> None:
    image = nib.Nifti1Image(np.zeros((3, 4, 5), np.int16), np.diag([2.0, 3.0, 4.0, 1.0]))
    image.header.set_xyzt_units(code, "msec")
    nib.save(image, tmp_path / "a.nii")
    np.testing.assert_allclose(read(tmp_path / "a.nii").geometry.spacing, np.array([4.0, 3.0, 2.0]) * factor)
    assert ("converted to millimetres" in problems(tmp_path / "a.nii")) == (factor != 1.0)


def test_times_in_milliseconds(tmp_path: Path) -> None:
    image = nib.Nifti1Image(np.zeros((3, 4, 5, 3), np.int16), np.eye(4))
    image.header.set_xyzt_units("mm", "msec")
    image.header["pixdim"][4], image.header["toffset"] = 1500, 250
    nib.save(image, tmp_path / "a.nii")
    assert read(tmp_path / "a.nii").times == (0.25, 1.75, 3.25)


def two_forms(path: Path, quaternion: Any, affine: Any) -> Path:
    image = nib.Nifti1Image(np.zeros((10, 10, 10), np.int16), None)
    image.header.set_xyzt_units("mm")
    image.set_qform(quaternion, 1)
    image.set_sform(affine, 2)
    nib.save(image, path)
    return path


def test_forms_that_differ_are_reported_in_mm(tmp_path: Path) -> None:
    other = np.eye(4)
    other[:3, 3] = 0, 3, 4
    path = two_forms(tmp_path / "a.nii", np.eye(4), other)
    assert "qform and sform differ by up to 5 mm" in problems(path)
    assert read(path).geometry.origin == (0.0, -3.0, 4.0)


@pytest.mark.parametrize("flip", [(-1, 1, 1), (-1, -1, 1)])
def test_forms_that_differ_about_left_and_right_are_refused(flip: tuple[int, ...], tmp_path: Path) -> None:
    with pytest.raises(GeometryError, match=r"a\.nii: qform and sform disagree about left and right"):
        nifti.inspect(two_forms(tmp_path / "a.nii", np.eye(4), np.diag([*flip, 1.0])), Budget())


def test_shear_is_kept_and_said_in_degrees(tmp_path: Path) -> None:
    affine = np.diag([1.0, 1.0, 2.0, 1.0])
    affine[1, 2] = 2.0 * np.tan(np.deg2rad(14.0))
    image = nib.Nifti1Image(np.zeros((4, 5, 6), np.int16), affine)
    nib.save(image, tmp_path / "a.nii")
    ours = read(tmp_path / "a.nii")
    assert ours.geometry.shear == pytest.approx(14.0, abs=1e-4)
    assert "14 degrees off a right angle" in problems(tmp_path / "a.nii")


def test_no_orientation_is_said(tmp_path: Path) -> None:
    image = nib.Nifti1Image(np.zeros((3, 4, 5), np.int16), None)
    image.header.set_zooms((2, 3, 4))
    nib.save(image, tmp_path / "a.nii")
    assert "Orientation unknown" in problems(tmp_path / "a.nii")
    assert read(tmp_path / "a.nii").geometry.spacing == (4.0, 3.0, 2.0)


def test_notes_travel_with_the_image(tmp_path: Path) -> None:
    array = np.zeros((3, 4, 5), np.float32)
    array[0, 0, 0] = np.nan
    nib.save(nib.Nifti1Image(array, np.eye(4)), tmp_path / "a.nii")
    image = read(tmp_path / "a.nii")
    assert any(n.endswith("infinity): 1 sample.") for n in image.provenance.notes)
    assert image.provenance.sources[0].digest == image.digest


@pytest.mark.parametrize("suffix", [".nii.gz", ".nii"])
def test_reading_into_the_middle_of_nothing(suffix: str, tmp_path: Path) -> None:
    """Every truncation of a file is refused, and none is filled with zeros."""
    image = Image(np.random.default_rng(1).normal(size=(4, 5, 6)), ("z", "y", "x"), AXIAL)
    whole = tmp_path / f"whole{suffix}"
    nifti.write(image, whole)
    data = whole.read_bytes()
    for keep in range(0, len(data), 31):
        (tmp_path / f"cut{suffix}").write_bytes(data[:keep])
        with pytest.raises(FormatError):
            nifti.inspect(tmp_path / f"cut{suffix}", Budget())


def test_gzip_of_several_members_is_one_file(tmp_path: Path) -> None:
    image = Image(np.arange(120.0).reshape(4, 5, 6), ("z", "y", "x"), AXIAL)
    nifti.write(image, tmp_path / "a.nii")
    data = (tmp_path / "a.nii").read_bytes()
    (tmp_path / "b.nii.gz").write_bytes(gzip.compress(data[:500]) + gzip.compress(data[500:]))
    assert read(tmp_path / "b.nii.gz").digest == image.digest


def test_a_header_without_its_voxels(tmp_path: Path) -> None:
    nib.save(nib.Nifti1Pair(np.zeros((3, 4, 5), np.int16), np.eye(4)), tmp_path / "a.img")
    (tmp_path / "a.img").unlink()
    with pytest.raises(FormatError, match=r"expected a\.img beside it"):
        nifti.inspect(tmp_path / "a.hdr", Budget())
    (tmp_path / "a.img").symlink_to("/etc/hostname")  # a link is not "beside"
    with pytest.raises(FormatError, match=r"expected a\.img beside it"):
        nifti.inspect(tmp_path / "a.hdr", Budget())


def test_hostile_extensions_are_data_and_no_more(tmp_path: Path) -> None:
    image = Image(np.arange(120.0).reshape(4, 5, 6), ("z", "y", "x"), AXIAL, modality="CT")
    nifti.write(image, tmp_path / "a.nii")
    data = (tmp_path / "a.nii").read_bytes()
    for old, new in ((b'"CT"', b"[1]["), (b'"dims"', b'"dims\x1b'), (b'["z"', b'["q"'), (b"isocenter:{", b"isocenter:[")):
        assert old in data
        (tmp_path / "b.nii").write_bytes(data.replace(old, new))
        again = read(tmp_path / "b.nii")
        np.testing.assert_array_equal(again.array, image.array)
        assert again.dims == ("z", "y", "x")


# -- faults on the way out --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
def test_a_fault_at_any_step_leaves_nothing(name: str, tmp_path: Path) -> None:
    image = Image(np.random.default_rng(1).normal(size=(64, 64, 64)), ("z", "y", "x"), Geometry.regular((64, 64, 64)))
    with seam.counting() as taken:
        nifti.write(image, tmp_path / name)
    (tmp_path / name).unlink()
    for nth in range(1, len(taken)):
        with seam.failing(nth), pytest.raises(WriteError, match="could not be written"):
            nifti.write(image, tmp_path / name)
        assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["a.nii.bz2", "a.hdr", "a.png"])
def test_other_suffixes_are_not_written(name: str, tmp_path: Path) -> None:
    with pytest.raises(UnsupportedError):
        nifti.write(Image(np.zeros((4, 5, 6)), ("z", "y", "x"), AXIAL), tmp_path / name)


@pytest.mark.parametrize("name", ["a.hdr", "a.img"])
def test_analyze_is_read_without_a_claim_about_sides(tmp_path: Path, name: str) -> None:
    voxels = np.arange(60, dtype=np.int16).reshape(3, 4, 5)
    nib.save(nib.AnalyzeImage(voxels, np.diag([2.0, 3.0, 4.0, 1.0])), tmp_path / "a.img")
    (item,) = nifti.inspect(tmp_path / name, Budget())
    image = item.load()
    assert np.array_equal(image.array, voxels.T) and image.geometry.spacing == (4.0, 3.0, 2.0)
    assert any("Left and right" in p.consequence for p in item.problems)


def test_an_analyze_header_in_a_nifti_file_is_damage(tmp_path: Path) -> None:
    nib.save(nib.AnalyzeImage(np.zeros((3, 4, 5), np.int16), np.eye(4)), tmp_path / "a.img")
    (tmp_path / "b.nii").write_bytes((tmp_path / "a.hdr").read_bytes() + (tmp_path / "a.img").read_bytes())
    with pytest.raises(FormatError, match="magic"):
        nifti.inspect(tmp_path / "b.nii", Budget())
