"""Structured reports: valid, tied to images and segments, read back by others, the same twice."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import highdicom
import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset

from isocenter.core.errors import ContentError, WriteError
from isocenter.core.labels import LabelMap, Segment
from isocenter.core.results import Column, Features
from isocenter.io.dicom.ucum import unit_code
from isocenter.io.dicom.write_seg import WrittenSegmentation, write_seg
from isocenter.io.dicom.write_series import WrittenSeries, write_series
from isocenter.io.dicom.write_sr import SCHEME, write_sr
from isocenter.testing.phantoms.chest_ct import chest_ct
from isocenter.testing.phantoms.ultrasound import ultrasound
from isocenter.testing.phantoms.xray_chest import xray_chest
from tests.io.dicom.sources import read_stack
from tests.io.dicom.validation import errors, needs_validator

CHEST: dict[str, Any] = {"shape": (10, 40, 44), "spacing": (28.0, 9.0, 8.5)}
COLUMNS = (
    Column("volume", "mm^3", "IBSI:RNU0"),
    Column("intensity_mean", "HU", "IBSI:Q4LE"),
    Column("integrated_intensity", "HU mm^3", "IBSI:99N0"),
    Column("a_name_of_our_own_that_is_long", "1/mm"),
    Column("side", ""),
    Column("undefined", "1"),
    Column("endless", "something else"),
    Column("count", "1"),
)


def _features(regions: list[str]) -> Features:
    rows = tuple((1234.56789012345 + k, -801.25, 3e9, 1e-30, "left", float("nan"), float("-inf"), 7) for k in range(len(regions)))
    return Features(COLUMNS, rows, tuple(regions))


def _chest(folder: Path) -> tuple[WrittenSeries, WrittenSegmentation]:
    phantom = chest_ct(**CHEST)
    series = write_series(phantom.image, folder / "series")
    return series, write_seg(phantom.truth, series.identity, folder / "seg.dcm")


def _picture(folder: Path, phantom: Any) -> tuple[WrittenSeries, WrittenSegmentation]:
    series = write_series(phantom.image, folder / "series")
    return series, write_seg(phantom.truth, series.identity, folder / "seg.dcm")


SOURCES: dict[str, Callable[[Path], tuple[WrittenSeries, WrittenSegmentation]]] = {
    "ct": _chest,
    "dx": lambda folder: _picture(folder, xray_chest((64, 65), (6.0, 6.0))),
    "us": lambda folder: _picture(folder, ultrasound((60, 81), axes=(12.0, 9.0))),
}


def _groups(path: Path) -> tuple[list[Any], list[Any], list[Any]]:
    """Return planar, volumetric and image measurement groups as highdicom reads them."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        content: Any = highdicom.sr.srread(path).content
        return (
            content.get_planar_roi_measurement_groups(),
            content.get_volumetric_roi_measurement_groups(),
            content.get_image_measurement_groups(),
        )


def _items(item: Dataset) -> list[Dataset]:
    """Return a content item and all below it."""
    return [item, *(found for child in item.get("ContentSequence") or () for found in _items(child))]


@needs_validator
@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("segmented", [True, False])
def test_every_kind_is_valid(source: str, segmented: bool, tmp_path: Path) -> None:
    series, seg = SOURCES[source](tmp_path)
    regions = [*seg.segments, "somewhere else"] if segmented else ["lesion"]
    path = write_sr(_features(regions), series.identity, tmp_path / "sr.dcm", segmentations=[seg] if segmented else []).path
    assert errors(path) == []


def test_numbers_units_and_codes_come_back(tmp_path: Path) -> None:
    series, seg = _chest(tmp_path)
    path = write_sr(_features(["right lung", "nodule 1"]), series.identity, tmp_path / "sr.dcm", segmentations=[seg]).path
    planar, volumetric, loose = _groups(path)
    assert (len(planar), len(volumetric), len(loose)) == (0, 2, 0)
    for k, group in enumerate(volumetric):
        found = {m.name.meaning: m for m in group.get_measurements()}
        assert found["volume"].value == 1234.56789012345 + k and found["volume"].unit.value == "mm3"
        assert (found["volume"].name.value, found["volume"].name.scheme_designator) == ("RNU0", "IBSI")
        assert found["intensity mean"].unit.value == "[hnsf'U]" and found["integrated intensity"].unit.value == "[hnsf'U].mm3"
        own = found["a name of our own that is long"].name
        assert own.scheme_designator == SCHEME and len(own.value) <= 16
        assert found["count"].unit.value == "1" and "undefined" not in found
        words = {e.name.meaning: e.value for e in group.get_qualitative_evaluations()}
        assert words["side"].value == "left" and words["undefined"].value == "114000" and words["endless"].value == "114001"


