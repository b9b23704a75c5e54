"""The job ``segment``: labels on the input's grid, quality flags, a lineage that verifies."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import isocenter as iso
from isocenter.core.errors import MissingInputError, ParameterError, UnknownNameError
from isocenter.core.operation import Spec
from isocenter.jobs import run as job
from isocenter.jobs import verify
from isocenter.jobs.choose import Candidate, choose
from isocenter.jobs.segment import segment, study_of
from isocenter.testing.phantoms.brain_mr import brain_mr
from isocenter.testing.phantoms.fundus import fundus
from isocenter.testing.phantoms.ultrasound import ultrasound


def test_a_head_is_segmented_with_its_lineage(tmp_path: Path) -> None:
    phantom = ultrasound()
    iso.write(phantom.image, tmp_path / "head.nii.gz")
    summary = segment([tmp_path / "head.nii.gz"], "head_ellipse", tmp_path / "out")
    assert summary.exit_code == 0
    (case,) = summary.cases
    assert any(note.startswith("BPD ") for note in case.notes)
    (path,) = (tmp_path / "out").rglob("head_ellipse.nii.gz")
    found = iso.read_labels(path)
    truth = np.asarray(phantom.truth.array) > 0
    mask = np.asarray(found.array).reshape(truth.shape) > 0
    assert 2 * (mask & truth).sum() / (mask.sum() + truth.sum()) > 0.98
    assert path.with_suffix("").with_suffix(".png").read_bytes().startswith(b"\x89PNG")
    assert verify.verify(tmp_path / "out").sound


def test_it_can_be_recomputed_although_its_study_lay_nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    iso.write(ultrasound().image, tmp_path / "head.nii.gz")
    segment([tmp_path / "head.nii.gz"], "threshold", tmp_path / "out", settings=["lower=100"])
    assert "tmp" not in json.loads((tmp_path / "out/run.json").read_text())["options"]["study"]
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pipeline.yaml").write_text("name: other\nsteps: []\n")  # of the user's own: not the one that was run
    found = verify.verify(tmp_path / "out", recompute=True)
    assert found.sound and found.recomputed, found.differences
    (tmp_path / "out/pipeline.yaml").unlink()
    with pytest.raises(MissingInputError, match="pipeline.yaml"):
        verify.verify(tmp_path / "out", recompute=True)


def test_many_cases_each_have_their_picture_and_can_be_recomputed(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for seed in (0, 1):
        iso.write(ultrasound(seed=seed).image, tmp_path / f"in/head{seed}.nii.gz")
    segment([tmp_path / "in"], "otsu", tmp_path / "out")
    assert len(list((tmp_path / "out/cases").glob("*/labels/otsu.png"))) == 2
    assert verify.verify(tmp_path / "out", recompute=True).sound


def test_names_and_settings_are_checked_before_anything_is_read() -> None:
    assert "threshold" in study_of("threshold", ["lower=100"])
    with pytest.raises(UnknownNameError, match="No segmenter 'lung': expected one of airway"):
        study_of("lung")
    with pytest.raises(UnknownNameError, match="No segmenter"):
        study_of("denoise.median")
    with pytest.raises(ParameterError, match="no parameter 'depht'"):
        study_of("watershed", ["depht=3"])


@pytest.mark.parametrize(
    ("study", "phantom", "suffix", "region"),
    [
        ("fundus", lambda: fundus((200, 200)), "png", "optic disc"),
        ("mr-head", brain_mr, "nii.gz", "brain"),
        ("us-fetal-head", ultrasound, "nii.gz", "fetal head"),
    ],
)
def test_the_studies_of_organs_use_their_segmenters(
    study: str, phantom: Callable[[], Any], suffix: str, region: str, tmp_path: Path
) -> None:
    iso.write(phantom().image, tmp_path / f"picture.{suffix}")
    summary = job.run(tmp_path / f"picture.{suffix}", tmp_path / "out", study=study)
    assert summary.exit_code == 0 and not summary.set_aside
    assert region in summary.cases[0].key[0][0]


@pytest.mark.parametrize(
    ("modality", "part", "volume", "study"),
    [
        ("MR", "BRAIN", True, "mr-head"),
        ("MR", "KNEE", True, "mr-generic"),
        ("OP", "", False, "fundus"),
        ("US", "FETUS", False, "us-fetal-head"),
        ("US", "", False, "generic"),
        ("MR", "BRAIN", False, "mr-generic"),
    ],
)
def test_they_are_chosen_by_what_the_header_names(modality: str, part: str, volume: bool, study: str) -> None:
    image = (brain_mr() if volume else ultrasound()).image.replace(modality=modality)
    assert choose(Candidate(Spec.of(image), part, lambda: image)).name == study
