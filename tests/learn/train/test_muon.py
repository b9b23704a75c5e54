"""Muon: updates are orthogonal, only hidden layers take them, and a training broken off goes on as if it had not been."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from isocenter.learn.train.engine import fit
from isocenter.learn.train.history import EpochRow
from isocenter.learn.train.losses import DeepSupervision, DiceCrossEntropy
from isocenter.learn.train.muon import Muon, hidden, operations, orthogonal
from isocenter.learn.train.settings import FitSettings
from isocenter.nets.unet import Unet


def batches() -> list[dict[str, torch.Tensor]]:
    generator = torch.Generator().manual_seed(0)
    image = nn.functional.avg_pool2d(torch.randn(4, 1, 16, 16, generator=generator), 5, 1, 2) * 5
    return [{"image": image, "truth": (image[:, 0] > 0.3).to(torch.uint8)}]


def network() -> nn.Module:
    torch.manual_seed(3)
    return Unet(1, 2, 2, (4, 8, 8), deep_supervision=True)


def loss_after(optimizer: str, epochs: int) -> float:
    settings = FitSettings(optimizer=optimizer, learning_rate=2e-3, epochs=epochs)  # type: ignore[arg-type]  # a parameter's text
    fitted = fit(network(), batches(), loss=DeepSupervision(DiceCrossEntropy()), settings=settings)
    return fitted.history.rows[-1].loss


@pytest.mark.parametrize("shape", [(8, 40), (40, 8), (16, 16)])
def test_updates_turn_and_hardly_stretch(shape: tuple[int, int]) -> None:
    torch.manual_seed(0)
    matrix = torch.randn(shape) * 7.0
    found = orthogonal(matrix)
    values = torch.linalg.svdvals(found)
    assert 0.5 < float(values.min()) and float(values.max()) < 1.4
    u, _, v = torch.linalg.svd(matrix, full_matrices=False)
    assert float((found - u @ v).norm() / (u @ v).norm()) < 0.35
    assert torch.equal(orthogonal(matrix), found)


def test_a_processor_that_is_slow_with_short_numbers_takes_long_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    matrix = torch.randn(8, 40)
    found = {}
    for capability in ("AVX512", "AVX2"):
        monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda known=capability: known)
        found[capability] = orthogonal(matrix)
    assert not torch.equal(found["AVX2"], found["AVX512"])
    assert torch.allclose(found["AVX2"], found["AVX512"], atol=0.05)


@pytest.mark.parametrize("shape", [(8, 40), (40, 2, 3, 3), (16, 16)])
def test_products_are_counted_as_they_are_taken(shape: tuple[int, ...]) -> None:
    with FlopCounterMode(display=False) as counter:
        orthogonal(torch.randn(shape).flatten(1))
    assert counter.get_total_flops() == operations(shape)


def test_first_and_last_layers_norms_and_shifts_are_left_to_adamw() -> None:
    net = network()
    taken = list(hidden(net))
    assert taken and all(p.ndim == 4 and p.shape[0] >= 4 and p.shape[1] >= 4 for p in taken)
    optimizer = Muon(net, 1e-3, weight_decay=0.1)
    held = [p for group in optimizer.param_groups for p in group["params"]]
    assert sorted(map(id, held)) == sorted(map(id, net.parameters()))
    norms = {id(p) for p in net.parameters() if p.ndim <= 1}
    assert all(g["weight_decay"] == 0.0 for g in optimizer.param_groups if id(g["params"][0]) in norms)


def test_it_gains_more_in_as_many_steps_than_adamw() -> None:
    assert loss_after("muon", 30) < 0.9 * loss_after("adamw", 30)


def test_a_training_broken_off_goes_on_as_if_it_had_not_been(tmp_path: Path) -> None:
    settings = FitSettings(optimizer="muon", learning_rate=2e-3, epochs=4)
    loss = DeepSupervision(DiceCrossEntropy())
    whole = fit(network(), batches(), loss=loss, settings=settings)

    def stop(row: EpochRow) -> None:
        if row.epoch == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(network(), batches(), loss=loss, settings=settings, folder=tmp_path, progress=stop)
    again = fit(network(), batches(), loss=loss, settings=settings, folder=tmp_path)
    for name, value in whole.net.state_dict().items():
        assert torch.equal(value, again.net.state_dict()[name]), name
