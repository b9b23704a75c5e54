"""segment.local: letters under shading that one threshold cannot read, and the formulae."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from isocenter.core.geometry import Geometry
from isocenter.core.image import Image
from isocenter.ops.segment.local import Local
from isocenter.ops.segment.otsu import Otsu


def shaded() -> tuple[Image, np.ndarray]:
    y, x = np.indices((90, 120))
    truth = ((y // 6) % 3 == 1) & ((x // 8) % 3 == 1)
    values = 40 + 2.0 * x + 45 * truth + np.random.default_rng(0).normal(0, 4, truth.shape)
    return Image(values.astype(np.float32), ("y", "x"), Geometry.regular(truth.shape, (0.5, 0.5))), truth


def dice(one: np.ndarray, two: np.ndarray) -> float:
    return float(2 * (one & two).sum() / (one.sum() + two.sum()))


@pytest.mark.parametrize(
    "operation", [Local(sigma=4.0, offset=8.0), Local(sigma=4.0, method="niblack", factor=0.5)], ids=lambda o: o.method
)
def test_follows_the_shading(operation: Local) -> None:
    image, truth = shaded()
    assert dice(np.asarray(Otsu()(image).array) > 0, truth) < 0.45
    assert dice(np.asarray(operation(image).array) > 0, truth) > 0.9


def test_is_what_the_formulae_say() -> None:
    image, _ = shaded()
    data = np.asarray(image.array, dtype=np.float64)
    mean = ndimage.gaussian_filter(data, 6.0, mode="nearest")
    assert np.array_equal(Local(sigma=3.0, offset=2.0)(image).array > 0, data > mean + 2.0)
    spread = np.sqrt(ndimage.gaussian_filter(data**2, 6.0, mode="nearest") - mean**2)
    found = Local(sigma=3.0, method="niblack", factor=-0.3, keep="below")(image)
    assert ((found.array > 0) != (data < mean - 0.3 * spread)).sum() <= 1


def test_sauvola_leaves_an_empty_ground_empty() -> None:
    values = 200 + np.random.default_rng(3).normal(0, 2, (60, 60))
    values[25:35, 10:50] = 60
    image = Image(values.astype(np.float32), ("y", "x"), Geometry.regular((60, 60), (1.0, 1.0)))
    found = np.asarray(Local(sigma=8.0, method="sauvola", factor=0.3, keep="below")(image).array) > 0
    assert found[26:34, 12:48].all()
    assert not found[:10].any()
    assert (np.asarray(Local(sigma=8.0, keep="below")(image).array) > 0)[:10].mean() > 0.2
