"""evaluate.cnr: known contrast over known noise, wherever zero lies."""

from __future__ import annotations

import numpy as np
import pytest

from isocenter.core.errors import ContentError
from isocenter.ops.evaluate.cnr import Cnr
from tests.ops.evaluate.test_snr import bright_cube


@pytest.mark.parametrize("offset", [0.0, -1000.0, 5000.0])
def test_contrast_over_noise(offset: float) -> None:
    image, region = bright_cube()
    shifted = image.replace(array=np.asarray(image.array) + offset)
    assert float(Cnr()(shifted)["cnr"]) == pytest.approx(20.0, rel=0.1)
    assert float(Cnr()(shifted, region)["cnr"]) == pytest.approx(20.0, rel=0.1)


def test_refusals() -> None:
    image, region = bright_cube()
    with pytest.raises(ContentError, match="one of them is empty"):
        Cnr()(image, region.replace(array=np.ones((24, 24, 24), np.uint8)))
    with pytest.raises(ContentError, match="no noise"):
        Cnr()(image.replace(array=np.ones((24, 24, 24))))
