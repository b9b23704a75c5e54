"""segment.bone: ribs and spine of a chest phantom, no table, a plausible trunk."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

import isocenter as iso
from isocenter.ops.segment.bone import Bone
from isocenter.testing.phantoms.chest_ct import chest_ct
from tests.ops.segment.seeded import dice


def test_bone_of_a_phantom() -> None:
    phantom = chest_ct()
    assert dice(Bone()(phantom.image).array, phantom.region("bone")) > 0.92


def test_a_public_trunk_is_plausible(shared: Callable[[str], Path]) -> None:
    image = iso.read(shared("ct_totalseg/example_ct_sm.nii.gz")).replace(quantity="HU", modality="CT")
    found = Bone()(image)
    mask = np.asarray(found.array) > 0
    litres = mask.sum() * image.geometry.voxel_size / 1e6
    assert 0.05 < litres < 0.6
    assert np.median(np.asarray(image.array)[mask]) > 150
    assert not found.provenance.steps[-1].notes


def test_soft_tissue_alone_has_none() -> None:
    phantom = chest_ct()
    soft = phantom.image.replace(array=np.minimum(np.asarray(phantom.image.array), 100))
    found = Bone()(soft)
    assert not found.array.any()
    assert "No bone was found." in found.provenance.steps[-1].notes