def test_groups_refer_to_segments_and_their_slices(tmp_path: Path) -> None:
    series, seg = _chest(tmp_path)
    path = write_sr(_features(["right lung", "nodule 1"]), series.identity, tmp_path / "sr.dcm", segmentations=[seg]).path
    written = pydicom.dcmread(seg.path)
    trackers = {str(s.SegmentLabel): str(s.TrackingUID) for s in written.SegmentSequence}
    for name, group in zip(("right lung", "nodule 1"), _groups(path)[1], strict=True):
        reference = group.referenced_segment
        assert (reference.referenced_sop_instance_uid, reference.referenced_segment_numbers[0]) == (
            seg.instance,
            seg.segments[name].number,
        )
        expected = [series.identity["SOPInstanceUIDs"][z] for z in seg.segments[name].slices]
        assert [s.referenced_sop_instance_uid for s in reference.source_images_for_segmentation] == expected
        assert (group.tracking_identifier, group.tracking_uid) == (name, trackers[name])
    right = _groups(path)[1][0]
    assert right.finding_type.value == "39607008" and right.finding_sites[0].laterality.meaning == "Right"
    assert _groups(path)[1][1].finding_type.meaning == "Nodule"
    evidence = pydicom.dcmread(path).CurrentRequestedProcedureEvidenceSequence[0].ReferencedSeriesSequence
    listed = {str(i.ReferencedSOPInstanceUID) for s in evidence for i in s.ReferencedSOPSequence}
    assert listed == {*series.identity["SOPInstanceUIDs"], seg.instance}


def test_a_picture_has_planar_groups(tmp_path: Path) -> None:
    series, seg = SOURCES["dx"](tmp_path)
    path = write_sr(_features(["left lung"]), series.identity, tmp_path / "sr.dcm", segmentations=[seg]).path
    planar, volumetric, loose = _groups(path)
    assert (len(planar), len(volumetric), len(loose)) == (1, 0, 0)
    (item,) = [
        i
        for i in _items(pydicom.dcmread(path))
        if "ConceptNameCodeSequence" in i and i.ConceptNameCodeSequence[0].CodeValue == "121214"
    ]
    reference = item.ReferencedSOPSequence[0]
    assert (
        reference.ReferencedSOPInstanceUID == seg.instance
        and int(reference.ReferencedFrameNumber) == seg.segments["left lung"].frames[0]
    )


def test_without_a_segmentation_groups_refer_to_the_images(tmp_path: Path) -> None:
    series, _ = _chest(tmp_path)
    path = write_sr(_features(["whole image"]), series.identity, tmp_path / "sr.dcm").path
    planar, volumetric, loose = _groups(path)
    assert (len(planar), len(volumetric), len(loose)) == (0, 0, 1)
    assert [s.referenced_sop_instance_uid for s in loose[0].source_images] == series.identity["SOPInstanceUIDs"]


def test_tables_of_one_region_share_a_group(tmp_path: Path) -> None:
    series, seg = _chest(tmp_path)
    tables = [
        Features((Column("volume", "mm^3"),), ((1.0,), (2.0,)), ("heart", "bone")),
        Features((Column("intensity_mean", "HU"),), ((40.0,),), ("heart",)),
    ]
    groups = _groups(write_sr(tables, series.identity, tmp_path / "sr.dcm", segmentations=[seg]).path)[1]
    assert [len(g.get_measurements()) for g in groups] == [2, 1]


def test_who_when_and_what(tmp_path: Path) -> None:
    series, seg = _chest(tmp_path)
    identity = {**series.identity, "StudyDate": "20240229", "StudyTime": "101112"}
    report = pydicom.dcmread(
        write_sr(_features(["body"]), identity, tmp_path / "sr.dcm", segmentations=[seg], description="x" * 80).path
    )
    assert (report.ContentDate, report.ContentTime, report.Modality, report.CompletionFlag) == (
        "20240229",
        "101112",
        "SR",
        "COMPLETE",
    )
    assert report.VerificationFlag == "UNVERIFIED" and len(report.SeriesDescription) == 64
    texts = {i.ConceptNameCodeSequence[0].CodeMeaning: i for i in _items(report) if "ConceptNameCodeSequence" in i}
    assert texts["Device Observer Name"].TextValue == "isocenter" and texts["Algorithm Name"].TextValue == "isocenter"
    assert texts["Procedure reported"].ConceptCodeSequence[0].CodeMeaning == "Computed tomography"


@pytest.mark.parametrize("source", SOURCES)
def test_twice_is_bit_equal(source: str, tmp_path: Path) -> None:
    series, seg = SOURCES[source](tmp_path)
    paths = [
        write_sr(_features(list(seg.segments)), series.identity, tmp_path / f"{k}.dcm", segmentations=[seg]).path
        for k in range(2)
    ]
    assert paths[0].read_bytes() == paths[1].read_bytes()


