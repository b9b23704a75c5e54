"""Constant, tiny, anisotropic, holed, negative, 8-bit, bool, 4D and colour images: the right kind of result, or one sentence.

For every filter of every stage that prepares images, with the parameters of its contract examples.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from isocenter.core.errors import IsocenterError
from isocenter.core.geometry import Geometry
from isocenter.core.image import Image
from isocenter.core.registry import operations

STAGES = ("correct", "denoise", "enhance", "filter", "resample", "evaluate")
NAMES = [
    e.name
    for e in operations().entries.values()
    if e.module.startswith("isocenter.") and e.name.split(".")[0] in STAGES and e.family not in ("SignalFilter", "Metric")
]


def _array(shape: tuple[int, ...], seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    base = np.zeros(shape)
    base[..., 2:-2, 3:-2] = 500.0
    return (base + 100.0 + 20.0 * rng.standard_normal(shape)).astype(np.float32)


def _volume(array: np.ndarray, spacing: tuple[float, ...] = (2.0, 1.5, 1.0)) -> Image:
    return Image(array, ("z", "y", "x"), Geometry.regular(array.shape, spacing), modality="CT", quantity="HU")


def _holed() -> Image:
    array = _array((6, 9, 10))
    array[2, 4, 4] = np.nan
    return _volume(array)


def _colour() -> Image:
    array = np.clip(_array((3, 9, 10)) / 4, 0, 255).astype(np.uint8)
    return Image(array, ("c", "y", "x"), Geometry.regular((9, 10)), channels=("red", "green", "blue"))


def _series() -> Image:
    return Image(_array((3, 5, 9, 10)), ("t", "z", "y", "x"), Geometry.regular((5, 9, 10)), modality="MR")


INPUTS: dict[str, Callable[[], Image]] = {
    "constant": lambda: _volume(np.full((6, 9, 10), 7.0, np.float32)),
    "one voxel": lambda: _volume(np.full((1, 1, 1), 7.0, np.float32)),
    "anisotropic": lambda: _volume(_array((4, 9, 10)), (9.0, 0.5, 0.25)),
    "holes": _holed,
    "negative": lambda: _volume(_array((6, 9, 10)) - 1100.0),
    "8-bit": lambda: _volume((_array((6, 9, 10)) / 4).clip(0, 255).astype(np.uint8)),
    "bool": lambda: _volume(_array((6, 9, 10)) > 300.0),
    "4D": _series,
    "colour": _colour,
    "plane": lambda: Image(_array((9, 10)), ("y", "x"), Geometry.regular((9, 10))),
}


def _given(operation: Any, image: Image) -> tuple[Any, ...]:
    return (image, image) if operation.family == "ReferenceFilter" else (image,)


@pytest.mark.parametrize("kind", INPUTS)
@pytest.mark.parametrize("name", NAMES)
def test_a_result_of_the_right_kind_or_one_sentence(name: str, kind: str) -> None:
    image = INPUTS[kind]()
    loaded = operations().load(name)
    examples = getattr(loaded, "examples", lambda: (loaded(),))()
    before = np.array(image.array)
    for operation in examples[:2]:
        try:
            result = operation(*_given(operation, image))
        except IsocenterError as error:
            sentence = str(error)
            assert sentence.endswith((".", ")", "...")) and "Traceback" not in sentence and "\n" not in sentence
            continue
        finally:
            np.testing.assert_array_equal(before, image.array)
        if not isinstance(result, Image):
            assert len(result)
            continue
        array = np.asarray(result.array)
        if loaded.family != "Resampler" and not name.startswith("resample."):
            assert array.shape == image.shape
        if kind != "holes":
            assert np.isfinite(array).all()
        elif array.dtype.kind == "f" and np.isfinite(array).all():
            # A hole may be filled from around (rank and windowing filters), never by something from nowhere.
            assert np.abs(array).max() < 1e6
