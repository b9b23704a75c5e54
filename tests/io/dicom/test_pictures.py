"""Pictures: radiographs, ultrasound, colour; calibrated only where the file says so. And how samples are stored."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRBigEndian

from isocenter.io.budget import Budget
from isocenter.io.dicom import inspect_files
from tests.io.dicom.samples import ct_slice, inspect, read, save

NO_PLACE = dict.fromkeys(("ImagePositionPatient", "ImageOrientationPatient", "RescaleSlope", "RescaleIntercept"))
CLASSES = {
    "DX": "1.2.840.10008.5.1.4.1.1.1.1",
    "CR": "1.2.840.10008.5.1.4.1.1.1",
    "US": "1.2.840.10008.5.1.4.1.1.6.1",
    "OT": "1.2.840.10008.5.1.4.1.1.7",
}
GREY = np.arange(30, dtype=np.uint8).reshape(6, 5)


def picture(modality: str, array: np.ndarray[Any, Any] = GREY, **changes: Any) -> Dataset:
    changes = {"PixelSpacing": None, **changes}
    return ct_slice(0.0, array, SOPClassUID=CLASSES[modality], Modality=modality, **NO_PLACE, **changes)


PROJECTIONS: list[tuple[dict[str, Any], tuple[float, float] | None, str]] = [
    ({"ImagerPixelSpacing": [0.2, 0.1]}, (0.2, 0.1), "detector plane"),
    ({"PixelSpacing": [0.2, 0.1]}, (0.2, 0.1), "detector plane"),
    ({"PixelSpacing": [0.2, 0.1], "ImagerPixelSpacing": [0.2, 0.1]}, (0.2, 0.1), "magnification is not corrected"),
    (
        {"PixelSpacing": [0.18, 0.09], "ImagerPixelSpacing": [0.2, 0.1], "PixelSpacingCalibrationType": "GEOMETRY"},
        (0.18, 0.09),
        "",
    ),
    ({}, None, "no pixel size"),
]


@pytest.mark.parametrize(("changes", "spacing", "says"), PROJECTIONS)
def test_radiographs_say_what_their_pixel_size_is(
    tmp_path: Path, changes: dict[str, Any], spacing: tuple[float, float] | None, says: str
) -> None:
    items, _ = inspect(save([picture("DX", PatientOrientation=["L", "F"], **changes)], tmp_path))
    image = items[0].load()
    text = " ".join(p.text for p in items[0].problems)
    assert (says in text) if says else not items[0].problems
    assert image.geometry.unit == ("px" if spacing is None else "mm") and image.dims == ("y", "x")
    if spacing is not None:
        assert image.geometry.spacing == pytest.approx(spacing) and image.geometry.orientation == "IL"
    assert np.array_equal(image.array, GREY)


def test_a_radiograph_without_orientation_says_so(tmp_path: Path) -> None:
    items, _ = inspect(save([picture("CR", ImagerPixelSpacing=[0.2, 0.2])], tmp_path))
    assert any("left and right" in p.text for p in items[0].problems)


def test_inverted_radiographs_keep_their_values(tmp_path: Path) -> None:
    items, _ = inspect(save([picture("DX", PhotometricInterpretation="MONOCHROME1")], tmp_path))
    assert np.array_equal(items[0].load().array, GREY) and items[0].attributes["photometric"] == "MONOCHROME1"
    assert any("MONOCHROME1" in p.text for p in items[0].problems)


def region(dx: float, dy: float, unit: int = 3) -> Dataset:
    one = Dataset()
    one.PhysicalUnitsXDirection = one.PhysicalUnitsYDirection = unit
    one.PhysicalDeltaX, one.PhysicalDeltaY = dx, dy
    return one


@pytest.mark.parametrize(
    ("regions", "spacing"),
    [([region(0.02, 0.03)], (0.3, 0.2)), ([region(0.02, 0.03, unit=4)], None), ([region(0.02, 0.03), region(0.05, 0.05)], None)],
)
def test_ultrasound_is_calibrated_by_its_region_in_centimetres(
    tmp_path: Path, regions: list[Dataset], spacing: tuple[float, float] | None
) -> None:
    image = read(save([picture("US", SequenceOfUltrasoundRegions=regions)], tmp_path))
    assert image.geometry.unit == ("mm" if spacing else "px")
    assert spacing is None or image.geometry.spacing == pytest.approx(spacing)


@pytest.mark.parametrize(
    ("timing", "times"),
    [
        ({"FrameTime": 40.0}, (0.0, 0.04, 0.08)),
        ({"FrameTimeVector": [0, 10, 30]}, (0.0, 0.01, 0.04)),
        ({"CineRate": 20}, (0.0, 0.05, 0.1)),
        ({}, None),
    ],
)
def test_cine_has_its_times(tmp_path: Path, timing: dict[str, Any], times: tuple[float, ...] | None) -> None:
    array = np.stack([GREY, GREY + 1, GREY + 2])
    data = picture("US", GREY, NumberOfFrames=3, **timing)
    data.PixelData = array.tobytes()
    image = read(save([data], tmp_path))
    assert image.dims == ("t", "y", "x") and np.array_equal(image.array, array) and image.times == times


@pytest.mark.parametrize("planar", [0, 1])
def test_colour_planes_come_in_either_order(tmp_path: Path, planar: int) -> None:
    rgb = np.random.default_rng(0).integers(0, 256, (6, 5, 3), dtype=np.uint8)
    data = picture("OT", GREY, SamplesPerPixel=3, PhotometricInterpretation="RGB", PlanarConfiguration=planar)
    data.PixelData = (np.moveaxis(rgb, -1, 0) if planar else rgb).tobytes()
    image = read(save([data], tmp_path))
    assert image.dims == ("c", "y", "x") and image.channels == ("red", "green", "blue") and image.geometry.unit == "px"
    assert np.array_equal(np.moveaxis(image.array, 0, -1), rgb)


def test_palettes_become_colours(tmp_path: Path) -> None:
    data = picture("OT", GREY % 4, PhotometricInterpretation="PALETTE COLOR")
    tables = {"Red": [0, 255, 0, 9], "Green": [0, 0, 255, 8], "Blue": [5, 5, 5, 7]}
    for name, entries in tables.items():
        setattr(data, f"{name}PaletteColorLookupTableDescriptor", [4, 0, 8])
        setattr(data, f"{name}PaletteColorLookupTableData", bytes(entries))
    image = read(save([data], tmp_path))
    assert image.dtype == np.uint8 and image.array[:, 0, 3].tolist() == [9, 8, 7] and image.array[:, 0, 1].tolist() == [255, 0, 5]


def test_modality_lookup_tables_are_applied(tmp_path: Path) -> None:
    table = Dataset()
    table.LUTDescriptor, table.LUTData, table.ModalityLUTType = (
        [4, 1, 16],
        np.array([10, 200, 3000, 4], np.uint16).tobytes(),
        "OD",
    )
    data = picture("CR", np.array([[0, 1, 2, 3, 4, 9]], np.uint8), ModalityLUTSequence=[table])
    image = read(save([data], tmp_path))
    assert image.array.tolist() == [[10, 10, 200, 3000, 4, 4]] and image.dtype == np.uint16


def test_twelve_bit_cells_are_unpacked(tmp_path: Path) -> None:
    samples = np.array([[1, 4095, 2048, 7, 291]], np.uint16)
    flat = samples.reshape(-1).tolist() + [0]
    packed = b"".join(bytes([a & 255, a >> 8 | (b & 15) << 4, b >> 4]) for a, b in zip(flat[::2], flat[1::2], strict=True))
    data = picture("OT", samples)
    data.BitsAllocated, data.BitsStored, data.HighBit, data.PixelData = 12, 12, 11, packed + bytes(len(packed) % 2)
    assert read(save([data], tmp_path)).array.tolist() == samples.tolist()


@pytest.mark.parametrize("kind", ["uint8", "int8", "uint16", "int16", "uint32", "int32"])
@pytest.mark.parametrize("big", [False, True])
def test_every_integer_in_both_byte_orders(tmp_path: Path, kind: str, big: bool) -> None:
    info = np.iinfo(kind)
    array = np.array([[info.min, info.max, 0], [1, 2, 3]], kind)
    data = picture("OT", array)
    if big:
        data.file_meta.TransferSyntaxUID = ExplicitVRBigEndian
        data.PixelData = array.astype(array.dtype.newbyteorder(">")).tobytes()
        data["PixelData"].VR = "OB" if array.dtype.itemsize == 1 else "OW"
    image = read(save([data], tmp_path))
    assert image.dtype == np.dtype(kind) and np.array_equal(image.array, array)


@pytest.mark.parametrize("kind", ["f4", "f8"])
def test_floating_point_pixels(tmp_path: Path, kind: str) -> None:
    array = np.array([[1.5, -2.25], [np.pi, 0.0]], kind)
    data = picture("OT", GREY)
    del data.PixelData, data.BitsStored, data.HighBit, data.PixelRepresentation
    data.Rows, data.Columns, data.BitsAllocated = 2, 2, array.dtype.itemsize * 8
    setattr(data, "FloatPixelData" if kind == "f4" else "DoubleFloatPixelData", array.tobytes())
    image = read(save([data], tmp_path))
    assert image.dtype == np.dtype(kind) and np.array_equal(image.array, array)


def test_cross_sections_without_geometry_are_refused_not_taken_for_photographs(tmp_path: Path) -> None:
    for name in ("PixelSpacing", "ImagePositionPatient", "ImageOrientationPatient"):
        items, refusals = inspect(save([ct_slice(0.0, **{name: None})], tmp_path / name))
        assert not items and refusals[0].kind == "geometry" and name in refusals[0].reason


def test_the_budget_holds_before_anything_is_allocated(tmp_path: Path) -> None:
    save([ct_slice(float(z), np.zeros((64, 64), np.uint16)) for z in range(8)], tmp_path)
    items, refusals = inspect_files(sorted(tmp_path.iterdir()), Budget(max_bytes=40_000))
    assert not items and refusals[0].kind == "budget"


def test_objects_without_pixels_are_named(tmp_path: Path) -> None:
    data = ct_slice(0.0, SOPClassUID="1.2.840.10008.5.1.4.1.1.66")
    del data.PixelData
    items, refusals = inspect(save([data], tmp_path))
    assert not items and refusals[0].kind == "unsupported" and "Raw Data" in refusals[0].reason
