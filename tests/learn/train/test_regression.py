"""A network of numbers: the size of a disk, and the data that it refuses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from isocenter.core.errors import ContentError, ParameterError, StepError
from isocenter.core.geometry import Geometry
from isocenter.core.image import Image
from isocenter.learn.train.ensemble import joined_networks
from isocenter.learn.train.regression import train_regressor
from isocenter.learn.train.settings import FitSettings


def disk(seed: int, radius: float, size: int = 24) -> Image:
    generator = np.random.default_rng(seed)
    grid = np.mgrid[:size, :size] * 24.0 / size
    at = generator.uniform(10, 14, 2)
    inside = np.hypot(grid[0] - at[0], grid[1] - at[1]) < radius
    array = inside + generator.normal(0, 0.2, (size, size))
    return Image(array.astype(np.float32), ("y", "x"), Geometry.regular((size, size)))


RADII = [3.0 + 0.5 * k for k in range(12)]
IMAGES = [disk(k, r) for k, r in enumerate(RADII)]
OPTIONS: dict[str, Any] = {
    "network": "vgg",
    "parameters": {"depth": 11, "features": (4, 8, 8, 8, 8), "norm": "batch"},
    "settings": FitSettings(epochs=20, learning_rate=5e-3),
    "batch": 6,
    "augment": 0.2,
}


def test_the_size_of_a_disk_is_learnt(tmp_path: Path) -> None:
    numbers = [1000.0 * r for r in RADII]
    trained = train_regressor(IMAGES, numbers, folder=tmp_path, validation=0.25, **OPTIONS)
    assert trained.classes == () and trained.answers(IMAGES).shape == (12,)
    assert np.corrcoef(trained.answers(IMAGES), numbers)[0, 1] > 0.9
    small, large = (trained.predict(disk(99, r, size=40)).value for r in (3.5, 8.0))
    assert small is not None and large is not None and small < large, "another size is brought to that of the training"
    again = train_regressor(IMAGES, numbers, folder=tmp_path, validation=0.25, **OPTIONS)
    assert torch.equal(again.networks[0].head[1].weight, trained.networks[0].head[1].weight)
    both = joined_networks([trained, again])
    assert np.allclose(both.answers(IMAGES), trained.answers(IMAGES))
    assert set(trained.histories[0].columns()) >= {"negative_error", "r2"}
    other = train_regressor(IMAGES[:6], numbers[:6], validation=0, **{**OPTIONS, "settings": FitSettings(epochs=1)})
    with pytest.raises(ParameterError, match="different classes, units"):
        joined_networks([trained, other])


def test_what_is_refused() -> None:
    with pytest.raises(ContentError, match=r"All 12 labels of the training cases are the number 2\.5"):
        train_regressor(IMAGES, [2.5] * 12, **OPTIONS)
    with pytest.raises(ContentError, match="case 2: its number is not finite"):
        train_regressor(IMAGES, [1.0, float("nan"), *RADII[2:]], **OPTIONS)
    with pytest.raises(ParameterError, match="a label for each"):
        train_regressor(IMAGES, RADII[:3], **OPTIONS)
    wild = {**OPTIONS, "settings": FitSettings(epochs=3, learning_rate=1e30, clip=0.0, warmup=0)}
    with pytest.raises(StepError, match=r"Training loss is (nan|inf) at epoch \d, step \d \(images case"):
        train_regressor(IMAGES, RADII, **wild)
