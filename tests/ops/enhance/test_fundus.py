"""enhance.fundus on the fundus phantom."""

from __future__ import annotations

import numpy as np
import pytest

from isocenter.core.geometry import Geometry
from isocenter.core.image import Image
from isocenter.ops.enhance.fundus import Fundus
from isocenter.testing.phantoms.fundus import fundus


def test_exposures_become_alike_and_the_outside_is_black() -> None:
    image = fundus().image
    bright = np.asarray(Fundus()(image).array)
    dark = np.asarray(Fundus(gain=8.0)(image.replace(array=np.asarray(image.array, np.float32) * 0.5)).array)
    np.testing.assert_allclose(dark, bright, atol=2.0)
    rows, columns = bright.shape[1:]
    assert not bright[:, :5, :5].any()
    assert bright[:, rows // 2 - 40 : rows // 2 + 40, columns // 2 - 40 : columns // 2 + 40].mean() == pytest.approx(128, abs=6)


def test_light_that_varies_slowly_goes() -> None:
    rows, columns = np.indices((200, 200))
    disc = (rows - 100) ** 2 + (columns - 100) ** 2 < 90**2
    array = np.where(disc, 80 + 0.5 * columns, 0.0)
    found = np.asarray(Fundus()(Image(array, ("y", "x"), Geometry.pixels((200, 200)))).array)
    assert np.abs(found[60:140, 60:140] - 128).max() < 4
    assert not found[~disc].any()


def test_a_constant_picture_becomes_grey() -> None:
    found = np.asarray(Fundus()(Image(np.full((20, 20), 90, np.uint8), ("y", "x"), Geometry.pixels((20, 20)))).array)
    assert found[10, 10] == pytest.approx(128.0)
