"""Segmentations are read on the grid of their image: of a radiograph that has no place in the patient, and of slices that were left out."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest

import isocenter as iso
from isocenter.core.errors import InputError
from isocenter.core.labels import LabelMap
from isocenter.io import door
from isocenter.io.dicom.write_seg import write_seg
from isocenter.io.dicom.write_series import write_series
from isocenter.jobs import compare
from isocenter.jobs.analyses import analyses_of, give_masks
from isocenter.learn.data.dicom import from_dicom
from isocenter.learn.masks.cases import load_cases
from isocenter.testing.phantoms.chest_ct import chest_ct
from isocenter.testing.phantoms.xray_chest import xray_chest


def _array(labels: Any) -> np.ndarray[Any, Any]:
    return np.asarray((labels if isinstance(labels, LabelMap) else labels.to_labels()).array)


def _radiograph(folder: Path, calibrated: bool = True) -> Any:
    phantom = xray_chest((64, 65), (6.0, 6.0), calibrated=calibrated)
    series = write_series(phantom.image, folder / "series")
    write_seg(phantom.truth, series.identity, folder / "seg.dcm")
    return phantom


@pytest.mark.parametrize("calibrated", [True, False])
def test_a_segmentation_of_a_radiograph_lies_on_its_grid(tmp_path: Path, calibrated: bool) -> None:
    phantom = _radiograph(tmp_path, calibrated)
    image = iso.read(tmp_path / "series")
    placed = door.read_labels(tmp_path / "seg.dcm", tmp_path / "series")
    assert placed.geometry == image.geometry
    assert (_array(placed) > 0).sum() == (np.asarray(phantom.truth.array) > 0).sum()
    study = iso.read_study(tmp_path)
    assert [labels.geometry for labels in study.labels.values()] == [image.geometry]


def test_without_its_radiograph_it_is_in_pixels_and_says_so(tmp_path: Path) -> None:
    _radiograph(tmp_path)
    (item,) = door.inspect(tmp_path / "seg.dcm").items
    assert item.spec.geometry is not None and item.spec.geometry.unit == "px"
    assert any("no position and no pixel size" in problem.text for problem in item.problems)


def test_two_radiographs_of_one_series_keep_their_own_segmentations(tmp_path: Path) -> None:
    _radiograph(tmp_path)
    (file,) = (tmp_path / "series").rglob("*.dcm")
    other = pydicom.dcmread(file)
    other.SOPInstanceUID = other.file_meta.MediaStorageSOPInstanceUID = f"{other.SOPInstanceUID}.7"
    other.PixelSpacing = other.ImagerPixelSpacing = [3, 3]
    other.save_as(file.with_name("second.dcm"))
    labels = [item for item in door.inspect(tmp_path).items if item.kind == "labels"]
    assert [item.spec.geometry.spacing for item in labels if item.spec.geometry is not None] == [(6.0, 6.0)]


def test_frames_of_one_segment_without_a_position_are_refused(tmp_path: Path) -> None:
    _radiograph(tmp_path)
    data = pydicom.dcmread(tmp_path / "seg.dcm")
    frames = list(data.PerFrameFunctionalGroupsSequence)
    data.PerFrameFunctionalGroupsSequence = [*frames, frames[0]]
    planes = data.pixel_array.reshape(-1, data.Rows, data.Columns)
    data.NumberOfFrames = len(planes) + 1
    bits = np.packbits(np.concatenate([planes, planes[:1]]).ravel(), bitorder="little").tobytes()
    data.PixelData = bits + b"\0" * (len(bits) % 2)
    data.save_as(tmp_path / "twice.dcm")
    with pytest.raises(InputError, match="belong to one segment and no frame has a position"):
        door.read_labels(tmp_path / "twice.dcm")


def _partial(folder: Path, k: int = 0) -> Any:
    """Write a CT and the segmentation of its lungs, whose empty slices are left out, as most makers do."""
    phantom = chest_ct(shape=(10, 40, 44), spacing=(28.0, 9.0, 8.5), seed=k)
    series = write_series(phantom.image, folder / "ct", identity={"PatientID": f"patient {k}"})
    lungs = phantom.truth.replace(
        array=phantom.region("lungs").astype(np.uint8), segments=tuple(s for s in phantom.truth.segments if s.value == 1)
    )
    array = np.asarray(lungs.array).copy()
    array[:3] = array[-3:] = 0
    written = write_seg(lungs.replace(array=array), series.identity, folder / "lungs.dcm")
    return array, written


def test_a_segmentation_of_some_slices_comes_on_the_grid_of_the_whole_series(tmp_path: Path) -> None:
    array, _ = _partial(tmp_path)
    alone = door.read_labels(tmp_path / "lungs.dcm")
    assert alone.geometry.shape[0] < 10
    placed = door.read_labels(tmp_path / "lungs.dcm", tmp_path / "ct")
    assert placed.geometry == iso.read(tmp_path / "ct").geometry
    assert np.array_equal(_array(placed) > 0, array > 0)


def test_an_image_in_an_archive_gives_its_grid_too(tmp_path: Path) -> None:
    array, _ = _partial(tmp_path)
    shutil.make_archive(str(tmp_path / "packed"), "zip", tmp_path / "ct")
    placed = door.read_labels(tmp_path / "lungs.dcm", tmp_path / "packed.zip")
    assert placed.geometry.shape == (10, 40, 44) and np.array_equal(_array(placed) > 0, array > 0)


def test_a_cohort_and_a_run_take_segmentations_of_some_slices(tmp_path: Path) -> None:
    for k in range(2):
        _partial(tmp_path / str(k), k)
    cases = load_cases(from_dicom(tmp_path))
    assert len(cases.masks) == 2 and not cases.aside
    assert all(mask.geometry.shape == (10, 40, 44) for mask in cases.masks)
    analyses, _ = analyses_of(door.cases(door.inspect(tmp_path / "0" / "ct"))[0], "ct-chest")
    (given,) = give_masks(analyses, {"lungs": tmp_path / "0" / "lungs.dcm"})
    assert given.masks == {"lungs": tmp_path / "0" / "lungs.dcm"}


def test_segmentations_of_different_slices_are_compared_on_their_image(tmp_path: Path) -> None:
    array, _ = _partial(tmp_path)
    series = door.inspect(tmp_path / "ct").items[0]
    assert series.spec.geometry is not None
    fewer = array.copy()
    fewer[3] = 0
    whole = chest_ct(shape=(10, 40, 44), spacing=(28.0, 9.0, 8.5)).truth
    labels = whole.replace(array=fewer, geometry=series.spec.geometry, segments=tuple(s for s in whole.segments if s.value == 1))
    write_seg(labels, series.identity, tmp_path / "fewer.dcm")
    with pytest.raises(InputError):
        compare.compare(tmp_path / "fewer.dcm", tmp_path / "lungs.dcm", tmp_path / "alone")
    compare.compare(tmp_path / "fewer.dcm", tmp_path / "lungs.dcm", tmp_path / "out", image=tmp_path / "ct")
    scores = (tmp_path / "out" / "scores.csv").read_text()
    dice = 2.0 * fewer.sum() / (fewer.sum() + array.sum())
    assert f"dice,{dice:.6f}"[:12] in scores
