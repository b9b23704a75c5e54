"""Splits: no patient on two sides, even where possible, the same twice, one sentence where impossible."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given as cases
from hypothesis import settings
from hypothesis import strategies as st

from isocenter.core.errors import ContentError, FormatError, ParameterError
from isocenter.learn.data.cohort import Cohort, Sample
from isocenter.learn.splits import Fold, Splits, check_disjoint, given, holdout, kfold, leave_one_site_out, nested, sites_apart


def cohort(rows: list[tuple[str, str, str]], task: str = "classification") -> Cohort:
    """Return a cohort of (label, patient, site) rows."""
    samples = tuple(
        Sample(f"case{k}", None, float(label) if task == "regression" else label, patient, site)
        for k, (label, patient, site) in enumerate(rows)
    )
    return Cohort(samples, task, "test")  # type: ignore[arg-type]  # the tests name the task


rows = st.lists(
    st.tuples(st.sampled_from("ab"), st.integers(0, 30).map(lambda k: f"p{k}"), st.sampled_from(["x", "y", "z"])),
    min_size=4,
    max_size=120,
)


@settings(max_examples=60, deadline=None)
@cases(rows, st.integers(2, 6), st.integers(0, 99), st.sampled_from([0.0, 0.25]))
def test_no_patient_is_ever_in_two_parts(table: Any, folds: Any, seed: Any, validation: Any) -> None:
    data = cohort(table)
    try:
        splits = kfold(data, folds, seed, validation=validation)
    except ContentError:
        return  # which sentence, the tests below say
    tested: list[int] = []
    for fold in splits.folds:
        parts = [set(data.groups[list(part)]) for part in fold.parts.values()]
        for k, one in enumerate(parts):
            assert all(not one & other for other in parts[k + 1 :])
        assert sorted(i for part in fold.parts.values() for i in part) == list(range(len(data)))
        assert set(data.classes) == {data.samples[i].label for i in fold.train}
        tested.extend(fold.test)
    assert sorted(tested) == list(range(len(data)))  # each case is tested once
    assert kfold(data, folds, seed, validation=validation) == splits


@settings(max_examples=40, deadline=None)
@cases(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("xyz")), min_size=12, max_size=90), st.integers(2, 5))
def test_single_cases_are_spread_as_evenly_as_counting_allows(pairs: Any, folds: Any) -> None:
    data = cohort([(label, f"p{k}", site) for k, (label, site) in enumerate(pairs)])
    try:
        splits = kfold(data, folds, 3)
    except ContentError:
        return
    for column in (data.labels.astype(str), np.char.add(data.labels.astype(str), data.sites)):
        for value in np.unique(column):
            counts = [int(np.sum(column[list(fold.test)] == value)) for fold in splits.folds]
            assert max(counts) - min(counts) <= 1, (value, counts)


def test_unlike_patients_are_spread_nearly_evenly() -> None:
    rng = np.random.default_rng(1)
    table = [("ab"[p % 3 == 0], f"p{p}", "xy"[p % 2]) for p in range(60) for _ in range(rng.integers(1, 8))]
    data = cohort(table)
    share = np.mean(data.labels == "b")
    for fold in kfold(data, 5, 0).folds:
        test = data.labels[list(fold.test)]
        assert abs(len(test) - len(data) / 5) <= 2
        assert abs(np.mean(test == "b") - share) < 0.03


def test_numbers_are_spread_by_their_size() -> None:
    rng = np.random.default_rng(0)
    ages = rng.uniform(20, 80, 200)
    data = cohort([(str(age), f"p{k}", "x") for k, age in enumerate(ages)], "regression")
    means = [np.mean(data.labels[list(fold.test)]) for fold in kfold(data, 5).folds]
    assert max(means) - min(means) < 3


def test_seed_decides_and_storage_keeps() -> None:
    data = cohort([("ab"[k % 2], f"p{k}", "x") for k in range(40)])
    first, other = nested(data, 4, 3, seed=1), nested(data, 4, 3, seed=2)
    assert first.folds != other.folds
    again = Splits.from_json(first.to_json())
    assert again == first
    again.check(data)
    for fold, inside in zip(first.folds, first.inner, strict=True):
        assert all(set(one.train) | set(one.test) == set(fold.train) for one in inside)
    with pytest.raises(ContentError, match="another cohort"):
        again.check(data.take(range(39)))
    with pytest.raises(FormatError, match="not that of stored splits"):
        Splits.from_json("[]")


def test_holdout_takes_its_share() -> None:
    data = cohort([("ab"[k % 2], f"p{k}", "xy"[k % 4 > 1]) for k in range(100)])
    (fold,) = holdout(data, 0.2, 0.1).folds
    assert (len(fold.train), len(fold.validation), len(fold.test)) == (70, 10, 20)
    with pytest.raises(ParameterError, match="something left to train on"):
        holdout(data, 0.6, 0.5)


def test_sites_are_left_out_whole_and_their_patients_with_them() -> None:
    data = cohort([("ab"[k % 2], f"p{k // 2}" if k < 20 else "both", "xyz"[k % 3]) for k in range(30)])
    splits = leave_one_site_out(data)
    assert [fold.name for fold in splits.folds] == ["x", "y", "z"]
    for fold in splits.folds:
        assert set(data.sites[list(fold.test)]) == {fold.name}
        check_disjoint(data, fold)
    assert sites_apart(data) == splits and sites_apart(cohort([("a", "p1", "x"), ("b", "p2", "x")])) is None
    for fold, (train, test) in zip(splits.folds, splits.pairs, strict=True):
        assert (tuple(train), tuple(test)) == (fold.train, fold.test)


@pytest.mark.parametrize(
    ("table", "folds", "message"),
    [
        ([("a", "p1", ""), ("a", "p2", ""), ("b", "p3", "")], 2, "Class 'b' .* has 1 case of one patient"),
        ([("a", "p1", ""), ("b", "p2", ""), ("a", "p1", ""), ("b", "p2", "")], 3, "of 2 patients, who cannot be divided"),
        ([("a", f"p{k}", "") for k in range(9)], 3, "All 9 cases .* are of the class 'a'"),
    ],
)
def test_the_impossible_is_one_sentence(table: Any, folds: Any, message: Any) -> None:
    with pytest.raises(ContentError, match=message):
        kfold(cohort(table), folds)


def test_a_rare_class_is_noted() -> None:
    data = cohort([("b" if k < 3 else "a", f"p{k}", "") for k in range(30)])
    assert "'b' has 3 patients for 5 parts" in kfold(data, 5).notes[0]


def test_testing_on_training_data_is_refused() -> None:
    data = cohort([("ab"[k % 2], f"p{k // 2}", "x") for k in range(10)])
    with pytest.raises(ContentError, match="patient 'p1' .* stands in train and in test"):
        check_disjoint(data, Fold((0, 1, 2), (3, 4)))
    with pytest.raises(ContentError, match="case 'case2' .* stands in train and in test"):
        check_disjoint(data, Fold((0, 1, 2), (2, 4)))
    with pytest.raises(ContentError, match="0 to test on"):
        check_disjoint(data, Fold((0, 1), ()))
    with pytest.raises(ContentError, match="which has 10"):
        check_disjoint(data, Fold((0, 1), (12,)))
    splits = given(data, ["train"] * 3 + ["test"] * 7)
    with pytest.raises(ContentError, match="Testing on training data"):
        splits.check(data)
