"""Structure sets: contours in mm, masks with holes on the image's grid, refusals."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, RTStructureSetStorage

from isocenter.core.geometry import Geometry
from isocenter.core.labels import MaskStack
from isocenter.core.points import Contour, Contours
from isocenter.io.dicom.rtstruct import slot_of, to_masks
from tests.io.dicom.samples import PYDICOM, ct_slice, inspect, save

SQUARE = [(1.0, 0.5), (7.0, 0.5), (7.0, 4.5), (1.0, 4.5)]  # x, y in mm; columns are 2 mm, rows 1 mm apart
HOLE = [(3.0, 1.5), (5.0, 1.5), (5.0, 3.5), (3.0, 3.5)]


def structures(
    rois: dict[str, list[list[tuple[float, float, float]]]], series: str = "1.2.3.2", frame: str = "1.2.3.3"
) -> Dataset:
    data = Dataset()
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data.SOPClassUID, data.SOPInstanceUID = RTStructureSetStorage, "1.2.3.50"
    data.file_meta.MediaStorageSOPClassUID, data.file_meta.MediaStorageSOPInstanceUID = data.SOPClassUID, data.SOPInstanceUID
    data.StudyInstanceUID, data.SeriesInstanceUID, data.Modality, data.PatientID = "1.2.3.1", "1.2.3.51", "RTSTRUCT", "P1"
    owner, study, one = Dataset(), Dataset(), Dataset()
    one.SeriesInstanceUID = series
    study.RTReferencedSeriesSequence = [one]
    owner.FrameOfReferenceUID, owner.RTReferencedStudySequence = frame, [study]
    data.ReferencedFrameOfReferenceSequence = [owner]
    data.StructureSetROISequence, data.ROIContourSequence = [], []
    for number, (name, polygons) in enumerate(rois.items(), start=1):
        roi, entry = Dataset(), Dataset()
        roi.ROINumber, roi.ROIName, roi.ReferencedFrameOfReferenceUID = number, name, frame
        entry.ReferencedROINumber, entry.ROIDisplayColor, entry.ContourSequence = number, [255, 0, 10], []
        for points in polygons:
            contour = Dataset()
            contour.ContourGeometricType, contour.NumberOfContourPoints = "CLOSED_PLANAR", len(points)
            contour.ContourData = [v for p in points for v in p]
            entry.ContourSequence.append(contour)
        data.StructureSetROISequence.append(roi)
        data.ROIContourSequence.append(entry)
    return data


def at(points: list[tuple[float, float]], z: float) -> list[tuple[float, float, float]]:
    return [(x, y, z) for x, y in points]


def case(tmp_path: Path, data: Dataset) -> Path:
    save([ct_slice(float(z)) for z in range(4)], tmp_path)
    data.save_as(tmp_path / "rs.dcm", enforce_file_format=True)
    return tmp_path


def test_masks_lie_on_the_image_grid_with_holes(tmp_path: Path) -> None:
    data = structures({"GTV 1": [at(SQUARE, 1.0), at(HOLE, 1.0)], "Heart": [at(SQUARE, 2.0)]})
    items, refusals = inspect(case(tmp_path, data))
    assert not refusals and [(i.name, i.kind) for i in items] == [("image", "image"), ("structures", "labels")]
    masks = items[1].load()
    assert (
        isinstance(masks, MaskStack)
        and masks.geometry == items[0].spec.geometry
        and [s.name for s in masks.segments] == ["GTV 1", "Heart"]
    )
    full = np.zeros((6, 5), bool)
    full[1:5, 1:4] = True  # centres x = 2, 4, 6 mm and y = 1 .. 4 mm
    ring = full.copy()
    ring[2:4, 2] = False  # the hole holds the centre x = 4 mm
    assert np.array_equal(masks.array[0, 1], ring) and np.array_equal(masks.array[1, 2], full)
    assert masks.array[0].sum() == ring.sum() and masks.segments[0].color == (255, 0, 10)
    assert masks.provenance.sources[0].format == "dicom"


def test_the_only_structure_names_the_slot(tmp_path: Path) -> None:
    items, _ = inspect(case(tmp_path, structures({"GTV Mass/../x": [at(SQUARE, 1.0)]})))
    assert items[1].name == "gtv_mass_x"


@pytest.mark.parametrize(
    ("names", "slot"),
    [
        (["Lung (left)"], "lung_left"),
        (["../../etc"], "etc"),
        (["1st"], "structures"),
        (["a", "b"], "structures"),
        (["ct"], "structures"),
    ],
)
def test_slot_names_are_safe(names: list[str], slot: str) -> None:
    assert slot_of(names, "structures") == slot


def test_without_its_image_contours_stay_contours(tmp_path: Path) -> None:
    structures({"GTV": [at(SQUARE, 1.0)]}).save_as(tmp_path / "rs.dcm", enforce_file_format=True)
    items, refusals = inspect(tmp_path)
    assert not refusals and items[0].kind == "contours" and "did not come along" in items[0].problems[0].text
    (gtv,) = items[0].load()
    assert isinstance(gtv, Contours) and gtv.name == "GTV" and gtv.frame == "1.2.3.3"
    assert np.allclose(gtv.contours[0].points, at(SQUARE, 1.0))
    assert "1.2.3.2" in items[0].references and "1.2.3.3" in items[0].references


def test_image_is_found_by_frame_of_reference_where_the_series_is_another(tmp_path: Path) -> None:
    items, _ = inspect(case(tmp_path, structures({"GTV": [at(SQUARE, 1.0)]}, series="9.9.9")))
    assert items[1].kind == "labels" and items[1].spec.geometry == items[0].spec.geometry


def test_contours_that_leave_their_plane_are_refused(tmp_path: Path) -> None:
    bent = [(x, y, 1.0 + 0.3 * k) for k, (x, y) in enumerate(SQUARE)]
    items, refusals = inspect(case(tmp_path, structures({"GTV": [bent]})))
    assert (
        len(items) == 1 and "0.90 mm" in refusals[0].reason and "planar" in refusals[0].reason and "rs.dcm" in refusals[0].reason
    )


def test_broken_contours_are_refused(tmp_path: Path) -> None:
    data = structures({"GTV": [at(SQUARE, 1.0)]})
    data.ROIContourSequence[0].ContourSequence[0].ContourData = [1.0, 2.0, 3.0, 4.0]
    _, refusals = inspect(case(tmp_path, data))
    assert "ContourData" in refusals[0].reason and refusals[0].kind == "format"


def test_empty_structures_are_kept_and_mentioned(tmp_path: Path) -> None:
    items, _ = inspect(case(tmp_path, structures({"GTV": [at(SQUARE, 1.0)], "Empty": []})))
    assert "'Empty' has no contours" in items[1].problems[0].text and not items[1].load().array[1].any()


def test_contours_of_an_oblique_grid_fall_on_their_slices() -> None:
    turn = np.linalg.qr(np.random.default_rng(1).normal(size=(3, 3)))[0]
    geometry = Geometry.regular((5, 20, 20), (3.0, 1.0, 1.0), (10.0, -20.0, 30.0), direction=turn)
    corners = np.array([(2, 3.5, 4.5), (2, 3.5, 9.5), (2, 8.5, 9.5), (2, 8.5, 4.5)])
    masks = to_masks([Contours("box", (Contour(geometry.to_world(corners)),))], geometry)
    assert masks.array.sum() == 25 and masks.array[0, 2, 4:9, 5:10].all()


def test_single_slice_takes_the_contours_of_its_plane() -> None:
    geometry = Geometry((10, 10), np.array([[0, 1, 0], [1, 0, 0], [0, 0, 5], [0, 0, 1.0]]))
    here, far = (np.array([(x, y, z) for x, y in [(1.5, 1.5), (4.5, 1.5), (4.5, 4.5), (1.5, 4.5)]]) for z in (5.0, 9.0))
    masks = to_masks([Contours("a", (Contour(here),)), Contours("b", (Contour(far),))], geometry)
    assert masks.dims == ("y", "x") and masks.array[0].sum() == 9 and not masks.array[1].any()


def test_structure_set_that_a_dependency_ships_reads() -> None:
    items, refusals = inspect(PYDICOM / "rtstruct.dcm")
    assert not refusals and items[0].kind == "contours" and items[0].load()
