"""A network that learnt in a second to find a bright square on the patient's left, and phantoms that show it one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import nn

from isocenter.core.geometry import Geometry
from isocenter.core.image import Image
from isocenter.core.labels import LabelMap, Segment

SHAPES = {2: (24, 32), 3: (10, 12, 16)}
SPACINGS = {2: (1.5, 1.0), 3: (3.0, 1.5, 1.0)}


@pytest.fixture(autouse=True, scope="package")
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def phantom(number: int, axes: int, square: bool = True) -> tuple[Image, LabelMap]:
    """Return noise with a bright square in the patient's left half, or without, and where it is.

    Every second phantom runs from left to right in storage instead of right to left.
    """
    generator = np.random.default_rng([axes, number])
    shape = SHAPES[axes]
    side = [6, 6] if axes == 2 else [3, 4, 4]
    at = [int(generator.integers(0, n - s + 1)) for n, s in zip(shape, side, strict=True)]
    at[-1] = int(generator.integers(shape[-1] // 2, shape[-1] - side[-1] + 1))
    mask = np.zeros(shape, np.uint8)
    if square:
        mask[tuple(slice(a, a + s) for a, s in zip(at, side, strict=True))] = 1
    data = (generator.normal(0.0, 0.25, shape) + 2.0 * mask).astype(np.float32)
    grid = Geometry.regular(shape, SPACINGS[axes], (-7.0, 3.0, 11.0))
    dims = ("z", "y", "x")[-axes:]
    if number % 2:
        data, mask, grid = np.flip(data, -1), np.flip(mask, -1), grid.flip(axes - 1)
    image = Image(np.ascontiguousarray(data), dims, grid, modality="MR")
    return image, LabelMap(np.ascontiguousarray(mask), dims, grid, (Segment(1, "square"),))


@dataclass(frozen=True)
class Finder:
    """What an explanation needs of a model; it sees each image as stored."""

    networks: tuple[nn.Module, ...]
    classes: tuple[str, ...] = ("empty", "square")

    def seen(self, image: Image) -> npt.NDArray[np.float32]:
        """Return the samples."""
        return np.asarray(image.array, np.float32)[None]


def tiny(axes: int) -> nn.Module:
    """Return a network of three convolutions."""
    conv, pool = (nn.Conv2d, nn.MaxPool2d) if axes == 2 else (nn.Conv3d, nn.MaxPool3d)
    mean = nn.AdaptiveAvgPool2d(1) if axes == 2 else nn.AdaptiveAvgPool3d(1)
    return nn.Sequential(
        conv(1, 6, 3, padding=1), nn.ReLU(), pool(2), conv(6, 8, 3, padding=1), nn.ReLU(), conv(8, 8, 3, padding=1), nn.ReLU(),
        mean, nn.Flatten(), nn.Linear(8, 2),
    )  # fmt: skip


@cache
def trained(axes: int) -> Finder:
    """Return the trained network."""
    data = torch.from_numpy(np.stack([phantom(k, axes, k % 4 < 2)[0].array for k in range(40)]))[:, None]
    truth = torch.tensor([int(k % 4 < 2) for k in range(40)])
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        net = tiny(axes)
    optimizer = torch.optim.Adam(net.parameters(), 0.01)
    for _ in range(60):
        optimizer.zero_grad()
        nn.functional.cross_entropy(net(data), truth).backward()
        optimizer.step()
    return Finder((net.eval(),))


@pytest.fixture
def finder() -> Callable[[int], Finder]:
    """Give the trained network of two or three dimensions."""
    return trained
