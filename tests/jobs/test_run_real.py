"""The main job on a real chest CT: a DICOM folder in, a checked result folder out."""

from __future__ import annotations

import csv
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from isocenter.core.labels import LabelMap, MaskStack
from isocenter.io import door
from isocenter.jobs import run as job
from isocenter.jobs.run import Summary
from isocenter.jobs.verify import verify


@pytest.fixture(scope="module")
def result(shared: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Summary:
    return job.run(shared("ibsi/1_ct_phantom/dicom"), tmp_path_factory.mktemp("ibsi") / "out")


def test_everything_is_there(result: Summary) -> None:
    assert result.exit_code == 0
    for name in ("report.html", "report.pdf", "lineage.json", "run.json", "labels/lungs.nii.gz", "meshes/lungs.glb"):
        assert (result.out / name).is_file(), name
    for pattern in ("dicom/seg-*.dcm", "dicom/sr.dcm", "dicom/report.dcm", "tables/*.csv", "images/*.nii.gz"):
        assert list(result.out.glob(pattern)), pattern
    assert result.peak_bytes > 0
    assert result.seconds > 0


def test_the_study_was_chosen_by_content(result: Summary) -> None:
    assert result.cases[0].study == "ct-chest"
    assert "lung" in result.cases[0].why


def test_the_one_lung_is_the_right_one(result: Summary) -> None:
    lungs = door.read_labels(result.out / "labels/lungs.nii.gz")
    assert isinstance(lungs, LabelMap)
    voxel = lungs.geometry.voxel_size / 1000.0
    volumes = {s.name: float((np.asarray(lungs.array) == s.value).sum()) * voxel for s in lungs.segments}
    assert volumes["right lung"] > 500.0
    assert volumes.get("left lung", 0.0) < 0.05 * volumes["right lung"]


def test_the_tumour_that_came_along_is_measured(result: Summary, shared: Callable[[str], Path]) -> None:
    tables = [p for p in (result.out / "tables").glob("shape_*.csv") if ".columns" not in p.name]
    assert tables
    rows = [row for path in tables for row in csv.DictReader(path.read_text(encoding="utf-8").splitlines())]
    truth = door.read_labels(shared("ibsi/1_ct_phantom/mask/mask.nii.gz"))
    assert isinstance(truth, LabelMap)
    expected = float(truth.mask().sum()) * truth.geometry.voxel_size
    column = next(name for name in rows[0] if "volume_voxel" in name)
    assert min(abs(float(row[column]) - expected) / expected for row in rows) < 0.01


def test_the_masks_of_the_case_lie_on_the_image(result: Summary) -> None:
    study = door.read_study(result.out / "images" / "image.nii.gz")
    image = next(iter(study.images.values()))
    for path in sorted((result.out / "dicom").glob("seg-*.dcm")):
        found = door.inspect(path)
        assert not found.refusals
        value = found.items[0].load()
        assert isinstance(value, LabelMap | MaskStack)
        match = _same_world(image.geometry, value.geometry)
        assert match <= 1e-3, path


def _same_world(image: object, labels: object) -> float:
    """Return the largest distance in mm between where a SEG's samples lie and the nearest samples of its image."""
    from isocenter.core.geometry import Geometry

    assert isinstance(image, Geometry)
    assert isinstance(labels, Geometry)
    corners = labels.corners()
    index = image.to_index(corners)
    return float(np.abs(image.to_world(np.round(index)) - corners).max())


@pytest.mark.skipif(shutil.which("dciodvfy") is None, reason="dciodvfy is not installed: apt-get install dicom3tools")
def test_dicom_objects_validate(result: Summary) -> None:
    for path in sorted((result.out / "dicom").glob("*.dcm")):
        done = subprocess.run(["dciodvfy", str(path)], capture_output=True, text=True, timeout=60, check=False)
        errors = [line for line in (done.stdout + done.stderr).splitlines() if line.startswith("Error")]
        assert errors == [], path


def test_verify_and_resume(result: Summary, shared: Callable[[str], Path]) -> None:
    assert verify(result.out).sound
    again = job.run(shared("ibsi/1_ct_phantom/dicom"), result.out)
    assert again.reused
    assert verify(result.out).sound
