"""segment.morphological: sample by sample what scikit-image gives, for every edge and word boundary."""

from __future__ import annotations

from itertools import cycle
from typing import Any

import numpy as np
import pytest
from scipy import ndimage
from skimage.segmentation import morphsnakes

from isocenter.core.geometry import Geometry
from isocenter.core.image import Image
from isocenter.kernels.bits import pack, unpack
from isocenter.kernels.morphsnakes import chan_vese, checkerboard, geodesic
from isocenter.ops.segment.morphological import Morphological

SHAPES = [(30, 41), (70, 33), (64, 20), (10, 23, 31), (66, 20, 17), (130, 9, 8)]


@pytest.fixture(autouse=True)
def _fresh_smoothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The peer's two smoothing operators take turns across calls: begin with the first in every test."""
    operators = [lambda u: morphsnakes.sup_inf(morphsnakes.inf_sup(u)), lambda u: morphsnakes.inf_sup(morphsnakes.sup_inf(u))]
    monkeypatch.setattr(morphsnakes._curvop, "funcs", cycle(operators))


def texture(shape: tuple[int, ...]) -> np.ndarray:
    noise: np.ndarray = ndimage.gaussian_filter(np.random.default_rng(0).standard_normal(shape), 2) * 100
    return noise


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("iterations, smoothing", [(1, 0), (7, 1), (5, 2)])
def test_chan_vese_equals_the_peer(shape: tuple[int, ...], iterations: int, smoothing: int) -> None:
    image = texture(shape)
    theirs = morphsnakes.morphological_chan_vese(image, iterations, "checkerboard", smoothing, 1.2, 1.0)
    assert np.array_equal(chan_vese(image, checkerboard(shape), iterations, smoothing, 1.2, 1.0), theirs > 0)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("balloon", [0, 1, -1, 2])
def test_geodesic_equals_the_peer(shape: tuple[int, ...], balloon: int) -> None:
    edges = morphsnakes.inverse_gaussian_gradient(texture(shape), alpha=10, sigma=1.5)
    start = checkerboard(shape)
    theirs: Any = morphsnakes.morphological_geodesic_active_contour(edges, 6, start, 1, "auto", balloon)
    assert np.array_equal(geodesic(edges, start, 6, 1, balloon, float(np.percentile(edges, 40))), theirs > 0)


@pytest.mark.parametrize("depth", [1, 63, 64, 65, 128, 130])
def test_packing_is_lossless(depth: int) -> None:
    mask = np.random.default_rng(depth).random((depth, 3, 5)) < 0.5
    assert np.array_equal(unpack(pack(mask), depth), mask)


def ball(noise: float) -> tuple[Image, np.ndarray]:
    z, y, x = np.indices((20, 30, 30))
    truth = ((z - 10) * 2.0) ** 2 + (y - 15) ** 2 + (x - 14) ** 2 < 100
    values = 100.0 * truth + np.random.default_rng(1).normal(0, noise, truth.shape)
    return Image(values.astype(np.float32), ("z", "y", "x"), Geometry.regular(truth.shape, (2.0, 1.0, 1.0))), truth


def dice(one: np.ndarray, two: np.ndarray) -> float:
    return float(2 * (one & two).sum() / (one.sum() + two.sum()))


def test_regions_and_edges_find_a_noisy_ball_on_slabs() -> None:
    image, truth = ball(30.0)
    assert dice(np.asarray(Morphological(iterations=30)(image).array) > 0, truth) > 0.94
    image, truth = ball(5.0)
    grown = Morphological(method="geodesic", iterations=40, sigma=1.0, seeds=((14.0, 15.0, 20.0),), radius=3.0)(image)
    assert dice(np.asarray(grown.array) > 0, truth) > 0.95


def test_the_darker_region_is_never_the_label_and_a_leak_is_noted() -> None:
    image, truth = ball(10.0)
    dark = Morphological(iterations=20)(image.replace(array=-np.asarray(image.array)))
    assert dice(np.asarray(dark.array) > 0, ~truth) > 0.97
    assert any("touches the edge" in note for note in dark.provenance.steps[-1].notes)
