"""What a network says and learns: classes and numbers by one interface."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from isocenter.learn.standard import Standard
from isocenter.learn.train.heads import ClassHead, Head, NumberHead, head_from

CLASSES = ClassHead(("a", "b", "c"))
PLAIN = NumberHead(Standard(50.0, 10.0, False))
LOGARITHMS = NumberHead(Standard(2.0, 0.5, True))


@pytest.mark.parametrize("head", [CLASSES, PLAIN, LOGARITHMS])
def test_a_head_is_described_and_restored(head: ClassHead | NumberHead) -> None:
    assert head_from(head.to_dict()) == head
    assert head.outputs == (len(head.classes) or 1)


@pytest.mark.parametrize("wrong", [{"scale": 0.0}, {"scale": math.inf}, {"centre": math.nan}])
def test_units_that_make_no_sense_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="spread"):
        head_from({**PLAIN.to_dict(), **wrong})


@pytest.mark.parametrize("head", [PLAIN, LOGARITHMS])
def test_numbers_are_given_in_their_unit(head: NumberHead) -> None:
    numbers = np.array([20.0, 50.0, 61.0])
    output = torch.from_numpy(head.targets(numbers)).double()[:, None]
    np.testing.assert_allclose(head.answer(output).numpy(), numbers, rtol=1e-6)
    np.testing.assert_allclose(head.exported(nn.Identity())(output).numpy(), numbers[:, None], rtol=1e-6)
    assert float(head.loss(output, torch.from_numpy(head.targets(numbers)))) == 0.0
    assert head.prediction(np.asarray(3.5), "ml").value == 3.5 and head.prediction(np.asarray(3.5), "ml").unit == "ml"
    assert head.strata(head.targets(numbers)) is None


def test_the_loss_of_numbers_follows_huber() -> None:
    output, truth = torch.tensor([[0.5], [3.0]]), torch.tensor([0.0, 0.0])
    assert float(PLAIN.loss(output, truth)) == pytest.approx((0.5 * 0.25 + (3.0 - 0.5)) / 2)


def _scored(head: Head, outputs: Tensor, truth: list[float]) -> dict[str, float]:
    return head.scores(outputs.double().numpy(), head.targets(truth))


def test_better_outputs_score_higher() -> None:
    truth = [40.0, 50.0, 60.0]
    right, wrong = torch.tensor([[-1.0], [0.0], [1.0]]), torch.tensor([[1.0], [0.0], [-1.0]])
    assert _scored(PLAIN, right, truth) == {"negative_error": 0.0, "r2": 1.0}
    assert next(iter(_scored(PLAIN, wrong, truth).values())) == pytest.approx(-4 / 3)
    assert math.isnan(_scored(PLAIN, right, [50.0] * 3)["r2"])
    sure = torch.eye(3) * 5
    assert _scored(CLASSES, sure, [0, 1, 2])["log_likelihood"] > _scored(CLASSES, sure, [1, 2, 0])["log_likelihood"]
    assert _scored(CLASSES, sure, [0, 1, 2])["balanced_accuracy"] == 1.0


def test_what_is_done_to_images_leaves_a_number_as_it_is() -> None:
    done = PLAIN.usual
    assert done.size == done.gain == done.gamma == done.elastic == 0.0 and done.turn > 0 and done.noise > 0
    assert CLASSES.usual.size > 0
