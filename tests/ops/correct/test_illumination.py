"""correct.illumination on cells under an uneven lamp."""

from __future__ import annotations

import numpy as np
import pytest

from isocenter.core.geometry import Geometry
from isocenter.core.image import Image
from isocenter.ops.correct.illumination import Illumination


def cells() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    rows, columns = np.indices((180, 200))
    truth = np.full(rows.shape, 100.0)
    for r, c in rng.uniform(10, 170, (40, 2)):
        truth[np.hypot(rows - r, columns - c) < 5] = 220.0
    light = 1.0 - 0.5 * (((rows - 80) / 180) ** 2 + ((columns - 60) / 200) ** 2)
    return truth, light


@pytest.mark.parametrize("estimate, model", [("polynomial", "multiply"), ("polynomial", "add"), ("gaussian", "multiply")])
def test_the_background_gets_even_and_the_mean_stays(estimate: str, model: str) -> None:
    truth, light = cells()
    lit = truth * light if model == "multiply" else truth + 60 * light
    found = np.asarray(Illumination(estimate=estimate, model=model)(Image(lit, ("y", "x"), Geometry.pixels(lit.shape))).array)
    background = truth == 100.0
    spread = [v[background].std() / v[background].mean() for v in (lit, found)]
    assert spread[1] < (1 / 3 if estimate == "polynomial" else 0.7) * spread[0]
    assert found.mean() == pytest.approx(lit.mean(), rel=0.005)


def test_even_light_changes_nothing() -> None:
    truth, _ = cells()
    found = np.asarray(Illumination()(Image(truth, ("y", "x"), Geometry.pixels(truth.shape))).array)
    np.testing.assert_allclose(found, truth, rtol=1e-6)
