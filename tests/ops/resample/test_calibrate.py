"""resample.calibrate: a photograph gets its millimetres."""

from __future__ import annotations

import numpy as np
import pytest

from isocenter.core.errors import ParameterError
from isocenter.core.geometry import Geometry
from isocenter.core.image import Image
from isocenter.ops.resample.calibrate import Calibrate


def test_calibrate_a_photograph() -> None:
    photo = Image(np.zeros((5, 6), np.uint8), ("y", "x"), Geometry.pixels((5, 6)))
    after = Calibrate(spacing=(0.2, 0.1))(photo)
    assert after.geometry.unit == "mm" and after.geometry.spacing == pytest.approx((0.2, 0.1))
    assert after.dtype == np.uint8 and not after.provenance.notes
    again = Calibrate(spacing=0.3)(after)
    assert "was replaced by 0.3 x 0.3 mm" in again.provenance.notes[0]
    with pytest.raises(ParameterError, match="more than 0"):
        Calibrate(spacing=0)
