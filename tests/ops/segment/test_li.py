"""segment.li: the same threshold as a peer, and nothing from nothing."""

from __future__ import annotations

import numpy as np
import pytest
from skimage.filters import threshold_li

from isocenter.core.geometry import Geometry
from isocenter.core.image import Image
from isocenter.core.labels import LabelMap
from isocenter.ops.segment.li import Li


def scene(seed: int, share: float) -> np.ndarray:
    rng = np.random.default_rng(seed)
    values = np.where(rng.random((60, 70)) < share, rng.normal(170, 20, (60, 70)), rng.normal(60, 15, (60, 70)))
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("share", [0.02, 0.2, 0.6, 0.95])
def test_equals_a_peer(seed: int, share: float) -> None:
    values = scene(seed, share)
    image = Image(values, ("y", "x"), Geometry.pixels(values.shape))
    threshold = threshold_li(values)
    assert np.array_equal(Li()(image).array > 0, values > threshold)
    assert np.array_equal(Li(keep="below")(image).array > 0, values <= threshold)


def test_a_region_and_an_image_of_one_value() -> None:
    values = scene(0, 0.3)
    image = Image(values, ("y", "x"), Geometry.pixels(values.shape))
    half = np.zeros(values.shape, np.uint8)
    half[:30] = 1
    found = Li()(image, LabelMap(half, ("y", "x"), image.geometry))
    assert np.array_equal(found.array[:30] > 0, values[:30] > threshold_li(values[:30]))
    assert not found.array[30:].any()
    flat = Li()(image.replace(array=np.full_like(values, 7)))
    assert not flat.array.any()
    assert "nothing to part" in flat.provenance.steps[-1].notes[0]
