"""evaluate.bias: known fields on the head phantom, whatever the noise."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from isocenter.core.errors import ContentError
from isocenter.core.geometry import Geometry
from isocenter.core.image import Image
from isocenter.ops.correct.bias_field import BiasField
from isocenter.ops.evaluate.bias import Bias
from isocenter.testing.phantoms.brain_mr import brain_mr


@pytest.mark.parametrize("noise", [0.0, 20.0])
@pytest.mark.parametrize("bias", [0.0, 0.1, 0.3])
def test_measures_the_variation_of_the_true_field(bias: float, noise: float) -> None:
    phantom = brain_mr(bias=bias, noise=noise)
    # The rim of the head, where slopes of the border reach, is not judged.
    inside = ndimage.binary_erosion(np.asarray(phantom.clean.array) > 300, np.ones((5, 5, 5)))
    field = np.asarray(phantom.bias.array, float)[inside]
    assert float(Bias()(phantom.image)["bias"]) == pytest.approx(field.std() / field.mean(), abs=0.006)


def test_the_correction_is_seen() -> None:
    image = brain_mr(bias=0.3, noise=4.0).image
    assert float(Bias()(BiasField()(image))["bias"]) < 0.15 * float(Bias()(image)["bias"])


@pytest.mark.parametrize("shape", [(1,), (1, 1), (8, 8), (1, 1, 1)])
def test_nothing_to_tell_a_field_from(shape: tuple[int, ...]) -> None:
    dims = ("z", "y", "x")[3 - len(shape) :]
    assert float(Bias()(Image(np.full(shape, 3.0), dims, Geometry.regular(shape)))["bias"]) == 0.0
    assert float(Bias()(Image(np.full(shape, -3.0), dims, Geometry.regular(shape)))["bias"]) == 0.0


def test_holes_are_refused() -> None:
    with pytest.raises(ContentError, match="not finite"):
        Bias()(Image(np.full((8, 8), np.nan), ("y", "x"), Geometry.regular((8, 8))))