def test_other_numbers_get_another_uid(tmp_path: Path) -> None:
    series, seg = _chest(tmp_path)
    one, two = (
        write_sr(
            Features((Column("volume", "mm^3"),), ((value,),), ("heart",)),
            series.identity,
            tmp_path / f"{value}.dcm",
            segmentations=[seg],
        )
        for value in (1.0, 1.0000000000000002)
    )
    assert one.instance != two.instance and one.series != two.series


def test_nothing_to_report_and_no_dicom_are_refused(tmp_path: Path) -> None:
    series, _ = _chest(tmp_path)
    with pytest.raises(ContentError, match="no rows"):
        write_sr(Features(COLUMNS, (), ()), series.identity, tmp_path / "sr.dcm")
    with pytest.raises(ContentError, match="StudyInstanceUID"):
        write_sr(_features(["lesion"]), {}, tmp_path / "sr.dcm")
    with pytest.raises(ContentError, match="SOPInstanceUIDs"):
        write_sr(_features(["lesion"]), {**series.identity, "SOPInstanceUIDs": ()}, tmp_path / "sr.dcm")
    with pytest.raises(WriteError):
        write_sr(_features(["lesion"]), series.identity, tmp_path / "absent" / "sr.dcm")


def test_hostile_names_are_kept_within_their_types(tmp_path: Path) -> None:
    series, _ = _chest(tmp_path)
    table = Features((Column("\\" * 90, "{mm}\n" * 30), Column("text", "")), ((1.0, "a\\b\x1b" * 40),), ("\\\n" + "r" * 200,))
    path = write_sr(table, series.identity, tmp_path / "sr.dcm").path
    (group,) = _groups(path)[2]
    assert group.tracking_identifier == "/ " + "r" * 62
    (measured,) = group.get_measurements()
    assert measured.value == 1.0 and measured.unit.value == "{" + "mm" * 16 + "}"


@needs_validator
def test_over_a_real_series(shared: Callable[[str], Path], tmp_path: Path) -> None:
    image, identity = read_stack(sorted(shared("data/ibsi/1_ct_phantom/dicom/image").glob("*.dcm")))
    labels = LabelMap((np.asarray(image.array) < -500).astype(np.uint8), image.dims, image.geometry, (Segment(1, "right lung"),))
    seg = write_seg(labels, identity, tmp_path / "seg.dcm")
    first = write_sr(_features(["right lung"]), identity, tmp_path / "sr.dcm", segmentations=[seg])
    again = write_sr(_features(["right lung"]), identity, tmp_path / "again.dcm", segmentations=[seg])
    assert errors(first.path) == [] and first.path.read_bytes() == again.path.read_bytes()
    (group,) = _groups(first.path)[1]
    assert len(group.referenced_segment.source_images_for_segmentation) == len(seg.segments["right lung"].slices)


def test_multiframe_source_is_referred_to_by_frame(tmp_path: Path) -> None:
    phantom = chest_ct(**CHEST)
    count = phantom.image.shape[0]
    identity = {
        "PatientID": "1", "StudyInstanceUID": "1.2.3", "SeriesInstanceUID": "1.2.3.4", "SOPClassUID": "1.2.840.10008.5.1.4.1.1.2.1",
        "Modality": "CT", "SOPInstanceUIDs": ["1.2.3.4.5"], "FrameNumbers": list(range(count, 0, -1)),
    }  # fmt: skip
    seg = write_seg(phantom.truth, identity, tmp_path / "seg.dcm")
    path = write_sr(_features(["nodule 1"]), identity, tmp_path / "sr.dcm", segmentations=[seg]).path
    (group,) = _groups(path)[1]
    (source,) = group.referenced_segment.source_images_for_segmentation
    assert sorted(count - z for z in seg.segments["nodule 1"].slices) == [
        int(n) for n in np.atleast_1d(source.referenced_frame_numbers)
    ]


@pytest.mark.parametrize(
    ("unit", "code"),
    [
        ("1", "1"),
        ("", "1"),
        ("mm", "mm"),
        ("mm^2", "mm2"),
        ("mm^3", "mm3"),
        ("1/mm", "/mm"),
        ("HU", "[hnsf'U]"),
        ("HU^2", "[hnsf'U]2"),
        ("HU mm^3", "[hnsf'U].mm3"),
        ("g/ml", "g/ml"),
        ("Bq/ml", "Bq/ml"),
        ("SUVbw", "g/ml{SUVbw}"),
        ("SUVbw^2", "g2/ml2{SUVbw}"),
        ("a.u.", "[arb'U]"),
        ("%", "%"),
        ("px^2", "{pixel}2"),
        ("g/ml ml", "g/ml.ml"),
        ("grey level", "{grey}.{level}"),
        ("{weird}", "{weird}"),
    ],
)
def test_units(unit: str, code: str) -> None:
    assert unit_code(unit).value == code and unit_code(unit).scheme == "UCUM"
