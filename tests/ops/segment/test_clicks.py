"""From one click a piece to a lesion, on real images: smooth, grow above the value halfway to the surroundings, tidy."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import isocenter as iso

#: Image, smoothing in mm, value halfway between lesion and surroundings, tidying, clicks (samples in z, y, x).
LESIONS = {
    "breast1": (0.8, 96.5, {"opening": 1.0, "holes": "slices"}, [(9, 69, 25)]),
    "brain1": (1.2, 700.0, {"closing": 3.0, "holes": "slices"}, [(11, 132, 186), (16, 100, 186)]),
}


@pytest.mark.parametrize("name", LESIONS)
def test_one_click_a_piece_wherever_it_falls(shared: Callable[[str], Path], name: str) -> None:
    folder = shared("data/pyradiomics")
    image = iso.read(folder / f"{name}_image.nrrd")
    truth = np.asarray(iso.read_labels(folder / f"{name}_label.nrrd").array) > 0
    sigma, lower, tidy, clicks = LESIONS[name]
    smooth = iso.op("denoise.gaussian", sigma=sigma)(image)
    for dy, dx in ((0, 0), (2, 2), (-2, 2), (2, -2), (-2, -2)):
        moved = [[z, y + dy, x + dx] for z, y, x in clicks]
        grown = iso.op("segment.region_grow", method="range", lower=lower, seeds_samples=moved)(smooth)
        found = np.asarray(iso.op("segment.clean", **tidy)(grown).array) > 0
        assert 2.0 * float((found & truth).sum()) / float(found.sum() + truth.sum()) >= 0.80, (dy, dx)
