"""segment.tumour_candidates on phantoms and on a real tumour."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from isocenter.core.image import Image
from isocenter.ops.segment.tumour_candidates import TumourCandidates
from isocenter.testing.phantoms.chest_ct import chest_ct
from tests.ops.features.test_intensity import volume
from tests.ops.segment.test_body import dice


@pytest.mark.parametrize("options", [{}, {"prone": True, "contrast": True, "noise": 40.0}, {"size": 1.05}], ids=str)
def test_a_mass_at_the_wall_is_the_first_candidate(options: dict[str, Any]) -> None:
    phantom = chest_ct(tumour=True, nodules=(), **options)
    found = np.asarray(TumourCandidates()(phantom.image).array)
    assert found.max() == 1
    assert dice(found == 1, phantom.region("tumour")) >= 0.88


@pytest.mark.parametrize("options", [{}, {"contrast": True, "size": 1.2}, {"effusion": 0.3}, {"size": 0.8}], ids=str)
def test_heart_diaphragm_and_effusion_are_no_mass(options: dict[str, Any]) -> None:
    result = TumourCandidates()(chest_ct(nodules=(), **options).image)
    assert not np.asarray(result.array).any()
    assert "No tumour candidate" in " ".join(result.provenance.steps[-1].notes)


def test_a_real_tumour_between_wall_and_diaphragm(shared: Callable[[str], Path]) -> None:
    array, grid = volume(shared("data/ibsi/1_ct_phantom/image/phantom.nii.gz"))
    truth, _ = volume(shared("data/ibsi/1_ct_phantom/mask/mask.nii.gz"))
    result = TumourCandidates()(Image(array.astype(np.float32), ("z", "y", "x"), grid, modality="CT", quantity="HU"))
    found = np.asarray(result.array)
    assert dice(found == 1, truth > 0) >= 0.6
    assert found.max() <= 2
    assert "merges with its surroundings" in " ".join(result.provenance.steps[-1].notes)


def test_no_mass_around_a_healthy_heart(shared: Callable[[str], Path]) -> None:
    array, grid = volume(shared("data/ct_totalseg/pulmonary/ct_cropped.nii.gz"))
    found = TumourCandidates()(Image(array.astype(np.int16), ("z", "y", "x"), grid, modality="CT", quantity="HU"))
    assert not np.asarray(found.array).any()
