"""segment.otsu: scikit-image's threshold, in a region where one is given."""

from __future__ import annotations

import numpy as np
import pytest
from skimage.filters import threshold_otsu

from isocenter.core.errors import ContentError
from isocenter.core.image import Image
from isocenter.core.labels import LabelMap
from isocenter.ops.segment.otsu import Otsu
from isocenter.testing.contracts.inputs import field, grid


def image(dtype: str) -> Image:
    array = (field((9, 14, 16)) * 1500 - 500).astype(dtype)
    return Image(array, ("z", "y", "x"), grid(array.shape), quantity="HU")


@pytest.mark.parametrize("dtype", ["int16", "float32", "float64"])
def test_equals_skimage(dtype: str) -> None:
    before = image(dtype)
    threshold = threshold_otsu(np.asarray(before.array))
    above, below = Otsu()(before), Otsu(keep="below")(before)
    np.testing.assert_array_equal(above.array, before.array > threshold)
    np.testing.assert_array_equal(below.array, ~(before.array > threshold))
    assert f"the threshold is {threshold:.6g} HU" in above.provenance.notes[0]


def test_only_the_region_counts() -> None:
    before = image("int16")
    mask = np.zeros(before.shape, np.uint8)
    mask[2:7, 3:11, 4:12] = 1
    result = Otsu()(before, LabelMap(mask, before.dims, before.geometry))
    threshold = threshold_otsu(np.asarray(before.array)[mask > 0])
    np.testing.assert_array_equal(result.array, (before.array > threshold) & (mask > 0))


def test_nothing_to_part() -> None:
    before = image("int16")
    for keep in ("above", "below"):
        result = Otsu(keep=keep)(before.replace(array=np.full(before.shape, 7, np.int16)))
        assert not result.array.any() and "nothing to part" in result.provenance.notes[0]
    with pytest.raises(ContentError, match="not finite"):
        Otsu()(before.replace(array=np.full(before.shape, np.nan)))
