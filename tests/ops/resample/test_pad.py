"""resample.pad: samples are kept, the new ones are as asked."""

from __future__ import annotations

import numpy as np
import pytest

from isocenter.core.errors import ParameterError
from isocenter.core.image import Image
from isocenter.ops.resample.pad import Pad
from isocenter.testing.contracts.inputs import grid

SHAPE = (9, 12, 14)


def image(dtype: str = "int16") -> Image:
    values = np.random.default_rng(0).integers(0, 1000, SHAPE).astype(dtype)
    return Image(values, ("z", "y", "x"), grid(SHAPE, (2.5, 1.25, 0.75)), quantity="HU")


@pytest.mark.parametrize("fill, value", [("edge", None), (None, -1000), (12, 12)])
def test_pad_fill(fill: object, value: int | None) -> None:
    before = image()
    after = Pad(before=0, after=2, fill=fill)(before)
    assert after.dtype == before.dtype
    corner = int(after.array[-1, -1, -1])
    assert corner == (int(before.array[-1, -1, -1]) if value is None else value)


def test_pad_refuses_what_does_not_fit() -> None:
    with pytest.raises(ParameterError, match="whole numbers"):
        Pad(fill=0.5)(image())
    with pytest.raises(ParameterError, match="0 samples or more"):
        Pad(before=-1)
