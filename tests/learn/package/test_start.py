"""A package to begin with: what fits, which cases it has seen, what is recorded of it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from isocenter.core.errors import ContentError, FormatError, ParameterError
from isocenter.core.image import Image
from isocenter.learn.data.cohort import Cohort, Sample
from isocenter.learn.leakage.ancestry import judge_ancestry
from isocenter.learn.package.ancestry import ancestors_of, check_ancestors, known_digests
from isocenter.learn.package.archive import pack, unpack
from isocenter.learn.package.fingerprint import case_digest, fingerprint_of, image_facts, known_again
from isocenter.learn.package.model import Package
from isocenter.learn.package.networks import NetworkPredictor
from isocenter.learn.package.reading import Training, read_package, write_package
from isocenter.learn.package.start import Start, read_start
from isocenter.learn.package.validate import refuse_training
from isocenter.learn.places.baselines import fit_mean_place
from isocenter.learn.places.model import PlaceModel
from isocenter.learn.train.classification import train_classifier
from isocenter.learn.train.settings import FitSettings
from isocenter.ops.resample.orient import Orient
from isocenter.pipeline.model import Pipeline, Step
from tests.learn.make_masks import disc
from tests.learn.place_nets import packaged
from tests.learn.places_cohort import head

NARROW = {"depth": 18, "width": 0.0625}


def written(path: Path, images: list[Image], training: Training, licence: str = "") -> Package:
    trained = train_classifier(images, ["a", "b"] * 2, validation=0, parameters=NARROW, settings=FitSettings(epochs=1), batch=4)
    model = NetworkPredictor(trained, trained.network, trained.parameters)
    known = fingerprint_of([image_facts(i) for i in images])
    return write_package(path, model, name=path.stem, fingerprint=known, training=training, licence=licence)


@pytest.fixture(scope="module")
def images() -> list[Image]:
    return [disc(k)[0] for k in range(4)]


@pytest.fixture(scope="module")
def first(images: list[Image], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("start") / "first.isocenter"
    digests = tuple(case_digest(i) for i in images)
    written(path, images, Training("north", 4, 4, digests=digests), "CC BY 4.0\nwith attribution")
    return path


def cohort(count: int) -> Cohort:
    return Cohort(tuple(Sample(f"case{k}", Path(f"{k}.png"), "ab"[k % 2], f"p{k}") for k in range(count)), "classification")


def test_cases_are_known_again_whatever_type_they_are_stored_as(images: list[Image], first: Path) -> None:
    known = set(read_package(first).manifest["training"]["digests"])
    for kind in (np.uint8, np.int16, np.uint16, np.float32, np.float64):
        assert known_again(images[0].with_array(np.asarray(images[0].array).astype(kind)), known)
    assert not known_again(images[0].with_array(np.asarray(images[0].array) ^ 1), known)
    assert not known_again(images[0], ()) and not known_again(np.ones(3), known)


def test_what_was_seen_refuses_and_what_cannot_be_known_is_said(images: list[Image], first: Path) -> None:
    start, other = read_start(first, "classification"), disc(50)[0]
    cases = [other, images[1], images[2].with_array(np.asarray(images[2].array).astype(np.float32))]
    (found,) = start.findings(cohort(3), cases.__getitem__)
    assert found.severity == "refuse" and found.sentence.startswith("2 of 3 cases are among those that model 'first'")
    assert [row["case"] for row in found.evidence] == ["case1", "case2"]
    assert not start.findings(cohort(1), [other].__getitem__) and not start.silent
    (unknown,) = judge_ancestry(cohort(3), "first", [], ["elsewhere"])
    assert unknown.severity == "warn" and "cannot be known" in unknown.sentence and "'elsewhere'" in unknown.sentence


def test_the_chain_goes_on(images: list[Image], first: Path, tmp_path: Path) -> None:
    own = [disc(k)[0] for k in range(10, 14)]
    start = read_start(first, "classification")
    training = Training("south", 4, 4, digests=tuple(case_digest(i) for i in own), ancestors=tuple(start.ancestors))
    made = written(tmp_path / "second.isocenter", own, training, f"Ours.\n{start.terms}")
    assert "'first'" in made.card and "CC BY 4.0" in made.card and "4 cases of 'north'" in made.card
    assert made.licence.startswith("Ours.") and "with attribution" in made.licence
    chain = ancestors_of(made)
    assert [a["name"] for a in chain] == ["second", "first"] and chain[1]["sha256"] == start.digest
    assert known_digests(made.manifest["training"])[0] == {case_digest(i) for i in [*own, *images]}
    with pytest.raises(ContentError, match="1 of 1 cases .* are among those that the model was made from"):
        refuse_training(made, _Held(images[3]))  # type: ignore[arg-type]  # as much of a cohort as is looked at
    third = read_start(tmp_path / "second.isocenter", "classification")
    assert third.silent == () and len(third.findings(cohort(1), [images[0]].__getitem__)) == 1
    assert all("digests" not in a for a in third.to_dict()["ancestors"])


class _Held:
    """One case that is held in memory."""

    name = "held"

    def __init__(self, image: Image) -> None:
        self.held, self.samples = image, (Sample("one", Path("one.png"), "a", "p"),)

    def __len__(self) -> int:
        return 1

    def image(self, k: int) -> Image:
        return self.held


def test_packages_without_digests_are_silent(images: list[Image], tmp_path: Path) -> None:
    written(tmp_path / "imported.isocenter", images, Training("imported"))
    start = read_start(tmp_path / "imported.isocenter", "classification")
    (found,) = start.findings(cohort(1), [images[0]].__getitem__)
    assert start.silent == ("imported",) and found.severity == "warn"


def test_what_cannot_be_begun_with_is_one_sentence(first: Path, images: list[Image], tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match="learned classes, these labels are masks"):
        read_start(first, "segmentation")
    image, truth = head(1)
    packaged(tmp_path / "mean.isocenter", PlaceModel(fit_mean_place([truth, truth])), [image])
    with pytest.raises(ParameterError, match="holds no network .*Mean places"):
        read_start(tmp_path / "mean.isocenter", "landmarks")
    start = read_start(first, "classification")
    with pytest.raises(ParameterError, match="these have 2 spatial axes and 3 channels"):
        start.require(Image(np.zeros((3, 32, 32), np.float32), ("c", "y", "x"), images[0].geometry))
    start.require(images[0])


def test_images_are_turned_to_what_the_network_was_trained_on(images: list[Image], first: Path) -> None:
    start = read_start(first, "classification")
    code, before = start.directions, cohort(2)
    assert code == images[0].geometry.directions and start.turned(before) is before
    other = replace(before, directions="SAR")
    assert code != "SAR" and start.turned(other).directions == code and "turned from SAR" in start.turned(other).notes[-1]
    steps = (
        Step("resample.orient", {"code": "SAR"}, ("image",), "turned"),
        Step("classify.package", {}, ("turned",), "prediction"),
    )
    turning = replace(start.package, fingerprint={**start.package.fingerprint, "directions": []}, pipeline=Pipeline("x", steps))
    assert Start(turning, start.trained).directions == "SAR" and not Start(turning, start.trained).notes()
    cleaning = replace(start.package, pipeline=Pipeline("x", (*steps[1:], Step("edit.keep_largest", {}, (), "kept"))))
    assert "edit.keep_largest" in Start(cleaning, start.trained).notes()[0]
    mirrored = Orient(code="SAR")(images[0])
    assert not np.array_equal(mirrored.array, images[0].array)
    assert len(start.findings(cohort(1), [mirrored].__getitem__)) == 1


@pytest.mark.parametrize("bad", ["text", [1], [{"name": "x"}], [{"digests": 3}]])
def test_ancestors_that_say_nothing_are_refused(bad: Any, first: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="ancestor"):
        check_ancestors({"ancestors": bad})
    members, _ = unpack(first)
    manifest = json.loads(members["manifest.json"])
    manifest["training"]["ancestors"] = bad
    path = tmp_path / "bad.isocenter"
    path.write_bytes(pack({**members, "manifest.json": json.dumps(manifest).encode()}))
    with pytest.raises(FormatError, match="ancestor"):
        read_package(path)
    check_ancestors({})  # packages of before say nothing of them
