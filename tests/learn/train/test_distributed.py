"""Two processes that share the batches give the losses and weights of one that has them all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from isocenter.core.errors import ParameterError
from isocenter.core.geometry import Geometry
from isocenter.core.image import Image
from isocenter.core.labels import LabelMap, Segment
from isocenter.learn.train.distributed import launch, rank
from isocenter.learn.train.engine import fit
from isocenter.learn.train.plan import Plan
from isocenter.learn.train.segmentation import train_segmenter
from isocenter.learn.train.settings import FitSettings


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 5), nn.Tanh(), nn.Linear(5, 2))


def cases() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(16, 3, generator=generator)
    return x, (x[:, 0] > 0).long()


def train(batch: int, path: Path) -> None:
    """Train a few steps and let the first process keep the weights."""
    x, y = cases()
    batches: list[dict[str, Any]] = [{"image": x[k : k + batch], "truth": y[k : k + batch]} for k in range(0, 16, batch)]
    settings = FitSettings(epochs=3, learning_rate=1e-2, device="cpu")

    def score(net: nn.Module) -> float:
        return float((net(x).argmax(1) == y).float().mean())

    fitted = fit(network(), batches, loss=nn.functional.cross_entropy, settings=settings, validate=score, folder=path)
    if rank() == 0:
        torch.save(fitted.net.state_dict(), path / "net.pt")
    segment(path / "segmenter")


def segment(folder: Path) -> None:
    """Train a segmenter whose loss and normalisation look at whole batches."""
    images, masks = [], []
    for seed in range(3):
        generator = np.random.default_rng(seed)
        y, x = np.mgrid[:32, :32] - 16.0 + generator.uniform(-4, 4, (2, 1, 1))
        labels = (np.hypot(y, x) < 8.0).astype(np.uint8)
        grid = Geometry.regular((32, 32), (1.0, 1.0))
        array = (generator.normal(0, 0.3, (32, 32)) + labels).astype(np.float32)
        images.append(Image(array, ("y", "x"), grid))
        masks.append(LabelMap(labels, ("y", "x"), grid, (Segment(1, "disc"),)))
    parameters = {"in_channels": 1, "out_channels": 2, "dimensions": 2, "channels": [8, 16], "strides": [[2, 2]], "norm": "batch"}
    plan = Plan(
        "unet", parameters, None, (24, 24), 4, "zscore", ({"mean": 0.0, "std": 1.0, "low": -1.0, "high": 1.0},),
        ({"value": 1, "name": "disc"},), steps=3, settings=FitSettings(epochs=2, learning_rate=1e-2, device="cpu"),
    )  # fmt: skip
    trained = train_segmenter(images, masks, plan=plan, validation=[2], mirror=(1,), folder=folder, cache=folder / "cache")
    if rank() == 0:
        torch.save(trained.networks[0].state_dict(), folder / "net.pt")


def test_two_processes_train_as_one(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    launch(train, 1, 8, one)
    launch(train, 2, 4, two)
    first, second = (torch.load(p / "net.pt", weights_only=True) for p in (one, two))
    assert all(torch.allclose(first[k], second[k], atol=1e-6) for k in first)
    rows = [(p / "curves.csv").read_text().splitlines()[-1].split(",") for p in (one, two)]
    assert float(rows[0][1]) == pytest.approx(float(rows[1][1]), abs=1e-6), "the loss is the mean over the processes"
    losses = [
        [float(row.split(",")[1]) for row in (p / "segmenter" / "curves.csv").read_text().splitlines()[1:]] for p in (one, two)
    ]
    assert len(losses[0]) == 2 and np.allclose(losses[0], losses[1], atol=1e-5), (
        "Dice and normalisation are those of whole batches"
    )
    first, second = (torch.load(p / "segmenter" / "net.pt", weights_only=True) for p in (one, two))
    assert list(first) == list(second) and all(torch.allclose(first[k], second[k], atol=1e-4) for k in first)
    with pytest.raises(ParameterError, match="1 or more"):
        launch(train, 0)
