"""segment.skull_strip: the brain of a phantom without skull and scalp, and notes on what is no head."""

from __future__ import annotations

import numpy as np

from isocenter.ops.segment.skull_strip import SkullStrip
from isocenter.testing.phantoms.brain_mr import brain_mr
from tests.ops.segment.seeded import dice


def test_the_brain_of_a_phantom() -> None:
    phantom = brain_mr()
    outside = {s.value for s in phantom.truth.segments if s.name in ("scalp", "skull")}
    truth = (np.asarray(phantom.truth.array) > 0) & ~np.isin(phantom.truth.array, list(outside))
    found = np.asarray(SkullStrip()(phantom.image).array) > 0
    assert dice(found, truth) > 0.88
    assert (found & phantom.region("scalp")).sum() < 0.01 * found.sum()


def test_an_example_head_and_a_small_one() -> None:
    ((head,),) = SkullStrip().example_inputs()
    found = SkullStrip()(head)
    volume = np.asarray(found.array).sum() * head.geometry.voxel_size / 1000.0
    assert 1000 < volume < 1500
    assert not any("ml" in note for note in found.provenance.steps[-1].notes)
    flat = SkullStrip()(head.replace(array=np.zeros_like(np.asarray(head.array))))
    assert "No brain was found" in flat.provenance.steps[-1].notes[0]
