"""Parametric maps: valid, bit-equal back on their source's grid, the same twice, and left is left."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import highdicom
import numpy as np
import pytest

import isocenter as iso
from isocenter.core.errors import ContentError, GridMismatchError
from isocenter.core.image import Image
from isocenter.io.dicom.write_parametric_map import WrittenMap, write_parametric_map
from isocenter.io.dicom.write_series import WrittenSeries, write_series
from isocenter.testing.phantoms.chest_ct import chest_ct
from isocenter.testing.phantoms.xray_chest import xray_chest
from tests.io.dicom.validation import errors, needs_validator

CHEST: dict[str, Any] = {"shape": (10, 40, 44), "spacing": (28.0, 9.0, 8.5)}
PHANTOMS: dict[str, Callable[[], Any]] = {
    "straight": lambda: chest_ct(**CHEST),
    "tilted": lambda: chest_ct(**CHEST, tilt=16.0),
    "prone": lambda: chest_ct(**CHEST, prone=True),
}


def _write(name: str, folder: Path) -> tuple[Image, Any, WrittenSeries, WrittenMap]:
    phantom = PHANTOMS[name]()
    series = write_series(phantom.image, folder / "series")
    values = np.random.default_rng(0).normal(size=phantom.image.shape).astype(np.float32)
    values[phantom.region("left lung")] += 20.0
    image = Image(values, phantom.image.dims, phantom.image.geometry, modality="CT", quantity="attribution")
    written = write_parametric_map(image, series.identity, folder / "map.dcm", description="Grad-CAM: tumour")
    return image, phantom, series, written


@pytest.mark.parametrize("name", PHANTOMS)
def test_values_and_places_come_back(name: str, tmp_path: Path) -> None:
    image, phantom, _, written = _write(name, tmp_path)
    again = iso.read(written.path)
    assert again.array.dtype == np.float32 and np.array_equal(again.array, image.array)
    assert again.geometry.matches(image.geometry.with_frame(again.geometry.frame))
    bright = again.geometry.to_world(np.argwhere(np.asarray(again.array) > 10.0)).mean(axis=0)
    lung = phantom.image.geometry.to_world(np.argwhere(phantom.region("left lung"))).mean(axis=0)
    body = phantom.image.geometry.to_world(np.argwhere(phantom.region("body"))).mean(axis=0)
    assert np.abs(bright - lung).max() < 1e-3 and bright[0] > body[0]


def test_others_read_the_same_numbers(tmp_path: Path) -> None:
    image, _, series, written = _write("straight", tmp_path)
    found = highdicom.imread(written.path)
    frames = np.asarray(found.pixel_array)
    positions = [float(f.PlanePositionSequence[0].ImagePositionPatient[2]) for f in found.PerFrameFunctionalGroupsSequence]
    for frame, height in zip(frames, positions, strict=True):
        k = round((height - image.geometry.origin[2]) / image.geometry.spacing[0])
        assert np.array_equal(frame, np.asarray(image.array)[k])
    assert len(frames) == image.shape[0]
    assert str(found.StudyInstanceUID) == series.identity["StudyInstanceUID"]
    assert str(found.FrameOfReferenceUID) == series.identity["FrameOfReferenceUID"]
    mapping = found.SharedFunctionalGroupsSequence[0].RealWorldValueMappingSequence[0]
    assert (mapping.LUTLabel, float(mapping.RealWorldValueSlope)) == ("attribution", 1.0)


def test_twice_is_the_same(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        _write("straight", tmp_path / folder)
    assert (tmp_path / "a/map.dcm").read_bytes() == (tmp_path / "b/map.dcm").read_bytes()


@needs_validator
@pytest.mark.parametrize("name", PHANTOMS)
def test_the_validator_finds_no_error(name: str, tmp_path: Path) -> None:
    assert errors(_write(name, tmp_path)[3].path) == []


def test_what_cannot_be_written_is_refused(tmp_path: Path) -> None:
    image, phantom, series, _ = _write("straight", tmp_path)
    path = tmp_path / "no.dcm"
    with pytest.raises(ContentError, match="not finite"):
        write_parametric_map(image.with_array(np.full(image.shape, np.nan, np.float32)), series.identity, path)
    with pytest.raises(ContentError, match="SOPInstanceUIDs"):
        write_parametric_map(image, {}, path)
    with pytest.raises(GridMismatchError, match="differ"):
        write_parametric_map(image, series.identity, path, grid=phantom.image.geometry.flip(2))
    xray = xray_chest((64, 65), (6.0, 6.0)).image
    flat = write_series(xray, tmp_path / "xray")
    with pytest.raises(ContentError, match="projection"):
        write_parametric_map(xray.replace(array=np.zeros(xray.shape, np.float32)), flat.identity, path)
    assert not path.exists()
