"""Segmentations: valid, over their source to a thousandth of a mm, read back by others, the same twice."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import highdicom
import numpy as np
import pydicom
import pytest
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset

from isocenter.core.errors import ContentError, GridMismatchError, WriteError
from isocenter.core.geometry import Geometry
from isocenter.core.image import Image
from isocenter.core.labels import LabelMap, MaskStack, Segment
from isocenter.io.dicom.write_seg import WrittenSegmentation, write_seg
from isocenter.io.dicom.write_series import WrittenSeries, write_series
from isocenter.testing.phantoms.cells import cells
from isocenter.testing.phantoms.chest_ct import chest_ct
from isocenter.testing.phantoms.fundus import fundus
from isocenter.testing.phantoms.ultrasound import ultrasound
from isocenter.testing.phantoms.xray_chest import xray_chest
from tests.io.dicom.sources import read_stack
from tests.io.dicom.validation import errors, needs_validator

CHEST: dict[str, Any] = {"shape": (10, 40, 44), "spacing": (28.0, 9.0, 8.5)}


def _overlapping() -> tuple[Image, MaskStack]:
    phantom = chest_ct(**CHEST)
    masks = np.stack([phantom.region("body"), phantom.region("lungs"), phantom.region("right lung")])
    rows = (Segment(3, "body"), Segment(5, "lungs"), Segment(4, "right lung"))
    return phantom.image, MaskStack(masks, phantom.image.dims, phantom.image.geometry, rows)


def _pair(phantom: Any) -> tuple[Image, Any]:
    return phantom.image, phantom.truth


MAKERS: dict[str, Callable[[], tuple[Image, Any]]] = {
    "ct": lambda: _pair(chest_ct(**CHEST)),
    "ct-tilted": lambda: _pair(chest_ct(**CHEST, tilt=16.0)),
    "ct-prone": lambda: _pair(chest_ct(**CHEST, prone=True)),
    "overlapping": _overlapping,
    "dx": lambda: _pair(xray_chest((64, 65), (6.0, 6.0))),
    "photograph": lambda: _pair(xray_chest((64, 65), (6.0, 6.0), calibrated=False)),
    "us": lambda: _pair(ultrasound((60, 81), axes=(12.0, 9.0))),
    "fundus": lambda: _pair(fundus((64, 64))),
    "stained": lambda: _pair(cells((97, 99), count=5, touching=1, stain="hematoxylin_eosin")),
}


def _write(name: str, folder: Path) -> tuple[Any, WrittenSeries, WrittenSegmentation]:
    image, labels = MAKERS[name]()
    series = write_series(image, folder / "series")
    return labels, series, write_seg(labels, series.identity, folder / "seg.dcm")


def _masks(labels: LabelMap | MaskStack) -> dict[str, np.ndarray[Any, Any]]:
    """Return name -> mask of shape (slices, rows, columns) of every segment that occurs."""
    if isinstance(labels, LabelMap):
        found = {row.name: labels.mask(row.value) for row in labels.segments}
    else:
        found = {row.name: np.asarray(labels.array)[k] for k, row in enumerate(labels.segments)}
    return {name: mask if mask.ndim == 3 else mask[None] for name, mask in found.items() if mask.any()}


def _frames(seg: Dataset) -> list[tuple[int, str, Dataset, np.ndarray[Any, Any]]]:
    """Return (segment number, source instance, functional groups, pixels) of every frame."""
    pixels = seg.pixel_array.reshape(-1, seg.Rows, seg.Columns)
    shared = seg.SharedFunctionalGroupsSequence[0]
    found = []
    for groups, plane in zip(seg.PerFrameFunctionalGroupsSequence, pixels, strict=True):
        holder = groups if "SegmentIdentificationSequence" in groups else shared
        source = groups.DerivationImageSequence[0].SourceImageSequence
        assert len(source) == 1
        found.append(
            (
                int(holder.SegmentIdentificationSequence[0].ReferencedSegmentNumber),
                str(source[0].ReferencedSOPInstanceUID),
                groups,
                plane,
            )
        )
    return found


@needs_validator
@pytest.mark.parametrize("name", MAKERS)
def test_every_kind_is_valid(name: str, tmp_path: Path) -> None:
    assert errors(_write(name, tmp_path)[2].path) == []


@pytest.mark.parametrize("name", MAKERS)
def test_masks_come_back_slice_by_slice(name: str, tmp_path: Path) -> None:
    labels, series, written = _write(name, tmp_path)
    seg = pydicom.dcmread(written.path)
    expected = _masks(labels)
    assert [str(s.SegmentLabel) for s in seg.SegmentSequence] == list(expected) == list(written.segments)
    names = {int(s.SegmentNumber): str(s.SegmentLabel) for s in seg.SegmentSequence}
    found = {n: np.zeros_like(m) for n, m in expected.items()}
    for number, instance, _, plane in _frames(seg):
        found[names[number]][series.identity["SOPInstanceUIDs"].index(instance)] |= plane.astype(bool)
    for segment in expected:
        np.testing.assert_array_equal(found[segment], expected[segment])


@pytest.mark.parametrize("name", ["ct", "ct-tilted", "ct-prone", "overlapping"])
def test_planes_lie_over_their_source(name: str, tmp_path: Path) -> None:
    _, series, written = _write(name, tmp_path)
    sources = {f.SOPInstanceUID: f for f in (pydicom.dcmread(p, stop_before_pixels=True) for p in series.paths)}
    seg = pydicom.dcmread(written.path)
    shared = seg.SharedFunctionalGroupsSequence[0]
    for _, instance, groups, _ in _frames(seg):
        source = sources[instance]
        np.testing.assert_allclose(
            np.array(groups.PlanePositionSequence[0].ImagePositionPatient, float),
            np.array(source.ImagePositionPatient, float),
            atol=1e-3,
        )
        orientation = shared.PlaneOrientationSequence[0].ImageOrientationPatient
        np.testing.assert_allclose(np.array(orientation, float), np.array(source.ImageOrientationPatient, float), atol=1e-6)
        np.testing.assert_allclose(
            np.array(shared.PixelMeasuresSequence[0].PixelSpacing, float), np.array(source.PixelSpacing, float), atol=1e-6
        )
    assert seg.FrameOfReferenceUID == source.FrameOfReferenceUID and (seg.Rows, seg.Columns) == (source.Rows, source.Columns)


def test_highdicom_reads_it_by_source(tmp_path: Path) -> None:
    labels, series, written = _write("ct", tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        seg = highdicom.seg.segread(written.path)
        found = seg.get_pixels_by_source_instance(series.identity["SOPInstanceUIDs"])
    expected = _masks(labels)
    for k, name in enumerate(expected):
        np.testing.assert_array_equal(found[..., k].astype(bool), expected[name])
    assert {str(u) for _, _, u in seg.get_source_image_uids()} == set(series.identity["SOPInstanceUIDs"])


@pytest.mark.parametrize("name", MAKERS)
def test_twice_is_bit_equal(name: str, tmp_path: Path) -> None:
    (tmp_path / "1").mkdir()
    (tmp_path / "2").mkdir()
    one, two = _write(name, tmp_path / "1")[2], _write(name, tmp_path / "2")[2]
    assert one.path.read_bytes() == two.path.read_bytes() and one.segments == two.segments


def test_other_labels_get_other_uids(tmp_path: Path) -> None:
    phantom = chest_ct(**CHEST)
    series = write_series(phantom.image, tmp_path / "series")
    changed = np.array(phantom.truth.array)
    changed[0, 0, 0] = 1
    one = write_seg(phantom.truth, series.identity, tmp_path / "1.dcm")
    two = write_seg(phantom.truth.replace(array=changed), series.identity, tmp_path / "2.dcm")
    three = write_seg(phantom.truth, series.identity, tmp_path / "3.dcm", kind="MANUAL")
    assert len({one.instance, two.instance, three.instance}) == 3 and len({one.series, two.series, three.series}) == 3
    assert one.segments["body"].tracking == two.segments["body"].tracking  # the same thing in another reading


def test_what_a_segment_is(tmp_path: Path) -> None:
    _, series, written = _write("ct", tmp_path)
    seg = pydicom.dcmread(written.path)
    by_name = {str(s.SegmentLabel): s for s in seg.SegmentSequence}
    lung = by_name["right lung"]
    kind = lung.SegmentedPropertyTypeCodeSequence[0]
    assert (kind.CodeValue, kind.CodingSchemeDesignator) == ("39607008", "SCT")
    assert kind.SegmentedPropertyTypeModifierCodeSequence[0].CodeMeaning == "Right"
    assert lung.SegmentedPropertyCategoryCodeSequence[0].CodeMeaning == "Anatomical Structure"
    assert lung.SegmentAlgorithmType == "AUTOMATIC"
    assert lung.SegmentationAlgorithmIdentificationSequence[0].AlgorithmName == "isocenter"
    assert by_name["nodule 1"].SegmentedPropertyCategoryCodeSequence[0].CodeMeaning == "Morphologically Abnormal Structure"
    # 70, 150, 220 in sRGB, by the formulas of CIE 15 under D65 (within a unit of L*, a* and b*).
    lightness, a, b = (v / 65535 for v in lung.RecommendedDisplayCIELabValue)
    assert (lightness * 100, a * 255 - 128, b * 255 - 128) == pytest.approx((60.0, 0.2, -43.5), abs=2.5)
    assert seg.SegmentationType == "BINARY" and seg.PatientName == "Phantom^Isocenter" and seg.ContentDate == "20200101"
    assert seg.StudyInstanceUID == series.identity["StudyInstanceUID"] and seg.SegmentsOverlap == "NO"


def test_one_segment_knows_its_frames(tmp_path: Path) -> None:
    phantom = chest_ct(**CHEST)
    series = write_series(phantom.image, tmp_path / "series")
    mask = phantom.region("heart")
    labels = LabelMap(
        mask.astype(np.uint8) * 7, ("z", "y", "x"), phantom.image.geometry, (Segment(7, "heart"), Segment(9, "absent"))
    )
    written = write_seg(labels, series.identity, tmp_path / "seg.dcm")
    reference = written.segments["heart"]
    assert list(written.segments) == ["heart"] and reference.number == 1
    assert reference.slices == tuple(np.flatnonzero(mask.any(axis=(1, 2)))) and reference.frames == tuple(
        range(1, len(reference.slices) + 1)
    )


def test_names_are_cut_to_their_limits(tmp_path: Path) -> None:
    phantom = chest_ct(**CHEST)
    series = write_series(phantom.image, tmp_path / "series")
    rows = (Segment(1, "läng\\e\n" + "x" * 90),)
    labels = LabelMap((np.asarray(phantom.truth.array) > 0).astype(np.uint8), ("z", "y", "x"), phantom.image.geometry, rows)
    written = write_seg(labels, series.identity, tmp_path / "seg.dcm", description="d" * 90)
    seg = pydicom.dcmread(written.path)
    assert str(seg.SegmentSequence[0].SegmentLabel) == "läng/e " + "x" * 56 and len(seg.SeriesDescription) == 64


def test_multiframe_source_is_referred_to_by_frame(tmp_path: Path) -> None:
    phantom = chest_ct(**CHEST)
    count = phantom.image.shape[0]
    order = list(range(count, 0, -1))  # the file holds its frames from head to feet
    identity = {
        "PatientID": "1", "StudyInstanceUID": "1.2.3", "SeriesInstanceUID": "1.2.3.4", "SOPClassUID": "1.2.840.10008.5.1.4.1.1.2.1",
        "Modality": "CT", "SOPInstanceUIDs": ["1.2.3.4.5"], "FrameNumbers": order,
    }  # fmt: skip
    written = write_seg(phantom.truth, identity, tmp_path / "seg.dcm")
    seg = pydicom.dcmread(written.path)
    for number, instance, groups, plane in _frames(seg):
        frame = int(groups.DerivationImageSequence[0].SourceImageSequence[0].ReferencedFrameNumber)
        row = written.table[number - 1]
        np.testing.assert_array_equal(plane.astype(bool), phantom.truth.mask(row.value)[order.index(frame)])
        assert instance == "1.2.3.4.5"


def test_multiframe_source_of_unknown_order_is_referred_to_as_a_whole(tmp_path: Path) -> None:
    phantom = chest_ct(**CHEST)
    identity = {
        "StudyInstanceUID": "1.2.3", "SeriesInstanceUID": "1.2.3.4", "SOPClassUID": "1.2.840.10008.5.1.4.1.1.2.1",
        "SOPInstanceUIDs": ("1.2.3.4.5",),
    }  # fmt: skip
    written = write_seg(phantom.truth, identity, tmp_path / "seg.dcm")
    for _, _, groups, _ in _frames(pydicom.dcmread(written.path)):
        assert "ReferencedFrameNumber" not in groups.DerivationImageSequence[0].SourceImageSequence[0]


def test_time_points_share_the_labels_of_their_grid(tmp_path: Path) -> None:
    phantom = chest_ct(**CHEST)
    series = write_series(phantom.image, tmp_path / "series")
    twice = {**series.identity, "SOPInstanceUIDs": [*series.identity["SOPInstanceUIDs"], *(f"2.25.{k}" for k in range(10))]}
    written = write_seg(phantom.truth, twice, tmp_path / "seg.dcm", grid=phantom.image.geometry)
    assert {instance for _, instance, _, _ in _frames(pydicom.dcmread(written.path))} <= set(series.identity["SOPInstanceUIDs"])
    with pytest.raises(ContentError, match="20 files"):
        write_seg(phantom.truth, twice, tmp_path / "seg.dcm")


def test_labels_off_the_grid_of_their_source_are_refused(tmp_path: Path) -> None:
    phantom = chest_ct(**CHEST)
    series = write_series(phantom.image, tmp_path / "series")
    moved = np.array(phantom.image.geometry.affine)
    moved[0, 3] += 0.01
    with pytest.raises(GridMismatchError, match=r"0\.01 mm"):
        write_seg(
            phantom.truth,
            series.identity,
            tmp_path / "s.dcm",
            grid=Geometry(phantom.image.shape, moved, phantom.image.geometry.frame),
        )


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"SOPInstanceUIDs": None}, "SOPInstanceUIDs"),
        ({"SOPInstanceUIDs": ["1.2"] + ["1.3"]}, "2 files"),
        ({"SOPClassUID": ""}, "SOPClassUID"),
        ({"SOPClassUID": "1.2.3"}, "SOP class"),
        ({"StudyInstanceUID": "not a uid"}, "not a UID"),
        ({"SeriesInstanceUID": "1" * 70}, "not a UID"),
    ],
)
def test_a_source_that_cannot_be_referred_to_is_refused(change: dict[str, Any], words: str, tmp_path: Path) -> None:
    phantom = chest_ct(**CHEST)
    series = write_series(phantom.image, tmp_path / "series")
    with pytest.raises(ContentError, match=words):
        write_seg(phantom.truth, {**series.identity, **change}, tmp_path / "seg.dcm")
    assert not (tmp_path / "seg.dcm").exists()


def test_labels_without_a_sample_and_a_full_name_are_refused(tmp_path: Path) -> None:
    phantom = chest_ct(**CHEST)
    series = write_series(phantom.image, tmp_path / "series")
    empty = LabelMap(np.zeros(phantom.image.shape, np.uint8), ("z", "y", "x"), phantom.image.geometry, (Segment(1, "body"),))
    with pytest.raises(ContentError, match="No segment"):
        write_seg(empty, series.identity, tmp_path / "seg.dcm")
    with pytest.raises(ContentError, match="repeat"):
        write_seg(
            empty.replace(array=phantom.truth.array, segments=tuple(Segment(s.value, "x") for s in phantom.truth.segments)),
            series.identity,
            tmp_path / "s",
        )
    with pytest.raises(WriteError):
        write_seg(phantom.truth, series.identity, tmp_path / "absent" / "seg.dcm")


def _small_ct() -> tuple[Image, dict[str, Any]]:
    return read_stack([Path(str(get_testdata_file("CT_small.dcm")))])


def test_over_pydicoms_small_ct(tmp_path: Path) -> None:
    image, identity = _small_ct()
    labels = LabelMap((np.asarray(image.array) > 300).astype(np.uint8), image.dims, image.geometry, (Segment(1, "bone"),))
    written = write_seg(labels, identity, tmp_path / "seg.dcm")
    seg = pydicom.dcmread(written.path)
    ((number, instance, groups, plane),) = _frames(seg)
    assert (number, instance) == (1, identity["SOPInstanceUIDs"][0])
    np.testing.assert_array_equal(plane.astype(bool), labels.mask()[0])
    source = pydicom.dcmread(str(get_testdata_file("CT_small.dcm")), stop_before_pixels=True)
    position = groups if "PlanePositionSequence" in groups else seg.SharedFunctionalGroupsSequence[0]
    np.testing.assert_allclose(
        np.array(position.PlanePositionSequence[0].ImagePositionPatient, float),
        np.array(source.ImagePositionPatient, float),
        atol=1e-3,
    )
    assert (seg.PatientID, seg.StudyDate) == (source.PatientID, source.StudyDate)


@needs_validator
def test_over_pydicoms_small_ct_is_valid(tmp_path: Path) -> None:
    image, identity = _small_ct()
    labels = LabelMap((np.asarray(image.array) > 300).astype(np.uint8), image.dims, image.geometry, (Segment(1, "bone"),))
    assert errors(write_seg(labels, identity, tmp_path / "seg.dcm").path) == []


def test_over_a_real_series(shared: Callable[[str], Path], tmp_path: Path) -> None:
    folder = shared("data/ibsi/1_ct_phantom/dicom/image")
    image, identity = read_stack(sorted(folder.glob("*.dcm")))
    air = (np.asarray(image.array) < -500).astype(np.uint8)
    labels = LabelMap(air, image.dims, image.geometry, (Segment(1, "right lung"),))
    written = write_seg(labels, identity, tmp_path / "seg.dcm")
    sources = {f.SOPInstanceUID: f for f in (pydicom.dcmread(p, stop_before_pixels=True) for p in folder.glob("*.dcm"))}
    seg = pydicom.dcmread(written.path)
    worst = 0.0
    for _, instance, groups, plane in _frames(seg):
        place = np.array(groups.PlanePositionSequence[0].ImagePositionPatient, float)
        worst = max(worst, float(np.linalg.norm(place - np.array(sources[instance].ImagePositionPatient, float))))
        np.testing.assert_array_equal(plane, air[identity["SOPInstanceUIDs"].index(instance)])
    assert worst <= 1e-3
    assert seg.StudyInstanceUID == identity["StudyInstanceUID"] and seg.ContentDate == "19000101"  # the study has no date
    again = write_seg(labels, identity, tmp_path / "again.dcm")
    assert again.path.read_bytes() == written.path.read_bytes()


@needs_validator
def test_over_a_real_series_is_valid(shared: Callable[[str], Path], tmp_path: Path) -> None:
    image, identity = read_stack(sorted(shared("data/ibsi/1_ct_phantom/dicom/image").glob("*.dcm")))
    labels = LabelMap((np.asarray(image.array) < -500).astype(np.uint8), image.dims, image.geometry, (Segment(1, "right lung"),))
    assert errors(write_seg(labels, identity, tmp_path / "seg.dcm").path) == []


def test_time_points_are_refused(tmp_path: Path) -> None:
    grid = Geometry.regular((2, 3), 1.0)
    labels = LabelMap(np.ones((2, 2, 3), np.uint8), ("t", "y", "x"), grid)
    identity = {
        "SOPInstanceUIDs": ["1.2"],
        "StudyInstanceUID": "1.2",
        "SeriesInstanceUID": "1.2",
        "SOPClassUID": "1.2.840.10008.5.1.4.1.1.7",
    }
    with pytest.raises(ContentError, match="time point"):
        write_seg(labels, identity, tmp_path / "seg.dcm")
