"""segment.optic_disc: the disc of phantoms of both eyes, among bright lesions."""

from __future__ import annotations

import numpy as np
import pytest

from isocenter.core.geometry import Geometry
from isocenter.core.image import Image
from isocenter.ops.segment.optic_disc import OpticDisc
from isocenter.testing.phantoms.fundus import fundus
from tests.ops.segment.seeded import dice


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("eye", ["left", "right"])
@pytest.mark.parametrize("shape", [(128, 128), (256, 320)])
def test_discs_of_phantoms(seed: int, eye: str, shape: tuple[int, int]) -> None:
    phantom = fundus(shape, seed=seed, eye=eye, lesions=12)  # type: ignore[arg-type]  # parametrised
    found = np.asarray(OpticDisc()(phantom.image).array) > 0
    assert dice(found, np.asarray(phantom.truth.one("optic disc").array) > 0) > 0.88
    middle = np.argwhere(found).mean(axis=0)
    assert np.hypot(*(middle - phantom.disc[:2])) < 0.25 * phantom.disc[2]


def test_a_picture_without_a_disc_is_noted() -> None:
    y, x = np.indices((120, 120))
    values = np.where(np.hypot(y - 60, x - 60) < 55, 120.0, 0.0) + np.random.default_rng(0).normal(0, 6, (120, 120))
    notes = OpticDisc()(Image(values, ("y", "x"), Geometry.pixels(values.shape))).provenance.steps[-1].notes
    assert notes
    assert any("look at it" in note or "No optic disc" in note for note in notes)
