"""segment.random_walker: the labels of scikit-image on cubes, mm on slabs, one click in an object."""

from __future__ import annotations

import numpy as np
import pytest
from skimage.segmentation import random_walker as peer

from isocenter.core.errors import ParameterError
from isocenter.core.labels import LabelMap
from isocenter.kernels.walker import random_walker
from isocenter.ops.segment.random_walker import RandomWalker
from tests.ops.segment.seeded import MIDDLE, ball, dice


@pytest.mark.parametrize("shape", [(40, 44), (20, 22, 24)])
@pytest.mark.parametrize("beta", [20.0, 130.0])
def test_equals_a_peer_on_cubes(shape: tuple[int, ...], beta: float) -> None:
    rng = np.random.default_rng(1)
    axes = np.meshgrid(*[np.linspace(-1, 1, n) for n in shape], indexing="ij")
    values = ((sum(a**2 for a in axes) < 0.4) + rng.normal(0, 0.3, shape)).astype(np.float32)
    seeds = np.zeros(shape, np.int32)
    seeds[tuple(slice(n // 2 - 2, n // 2 + 2) for n in shape)] = 1
    seeds[0], seeds[-1], seeds[:, 0] = 2, 3, 2
    theirs = peer(values, seeds, beta=beta, mode="cg_j", tol=1e-6)
    ours = random_walker(values, seeds, (1.0,) * len(shape), beta / (10 * float(values.std())), tolerance=1e-5)
    assert (ours != theirs).mean() < 1e-3


def test_a_wall_that_is_not_looked_at_holds_every_walk() -> None:
    seeds = np.zeros((9, 9), np.int32)
    seeds[4, 1], seeds[:, 5] = 1, -1
    found = random_walker(np.zeros((9, 9), np.float32), seeds, (1.0, 1.0), 1.0)
    assert (found[:, :5] == 1).all()
    assert not found[:, 5:].any(), "what no seed can reach has no label"


def test_one_click_with_a_radius_and_a_region() -> None:
    image, truth = ball(8.0)
    click = RandomWalker(seeds=(MIDDLE,), radius=3.0)
    found = click(image)
    assert dice(found.array, truth) > 0.98
    half = np.zeros(truth.shape, np.uint8)
    half[:, :, :17] = 1
    held = np.asarray(click(image, LabelMap(half, image.dims, image.geometry)).array)
    assert not held[:, :, 17:].any()


def test_seeds_are_needed_and_must_lie_inside() -> None:
    with pytest.raises(ParameterError, match="no seed"):
        RandomWalker()(ball(1.0)[0])
    with pytest.raises(ParameterError, match="outside the image"):
        RandomWalker(seeds=(MIDDLE,), background=((0.0, 0.0, -50.0),))(ball(1.0)[0])
