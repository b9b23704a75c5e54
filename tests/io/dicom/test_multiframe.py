"""Multi-frame objects: enhanced, dose, nuclear, parametric maps and segmentations, each frame in its place."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom.dataset import Dataset

from isocenter.core.labels import LabelMap, MaskStack
from tests.io.dicom.samples import PYDICOM, ct_slice, inspect, read, save

ENHANCED_CT = "1.2.840.10008.5.1.4.1.1.2.1"
SEGMENTATION = "1.2.840.10008.5.1.4.1.1.66.4"


def groups(places: list[float], order: list[int] | None = None) -> list[Dataset]:
    """Return per-frame groups that place frames at these heights."""
    frames = []
    for z in places:
        frame, position, orient, measures, content = (Dataset() for _ in range(5))
        position.ImagePositionPatient, orient.ImageOrientationPatient = [0.0, 0.0, z], [1, 0, 0, 0, 1, 0]
        measures.PixelSpacing = [1.0, 2.0]
        frame.PlanePositionSequence, frame.PlaneOrientationSequence, frame.PixelMeasuresSequence = (
            [position],
            [orient],
            [measures],
        )
        frame.FrameContentSequence = [content]
        frames.append(frame)
    return frames


def enhanced(places: list[float], array: np.ndarray[Any, Any], **changes: Any) -> Dataset:
    removed = dict.fromkeys(("PixelSpacing", "ImagePositionPatient", "ImageOrientationPatient"))
    data = ct_slice(0.0, array[0], SOPClassUID=ENHANCED_CT, **removed)
    data.NumberOfFrames, data.PixelData = len(array), array.tobytes()
    data.PerFrameFunctionalGroupsSequence = groups(places)
    for keyword, value in changes.items():
        setattr(data, keyword, value)
    data.file_meta.MediaStorageSOPClassUID = data.SOPClassUID
    return data


def ramp(frames: int, kind: type = np.uint16) -> np.ndarray[Any, Any]:
    return (np.arange(frames)[:, None, None] * 10 + np.zeros((frames, 6, 5))).astype(kind)


def test_frames_are_sorted_by_place_and_rescaled_one_by_one(tmp_path: Path) -> None:
    data = enhanced([4.0, 0.0, 2.0], ramp(3))
    for k, frame in enumerate(data.PerFrameFunctionalGroupsSequence):
        transform = Dataset()
        transform.RescaleSlope, transform.RescaleIntercept, transform.RescaleType = 1.0 + k, -5.0, "HU"
        frame.PixelValueTransformationSequence = [transform]
    save([data], tmp_path)
    items, _ = inspect(tmp_path)
    image = items[0].load()
    assert image.geometry.spacing == (2.0, 1.0, 2.0) and image.quantity == "HU"
    assert image.array[:, 0, 0].tolist() == [10 * 2 - 5, 20 * 3 - 5, 0 - 5]
    assert items[0].identity["FrameNumbers"] == (2, 3, 1) and len(items[0].identity["SOPInstanceUIDs"]) == 1


def test_shared_groups_serve_every_frame(tmp_path: Path) -> None:
    data = enhanced([0.0, 1.0, 2.0], ramp(3))
    shared = Dataset()
    for keyword in ("PlaneOrientationSequence", "PixelMeasuresSequence"):
        setattr(shared, keyword, getattr(data.PerFrameFunctionalGroupsSequence[0], keyword))
        for frame in data.PerFrameFunctionalGroupsSequence:
            delattr(frame, keyword)
    data.SharedFunctionalGroupsSequence = [shared]
    assert read(save([data], tmp_path)).geometry.spacing == (1.0, 1.0, 2.0)


def test_temporal_positions_become_time_points(tmp_path: Path) -> None:
    data = enhanced([0.0, 1.0, 0.0, 1.0], ramp(4))
    for k, frame in enumerate(data.PerFrameFunctionalGroupsSequence):
        frame.FrameContentSequence[0].TemporalPositionIndex = 2 - k // 2
        frame.FrameContentSequence[0].FrameReferenceDateTime = f"2024010112000{2 - k // 2}.5"
    image = read(save([data], tmp_path))
    assert image.dims == ("t", "z", "y", "x") and image.times == (0.0, 1.0)
    assert (image.array[:, :, 0, 0] + 1024).tolist() == [[20, 30], [0, 10]]


@pytest.mark.parametrize(
    ("change", "kind", "says"),
    [
        ("gap", "geometry", "gap is 2.00 mm"),
        ("fewer", "format", "describes 3 of 4 frames"),
        ("none", "geometry", "without positions"),
    ],
)
def test_broken_functional_groups_are_refused(tmp_path: Path, change: str, kind: str, says: str) -> None:
    data = enhanced([0.0, 1.0, 2.0, 4.0] if change == "gap" else [0.0, 1.0, 2.0, 3.0], ramp(4))
    if change == "fewer":
        data.PerFrameFunctionalGroupsSequence = data.PerFrameFunctionalGroupsSequence[:3]
    elif change == "none":
        del data.PerFrameFunctionalGroupsSequence
    items, refusals = inspect(save([data], tmp_path))
    assert not items and refusals[0].kind == kind and says in refusals[0].reason


def test_missing_frames_are_repaired_when_asked(tmp_path: Path) -> None:
    image = read(save([enhanced([0.0, 1.0, 2.0, 4.0], ramp(4))], tmp_path), "interpolate")
    assert image.shape == (5, 6, 5) and image.array[3, 0, 0] == 25 - 1024


def test_dose_is_in_gray_at_its_offsets(tmp_path: Path) -> None:
    data = ct_slice(
        5.0, ramp(3)[0], SOPClassUID="1.2.840.10008.5.1.4.1.1.481.2", Modality="RTDOSE", RescaleSlope=None, RescaleIntercept=None
    )
    data.NumberOfFrames, data.PixelData, data.GridFrameOffsetVector = 3, ramp(3).tobytes(), [0.0, 2.5, 5.0]
    data.DoseGridScaling, data.DoseUnits = 0.01, "GY"
    image = read(save([data], tmp_path))
    assert image.modality == "RTDOSE" and image.quantity == "Gy" and image.geometry.origin[2] == 5.0
    assert image.geometry.spacing[0] == 2.5 and np.allclose(image.array[:, 0, 0], [0.0, 0.1, 0.2])
    data.GridFrameOffsetVector = [0.0, 2.5]
    assert "GridFrameOffsetVector" in inspect(save([data], tmp_path))[1][0].reason


def test_reconstructed_nuclear_medicine_is_a_volume(tmp_path: Path) -> None:
    removed = dict.fromkeys(("ImagePositionPatient", "ImageOrientationPatient", "RescaleSlope", "RescaleIntercept"))
    data = ct_slice(0.0, ramp(3)[0], SOPClassUID="1.2.840.10008.5.1.4.1.1.20", Modality="NM", **removed)
    data.ImageType = ["ORIGINAL", "PRIMARY", "RECON TOMO", "EMISSION"]
    data.NumberOfFrames, data.PixelData, data.SpacingBetweenSlices = 3, ramp(3).tobytes(), 4.0
    detector = Dataset()
    detector.ImagePositionPatient, detector.ImageOrientationPatient = [0, 0, 10], [1, 0, 0, 0, 1, 0]
    data.DetectorInformationSequence, data.SliceVector = [detector], [1, 2, 3]
    image = read(save([data], tmp_path))
    assert (
        image.geometry.origin == (0.0, 0.0, 10.0) and image.geometry.spacing == (4.0, 1.0, 2.0) and image.dims == ("z", "y", "x")
    )


def test_parametric_maps_carry_their_unit(tmp_path: Path) -> None:
    data = enhanced([0.0, 1.0], ramp(2), SOPClassUID="1.2.840.10008.5.1.4.1.1.30", Modality="MR")
    for frame in data.PerFrameFunctionalGroupsSequence:
        mapping, unit = Dataset(), Dataset()
        unit.CodeValue, unit.CodingSchemeDesignator, unit.CodeMeaning = "um2/s", "UCUM", "square micrometre per second"
        mapping.RealWorldValueSlope, mapping.RealWorldValueIntercept, mapping.MeasurementUnitsCodeSequence = 0.5, 1.0, [unit]
        frame.RealWorldValueMappingSequence = [mapping]
    image = read(save([data], tmp_path))
    assert image.quantity == "um2/s" and image.array[:, 0, 0].tolist() == [1.0, 6.0]
    assert (
        read(PYDICOM / "parametric_map_float.dcm").dtype == np.float32
        if (PYDICOM / "parametric_map_float.dcm").exists()
        else True
    )


def segmentation(masks: list[tuple[int, float, np.ndarray[Any, Any]]], kind: str = "BINARY", top: int = 255) -> Dataset:
    """Return a segmentation of (segment, height, mask) frames; fractional masks hold 0 to `top`."""
    array = np.stack([m for _, _, m in masks]).astype(np.uint8)
    data = enhanced(
        [z for _, z, _ in masks],
        array,
        SOPClassUID=SEGMENTATION,
        Modality="SEG",
        SegmentationType=kind,
        SOPInstanceUID="1.2.3.60",
    )
    data.SeriesInstanceUID = "1.2.3.61"
    del data.RescaleSlope, data.RescaleIntercept
    if kind == "BINARY":
        data.BitsAllocated, data.BitsStored, data.HighBit = 1, 1, 0
        data.PixelData = np.packbits(array.reshape(-1), bitorder="little").tobytes() + bytes(-(-array.size // 8) % 2)
    data.MaximumFractionalValue = top
    data.SegmentSequence = []
    for number, name in ((1, "Right Lung"), (2, "Tumour <b>")):
        segment, code = Dataset(), Dataset()
        segment.SegmentNumber, segment.SegmentLabel = number, name
        code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = "39607008", "SCT", "Lung"
        segment.SegmentedPropertyTypeCodeSequence = [code]
        segment.RecommendedDisplayCIELabValue = [34885, 53485, 50171]  # sRGB red
        data.SegmentSequence.append(segment)
    for (number, _, _), frame in zip(masks, data.PerFrameFunctionalGroupsSequence, strict=True):
        which = Dataset()
        which.ReferencedSegmentNumber = number
        frame.SegmentIdentificationSequence = [which]
    reference = Dataset()
    reference.SeriesInstanceUID = "1.2.3.2"
    data.ReferencedSeriesSequence = [reference]
    data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID
    return data


def mask(*rows: int) -> np.ndarray[Any, Any]:
    out = np.zeros((6, 5), np.uint8)
    out[list(rows)] = 1
    return out


def test_segments_lie_on_the_source_grid_where_it_came_along(tmp_path: Path) -> None:
    data = segmentation([(2, 2.0, mask(1)), (1, 1.0, mask(3))])
    save([*[ct_slice(float(z)) for z in range(5)], data], tmp_path)
    items, refusals = inspect(tmp_path)
    assert not refusals and [i.name for i in items] == ["image", "segmentation"]
    labels = items[1].load()
    assert isinstance(labels, LabelMap) and labels.geometry == items[0].spec.geometry
    assert (
        labels.array.shape == (5, 6, 5)
        and (labels.array[2, 1] == 2).all()
        and (labels.array[1, 3] == 1).all()
        and labels.array.sum() == 15
    )
    row = labels.segment(1)
    assert row.name == "Right Lung" and row.code is not None and row.code.value == "39607008"
    assert row.color is not None and max(abs(a - b) for a, b in zip(row.color, (255, 0, 0), strict=True)) <= 3


def test_alone_a_segmentation_spans_its_own_frames(tmp_path: Path) -> None:
    labels = read(save([segmentation([(1, 1.0, mask(0)), (1, 2.0, mask(1)), (1, 5.0, mask(2))])], tmp_path))
    assert labels.array.shape == (5, 6, 5) and labels.geometry.origin[2] == 1.0 and labels.geometry.spacing[0] == 1.0
    assert [int(z) for z in np.flatnonzero(labels.array.any(axis=(1, 2)))] == [0, 1, 4]


def test_overlap_gives_masks(tmp_path: Path) -> None:
    save([segmentation([(1, 0.0, mask(1, 2)), (2, 0.0, mask(2, 3)), (1, 1.0, mask(1))])], tmp_path)
    assert inspect(tmp_path)[0][0].spec.kind == "MaskStack"  # a plan is made before anything is loaded
    masks = read(tmp_path)
    assert isinstance(masks, MaskStack) and masks.overlaps and masks.array[0].sum() == 15 and masks.array[1].sum() == 10


def test_fractional_segments_start_at_half(tmp_path: Path) -> None:
    graded = np.zeros((6, 5), np.uint8)
    graded[0], graded[1], graded[2] = 100, 50, 49
    labels = read(save([segmentation([(1, 0.0, graded), (1, 1.0, mask() * 0)], "FRACTIONAL", 100)], tmp_path))
    assert labels.array.sum() == 10 and any("fractional" in n for n in labels.provenance.notes)


@pytest.mark.parametrize(
    ("change", "says"),
    [("segment", "belongs to segment 9"), ("table", "SegmentSequence"), ("kind", "SegmentationType"), ("pixels", "PixelData")],
)
def test_broken_segmentations_are_refused(tmp_path: Path, change: str, says: str) -> None:
    data = segmentation([(1, 0.0, mask(1)), (2, 1.0, mask(1))])
    if change == "segment":
        data.PerFrameFunctionalGroupsSequence[1].SegmentIdentificationSequence[0].ReferencedSegmentNumber = 9
    elif change == "table":
        data.SegmentSequence = []
    elif change == "kind":
        data.SegmentationType = "MYSTERY"
    else:
        del data.PixelData
    items, refusals = inspect(save([data], tmp_path))
    assert not items and says in refusals[0].reason
