"""evaluate.sharpness: the blur effect of scikit-image, turned round."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage
from skimage.measure import blur_effect

from isocenter.core.errors import ContentError
from isocenter.core.image import Image
from isocenter.ops.evaluate.sharpness import Sharpness
from isocenter.testing.contracts.inputs import field, grid


@pytest.mark.parametrize("shape", [(40, 50), (20, 24, 28)])
def test_equals_scikit_image_and_falls_with_blur(shape: tuple[int, ...]) -> None:
    found = []
    for sigma in (0.0, 1.0, 3.0):
        array = ndimage.gaussian_filter(field(shape), sigma)
        image = Image(array, ("z", "y", "x")[3 - len(shape) :], grid(shape))
        found.append(float(Sharpness()(image)["sharpness"]))
        assert found[-1] == pytest.approx(1 - blur_effect(array), abs=1e-9)
    assert found[0] > found[1] > found[2]


def test_constant_is_not_sharp_and_nan_is_refused() -> None:
    image = Image(np.full((9, 9), 3.0), ("y", "x"), grid((9, 9)))
    assert float(Sharpness()(image)["sharpness"]) == 0.0
    with pytest.raises(ContentError, match="not finite"):
        Sharpness()(image.replace(array=np.full((9, 9), np.nan)))
