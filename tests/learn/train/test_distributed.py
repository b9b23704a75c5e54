"""Two processes that share the batches give the weights of one that has them all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from isocenter.core.errors import ParameterError
from isocenter.learn.train.distributed import launch, rank
from isocenter.learn.train.engine import fit
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


def test_two_processes_train_as_one(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    launch(train, 1, 8, one)
    launch(train, 2, 4, two)
    first, second = (torch.load(p / "net.pt", weights_only=True) for p in (one, two))
    assert all(torch.allclose(first[k], second[k], atol=1e-6) for k in first)
    rows = [(p / "curves.csv").read_text().splitlines()[-1].split(",") for p in (one, two)]
    assert float(rows[0][1]) == pytest.approx(float(rows[1][1]), abs=1e-6), "the loss is the mean over the processes"
    with pytest.raises(ParameterError, match="1 or more"):
        launch(train, 0)
