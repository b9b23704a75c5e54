"""`isocenter convert`: from every format into every other one, values, places, left and right stay."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from isocenter.core.errors import ContentError, InputError
from isocenter.core.geometry import Geometry
from isocenter.core.image import Image
from isocenter.io import door
from isocenter.jobs.convert import convert
from tests.io.dicom.test_chain import from_the_same_end
from tests.io.dicom.test_round_trip import turned

SHAPE = (4, 7, 6)
FORMATS = ["series", "a.nii", "a.nii.gz", "a.nrrd", "a.mha", "a.mhd", "a.ome.zarr", "a.tif"]


def volume(dtype: Any = np.int16) -> Image:
    """Return an oblique volume in which no sample is another's mirror image."""
    array = np.random.default_rng(5).integers(-900, 2000, SHAPE).astype(dtype)
    return Image(
        array,
        ("z", "y", "x"),
        Geometry.regular(SHAPE, (2.5, 0.8, 1.1), (-31.5, 20.25, 7.0), turned((0.1, -0.2, 0.15))),
        modality="MR",
    )


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sources")
    door.write(volume(), folder / "first.nrrd")
    for name in FORMATS:
        convert(folder / "first.nrrd", folder / name, modality="MR")
    return folder


def same(found: Image, expected: Image) -> None:
    found = from_the_same_end(found, expected.geometry)
    match = found.geometry.with_frame(None).matches(expected.geometry, mm=1e-3)
    assert match, match.reason
    assert found.dims == expected.dims and np.array_equal(np.asarray(found.array), np.asarray(expected.array))


@pytest.mark.parametrize("source", FORMATS)
@pytest.mark.parametrize("target", FORMATS)
def test_every_pair_of_formats(source: str, target: str, written: Path, tmp_path: Path) -> None:
    lines = convert(written / source, tmp_path / target, modality="MR")
    assert lines[0].startswith("wrote ")
    same(door.read(tmp_path / target), volume())


@pytest.mark.parametrize("dtype", ["u1", "i1", "u2", "i4", "u4", "f4", "f8"])
@pytest.mark.parametrize("target", FORMATS)
def test_types_of_samples_stay_or_are_refused(dtype: str, target: str, tmp_path: Path) -> None:
    value = volume().replace(array=np.abs(np.asarray(volume().array)).astype(dtype))
    door.write(value, tmp_path / "source.nrrd")
    try:
        convert(tmp_path / "source.nrrd", tmp_path / target, modality="MR")
    except InputError as error:
        assert "expected" in str(error)  # noqa: PT017 - either outcome is right, this one with a sentence
        return
    found = from_the_same_end(door.read(tmp_path / target), value.geometry)
    if target == "series" and value.dtype.itemsize > 2:  # DICOM holds sixteen bits and a slope
        step = float(np.ptp(value.array)) / 65535
        assert np.abs(np.asarray(found.array, float) - np.asarray(value.array, float)).max() <= 0.51 * step + 1e-3
    else:
        same(found, value)


def test_a_volume_of_unknown_modality_names_the_option(tmp_path: Path) -> None:
    door.write(volume().replace(modality=None), tmp_path / "a.nrrd")
    with pytest.raises(ContentError, match=r"does not say its modality: expected one, .*say what it is with --modality CT\.$"):
        convert(tmp_path / "a.nrrd", tmp_path / "series")
    assert not (tmp_path / "series").exists()
    convert(tmp_path / "a.nrrd", tmp_path / "series", modality="ct")
    found = door.read(tmp_path / "series")
    assert found.modality == "CT" and found.quantity == "HU"
    same(found, volume())


def test_a_volume_is_no_picture(tmp_path: Path) -> None:
    door.write(volume(), tmp_path / "a.nrrd")
    with pytest.raises(InputError, match="one plane"):
        convert(tmp_path / "a.nrrd", tmp_path / "a.png")
    assert not (tmp_path / "a.png").exists()
