"""Comparisons: equal models are not told apart, better ones are, and the words say no more than the interval."""

from __future__ import annotations

import numpy as np
import pytest

from isocenter.core.errors import ContentError
from isocenter.learn.evaluate.compare import compare_auc, compare_paired


def test_delong_s_test_holds_its_level() -> None:
    called = 0
    for k in range(200):
        generator = np.random.default_rng(k)
        y = np.arange(80) % 2
        both = generator.normal(size=80) + y
        called += compare_auc(y, both + generator.normal(size=80), both + generator.normal(size=80)).p < 0.05
    assert 2 <= called <= 20


def test_a_better_model_is_found_by_both_methods() -> None:
    generator = np.random.default_rng(1)
    y = np.arange(300) % 2
    good, bad = generator.normal(size=300) + 2.5 * y, generator.normal(size=300) + 0.5 * y
    area = compare_auc(y, good, bad)
    assert area.better and area.p < 1e-4 and area.method == "DeLong"
    right = np.stack([(good > 1.25) == y, (bad > 0.25) == y]).astype(float)
    accuracy = compare_paired("accuracy", lambda w, k: (w @ right[k]) / w.sum(axis=1), np.arange(300), draws=500)
    assert accuracy.better and accuracy.difference == pytest.approx(right[0].mean() - right[1].mean())
    assert "beats" in accuracy.sentence("radiomics", "majority")


def test_the_words_follow_the_interval() -> None:
    y = np.arange(60) % 2
    score = np.random.default_rng(2).normal(size=60) + y
    same = compare_auc(y, score, score)
    assert same.p == 1.0 and not same.better and "does not beat" in same.sentence("a", "b")
    worse = compare_auc(y, -score - 2 * y, score + 3 * y)
    assert "is worse than" in worse.sentence("a", "b")


def test_one_patient_tells_nothing() -> None:
    with pytest.raises(ContentError, match="two patients"):
        compare_paired("x", lambda w, k: w.sum(axis=1), ["a", "a"])
