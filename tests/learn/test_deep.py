"""A small network in the folds of the classical learners: chosen by a budget, proved, compared, and taken up where it broke off."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from isocenter.core.errors import ContentError
from isocenter.core.geometry import Geometry
from isocenter.core.image import Image
from isocenter.learn.deep import fit_network, plan_deep, prove_deep, training_rows
from isocenter.learn.deep_plan import NetworkPlan, plan_network
from isocenter.learn.prove import Proof
from isocenter.learn.recipe import Table
from isocenter.learn.train.watch import Watch

CASES = 16


def stripes(k: int) -> Image:
    generator = np.random.default_rng(k)
    wave = np.sin(np.arange(32) * 1.3 + generator.uniform(0, 6))
    array = (wave[:, None] if k % 2 else wave[None]) + generator.normal(0, 0.2, (32, 32))
    return Image(array.astype(np.float32), ("y", "x"), Geometry.regular((32, 32)))


def table() -> Table:
    names = np.array([f"p{k // 2}{k % 2}" for k in range(CASES)])
    sites = np.array([("a", "b")[k // 2 % 2] for k in range(CASES)])
    return Table(np.zeros((CASES, 1)), np.arange(CASES) % 2, names, sites, ("nothing",), ("lying", "standing"))


FOLDS = [(np.arange(4, CASES), np.arange(4)), (np.arange(CASES - 4), np.arange(CASES - 4, CASES))]


def test_the_budget_decides_size_and_epochs() -> None:
    rich = plan_network([(200, 180)] * 3, 1, 2, 100, 600.0)
    poor = plan_network([(200, 180)] * 3, 1, 2, 100, 0.5)
    assert rich is not None and rich.size == (128, 112) and rich.epochs == 40
    assert poor is not None and poor.size == (32, 32) and poor.epochs < 40
    assert plan_network([(200, 180)], 1, 2, 100, 1e-3) is None
    small = plan_network([(20, 40)], 1, 2, 100, 600.0)
    assert small is not None and small.size == (32, 40), "a small image is not blown up beyond what the network needs"


def test_it_is_proved_in_the_folds_and_repeats(tmp_path: Path) -> None:
    told: list[str] = []
    settings = {"parts": 2, "folder": tmp_path / "training", "say": lambda *a: told.append(a[0])}
    found = prove_deep(stripes, table(), FOLDS, 0.0005, whole=True, sites=[FOLDS[0]], **settings)  # type: ignore[arg-type]  # values of several types
    assert found.proof.tested.tolist() == [0, 1, 2, 3, 12, 13, 14, 15] and found.away is not None and found.final is not None
    assert np.allclose(found.proof.predicted.sum(axis=1), 1.0) and len(found.proof.models[0].trained.networks) == 2
    assert "fold 1, part 1, epoch 1: loss" in told[0] and "log likelihood" in told[0]
    page = (tmp_path / "training" / "curves.html").read_text()
    assert "fold 2, part 2" in page and "all cases, part 1" in page and "refresh" not in page
    assert (
        not [*tmp_path.rglob("last.pt"), *tmp_path.rglob("key.txt")]
        and (tmp_path / "training" / "fold-1-part-1" / "curves.csv").is_file()
    )
    again = prove_deep(stripes, table(), FOLDS, 0.00025, parts=2)  # half the trainings in half the time: the same plan
    assert again.plan == found.plan
    np.testing.assert_array_equal(again.proof.predicted, found.proof.predicted)
    rows = training_rows(found.proof)
    assert [(r[0], r[1]) for r in rows] == [(1, 1), (1, 2), (2, 1), (2, 2)] and "log_likelihood" in rows[0][4]


def test_checkpoints_of_other_data_are_thrown_away(tmp_path: Path) -> None:
    plan = NetworkPlan((32, 32), 1, 2, 8, parts=1)
    data = [np.asarray(stripes(k).array)[None] for k in range(8)]
    some = table().take(np.arange(8))
    for shift in (0.0, 1.0):
        moved = [(d + np.float32(shift)).astype(np.float32) for d in data]
        watch = Watch(None, tmp_path / "t", 2, [plan.to_dict(), moved])
        made = fit_network(moved, some, plan, watch=watch)
        assert len(watch.histories["fold"].rows) == 2 and made.calibrator is None and watch.done == 2
        assert (tmp_path / "t" / "fold" / "last.pt").is_file(), "it can be taken up until the whole run has ended"
    assert Watch(None, tmp_path / "t", 2, [plan.to_dict(), moved]).folder_of("fold, x") == tmp_path / "t" / "fold-x"
    assert (tmp_path / "t" / "fold" / "last.pt").is_file()
    Watch(None, tmp_path / "t", 2, [plan.to_dict(), data])
    assert not (tmp_path / "t" / "fold").exists()


def test_too_little_time_and_moving_images_are_refused() -> None:
    with pytest.raises(ContentError, match="too few"):
        prove_deep(stripes, table(), FOLDS, 1e-6)
    moving = Image(np.zeros((3, 32, 32), np.float32), ("t", "y", "x"), Geometry.regular((32, 32)))
    with pytest.raises(ContentError, match="time axis"):
        prove_deep(lambda k: moving, table(), FOLDS, 1.0)


def disk(k: int) -> Image:
    generator = np.random.default_rng(k)
    at = generator.uniform(13, 19, 2)
    inside = np.hypot(*(np.mgrid[:32, :32] - at[:, None, None])) < radius(k)
    return Image((inside + generator.normal(0, 0.2, (32, 32))).astype(np.float32), ("y", "x"), Geometry.regular((32, 32)))


def radius(k: int) -> float:
    return 4.0 + 7.0 * (k * 5 % CASES) / CASES


def numbers(shuffled: bool = False) -> Table:
    names = np.array([f"p{k}" for k in range(CASES)])
    target = np.array([radius(k) for k in range(CASES)])
    if shuffled:
        target = np.random.default_rng(0).permutation(target)
    return Table(np.zeros((CASES, 1)), target, names, np.array([""] * CASES), ("nothing",), unit="mm")


HALVES = [(np.setdiff1d(np.arange(CASES), t), t) for t in np.array_split(np.arange(CASES), 2)]
SMALL = NetworkPlan((32, 32), 1, 25, 8, parts=1, task="regression")


def test_numbers_are_learnt_in_the_same_folds() -> None:
    plan = plan_network([(32, 32)] * 3, 1, 1, 100, 600.0)
    assert plan is not None and plan.task == "regression" and plan.to_dict()["task"] == "regression"
    found = prove_deep(disk, numbers(), HALVES, 1.0, parts=1, plan=SMALL)
    scores = found.proof.scores
    assert found.proof.predicted.shape == (CASES,) and found.proof.called.size == 0
    assert (
        scores["r2"].value > 0.2
        and scores["correlation"].value > 0.5
        and scores["mae"].unit == "mm"
        and scores["mae"].interval is not None
    )
    first, second = (model.trained.head for model in found.proof.models)
    assert first != second, "the units of a number are those of the training part of its fold"
    assert found.proof.models[0].calibrator is None and found.away is None and found.final is None


def test_shuffled_numbers_are_not_learnt() -> None:
    found = prove_deep(disk, numbers(shuffled=True), HALVES, 1.0, parts=1, plan=SMALL)
    between = found.proof.scores["r2"].interval
    assert between is not None and between[0] <= 0.0


def test_volumes_with_numbers_are_learnt_from() -> None:
    def ball(k: int) -> Image:
        inside = np.linalg.norm(np.mgrid[:32, :32, :32] - 16.0, axis=0) < radius(k)
        return Image(inside.astype(np.float32), ("z", "y", "x"), Geometry.regular((32, 32, 32)))

    plan = NetworkPlan((32, 32, 32), 1, 1, 4, parts=1, task="regression")
    found = prove_deep(ball, numbers().take(np.arange(8)), [(np.arange(4), np.arange(4, 8))], 1.0, parts=1, plan=plan)
    assert np.isfinite(found.proof.predicted).all() and found.proof.predicted.shape == (4,)


def test_a_density_is_learnt_where_values_are_measurements() -> None:
    """Densities that are shown by nothing but the values: the same images without a quantity tell nothing."""

    def lump(k: int) -> Image:
        noise = np.random.default_rng(k).normal(0, 20, (32, 32))
        values = (100.0 * (radius(k) - 8.0) + noise).astype(np.float32)
        return Image(values, ("y", "x"), Geometry.regular((32, 32)), modality="CT", quantity="HU")

    plan = plan_deep(lump, numbers(), HALVES, 1.0, parts=1)
    assert plan.quantity == "HU" and plan.to_dict()["quantity"] == "HU"
    longer = replace(SMALL, epochs=50)
    seen = prove_deep(lump, numbers(), HALVES, 1.0, parts=1, plan=replace(longer, quantity="HU"))
    hidden = prove_deep(lambda k: lump(k).replace(quantity=None), numbers(), HALVES, 1.0, parts=1, plan=longer)
    assert seen.proof.scores["r2"].value > 0.8 and hidden.proof.scores["r2"].value < 0.3
    assert seen.proof.models[0].trained.quantity == "HU"
    mixed = plan_deep(lambda k: lump(k) if k else disk(k), numbers(), HALVES, 1.0, parts=1)
    assert mixed.quantity is None


class Broken(Exception):
    """What a run is broken off by."""


def test_a_resumed_run_equals_an_unbroken_one(tmp_path: Path) -> None:
    plan = NetworkPlan((32, 32), 1, 3, 8, parts=2, task="regression")
    some = numbers().take(np.arange(8))
    folds = [(np.arange(4), np.arange(4, 8)), (np.arange(4, 8), np.arange(4))]

    def proved(folder: Path | None, stop: int = 10**6) -> Proof:
        def say(what: str, done: int, total: int) -> None:
            if done == stop:
                raise Broken

        return prove_deep(disk, some, folds, 1.0, parts=2, plan=plan, folder=folder, say=say).proof

    unbroken = proved(None)
    with pytest.raises(Broken):
        proved(tmp_path, 8)  # in the second of three epochs of the third of four trainings
    assert (tmp_path / "fold-2-part-1" / "last.pt").is_file()
    resumed = proved(tmp_path)
    np.testing.assert_array_equal(resumed.predicted, unbroken.predicted)
    assert training_rows(resumed) == training_rows(unbroken) and "negative_error" in training_rows(resumed)[0][4]
    assert not list(tmp_path.rglob("last.pt"))


def test_checkpoints_of_other_labels_are_thrown_away(tmp_path: Path) -> None:
    plan = NetworkPlan((32, 32), 1, 2, 8, parts=1, task="regression")
    fold = [(np.arange(4), np.arange(4, 8))]

    def stop(what: str, done: int, total: int) -> None:
        raise Broken

    with pytest.raises(Broken):
        prove_deep(disk, numbers().take(np.arange(8)), fold, 1.0, plan=plan, folder=tmp_path, say=stop)
    other = numbers(shuffled=True).take(np.arange(8))
    found = prove_deep(disk, other, fold, 1.0, plan=plan, folder=tmp_path)
    again = prove_deep(disk, other, fold, 1.0, plan=plan)
    np.testing.assert_array_equal(found.proof.predicted, again.proof.predicted)
