"""Losses on cases whose value is known, and where a class is empty."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from isocenter.learn.train.losses import DeepSupervision, DiceCrossEntropy, FocalLoss, soft_dice


def sure(truth: Tensor, classes: int, by: float = 20.0) -> Tensor:
    return torch.nn.functional.one_hot(truth.long(), classes).movedim(-1, 1).float() * by


def test_a_perfect_prediction_costs_nothing_and_a_wrong_one_much() -> None:
    truth = torch.zeros(2, 8, 8, dtype=torch.uint8)
    truth[:, 2:5, 2:5] = 1
    assert float(DiceCrossEntropy()(sure(truth, 2), truth)) < 1e-4
    assert float(DiceCrossEntropy()(sure(1 - truth, 2), truth)) > 10.0
    assert float(FocalLoss()(sure(truth, 2), truth)) < 1e-6


def test_soft_dice_is_the_formula() -> None:
    probabilities = torch.tensor([[[0.8, 0.4, 0.1, 0.5], [0.2, 0.6, 0.9, 0.5]]])
    truth = torch.tensor([[0, 1, 1, 0]])
    found, counted = soft_dice(probabilities, truth)
    assert found[1] == pytest.approx(2 * 1.5 / (2.2 + 2.0), abs=1e-4)
    assert counted.all()


def test_an_absent_class_counts_only_where_it_is_predicted() -> None:
    truth = torch.zeros(1, 6, 6, dtype=torch.uint8)
    truth[0, :3] = 1
    right = sure(truth, 3, 40.0)
    assert float(DiceCrossEntropy()(right, truth)) < 1e-4, "0/0 is no fault"
    wrong = right.clone()
    wrong[0, 2, 5] += 80.0
    dice = DiceCrossEntropy(cross_entropy=0.0)
    assert float(dice(wrong, truth)) == pytest.approx(0.5, abs=0.01), "the absent class is as wrong as can be"
    empty = torch.zeros(1, 6, 6, dtype=torch.uint8)
    assert float(DiceCrossEntropy()(sure(empty, 2, 40.0), empty)) < 1e-4, "an image without any object"


def test_ignored_samples_take_no_part() -> None:
    truth = torch.zeros(1, 6, 6, dtype=torch.uint8)
    truth[0, :3] = 1
    logits = torch.randn(1, 2, 6, 6, generator=torch.Generator().manual_seed(0))
    hidden = truth.clone()
    hidden[0, :, 4:] = 255
    other = logits.clone()
    other[..., 4:] += 7.0
    for loss in (DiceCrossEntropy(), FocalLoss(), DiceCrossEntropy(weights=[1.0, 3.0]), FocalLoss(weights=[1.0, 3.0])):
        assert float(loss(logits, hidden)) == float(loss(other, hidden))
        nothing = loss(logits.requires_grad_(), torch.full_like(truth, 255))
        assert float(nothing.detach()) == 0.0
        nothing.backward()
        logits = logits.detach()


def test_focal_loss_without_focus_is_cross_entropy() -> None:
    generator = torch.Generator().manual_seed(0)
    logits, truth = torch.randn(2, 3, 5, generator=generator), torch.randint(0, 3, (2, 5), generator=generator)
    plain = torch.nn.functional.cross_entropy(logits, truth)
    assert float(FocalLoss(gamma=0.0)(logits, truth)) == pytest.approx(float(plain), rel=1e-5)
    weights = [1.0, 2.0, 0.5]
    weighted = torch.nn.functional.cross_entropy(logits, truth, weight=torch.tensor(weights))
    assert float(FocalLoss(gamma=0.0, weights=weights)(logits, truth)) == pytest.approx(float(weighted), rel=1e-5)
    assert float(FocalLoss()(logits, truth)) < float(plain)


def test_deep_supervision_halves_the_weight_of_each_level() -> None:
    truth = torch.zeros(1, 8, 8, dtype=torch.uint8)
    truth[0, :4] = 1
    loss = DeepSupervision(lambda logits, labels: torch.tensor(float(logits.shape[-1])) + labels.float().mean())
    found = loss([torch.zeros(1, 2, 8, 8), torch.zeros(1, 2, 4, 4), torch.zeros(1, 2, 2, 2)], truth)
    assert float(found) == pytest.approx((8 + 4 / 2 + 2 / 4) / 1.75 + 0.5)
    assert not math.isnan(float(found))


def test_dice_of_each_patch_counts_a_small_object_as_much_as_a_large_one() -> None:
    truth = torch.zeros(2, 32, 32, dtype=torch.uint8)
    truth[0, 2:30, 2:30] = 1
    truth[1, 4:9, 4:9] = 1
    missed = sure(truth, 2)
    missed[1] = sure(torch.zeros(1, 32, 32, dtype=torch.uint8), 2)[0]
    together = float(DiceCrossEntropy(cross_entropy=0.0)(missed, truth))
    apart = float(DiceCrossEntropy(cross_entropy=0.0, each=True)(missed, truth))
    assert together < 0.03 and apart == pytest.approx(0.5 * (1 - 50 / (25 + 50)), abs=0.01)
    empty = torch.zeros(2, 32, 32, dtype=torch.uint8)
    assert float(DiceCrossEntropy(each=True)(sure(empty, 2), empty)) < 1e-4, "silence is right where there is nothing"
    assert float(DiceCrossEntropy(cross_entropy=0.0, each=True)(sure(1 - empty, 2), empty)) > 0.9
