"""The information plane: exact cases, and a model of random labels is told from one of true labels."""

from __future__ import annotations

import numpy as np
import pytest

from isocenter.core.errors import ContentError
from isocenter.learn.evaluate.small_data import gram_matrix, judge, mutual_information, renyi_entropy


def test_entropy_of_distinct_and_of_equal_samples() -> None:
    assert renyi_entropy(np.eye(16) / 16) == pytest.approx(4.0)
    assert renyi_entropy(np.full((16, 16), 1 / 16)) == pytest.approx(0.0, abs=1e-6)
    labels = gram_matrix(np.repeat([0, 1, 2, 3], 8)[:, None])
    assert renyi_entropy(labels) == pytest.approx(2.0, abs=1e-6)
    assert mutual_information(labels, labels) == pytest.approx(2.0, abs=1e-6)


def test_independent_labels_share_nothing() -> None:
    a, b = np.repeat([0, 1], 32)[:, None], np.tile([0, 1], 32)[:, None]
    assert mutual_information(gram_matrix(a), gram_matrix(b)) == pytest.approx(0.0, abs=1e-6)


def plane(true: bool, seed: int) -> bool:
    """Train a linear net on few samples with true or random labels and judge its held-out activations."""
    generator = np.random.default_rng(seed)
    x = generator.normal(size=(120, 30))
    y = (x[:, :3].sum(axis=1) > 0).astype(int)
    train, held = np.arange(60), np.arange(60, 120)
    given = y[train] if true else generator.permutation(y[train])
    weights = np.linalg.lstsq(np.c_[x[train], np.ones(60)], 2.0 * given - 1.0, rcond=None)[0]
    activations = np.tanh(np.c_[x[held], np.ones(60)] @ weights)[:, None]
    return judge(x[held], y[held], [("last", 1, activations)], seed=seed).generalises


def test_memory_is_told_from_learning() -> None:
    assert sum(plane(True, k) for k in range(5)) == 5
    assert sum(plane(False, k) for k in range(5)) <= 1


def test_the_sentence_says_what_to_do() -> None:
    generator = np.random.default_rng(0)
    x, y = generator.normal(size=(40, 5)), generator.integers(0, 2, 40)
    verdict = judge(x, y, [("last", 0, x * 2), ("last", 9, generator.normal(size=(40, 2)))], shuffles=50)
    assert not verdict.generalises and "reject it" in verdict.sentence
    with pytest.raises(ContentError):
        judge(x, y, [])
    with pytest.raises(ContentError):
        gram_matrix([[1.0]])
