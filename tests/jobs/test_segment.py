"""The job ``segment``: labels on the input's grid, quality flags, a lineage that verifies."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import isocenter as iso
from isocenter.core.errors import ParameterError, UnknownNameError
from isocenter.jobs import verify
from isocenter.jobs.segment import segment, study_of
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
    assert verify.verify(tmp_path / "out").sound


def test_names_and_settings_are_checked_before_anything_is_read() -> None:
    assert "threshold" in study_of("threshold", ["lower=100"])
    with pytest.raises(UnknownNameError, match="No segmenter 'lung': expected one of airway"):
        study_of("lung")
    with pytest.raises(UnknownNameError, match="No segmenter"):
        study_of("denoise.median")
    with pytest.raises(ParameterError, match="no parameter 'depht'"):
        study_of("watershed", ["depht=3"])
