"""NRRD and MetaImage: the same image through every format, SimpleITK as oracle, and headers that lead elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import HealthCheck, given, settings

from isocenter.core.errors import FormatError, InputError, UnsupportedError, WriteError
from isocenter.core.geometry import Geometry
from isocenter.core.image import Image
from isocenter.core.labels import LabelMap, MaskStack, Segment
from isocenter.io import metaimage, nifti, nrrd, seam
from isocenter.io.budget import Budget
from tests.io.grids import images

FORMATS: dict[str, Any] = {".nii": nifti, ".nii.gz": nifti, ".nrrd": nrrd, ".mha": metaimage, ".mhd": metaimage}
GRID = Geometry.regular((4, 5, 6), (3.0, 1.0, 0.5), (-10, 20, 30))


def read(path: Path) -> Any:
    module = next(m for s, m in FORMATS.items() if path.name.endswith(s))
    return module.inspect(path, Budget())[0].load()


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(image=images())
def test_an_image_goes_through_every_format_unchanged(image: Image, tmp_path: Path) -> None:
    current = image
    for suffix, module in FORMATS.items():
        module.write(current, tmp_path / f"a{suffix}")
        current = read(tmp_path / f"a{suffix}")
        assert current.dtype == image.dtype
        assert current.dims == image.dims
        np.testing.assert_array_equal(current.array, image.array)
        assert current.geometry.matches(image.geometry, mm=1e-3), suffix


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(image=images(dtypes=("u1", "i2", "f4")))
def test_nrrd_keeps_the_grid_exactly(image: Image, tmp_path: Path) -> None:
    nrrd.write(image, tmp_path / "a.nrrd")
    assert read(tmp_path / "a.nrrd").geometry == image.geometry


@pytest.mark.parametrize("suffix", [".nrrd", ".mha", ".mhd"])
@pytest.mark.parametrize("axis", [(0, 0, 1), (1, 2, 3), (-1, 0.5, 0.2)])
def test_simpleitk_agrees_on_positions(suffix: str, axis: tuple[float, ...], tmp_path: Path) -> None:
    from isocenter.core.transform import Affine

    direction = Affine.rotation(axis, 33.0).values[:3, :3][:, [2, 0, 1]]
    grid = Geometry.regular((4, 5, 6), (3.0, 1.0, 0.5), (-10, 20, 30), direction)
    image = Image(np.arange(120, dtype=np.int16).reshape(4, 5, 6), ("z", "y", "x"), grid)
    path = tmp_path / f"a{suffix}"
    FORMATS[suffix].write(image, path)
    theirs = sitk.ReadImage(str(path))
    np.testing.assert_array_equal(sitk.GetArrayFromImage(theirs), image.array)
    for index in ((0, 0, 0), (3, 0, 0), (3, 4, 5), (1, 2, 3)):
        point = theirs.TransformIndexToPhysicalPoint(tuple(reversed(index)))
        np.testing.assert_allclose(point, grid.to_world(index), atol=1e-4)


@pytest.mark.parametrize("suffix", [".nrrd", ".mha"])
@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("kind", [sitk.sitkUInt8, sitk.sitkInt16, sitk.sitkFloat32, sitk.sitkFloat64, sitk.sitkInt64])
def test_what_simpleitk_writes_reads_equal(suffix: str, compressed: bool, kind: int, tmp_path: Path) -> None:
    array = np.random.default_rng(0).integers(0, 100, (4, 5, 6))
    theirs = sitk.Cast(sitk.GetImageFromArray(array), kind)
    theirs.SetSpacing((0.5, 1.0, 3.0))
    theirs.SetOrigin((-10, 20, 30))
    theirs.SetDirection((0, 0.6, 0.8, 0, -0.8, 0.6, 1, 0, 0))
    sitk.WriteImage(theirs, str(tmp_path / f"a{suffix}"), useCompression=compressed)
    ours = read(tmp_path / f"a{suffix}")
    np.testing.assert_array_equal(ours.array, sitk.GetArrayFromImage(theirs))
    for index in ((0, 0, 0), (3, 4, 5), (1, 2, 3)):
        point = theirs.TransformIndexToPhysicalPoint(tuple(reversed(index)))
        np.testing.assert_allclose(ours.geometry.to_world(index), point, atol=1e-6)


@pytest.mark.parametrize("suffix", [".nrrd", ".mha"])
def test_colour_and_vectors_of_simpleitk(suffix: str, tmp_path: Path) -> None:
    array = np.random.default_rng(0).integers(0, 255, (4, 5, 6, 3), np.uint8)
    sitk.WriteImage(sitk.GetImageFromArray(array, isVector=True), str(tmp_path / f"a{suffix}"))
    ours = read(tmp_path / f"a{suffix}")
    assert ours.dims == ("c", "z", "y", "x")
    np.testing.assert_array_equal(ours.array, np.moveaxis(array, -1, 0))


@pytest.mark.parametrize("suffix", [".nrrd", ".mha", ".mhd"])
@pytest.mark.parametrize(
    ("shape", "dims", "extra"),
    [
        ((3, 4, 5, 6), ("t", "z", "y", "x"), {"times": (0.5, 2.5, 4.5)}),
        ((3, 4, 5, 6), ("t", "z", "y", "x"), {"times": (0.0, 1.0, 7.25)}),
        ((2, 4, 5, 6), ("c", "z", "y", "x"), {"channels": ("fat", "water")}),
        ((3, 2, 4, 5, 6), ("t", "c", "z", "y", "x"), {}),
        ((1, 4, 5, 6), ("t", "z", "y", "x"), {"times": (3.0,)}),
        ((1, 4, 5, 6), ("c", "z", "y", "x"), {}),
    ],
)
def test_time_and_channels(suffix: str, shape: tuple[int, ...], dims: tuple[str, ...], extra: Any, tmp_path: Path) -> None:
    array = np.random.default_rng(1).integers(0, 255, shape, np.uint8)
    image = Image(array, dims, GRID, modality="MR", quantity="a.u.", **extra)
    FORMATS[suffix].write(image, tmp_path / f"a{suffix}")
    again = read(tmp_path / f"a{suffix}")
    if "t" in dims and "times" not in extra:
        again = again.replace(times=None)  # MetaImage has a step for every axis, stated or not
    assert again.geometry.matches(GRID, 1e-9)
    assert again.replace(geometry=GRID).digest == image.digest


@pytest.mark.parametrize("suffix", [".nrrd", ".mha"])
@pytest.mark.parametrize("dims", [("y", "x"), ("t", "y", "x"), ("c", "y", "x"), ("x",)])
def test_planes_lines_and_photographs(suffix: str, dims: tuple[str, ...], tmp_path: Path) -> None:
    shape = [{"t": 3, "c": 2, "y": 5, "x": 6}[d] for d in dims]
    spatial = [n for n, d in zip(shape, dims, strict=True) if d in "yx"]
    for grid in (Geometry.pixels(spatial), Geometry.regular(spatial, 0.7, (1, 2 * (len(spatial) > 1), 0))):
        image = Image(np.random.default_rng(1).normal(size=shape), dims, grid)
        FORMATS[suffix].write(image, tmp_path / f"a{suffix}")
        again = read(tmp_path / f"a{suffix}").replace(times=None)
        assert again.geometry.matches(grid, 1e-9)
        assert again.replace(geometry=grid).digest == image.digest


@pytest.mark.parametrize("suffix", [".nrrd", ".mha", ".seg.nrrd"])
def test_labels_keep_their_table(suffix: str, tmp_path: Path) -> None:
    table = (Segment(1, "left lung"), Segment(7, "Tumor, Größe 3\\n", color=(1, 2, 3)))
    labels = LabelMap(np.random.default_rng(0).choice([0, 1, 7], (4, 5, 6)).astype(np.uint8), ("z", "y", "x"), GRID, table)
    path = tmp_path / f"a{suffix}"
    (nrrd if "nrrd" in suffix else metaimage).write(labels, path)
    again = (nrrd if "nrrd" in suffix else metaimage).inspect(path, Budget())[0].load()
    assert isinstance(again, LabelMap)
    assert [(s.value, s.name, s.color) for s in again.segments] == [(s.value, s.name, s.color) for s in table]
    np.testing.assert_array_equal(again.array, labels.array)


@pytest.mark.parametrize("suffix", [".nrrd", ".mha"])
def test_overlapping_masks_come_back(suffix: str, tmp_path: Path) -> None:
    array = np.random.default_rng(0).random((2, 4, 5, 6)) > 0.4
    stack = MaskStack(array, ("z", "y", "x"), GRID, (Segment(1, "a"), Segment(2, "b")))
    FORMATS[suffix].write(stack, tmp_path / f"a{suffix}")
    again = read(tmp_path / f"a{suffix}")
    assert isinstance(again, MaskStack)
    np.testing.assert_array_equal(again.array, array)
    assert [s.name for s in again.segments] == ["a", "b"]


def test_a_segmentation_of_slicer_in_layers(tmp_path: Path) -> None:
    array = np.zeros((3, 4, 5, 2), np.uint8)
    array[0, ..., 0], array[1, ..., 0], array[:, 2, :, 1] = 1, 2, 1
    head = (
        "NRRD0004\ntype: unsigned char\ndimension: 4\nspace: left-posterior-superior\nsizes: 2 5 4 3\n"
        "space directions: none (1,0,0) (0,1,0) (0,0,2)\nkinds: list domain domain domain\nencoding: raw\n"
        "space origin: (1,2,3)\n"
        "Segment0_ID:=S1\nSegment0_Name:=liver\nSegment0_LabelValue:=1\nSegment0_Layer:=0\nSegment0_Color:=1 0 0.5\n"
        "Segment1_ID:=S2\nSegment1_Name:=spleen\nSegment1_LabelValue:=2\nSegment1_Layer:=0\n"
        "Segment2_ID:=S3\nSegment2_Name:=vessel\nSegment2_LabelValue:=1\nSegment2_Layer:=1\n\n"
    )
    (tmp_path / "a.seg.nrrd").write_bytes(head.encode() + array.tobytes())
    masks = nrrd.inspect(tmp_path / "a.seg.nrrd", Budget())[0].load()
    assert isinstance(masks, MaskStack)
    assert [s.name for s in masks.segments] == ["liver", "spleen", "vessel"]
    assert masks.segments[0].color == (255, 0, 128)
    np.testing.assert_array_equal(masks.array[0], array[..., 0] == 1)
    np.testing.assert_array_equal(masks.array[1], array[..., 0] == 2)
    np.testing.assert_array_equal(masks.array[2], array[..., 1] == 1)
    assert masks.geometry.spacing == (2.0, 1.0, 1.0)


HEAD = "NRRD0004\ntype: short\ndimension: 3\n{space}\nsizes: 4 3 2\nspace directions: (2,0,0) (0,3,0) (0,0,4)\nencoding: raw\nendian: {e}\nspace origin: (5,6,7)\n\n"


@pytest.mark.parametrize(
    ("space", "origin"),
    [
        ("space: left-posterior-superior", (5, 6, 7)),
        ("space: LPS", (5, 6, 7)),
        ("space: right-anterior-superior", (-5, -6, 7)),
        ("space: RAS", (-5, -6, 7)),
        ("space: left-anterior-superior", (5, -6, 7)),
        ('space: LPS\nspace units: "cm" "cm" "cm"', (50, 60, 70)),
    ],
)
def test_spaces_of_nrrd(space: str, origin: tuple[float, ...], tmp_path: Path) -> None:
    array = np.arange(24, dtype=">i2").reshape(2, 3, 4)
    (tmp_path / "a.nrrd").write_bytes(HEAD.format(space=space, e="big").encode() + array.tobytes())
    image = read(tmp_path / "a.nrrd")
    assert image.geometry.origin == origin
    np.testing.assert_array_equal(image.array, array)


def test_an_unknown_space_is_said(tmp_path: Path) -> None:
    data = HEAD.format(space="space: scanner-xyz", e="little").encode() + bytes(48)
    (tmp_path / "a.nrrd").write_bytes(data)
    assert "does not say where left is" in nrrd.inspect(tmp_path / "a.nrrd", Budget())[0].problems[0].text


@pytest.mark.parametrize(
    "name",
    ["/etc/hostname", "../a.raw", "..", "a\\b.raw", "C:a.raw", "", "link.raw", "folder", "none.raw", "LIST", "a%03d.raw 1 9 1"],
)
@pytest.mark.parametrize("kind", ["nhdr", "mhd"])
def test_headers_lead_nowhere_but_beside(name: str, kind: str, tmp_path: Path) -> None:
    (tmp_path / "a.raw").write_bytes(bytes(48))
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "folder").mkdir()
    (tmp_path / "inner" / "link.raw").symlink_to(tmp_path / "a.raw")
    path = tmp_path / "inner" / f"a.{kind}"
    if kind == "nhdr":
        path.write_text(HEAD.format(space="space: LPS", e="little").strip() + f"\ndata file: {name}\n")
        module: Any = nrrd
    else:
        path.write_text(f"ObjectType = Image\nNDims = 3\nDimSize = 4 3 2\nElementType = MET_SHORT\nElementDataFile = {name}\n")
        module = metaimage
    with pytest.raises((FormatError, UnsupportedError)):
        module.inspect(path, Budget())
    good = path.read_text().replace(f"file: {name}", "file: b.raw").replace(f"File = {name}", "File = b.raw")
    path.write_text(good)
    (tmp_path / "inner" / "b.raw").write_bytes(np.arange(24, dtype="<i2").tobytes())
    assert module.inspect(path, Budget())[0].load().array.sum() == 276


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("NRRD0004", "NRRD0009"), ("dimension: 3", "dimension: 99"), ("dimension: 3", "dimension: x"), ("sizes: 4 3 2", "sizes: 4 3"),
        ("sizes: 4 3 2", "sizes: 4 -3 2"), ("sizes: 4 3 2", "sizes: 4 0 2"), ("sizes: 4 3 2", "sizes: 4 nan 2"), ("sizes: 4 3 2", "sizes: 1e300 3 2"),
        ("type: short", "type: block"), ("type: short", "type: banana"), ("endian: little", "endian: odd"), ("encoding: raw", "encoding: hex"),
        ("(2,0,0)", "(2,0)"), ("(2,0,0)", "(nan,0,0)"), ("(2,0,0)", "(0,0,0)"), ("(2,0,0)", "2,0,0"), ("(5,6,7)", "(5,6)"), ("(5,6,7)", "(1,2,3) (4,5,6)"),
        ("(0,3,0)", "(2,0,0)"), ("sizes: 4 3 2", "sizes: 4 3 2\nsizes: 4 3 2"), ("sizes: 4 3 2", "sizes: 5 3 2"), ("encoding", "line skip: 3\nencoding"),
        ("sizes: 4 3 2", "garbage"), ("encoding", "byte skip: -2\nencoding"),
    ],
)  # fmt: skip
def test_broken_nrrd_headers(old: str, new: str, tmp_path: Path) -> None:
    text = HEAD.format(space="space: LPS", e="little")
    assert old in text
    (tmp_path / "a.nrrd").write_bytes(text.replace(old, new, 1).encode() + bytes(48))
    with pytest.raises(InputError):
        nrrd.inspect(tmp_path / "a.nrrd", Budget())


META = (
    "ObjectType = Image\nNDims = 3\nDimSize = 4 3 2\nElementSpacing = 1 2 3\nElementType = MET_SHORT\nElementDataFile = LOCAL\n"
)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("Image", "Tube"), ("NDims = 3", "NDims = 0"), ("NDims = 3", "NDims = 9"), ("NDims = 3", "NDims = x"), ("4 3 2", "4 3"), ("4 3 2", "4 -3 2"),
        ("4 3 2", "4 0 2"), ("4 3 2", "4 nan 2"), ("1 2 3", "1 0 3"), ("1 2 3", "1 -2 3"), ("1 2 3", "1 inf 3"), ("MET_SHORT", "MET_BANANA"),
        ("4 3 2", "4 3 9"), ("ElementDataFile = LOCAL\n", ""), ("NDims = 3", "NDims = 3\nNDims = 3"), ("NDims = 3", "NDims = 3\nBinaryData = False"),
        ("NDims = 3", "NDims = 3\nTransformMatrix = 1 0 0 1 0 0 0 0 1"), ("NDims = 3", "NDims = 3\nElementNumberOfChannels = -1"),
        ("NDims = 3", "NDims = 3\nCompressedData = True"), ("NDims = 3", "NDims = 3\nHeaderSize = -5"), ("NDims = 3", "\x00\x01 = 3"),
    ],
)  # fmt: skip
def test_broken_metaimage_headers(old: str, new: str, tmp_path: Path) -> None:
    assert old in META
    (tmp_path / "a.mha").write_bytes(META.replace(old, new, 1).encode() + bytes(48))
    with pytest.raises(InputError):
        metaimage.inspect(tmp_path / "a.mha", Budget())


@pytest.mark.parametrize("suffix", [".nrrd", ".mha"])
def test_every_truncation_is_refused(suffix: str, tmp_path: Path) -> None:
    image = Image(np.random.default_rng(1).normal(size=(4, 5, 6)), ("z", "y", "x"), GRID)
    FORMATS[suffix].write(image, tmp_path / f"a{suffix}")
    data = (tmp_path / f"a{suffix}").read_bytes()
    for keep in range(0, len(data), 37):
        (tmp_path / f"a{suffix}").write_bytes(data[:keep])
        with pytest.raises(InputError):
            FORMATS[suffix].inspect(tmp_path / f"a{suffix}", Budget())


@pytest.mark.parametrize("suffix", [".nrrd", ".mha", ".mhd"])
def test_a_fault_at_any_step_leaves_nothing_under_the_name(suffix: str, tmp_path: Path) -> None:
    image = Image(np.random.default_rng(1).normal(size=(32, 32, 32)), ("z", "y", "x"), Geometry.regular((32, 32, 32)))
    target = tmp_path / f"a{suffix}"
    with seam.counting() as taken:
        FORMATS[suffix].write(image, target)
    whole = target.read_bytes()
    target.unlink()
    for nth in range(1, len(taken)):
        with seam.failing(nth), pytest.raises(WriteError, match="could not be (written|flushed)"):
            FORMATS[suffix].write(image, target)
        assert not target.exists()
        assert all(p.suffix == ".raw" for p in tmp_path.iterdir())
    FORMATS[suffix].write(image, target)
    assert target.read_bytes() == whole


def test_an_earlier_header_and_its_data_stay_true(tmp_path: Path) -> None:
    """Where another image takes the name of an earlier one, a fault in between must not mix their samples."""
    first = Image(np.zeros((4, 5, 6), np.int16), ("z", "y", "x"), GRID)
    second = first.with_array(np.ones((4, 5, 6), np.int16))
    path = tmp_path / "a.mhd"
    with seam.counting() as taken:
        metaimage.write(first, path)
    for nth in range(1, len(taken)):
        with seam.failing(nth), pytest.raises(WriteError):
            metaimage.write(second, path)
        assert read(path).digest == first.digest
    metaimage.write(second, path)
    assert read(path).digest == second.digest
