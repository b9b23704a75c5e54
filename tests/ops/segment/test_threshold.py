"""segment.threshold: both bounds are included, whatever the sample type."""

from __future__ import annotations

import numpy as np
import pytest

from isocenter.core.errors import ParameterError
from isocenter.core.image import Image
from isocenter.core.labels import LabelMap
from isocenter.ops.segment.threshold import Threshold
from isocenter.testing.contracts.inputs import grid


def image(values: list[float], dtype: str) -> Image:
    return Image(np.asarray(values).astype(dtype), ("x",), grid((len(values),)))


@pytest.mark.parametrize("dtype", ["uint8", "int16", "float32", "float64"])
@pytest.mark.parametrize(
    "bounds, expected",
    [
        ({"lower": 3}, [0, 0, 1, 1, 1]),
        ({"upper": 3}, [1, 1, 1, 0, 0]),
        ({"lower": 2, "upper": 4}, [0, 1, 1, 1, 0]),
        ({"lower": -500}, [1, 1, 1, 1, 1]),
        ({"lower": 2.5, "upper": 1e9}, [0, 0, 1, 1, 1]),
    ],
)
def test_bounds(dtype: str, bounds: dict[str, float], expected: list[int]) -> None:
    assert Threshold(**bounds)(image([1, 2, 3, 4, 5], dtype)).array.tolist() == expected


def test_nan_is_background_and_the_region_restricts() -> None:
    values = image([np.nan, 5.0, 5.0], "float32")
    assert Threshold(lower=0)(values).array.tolist() == [0, 1, 1]
    region = LabelMap(np.array([1, 1, 0], np.uint8), ("x",), values.geometry)
    assert Threshold(lower=0)(values, region).array.tolist() == [0, 1, 0]


def test_the_segment_is_named_and_coded() -> None:
    (row,) = Threshold(lower=200, segment="bone")(image([100, 300], "int16")).segments
    assert row.name == "bone" and row.code is not None and row.code.meaning == "Bone"


@pytest.mark.parametrize(
    "bounds, text", [({}, "at least one"), ({"lower": 5, "upper": 1}, "above upper"), ({"lower": float("nan")}, "lower")]
)
def test_impossible_bounds(bounds: dict[str, float], text: str) -> None:
    with pytest.raises(ParameterError, match=text):
        Threshold(**bounds)
