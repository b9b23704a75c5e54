"""Presentation states give windows to the images that they refer to; segmented palettes unfold as pydicom unfolds them."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.pixels.processing import _expand_segmented_lut

from isocenter.core.errors import FormatError
from isocenter.io.dicom.palette import expand
from isocenter.io.door import inspect, read_study
from tests.io.dicom.samples import ct_slice, save

PIXELS = np.arange(64, dtype=np.int16).reshape(8, 8)


def series(folder: Path) -> list[Dataset]:
    slices = [ct_slice(float(z), PIXELS, WindowCenter="40", WindowWidth="400") for z in range(3)]
    save(slices, folder)
    return slices


def state(folder: Path, slices: list[Dataset], windows: list[tuple[Any, Any, list[int]]], **changes: Any) -> Path:
    """Write a presentation state; each window is for some of the slices (none: all)."""
    data = Dataset()
    data.SOPClassUID, data.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.11.1", "2.25.901"
    data.StudyInstanceUID, data.SeriesInstanceUID = slices[0].StudyInstanceUID, "2.25.902"
    data.Modality, data.PatientID = "PR", slices[0].PatientID
    one = Dataset()
    one.SeriesInstanceUID = slices[0].SeriesInstanceUID
    one.ReferencedImageSequence = [_reference(s) for s in slices]
    data.ReferencedSeriesSequence = [one]
    data.SoftcopyVOILUTSequence = [_window(slices, *w) for w in windows]
    for name, value in changes.items():
        setattr(data, name, value)
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.1"
    data.file_meta.MediaStorageSOPClassUID, data.file_meta.MediaStorageSOPInstanceUID = data.SOPClassUID, data.SOPInstanceUID
    path = folder / "state.dcm"
    pydicom.dcmwrite(path, data, enforce_file_format=True)
    return path


def _reference(of: Dataset) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = of.SOPClassUID, of.SOPInstanceUID
    return item


def _window(slices: list[Dataset], centre: Any, width: Any, which: list[int]) -> Dataset:
    item = Dataset()
    item.WindowCenter, item.WindowWidth, item.WindowCenterWidthExplanation = centre, width, "LUNG"
    if which:
        item.ReferencedImageSequence = [_reference(slices[k]) for k in which]
    return item


def test_the_window_of_the_image_and_that_of_the_state(tmp_path: Path) -> None:
    slices = series(tmp_path)
    (item,) = inspect(tmp_path).items
    assert item.attributes["display_window"] == [40.0, 400.0]
    before = np.asarray(item.load().array)
    area = Dataset()
    area.PixelSpacing = [1, 1]
    state(tmp_path, slices, [("-600", "1500", []), ("50", "350", [1])], DisplayedAreaSelectionSequence=[area])
    inventory = inspect(tmp_path)
    assert not inventory.refusals, inventory.refusals
    (item,) = inventory.items
    assert not inventory.refusals
    assert item.attributes["display_window"] == [-600.0, 1500.0]
    assert item.attributes["presentation_windows"] == [[-600.0, 1500.0, "LUNG"], [50.0, 350.0, "LUNG"]]
    assert any("displayed area" in p.text and "not applied" in p.text for p in item.problems)
    assert np.array_equal(before, item.load().array)
    assert read_study(tmp_path).attributes["display_window"] == [-600.0, 1500.0]


def test_a_state_without_its_images_and_an_impossible_window_are_told(tmp_path: Path) -> None:
    slices = series(tmp_path / "a")
    alone = tmp_path / "b"
    alone.mkdir()
    inventory = inspect(state(alone, slices, [("0", "100", [])]))
    assert not inventory.items and "not among the input" in inventory.refusals[0].reason
    state(tmp_path / "a", slices, [("0", "-5", [])])
    inventory = inspect(tmp_path / "a")
    assert len(inventory.items) == 1 and "positive width" in inventory.refusals[0].reason
    assert inventory.items[0].attributes["display_window"] == [40.0, 400.0]


WIDE = [0, 2, 100, 300, 1, 10, 4000, 0, 1, 7, 2, 2, 0, 0, 1, 3, 0]
NARROW = [0, 2, 10, 30, 1, 10, 200, 0, 1, 7, 2, 2, 0, 0, 0, 0, 1, 3, 0]


@pytest.mark.parametrize(("words", "code"), [(WIDE, "H"), (NARROW, "B")])
def test_segments_unfold_as_pydicoms(words: list[int], code: str) -> None:
    raw = struct.pack(f"<{len(words)}{code}", *words)
    count = 2 + 10 + 1 + 2 + 10 + 3
    theirs = _expand_segmented_lut(tuple(words), f"<{len(words)}{code}")
    found = expand(raw, count, code == "H", False, Path("a.dcm"))
    assert len(theirs) == count and np.abs(found.astype(int) - np.array(theirs)).max() <= 1  # they cut off, we round


@pytest.mark.parametrize(
    "words",
    [
        [2, 1, 0, 0],  # repeats itself
        [0, 1, 5, 2, 1, 6, 0],  # a repeat of the repeat
        [2, 65535, 65535, 65535],
        [1, 10, 5],  # a ramp from nowhere
        [0, 200, 1],
        [7, 1, 1],
        [0, 0] * 100_000 + [2, 65535, 0, 0] * 100,  # segments that give nothing, again and again
        [0, 1, 5, 1, 65535, 0, 1, 65535, 0],  # more than the table holds
        [],
    ],
)
def test_hostile_segments_end_with_a_sentence(words: list[int]) -> None:
    with pytest.raises(FormatError, match="segmented palette"):
        expand(struct.pack(f"<{len(words)}H", *words), 256, True, False, Path("a.dcm"))


def test_an_image_with_segmented_palettes_is_in_colour(tmp_path: Path) -> None:
    one = ct_slice(0.0, np.arange(64, dtype=np.uint16).reshape(8, 8) % 4)
    for name in ("ImagePositionPatient", "ImageOrientationPatient", "RescaleSlope", "RescaleIntercept", "RescaleType"):
        if name in one:
            delattr(one, name)
    one.SOPClassUID, one.Modality = "1.2.840.10008.5.1.4.1.1.7", "OT"
    one.PhotometricInterpretation, one.PixelRepresentation = "PALETTE COLOR", 0
    ramps = {"Red": [0, 1, 0, 1, 3, 3000], "Green": [0, 4, 9, 8, 7, 6], "Blue": [0, 2, 5, 6, 2, 1, 0, 0]}
    for name, words in ramps.items():
        setattr(one, f"{name}PaletteColorLookupTableDescriptor", [4, 0, 16])
        setattr(one, f"Segmented{name}PaletteColorLookupTableData", struct.pack(f"<{len(words)}H", *words))
    save([one], tmp_path)
    inventory = inspect(tmp_path)
    assert not inventory.refusals, inventory.refusals
    assert not inventory.refusals, inventory.refusals
    array = np.asarray(inventory.items[0].load().array)
    assert array[:, 0, :4].tolist() == [[0, 1000, 2000, 3000], [9, 8, 7, 6], [5, 6, 5, 6]]
