"""From a cohort's fingerprint to a plan as data; what cannot be used is refused with the case's name."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from isocenter.core.errors import ContentError, GridMismatchError, ParameterError, SpecError
from isocenter.core.geometry import Geometry
from isocenter.core.image import Image
from isocenter.core.labels import LabelMap, Segment
from isocenter.learn.train.cost import nominal_seconds, optimizer_seconds, suited_optimizer, training_bytes
from isocenter.learn.train.fingerprint import Fingerprint, fingerprint
from isocenter.learn.train.plan import Budget, make_plan, read_plan, target_spacing, topology, write_plan
from isocenter.learn.train.settings import FitSettings

LIVER = (Segment(1, "liver"), Segment(3, "lesion"))


def volume(
    shape: tuple[int, ...] = (12, 20, 20), spacing: tuple[float, ...] = (3.0, 1.0, 1.0), seed: int = 0
) -> tuple[Image, LabelMap]:
    generator = np.random.default_rng(seed)
    grid = Geometry.regular(shape, spacing)
    labels = np.zeros(shape, np.uint8)
    labels[2:8, 4:12, 4:12] = 1
    labels[4:6, 6:9, 6:9] = 3
    array = (generator.normal(size=shape) + 50.0 * (labels > 0)).astype(np.float32)
    dims = ("z", "y", "x")
    return Image(array, dims, grid, modality="CT", quantity="HU"), LabelMap(labels, dims, grid, LIVER)


def test_the_fingerprint_counts_what_there_is() -> None:
    (image, mask), (other, second) = volume(), volume((14, 22, 18), seed=1)
    found = fingerprint([image, other], [mask, second])
    assert found.samples == (image.array.size + other.array.size - 2 * 6 * 64, 2 * (6 * 64 - 18), 36)
    assert found.intensity[0]["mean"] == pytest.approx(50.0, abs=0.2)
    assert found.intensity[0]["low"] < found.intensity[0]["mean"] < found.intensity[0]["high"]
    assert found.median_shape == (13, 21, 19)
    assert [s["name"] for s in found.segments] == ["liver", "lesion"]


def test_a_plan_is_data_and_comes_back(tmp_path: Path) -> None:
    image, mask = volume()
    plan = make_plan(fingerprint([image], [mask]), Budget(features=8))
    assert plan.normalisation == "ct"
    assert plan.parameters["out_channels"] == 3
    write_plan(plan, tmp_path / "plan.yaml")
    assert read_plan(tmp_path / "plan.yaml") == plan
    assert "MiB" in plan.describe()
    (tmp_path / "bad.yaml").write_text("network: unet\n")
    with pytest.raises(SpecError, match=r"bad\.yaml"):
        read_plan(tmp_path / "bad.yaml")


def fingerprinted(shape: tuple[int, ...], spacing: tuple[float, ...], count: int = 3) -> Fingerprint:
    image, mask = volume()
    found = fingerprint([image], [mask])
    values = {**found.__dict__, "shapes": (shape,) * count, "spacings": (spacing,) * count}
    return Fingerprint(**values)


def test_thick_slices_are_neither_resampled_away_nor_pooled_early() -> None:
    found = fingerprinted((30, 256, 256), (5.0, 0.8, 0.8))
    assert target_spacing(found) == (5.0, 0.8, 0.8)
    patch, parameters = topology([16, 64, 64], (5.0, 0.8, 0.8), found, 8)
    assert parameters["strides"][0] == [1, 2, 2]
    assert parameters["kernels"][0] == [1, 3, 3]
    total = np.prod(np.array(parameters["strides"]), axis=0)
    assert all(p % t == 0 for p, t in zip(patch, total, strict=True))


def test_memory_bounds_the_patch_and_time_the_epochs() -> None:
    found = fingerprinted((200, 200, 200), (1.0, 1.0, 1.0))
    large, small = make_plan(found, Budget(features=8)), make_plan(found, Budget(features=8, memory=200 << 20))
    assert np.prod(small.patch) < np.prod(large.patch)
    assert small.memory is not None and small.memory <= 200 << 20
    tiny = fingerprinted((16, 16, 16), (1.0, 1.0, 1.0))
    hurried = make_plan(tiny, Budget(seconds=0.001, features=8, epochs=40))
    assert hurried.settings.epochs == 1
    assert hurried.seconds is not None and hurried.seconds > 0
    assert hurried.parameters["channels"][0] == 8


def test_memory_is_counted_without_computing() -> None:
    parameters = {"in_channels": 1, "out_channels": 2, "dimensions": 3, "channels": [8, 16]}
    one = training_bytes("unet", parameters, (1, 1, 32, 32, 32))
    assert training_bytes("unet", parameters, (2, 1, 32, 32, 32)) == pytest.approx(2 * one, rel=0.1)


def test_what_an_optimizer_takes_is_counted() -> None:
    parameters = {"in_channels": 1, "out_channels": 2, "dimensions": 2, "channels": [8, 16, 32]}
    added = optimizer_seconds("unet", parameters, "muon")
    assert added > 0 and optimizer_seconds("unet", parameters, "adamw") == optimizer_seconds("unet", parameters, "sgd") == 0
    for shape in ((1, 1, 16, 16), (8, 1, 64, 64)):
        plain = nominal_seconds("unet", parameters, shape)
        assert nominal_seconds("unet", parameters, shape, "muon") == plain + added  # whatever the batch
    shape = (8, 1, 64, 64)
    one, two, three = (training_bytes("unet", parameters, shape, name) for name in ("sgd", "muon", "adamw"))
    assert one < two < three == training_bytes("unet", parameters, shape)


def test_muon_is_planned_where_it_adds_little() -> None:
    parameters = {"in_channels": 1, "out_channels": 2, "dimensions": 2, "channels": [8, 16, 32]}
    assert suited_optimizer("unet", parameters, (8, 1, 256, 256)) == "muon"
    assert suited_optimizer("unet", parameters, (2, 1, 32, 32)) == "adamw"
    large = make_plan(fingerprinted((64, 64, 64), (1.0, 1.0, 1.0)), Budget(features=8, epochs=50, steps=10))
    assert large.settings.optimizer == "muon" and large.settings.warmup == 25 and "epochs of Muon;" in large.describe()
    small = make_plan(fingerprinted((16, 16, 16), (1.0, 1.0, 1.0)), Budget(features=8))
    assert small.settings.optimizer == "adamw" and "epochs of AdamW;" in small.describe()
    settings = FitSettings(learning_rate=1e-2)
    asked = make_plan(fingerprinted((64, 64, 64), (1.0, 1.0, 1.0)), Budget(features=8), settings)
    assert (asked.settings.optimizer, asked.settings.warmup, asked.settings.learning_rate) == ("adamw", 0, 1e-2)


def test_what_cannot_be_used_is_named() -> None:
    (image, mask), (other, second) = volume(), volume((12, 20, 22))
    with pytest.raises(GridMismatchError, match="p2: the mask lies on another grid"):
        fingerprint([image, other], [mask, mask], ["p1", "p2"])
    empty = LabelMap(np.where(mask.array == 3, 1, mask.array), mask.dims, mask.geometry, LIVER)
    with pytest.raises(ContentError, match="Class 'lesion'"):
        fingerprint([image], [empty])
    nothing = LabelMap(np.zeros_like(mask.array), mask.dims, mask.geometry)
    with pytest.raises(ContentError, match="are empty"):
        fingerprint([image], [nothing])
    broken = np.array(image.array)
    broken[0, 0, 0] = np.nan
    with pytest.raises(ContentError, match="case 1: the image holds values that are not finite"):
        fingerprint([image.with_array(broken)], [mask])
    with pytest.raises(ParameterError, match="1 images with 2 masks"):
        fingerprint([image], [mask, second])
    flat = Image(np.zeros((20, 20), np.float32), ("y", "x"), Geometry.regular((20, 20)))
    with pytest.raises(ContentError, match="images of one kind"):
        fingerprint([image, flat], [mask, LabelMap(np.ones((20, 20), np.uint8), ("y", "x"), flat.geometry)])
