"""segment.head_ellipse: drawn ellipses of public pictures, and circumferences of phantoms."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import isocenter as iso
from isocenter.core.geometry import Geometry
from isocenter.core.image import Image
from isocenter.kernels.labels import keep_largest
from isocenter.ops.segment.head_ellipse import HeadEllipse
from isocenter.testing.phantoms.ultrasound import ultrasound
from tests.ops.segment.seeded import dice


def test_public_pictures(shared: Callable[[str], Path]) -> None:
    overlaps = []
    for path in sorted(shared("fetal_head").glob("*_image.png")):
        image = iso.read(path)
        drawn = np.asarray(iso.read(str(path).replace("_image", "_mask")).array) > 0
        found = HeadEllipse()(image)
        # A bar of one pixel in column 0 is part of every drawn mask.
        overlaps.append(dice(found.array, keep_largest(drawn)))
    assert len(overlaps) == 5
    assert np.mean(overlaps) >= 0.97
    assert min(overlaps) >= 0.95


@pytest.mark.parametrize(
    "options",
    [{}, {"axes": (52.0, 45.0), "angle": 60.0}, {"axes": (40.0, 30.0), "angle": -30.0}, {"spacing": (0.4, 0.6), "seed": 3}],
)
def test_circumference_of_phantoms_within_two_percent(options: dict[str, object]) -> None:
    phantom = ultrasound(**options)  # type: ignore[arg-type]  # parametrised
    found = HeadEllipse()(phantom.image)
    assert dice(found.array, np.asarray(phantom.truth.array) > 0) > 0.98
    note = found.provenance.steps[-1].notes[0]
    stated = re.search(r"BPD ([\d.]+) mm, OFD ([\d.]+) mm, HC ([\d.]+) mm", note)
    assert stated is not None
    short, long, around = (float(v) for v in stated.groups())
    assert around == pytest.approx(phantom.circumference, rel=0.02)
    assert (long, short) == pytest.approx((2 * phantom.axes[0], 2 * phantom.axes[1]), rel=0.03)


def test_an_empty_picture_and_one_without_a_head_say_so() -> None:
    flat = Image(np.full((80, 90), 5, np.uint8), ("y", "x"), Geometry.pixels((80, 90)))
    found = HeadEllipse()(flat)
    assert not found.array.any()
    assert "No head was found" in found.provenance.steps[-1].notes[0]
    speckle = np.random.default_rng(0).integers(0, 255, (120, 160)).astype(np.uint8)
    notes = HeadEllipse()(Image(speckle, ("y", "x"), Geometry.pixels(speckle.shape))).provenance.steps[-1].notes
    assert any("samples" in note for note in notes)
