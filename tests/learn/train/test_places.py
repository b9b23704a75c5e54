"""Trainers of detectors and landmark nets: they learn, go on where they were broken off, and are read back as they were written."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from isocenter.core.errors import ContentError, ParameterError
from isocenter.core.geometry import Geometry
from isocenter.core.image import Image
from isocenter.learn.places.places import Places
from isocenter.learn.train.detection import read_detector, train_detector
from isocenter.learn.train.landmarks import read_landmarks, train_landmarks
from isocenter.learn.train.place_batches import PlaceBatches, moved_boxes, moved_points
from isocenter.learn.train.place_plan import PlacePlan, detection_plan, landmark_plan
from isocenter.learn.train.settings import FitSettings
from isocenter.learn.train.start_plan import place_plan_from
from tests.learn.places_cohort import discs, head

QUICK = FitSettings(epochs=2, learning_rate=3e-3)


def data(make: Callable[[int], Any], count: int = 4) -> tuple[list[Any], list[Places]]:
    pairs = [make(k + 1) for k in range(count)]
    return [p[0] for p in pairs], [p[1] for p in pairs]


def small(plan: PlacePlan) -> PlacePlan:
    """Return a plan with a tiny network."""
    own = {"channels": [4, 8, 8], "step": 1} if plan.network == "heatmap_landmarks" else {"channels": [4, 8, 8, 8], "features": 8}
    return replace(plan, parameters={**plan.parameters, **own}, batch=3, settings=QUICK)


def test_a_landmark_net_learns_two_heads() -> None:
    images, truth = data(head, 2)
    plan = small(landmark_plan(images, truth[0].names))
    own = {**plan.parameters, "channels": [8, 16, 16]}
    plan = replace(plan, parameters=own, augment=0.0, batch=2, settings=FitSettings(epochs=50, learning_rate=2e-2))
    trained = train_landmarks(images, truth, validation=0, plan=plan)
    errors = [np.linalg.norm(trained.predict(i).samples - t.samples, axis=1) for i, t in zip(images, truth, strict=True)]
    assert np.median(errors) < 2.0, "the middle of the picture is 12 samples away"
    found = trained.predict(images[0])
    assert found.scores is not None and found.scores.shape == (4,) and found.names == ("left", "right", "upper", "lower")


def test_a_detector_learns_two_pictures() -> None:
    images, truth = data(discs, 2)
    plan = small(detection_plan(images, truth, ["disc"]))
    own = {**plan.parameters, "channels": [8, 16, 16], "features": 16}
    plan = replace(plan, parameters=own, augment=0.0, batch=2, settings=FitSettings(epochs=60, learning_rate=1e-2))
    trained = train_detector(images, truth, validation=0, plan=plan)
    for image, boxes in zip(images, truth, strict=True):
        found = trained.predict(image)
        best = found.take(range(len(boxes)))
        away = np.linalg.norm(best.centres[:, None] - boxes.centres[None], axis=2).min(axis=0)
        assert away.max() < 2.0 and found.names[0] == "disc"


@pytest.mark.parametrize("kind", ["points", "boxes"])
def test_a_broken_training_goes_on_to_the_same_network(tmp_path: Path, kind: str) -> None:
    images, truth = data(head if kind == "points" else discs)
    train: Any = train_landmarks if kind == "points" else train_detector
    plan = landmark_plan(images, truth[0].names) if kind == "points" else detection_plan(images, truth, ["disc"])
    plan = small(plan)
    whole = train(images, truth, validation=[0], plan=plan, folder=tmp_path / "whole")
    seen: list[int] = []

    def stop(row: Any) -> None:
        seen.append(row.epoch)
        if row.epoch == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(images, truth, validation=[0], plan=plan, folder=tmp_path / "broken", progress=stop)
    resumed = train(images, truth, validation=[0], folder=tmp_path / "broken")
    one, two = whole.network.state_dict(), resumed.network.state_dict()
    assert all(torch.equal(one[name], two[name]) for name in one)
    resumed.save(tmp_path / "kept")
    again: Any = (read_landmarks if kind == "points" else read_detector)(tmp_path / "kept")
    first, second = resumed.predict(images[1]), again.predict(images[1])
    assert np.array_equal(first.samples, second.samples) and again.plan == resumed.plan


def test_epochs_follow_the_budget_not_the_clock() -> None:
    images, truth = data(discs)
    few, more = (detection_plan(images, truth, ["disc"], seconds=s).settings.epochs for s in (0.02, 0.3))
    assert 1 <= few < more <= 200


def test_large_images_are_planned_with_muon_and_small_ones_and_learnt_weights_with_adamw() -> None:
    def blank(side: int) -> Image:
        return Image(np.zeros((side, side), np.float32), ("y", "x"), Geometry.regular((side, side)))

    plan = landmark_plan([blank(256)] * 16, ["a"], seconds=40.0)
    assert plan.settings.optimizer == "muon" and plan.size == (256, 256)
    plain = landmark_plan([blank(256)] * 16, ["a"], 40.0, FitSettings(learning_rate=3e-3))
    assert plain.settings.optimizer == "adamw" and plain.settings.epochs > plan.settings.epochs  # its steps cost less
    assert landmark_plan([blank(32)] * 16, ["a"], seconds=300.0).settings.optimizer == "adamw"
    later = place_plan_from(plan, [blank(256)] * 16, [], ["a"], seconds=40.0)
    assert later.settings.optimizer == "adamw" and later.settings.learning_rate < plan.settings.learning_rate


def test_volumes_are_trained_as_well() -> None:
    images, truth = data(lambda k: discs(k, 3), 3)
    trained = train_detector(images, truth, validation=0, plan=small(detection_plan(images, truth, ["disc"])))
    found = trained.predict(images[1])
    assert found.samples.shape[1] == 6
    points = [
        Places("points", i.geometry.to_index(t.positions)[:1], ("a",), i.geometry)
        for i, t in zip(images, truth, strict=True)
        if len(t)
    ]
    volumes = [i for i, t in zip(images, truth, strict=True) if len(t)]
    net = train_landmarks(volumes, points, validation=0, plan=small(landmark_plan(volumes, ["a"])))
    assert net.predict(volumes[0]).samples.shape == (1, 3)


def test_places_move_with_the_image() -> None:
    image = np.zeros((1, 32, 32), np.float32)
    image[0, 20, 9] = image[0, 6, 25] = 1.0
    points = np.array([[20.0, 9.0], [6.0, 25.0]])
    batches = PlaceBatches([image], [points], None, ["a"], (40, 40), (1.0, 1.0), 1, 1.0, (1,), 0)
    seen = 0
    for number in range(12):
        (batch,) = list(batches.epoch(number))
        for row in batch["truth"][0]:
            if np.isfinite(row).all():
                r, c = np.clip(np.round(row).astype(int), 1, 38)
                patch = batch["image"][0, 0]
                around = patch[r - 1 : r + 2, c - 1 : c + 2].max()
                assert around > np.median(patch) + 0.1
                seen += 1
    assert seen >= 18
    one, two = next(iter(batches.epoch(5))), next(iter(batches.epoch(5)))
    assert np.array_equal(one["image"], two["image"]) and np.array_equal(one["truth"], two["truth"], equal_nan=True)


def test_what_leaves_the_patch_is_dropped() -> None:
    matrix = np.array([[1.0, 0.0, 10.0], [0.0, 1.0, 0.0]])
    assert np.isnan(moved_points(np.array([[5.0, 5.0]]), matrix, (8, 8))).all()
    boxes = np.array([[9.0, 2.0, 13.0, 6.0], [0.0, 0.0, 4.0, 4.0]])
    found, kept = moved_boxes(boxes, matrix, (8, 8))
    assert kept.tolist() == [0]
    np.testing.assert_allclose(found, [[-0.5, 2.0, 3.0, 6.0]])


def test_one_sentence_for_what_cannot_be_trained() -> None:
    images, truth = data(discs)
    with pytest.raises(ContentError, match="No object in any of 4 training images"):
        train_detector(images, [t.take([]) for t in truth])
    with pytest.raises(ContentError, match="are not points on the grid"):
        train_landmarks(images, truth)
    with pytest.raises(ParameterError, match="sets of boxes"):
        train_detector(images, truth[:2])
    other = head(0)[0]
    with pytest.raises(ContentError, match="case 2: "):
        train_detector(
            [images[0], other.replace(geometry=type(other.geometry).pixels(other.geometry.shape))], [truth[0], truth[0]]
        )
    with pytest.raises(ContentError, match="Patient 'a' has cases to learn from and cases that choose the epoch"):
        train_detector(images, truth, validation=[0], groups=["a", "a", "b", "c"])
    tiny = [Places("boxes", np.array([[3.0, 3.0, 3.1, 3.1]]), ("disc",), i.geometry) for i in images]
    with pytest.raises(ContentError, match="samples on the finest grid"):
        detection_plan(images, tiny, ["disc"])


def test_values_that_are_measurements_are_not_changed_by_chance() -> None:
    image, points = np.full((1, 16, 16), 0.4, np.float32), np.array([[8.0, 8.0]])
    plain = (("a",), (16, 16), (1.0, 1.0), 1, 1.0, (), 0)
    middles = {}
    for quantity in ("HU", None):
        batches = PlaceBatches([image], [points], None, *plain, quantity)
        middles[quantity] = [float(next(iter(batches.epoch(n)))["image"][0, 0, 5:11, 5:11].mean()) for n in range(20)]
    assert np.allclose(middles["HU"], 0.4, atol=0.1) and np.ptp(middles[None]) > 0.25
