"""Two tiny cases are learnt by heart, labelled on their own grid, and the whole machinery goes on where it was broken off."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from isocenter.core.errors import ContentError, ParameterError, SpecError
from isocenter.core.geometry import Geometry
from isocenter.core.image import Image
from isocenter.core.labels import LabelMap, Segment
from isocenter.learn.loading.augment import MICROSCOPY
from isocenter.learn.train.ensemble import joined_segmenters
from isocenter.learn.train.fingerprint import fingerprint
from isocenter.learn.train.history import EpochRow
from isocenter.learn.train.holding import held_out
from isocenter.learn.train.plan import Budget, Plan, make_plan
from isocenter.learn.train.segmentation import dice_by_class, labels_of, read_segmenter, train_segmenter
from isocenter.learn.train.settings import FitSettings


def disc(seed: int, spacing: float = 1.0, size: int = 32) -> tuple[Image, LabelMap]:
    generator = np.random.default_rng(seed)
    grid = Geometry.regular((size, size), (spacing, spacing))
    y, x = (np.mgrid[:size, :size] - size / 2.0 + generator.uniform(-4, 4, (2, 1, 1))) * spacing
    labels = (np.hypot(y, x) < 8.0).astype(np.uint8) * 2
    array = (generator.normal(0, 0.3, (size, size)) + labels * 40 + 100).astype(np.float32)
    return Image(array, ("y", "x"), grid, modality="US"), LabelMap(labels, ("y", "x"), grid, (Segment(2, "cyst"),))


@pytest.fixture(scope="module")
def pairs() -> list[tuple[Image, LabelMap]]:
    return [disc(seed) for seed in range(3)]


@pytest.fixture(scope="module")
def plan(pairs: list[tuple[Image, LabelMap]]) -> Plan:
    found = fingerprint([p[0] for p in pairs], [p[1] for p in pairs])
    made = make_plan(found, Budget(features=8, epochs=6, steps=4), FitSettings(learning_rate=1e-2))
    return replace(made, batch=4, augment=0.3)


def test_two_tiny_cases_are_learnt_by_heart(pairs: list[tuple[Image, LabelMap]], plan: Plan, tmp_path: Path) -> None:
    images, masks = [p[0] for p in pairs], [p[1] for p in pairs]
    told: list[Plan] = []
    trained = train_segmenter(
        images, masks, plan=plan, validation=[2], mirror=(1,), folder=tmp_path / "run", announce=told.append
    )
    assert told == [plan]
    assert trained.histories[0].best is not None
    for image, mask in pairs[:2]:
        found = trained.predict(image)
        assert found.geometry == image.geometry
        assert set(found.present) <= {0, 2}, "the values of the table, not the numbers of the classes"
        assert dice_by_class(found.array == 2, mask.array == 2, 2)[0] > 0.95
    finer = disc(0, spacing=0.5, size=64)
    found = trained.predict(finer[0])
    assert found.shape == (64, 64)
    assert dice_by_class(found.array == 2, finer[1].array == 2, 2)[0] > 0.9, (
        "the training's spacing was kept, the grid is the image's"
    )
    trained.save(tmp_path / "kept")
    again = read_segmenter(tmp_path / "kept")
    assert np.array_equal(again.predict(images[0]).array, trained.predict(images[0]).array)
    resumed = train_segmenter(images, masks, validation=[2], mirror=(1,), folder=tmp_path / "run")
    state = resumed.networks[0].state_dict()
    assert all(torch.equal(v, state[k]) for k, v in trained.networks[0].state_dict().items())
    both = joined_segmenters([trained, resumed])
    assert len(both.networks) == 2
    assert np.array_equal(both.predict(images[0]).array, trained.predict(images[0]).array), (
        "twice the same network changes nothing"
    )
    with pytest.raises(ParameterError, match="different plans"):
        joined_segmenters([trained, replace(resumed, plan=replace(plan, spacing=(2.0, 2.0)))])


def test_a_training_begins_where_another_ended(pairs: list[tuple[Image, LabelMap]], plan: Plan) -> None:
    images, masks = [p[0] for p in pairs], [p[1] for p in pairs]
    first = train_segmenter(images, masks, plan=plan, validation=0)
    still = replace(plan, settings=replace(plan.settings, epochs=1, learning_rate=1e-9))
    moved = train_segmenter(images, masks, plan=still, validation=0, start=first, seed=1)
    before, after = first.networks[0].state_dict(), moved.networks[0].state_dict()
    named = dict(moved.networks[0].named_parameters())
    assert all(torch.allclose(before[k], after[k], atol=1e-6) for k in named), "only the running means of the norms go on"
    # A table of two classes: the last layers are new, all others are those of the start.
    corner = np.arange(32)[:, None] + np.arange(32) < 6
    two = [m.replace(array=np.where(corner, 5, m.array), segments=(*m.segments, Segment(5, "wall"))) for m in masks]
    wider = replace(
        still,
        segments=(*plan.segments, {"value": 5, "name": "wall"}),
        parameters={**plan.parameters, "out_channels": 3},
    )
    more = train_segmenter(images, two, plan=wider, validation=0, start=first).networks[0].state_dict()
    fresh = [k for k in named if before[k].shape != more[k].shape]
    assert fresh and all(before[k].shape[1:] == more[k].shape[1:] for k in fresh)
    assert all(torch.allclose(before[k], more[k], atol=1e-6) for k in named if k not in fresh)
    with pytest.raises(ParameterError, match="those of another network"):
        thin = replace(plan, parameters={**plan.parameters, "channels": [4 for _ in plan.parameters["channels"]]})
        train_segmenter(images, masks, plan=thin, validation=0, start=first)


def test_what_a_segmenter_refuses(pairs: list[tuple[Image, LabelMap]], plan: Plan, tmp_path: Path) -> None:
    images, masks = [p[0] for p in pairs], [p[1] for p in pairs]
    quick = replace(plan, steps=1, settings=replace(plan.settings, epochs=1))
    trained = train_segmenter(images, masks, plan=quick, validation=0.0)
    colour = Image(np.zeros((3, 32, 32), np.float32), ("c", "y", "x"), images[0].geometry)
    with pytest.raises(ContentError, match="expected 1 channels"):
        trained.predict(colour)
    with pytest.raises(ContentError, match="not finite"):
        trained.predict(images[0].with_array(np.full((32, 32), np.inf, np.float32)))
    with pytest.raises(ParameterError, match="not all of them"):
        train_segmenter(images, masks, plan=quick, validation=[0, 1, 2])
    with pytest.raises(ParameterError, match="validation part"):
        train_segmenter(images, masks, plan=quick, validation=1.5)
    with pytest.raises(ParameterError, match="weights-1"):
        (tmp_path / "plan.yaml").write_text("")
        trained.save(tmp_path)
        (tmp_path / "weights-1.safetensors").unlink()
        read_segmenter(tmp_path)


def test_the_decision_is_part_of_the_plan_and_old_plans_still_load(plan: Plan) -> None:
    old = plan.to_dict()
    assert old.pop("decide") == "greatest"
    assert Plan.from_dict(old) == Plan.from_dict(plan.to_dict())
    assert Plan.from_dict({**old, "decide": "foreground"}).decide == "foreground"
    with pytest.raises(SpecError, match="greatest, foreground"):
        Plan.from_dict({**old, "decide": "first"})
    both = replace(plan, segments=({"value": 1, "name": "a"}, {"value": 2, "name": "b"}), settings=FitSettings())
    data = np.zeros((1, 32, 32), np.float32)
    logits = torch.tensor([0.45, 0.3, 0.25]).log().reshape(1, 3, 1, 1)
    net = torch.nn.Module()
    net.forward = lambda batch: logits.expand(len(batch), 3, *batch.shape[2:])
    assert (labels_of(data, [net], both) == 0).all()
    assert (labels_of(data, [net], replace(both, decide="foreground")) == 1).all(), "scores are made probabilities first"


def test_pictures_without_an_up_are_labelled_alike_in_all_positions(
    pairs: list[tuple[Image, LabelMap]], plan: Plan, tmp_path: Path
) -> None:
    images, masks = [p[0] for p in pairs], [p[1] for p in pairs]
    quick = replace(plan, steps=2, augment=1.0, settings=replace(plan.settings, epochs=1))
    upright = train_segmenter(images, masks, plan=quick, validation=0, mirror=(0, 1))
    assert not upright.quarters, "thirty degrees are not any angle"
    trained = train_segmenter(images, masks, plan=quick, validation=0, mirror=(0, 1), augment=MICROSCOPY)
    assert trained.quarters
    trained.save(tmp_path)
    assert read_segmenter(tmp_path).quarters
    data = np.random.default_rng(0).normal(size=(1, 32, 32)).astype(np.float32)
    net = torch.nn.Module()

    def steep(batch: torch.Tensor) -> torch.Tensor:
        """Score places that differ from their neighbours in the row, and in the row only."""
        change = (batch - batch.roll(1, -1)).abs() - 1.0
        return torch.cat([-change, change], 1)

    net.forward = steep
    quick = replace(quick, settings=replace(quick.settings, precision="float32"))

    def labels(samples: Any, quarters: bool) -> Any:
        return labels_of(np.ascontiguousarray(samples), [net], quick, (0, 1), quarters)

    assert 0.1 < labels(data, True).mean() < 0.9
    for turn in range(4):
        turned = np.rot90(data, turn, (1, 2))
        assert np.mean(labels(turned, True) != np.rot90(labels(data, True), turn)) < 0.002, "but for ties of rounding"
    assert np.mean(labels(np.rot90(data, 1, (1, 2)), False) != np.rot90(labels(data, False))) > 0.1


def test_memory_cache_and_workers_give_equal_bits(pairs: list[tuple[Image, LabelMap]], plan: Plan, tmp_path: Path) -> None:
    images, masks = [p[0] for p in pairs], [p[1] for p in pairs]
    quick = replace(plan, steps=2, augment=1.0, settings=replace(plan.settings, epochs=2))
    told: list[Plan] = []

    def trained(**options: Any) -> dict[str, torch.Tensor]:
        found = train_segmenter(images, masks, plan=quick, validation=[2], mirror=(1,), announce=told.append, **options)
        return found.networks[0].state_dict()

    memory = trained()
    assert told[0].loading is not None and told[0].loading.sentence() in told[0].describe()
    assert "loading" not in told[0].to_dict()
    for options in ({"cache": tmp_path / "cache"}, {"folder": tmp_path / "run", "workers": 1}):
        other = trained(**options)
        assert all(torch.equal(value, other[key]) for key, value in memory.items()), options

    def stop(row: EpochRow) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        trained(folder=tmp_path / "broken", progress=stop)
    other = trained(folder=tmp_path / "broken")
    assert all(torch.equal(value, other[key]) for key, value in memory.items()), "broken off after an epoch, and gone on"
    assert len(list((tmp_path / "cache").glob("*-image.npy"))) == 3
    assert sorted(p.name for p in (tmp_path / "cache").iterdir()) == sorted(
        p.name for p in (tmp_path / "run" / "cache").iterdir()
    )


def test_a_drawn_part_takes_whole_patients() -> None:
    groups = [f"p{k // 3}" for k in range(30)]
    for seed in range(5):
        held = held_out(0.2, 30, seed, groups)
        assert len(held) == 6 and {groups[k] for k in held}.isdisjoint({groups[k] for k in range(30) if k not in held})
    assert held_out(0.2, 3, 0, ["a", "a", "b"]) == [2], "the smaller of two patients"
    assert held_out(0.2, 2, 0, ["a", "a"]) == [] == held_out(0.0, 3, 0, ["a", "b", "c"])
    classes = np.arange(30) // 3 % 2
    assert {int(classes[k]) for k in held_out(0.2, 30, 1, groups, classes)} == {0, 1}
    with pytest.raises(ContentError, match="Patient 'p0' has cases to learn from"):
        held_out([0], 30, 0, groups)
    with pytest.raises(ParameterError, match="one for each"):
        held_out(0.2, 3, 0, ["a"])
    with pytest.raises(ContentError, match="every class"):
        held_out(0.5, 4, 0, ["a", "a", "b", "b"], np.array([0, 0, 1, 1]))
