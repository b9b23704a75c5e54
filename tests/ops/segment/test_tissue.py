"""segment.tissue: stained sections on glass, shadows and dust left out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import isocenter as iso
from isocenter.core.errors import ContentError
from isocenter.core.geometry import Geometry
from isocenter.core.image import Image
from isocenter.ops.segment.tissue import Tissue
from tests.ops.segment.seeded import dice


def section(noise: float) -> tuple[Image, np.ndarray]:
    y, x = np.indices((150, 180))
    truth = (np.hypot((y - 70) / 45, (x - 80) / 55) < 1) & ~(np.hypot(y - 60, x - 95) < 20)
    colour = np.where(truth, np.array([190.0, 120.0, 175.0])[:, None, None], 238.0)
    shadow = 30.0 * np.exp(-(((y - 135) / 10.0) ** 2))  # grey, and not dense
    colour = colour - shadow + np.random.default_rng(0).normal(0, noise, colour.shape)
    image = Image(np.clip(colour, 0, 255).astype(np.uint8), ("c", "y", "x"), Geometry.pixels(truth.shape))
    return image, truth


@pytest.mark.parametrize("noise", [0.0, 6.0])
def test_tissue_is_found_and_the_shadow_is_not(noise: float) -> None:
    image, truth = section(noise)
    found = np.asarray(Tissue()(image).array) > 0
    assert dice(found, truth) > 0.97
    assert found[130:].mean() < 0.01


def test_small_holes_are_filled_and_small_pieces_dropped() -> None:
    image, _ = section(2.0)
    colour = np.array(image.array)
    colour[:, 100:106, 70:76] = 238
    colour[:, 5:12, 5:12] = 120
    found = np.asarray(Tissue()(image.replace(array=colour)).array) > 0
    assert found[100:106, 70:76].all()
    assert not found[:15, :15].any()
    assert not (np.asarray(Tissue(holes=0)(image.replace(array=colour)).array) > 0)[102:104, 72:74].any()


def test_a_public_field_is_nearly_all_tissue(shared: Callable[[str], Path]) -> None:
    found = Tissue()(iso.read(shared("histology/target_image.png")))
    assert 0.5 < np.asarray(found.array).mean() <= 1.0


def test_grey_pictures_are_refused_and_empty_glass_is_noted() -> None:
    with pytest.raises(ContentError, match="three channels"):
        Tissue()(Image(np.zeros((1, 20, 20), np.uint8), ("c", "y", "x"), Geometry.pixels((20, 20))))
    glass = Image(np.full((3, 40, 40), 240, np.uint8), ("c", "y", "x"), Geometry.pixels((40, 40)))
    assert "No tissue" in Tissue()(glass).provenance.steps[-1].notes[0]
