"""Lines of text in pictures: found where they are drawn, and not in noise, anatomy-like shapes or grids."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from isocenter.kernels.strokes import text_lines


def written(lines: list[str], size: int, noise: float = 20.0) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    picture = Image.new("L", (640, 480))
    draw = ImageDraw.Draw(picture)
    for k, line in enumerate(lines):
        draw.text((20, 15 + k * 2 * size), line, fill=255, font=ImageFont.load_default(size))
    return np.asarray(picture, np.float32) + np.random.default_rng(0).normal(scale=noise / 2, size=(480, 640)).astype(np.float32)


@pytest.mark.parametrize("size", [12, 16, 24])
@pytest.mark.parametrize("lines", [["DOE JOHN 1951-05-02"], ["St. Elsewhere Hospital", "ID 0234567"]])
def test_text_is_found(size: int, lines: list[str]) -> None:
    assert text_lines(written(lines, size)) >= 1


def _ball() -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    y, x = np.mgrid[-1:1:480j, -1:1:640j]
    return (x**2 + y**2 < 0.5) * 100.0 + np.exp(-((x - 0.3) ** 2 + y**2) * 40) * 80


PICTURES = {
    "noise": np.random.default_rng(1).normal(size=(300, 300)),
    "speckle": np.abs(np.random.default_rng(2).normal(size=(300, 300)) + 1j * np.random.default_rng(3).normal(size=(300, 300))),
    "ball": _ball(),
    "grid": np.kron(np.indices((20, 20)).sum(0) % 2, np.ones((16, 16))),
    "flat": np.zeros((64, 64)),
    "not finite": np.full((64, 64), np.nan),
    "tiny": np.ones((3, 3)),
    "four letters": written(["DOEX"], 16),
}


@pytest.mark.filterwarnings("ignore:All-NaN:RuntimeWarning")
@pytest.mark.parametrize("name", list(PICTURES))
def test_nothing_is_found_where_nothing_is_written(name: str) -> None:
    assert text_lines(PICTURES[name]) == 0
