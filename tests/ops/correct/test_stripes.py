"""correct.stripes on the head phantom."""

from __future__ import annotations

import numpy as np
import pytest

from isocenter.core.geometry import Geometry
from isocenter.core.image import Image
from isocenter.ops.correct.stripes import Stripes
from isocenter.testing.phantoms.brain_mr import brain_mr


@pytest.mark.parametrize("running", ["columns", "rows"])
def test_stripes_over_the_head_go(running: str) -> None:
    truth = np.asarray(brain_mr(noise=0.0).clean.array, float)[24:40]
    rng = np.random.default_rng(0)
    stripes = 0.05 * np.ptp(truth) * rng.standard_normal((16, 1, 88) if running == "columns" else (16, 96, 1))
    image = Image(truth + stripes, ("z", "y", "x"), Geometry.regular(truth.shape))
    found = np.asarray(Stripes(running=running)(image).array)
    won = 10 * np.log10(((truth + stripes - truth) ** 2).mean() / ((found - truth) ** 2).mean())
    assert won >= (5.2 if running == "columns" else 7.5)


def test_an_image_without_stripes_is_hardly_changed() -> None:
    array = 100 + np.add.outer(np.linspace(0, 50, 60), np.linspace(0, 30, 70))
    found = np.asarray(Stripes()(Image(array, ("y", "x"), Geometry.pixels(array.shape))).array)
    assert np.abs(found - array)[:, 5:-5].max() < 1e-9
