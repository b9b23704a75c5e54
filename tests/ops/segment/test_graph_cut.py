"""segment.graph_cut: the cheapest of all cuts, found by trying every one, and one click in an object."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from isocenter.core.errors import BudgetError, ParameterError
from isocenter.core.geometry import Geometry
from isocenter.core.image import Image
from isocenter.core.labels import LabelMap
from isocenter.kernels.cut import least_cut
from isocenter.ops.segment.graph_cut import GraphCut
from tests.ops.segment.seeded import MIDDLE, ball, dice


def cost(cut: np.ndarray, links: list[np.ndarray], source: np.ndarray, sink: np.ndarray) -> float:
    total = source[~cut].sum() + sink[cut].sum()
    for axis, link in enumerate(links):
        total += (link * (np.diff(cut.astype(int), axis=axis) != 0)).sum()
    return float(total)


@pytest.mark.parametrize("seed", range(8))
def test_no_cut_is_cheaper(seed: int) -> None:
    rng = np.random.default_rng(seed)
    shape = (3, 4)
    links = [np.round(rng.random((2, 4)), 3), np.round(rng.random((3, 3)), 3)]
    source, sink = np.round(rng.random((2, *shape)), 3)
    seeds = np.zeros(shape, int)
    seeds[0, 0], seeds[2, 3] = 1, 2
    found = least_cut(links, source, sink, seeds)
    assert found[0, 0] and not found[2, 3]
    every = (np.array(c, bool).reshape(shape) for c in product((0, 1), repeat=12))
    best = min(cost(c, links, source, sink) for c in every if c[0, 0] and not c[2, 3])
    assert cost(found, links, source, sink) == pytest.approx(best, abs=1e-9)


def test_one_click_and_a_region_in_a_large_image() -> None:
    image, truth = ball(15.0)
    assert dice(GraphCut(seeds=(MIDDLE,), radius=3.0)(image).array, truth) > 0.97
    large = Image(np.zeros((100, 100, 100), np.float32), ("z", "y", "x"), Geometry.regular((100,) * 3, (1.0, 1.0, 1.0)))
    with pytest.raises(BudgetError, match="crop the image"):
        GraphCut(seeds=((50.0, 50.0, 50.0),))(large)
    where = np.zeros((100, 100, 100), np.uint8)
    where[45:55, 45:55, 45:55] = 1
    found = GraphCut(seeds=((50.0, 50.0, 50.0),))(large, LabelMap(where, large.dims, large.geometry))
    assert not (np.asarray(found.array)[where == 0]).any()


def test_seeds_are_needed() -> None:
    with pytest.raises(ParameterError, match="no seed"):
        GraphCut()(ball(1.0)[0])
