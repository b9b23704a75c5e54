"""Boxes and points on an image."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image as Pillow

from isocenter.core.geometry import Geometry
from isocenter.core.image import Image
from isocenter.view.places import FOUND, TRUE, Marks, marked

GREY = Image(np.tile(np.linspace(0, 100, 60, dtype=np.float32), (40, 1)), ("y", "x"), Geometry.pixels((40, 60)))


def pixels(data: bytes) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    return np.asarray(Pillow.open(io.BytesIO(data)).convert("RGB")).astype(np.int64)


def near(picture: np.ndarray[tuple[int, ...], np.dtype[np.int64]], color: str) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    """Return the pixels of a colour."""
    tone = np.array([int(color[k : k + 2], 16) for k in (1, 3, 5)])
    return np.argwhere(np.abs(picture - tone).max(axis=2) <= 12)


@pytest.mark.parametrize(("kind", "samples"), [("point", [[10.0, 45.0]]), ("box", [[8.0, 43.0, 12.0, 47.0]])])
def test_a_place_is_drawn_where_it_lies(kind: str, samples: list[list[float]]) -> None:
    found = near(pixels(marked(GREY, [Marks(np.array(samples), ("",), "found", FOUND)])), FOUND)
    inside = found[found[:, 0] < 380]  # above the legend
    scale = 560.0 / 60.0
    wanted = 10.0 + (np.array([10.0, 45.0]) + 0.5) * scale
    middle = (inside.min(axis=0) + inside.max(axis=0)) / 2.0
    assert np.abs(middle - wanted).max() < 3.0


def test_a_volume_shows_the_slice_of_its_place() -> None:
    array = np.zeros((9, 30, 30), np.float32)
    array[6] = np.linspace(0, 1, 30)[None]
    image = Image(array, ("z", "y", "x"), Geometry.regular((9, 30, 30), 1.0), modality="CT")
    data = marked(image, [Marks(np.array([[6.0, 15.0, 15.0]]), ("a",), "true", TRUE)], "case")
    assert len(near(pixels(data), TRUE)) > 20
    assert marked(image, [Marks(np.array([[6.0, 15.0, 15.0]]), ("a",), "true", TRUE)], "case") == data
    assert marked(image, [Marks(np.zeros((0, 6)), (), "found")])
