"""The engine: the same twice, the same when broken off, honest about its best epoch, and plain about what went wrong."""

from __future__ import annotations

import itertools
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from isocenter.core.errors import ContentError, FormatError, ParameterError, StepError
from isocenter.learn.train.engine import Fitted, fit
from isocenter.learn.train.history import EpochRow
from isocenter.learn.train.losses import DeepSupervision, DiceCrossEntropy
from isocenter.learn.train.schedule import learning_rate
from isocenter.learn.train.settings import FitSettings
from isocenter.nets.unet import Unet

SETTINGS: dict[str, Any] = {"learning_rate": 1e-2, "epochs": 6}


def cases() -> list[dict[str, Any]]:
    """Two tiny batches whose truth is bright blobs."""
    generator = torch.Generator().manual_seed(0)
    image = nn.functional.avg_pool2d(torch.randn(4, 1, 16, 16, generator=generator), 5, 1, 2) * 5
    truth = (image[:, 0] > 0.3).to(torch.uint8)
    return [
        {"image": image[:2], "truth": truth[:2]},
        {"image": image[2:].numpy(), "truth": truth[2:].numpy(), "names": ["c", "d"]},
    ]


def network(**options: Any) -> nn.Module:
    torch.manual_seed(3)
    return Unet(1, 2, 2, (4, 8, 8), deep_supervision=True, **options)


def accuracy(net: nn.Module) -> float:
    batch = cases()[0]
    return float((net(batch["image"]).argmax(1) == batch["truth"]).float().mean())


def trained(folder: Path | None = None, stop: int = 0, **changes: Any) -> Fitted:
    def progress(row: EpochRow) -> None:
        if row.epoch == stop:
            raise KeyboardInterrupt

    settings = FitSettings(**{**SETTINGS, **changes})
    loss = DeepSupervision(DiceCrossEntropy())
    return fit(network(dropout=0.2), cases(), loss=loss, settings=settings, validate=accuracy, folder=folder, progress=progress)


def same(first: nn.Module, second: nn.Module) -> bool:
    pairs = zip(first.state_dict().items(), second.state_dict().items(), strict=True)
    return all(a == b and torch.equal(p, q) for (a, p), (b, q) in pairs)


@pytest.mark.parametrize(
    "changes", [{}, {"average": 0.9, "optimizer": "sgd", "schedule": "poly", "warmup": 3}], ids=["adamw", "sgd"]
)
def test_a_resumed_training_equals_an_unbroken_one(tmp_path: Path, changes: dict[str, Any]) -> None:
    whole = trained(**changes)
    with pytest.raises(KeyboardInterrupt):
        trained(tmp_path, stop=3, **changes)
    continued = trained(tmp_path, **changes)
    assert same(whole.net, continued.net)
    assert whole.history == continued.history
    assert (tmp_path / "curves.csv").read_text() == whole.history.csv()
    assert same(continued.net, trained(tmp_path, **changes).net), "a finished training is only read"


def test_it_learns_and_leaves_the_generator_of_the_caller_alone() -> None:
    torch.manual_seed(11)
    before = torch.get_rng_state()
    fitted = fit(
        network(), cases(), loss=DeepSupervision(DiceCrossEntropy()),
        settings=FitSettings(epochs=40, learning_rate=1e-2), validate=accuracy,
    )  # fmt: skip
    torch.manual_seed(11)
    assert torch.equal(before, torch.get_rng_state())
    assert accuracy(fitted.net) > 0.97
    assert not fitted.net.training


def test_the_best_epoch_is_that_of_the_validation_score() -> None:
    scores = iter([0.1, 0.9, 0.3, math.nan, 0.9, 0.2])
    seen: list[dict[str, torch.Tensor]] = []

    def validate(net: nn.Module) -> dict[str, float]:
        seen.append({k: v.clone() for k, v in net.state_dict().items()})
        return {"score": next(scores), "other": 5.0}

    fitted = fit(
        network(), cases(), loss=DeepSupervision(DiceCrossEntropy()), settings=FitSettings(**SETTINGS), validate=validate
    )
    assert fitted.epoch == 2, "the first of equals"
    assert all(torch.equal(v, fitted.net.state_dict()[k]) for k, v in seen[1].items())
    assert fitted.history.csv().splitlines()[0] == "epoch,loss,learning_rate,score,other"


def test_it_ends_early() -> None:
    falling = iter(np.linspace(0.9, 0.1, 30))
    fitted = fit(
        network(), cases(), loss=DeepSupervision(DiceCrossEntropy()), settings=FitSettings(epochs=20, patience=3),
        validate=lambda net: float(next(falling)),
    )  # fmt: skip
    assert len(fitted.history.rows) == 4
    assert fitted.epoch == 1


def test_what_goes_wrong_is_one_sentence(tmp_path: Path) -> None:
    loss = DeepSupervision(DiceCrossEntropy())
    bad = cases()
    bad[1]["image"] = np.full((2, 1, 16, 16), np.nan, np.float32)
    with pytest.raises(ContentError, match=r"epoch 1, step 2 \(images c, d\)"):
        fit(network(), bad, loss=loss)
    with pytest.raises(StepError, match="loss is nan at epoch 1, step 1"):
        fit(network(), cases(), loss=lambda output, truth: output[0].sum() * math.nan)
    with pytest.raises(ParameterError, match="without 'truth'"):
        fit(network(), [{"image": np.zeros((1, 1, 16, 16), np.float32)}], loss=loss)
    with pytest.raises(ParameterError, match="without a length"):
        fit(network(), iter(cases()), loss=loss)
    with pytest.raises(ParameterError, match="learning_rate"):
        FitSettings(learning_rate=0.0)
    trained(tmp_path)
    with pytest.raises(ParameterError, match=r"learning_rate = 0.01, asked is 0.5"):
        trained(tmp_path, learning_rate=0.5)
    (tmp_path / "last.pt").write_bytes(b"no checkpoint")
    with pytest.raises(FormatError, match=r"last\.pt"):
        trained(tmp_path)


@pytest.mark.parametrize("schedule", ["cosine", "poly", "constant"])
def test_the_learning_rate_warms_up_and_goes_down(schedule: str) -> None:
    settings = FitSettings(learning_rate=1.0, warmup=5, schedule=schedule)  # type: ignore[arg-type]  # one of the three names
    rates = [learning_rate(settings, step, 50) for step in range(50)]
    assert rates[:5] == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0])
    assert all(a >= b for a, b in itertools.pairwise(rates[5:]))
    assert rates[-1] == 1.0 if schedule == "constant" else rates[-1] < 0.05


def test_bfloat16_keeps_its_weights_in_full() -> None:
    fitted = trained(precision="bfloat16", channels_last=True)
    assert {p.dtype for p in fitted.net.parameters()} == {torch.float32}
    assert math.isfinite(fitted.history.rows[-1].loss)
