"""Operating points: what each rule chooses, and how much it moves."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from isocenter.core.errors import ContentError, ParameterError
from isocenter.learn.evaluate.operating import choose_threshold

TRUTH = np.array([0, 0, 0, 0, 1, 0, 1, 1])
SCORE = np.array([0.1, 0.2, 0.3, 0.4, 0.45, 0.6, 0.8, 0.9])


def _calibrated(count: int, seed: int) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.float64]]:
    generator = np.random.default_rng(seed)
    chance = generator.beta(1.0, 2.5, count)
    return generator.random(count) < chance, chance


def _youden(truth: npt.NDArray[np.bool_], score: npt.NDArray[np.float64], threshold: float) -> float:
    called = score >= threshold
    return float(called[truth].mean() - called[~truth].mean())


@pytest.mark.parametrize(
    ("rule", "low", "high"),
    [
        ("youden", 0.4, 0.45),  # sensitivity 1, specificity 4/5
        ("f1", 0.4, 0.45),  # 6/7
        ("sensitivity", 0.4, 0.45),
        ("specificity", 0.6, 0.8),
        ("half", 0.499, 0.501),
        ("prevalence", 0.374, 0.376),
    ],
)
def test_each_rule_chooses_by_hand(rule: str, low: float, high: float) -> None:
    assert low < choose_threshold(TRUTH, SCORE, rule) < high  # type: ignore[arg-type]  # a parametrised name


def test_the_share_of_positives_is_the_best_threshold_of_calibrated_chances() -> None:
    truth, chance = _calibrated(200_000, 1)
    best = max(_youden(truth, chance, t) for t in np.linspace(0.02, 0.98, 97))
    assert _youden(truth, chance, choose_threshold(truth, chance, "prevalence")) > best - 0.005


def test_the_share_of_positives_moves_less_than_the_best_of_many_thresholds() -> None:
    small = [_calibrated(120, seed) for seed in range(60)]
    moved = {rule: np.std([choose_threshold(t, s, rule) for t, s in small]) for rule in ("prevalence", "youden")}
    assert moved["prevalence"] < 0.6 * moved["youden"]
    truth, chance = _calibrated(200_000, 2)
    quality = {
        rule: np.mean([_youden(truth, chance, choose_threshold(t, s, rule)) for t, s in small])
        for rule in ("prevalence", "youden")
    }
    assert quality["prevalence"] > quality["youden"]


def test_one_class_and_an_unknown_rule_are_one_sentence() -> None:
    with pytest.raises(ContentError, match="expected positives and negatives"):
        choose_threshold(np.ones(4), np.linspace(0, 1, 4))
    with pytest.raises(ParameterError, match="expected prevalence, youden"):
        choose_threshold(TRUTH, SCORE, "best")  # type: ignore[arg-type]  # what a user might write
