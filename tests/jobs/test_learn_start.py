"""Fine-tuning by the main verb: what is left behind says so, cases that were seen before refuse, and equal runs are bit-equal."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from isocenter.cli.main import app
from isocenter.core.errors import ContentError, ParameterError
from isocenter.jobs.learn import Learned, LearnOptions, learn
from isocenter.jobs.learn_package import package_of
from isocenter.jobs.learn_start import start_facts, start_section, start_sentence
from isocenter.jobs.learn_words import methods
from isocenter.jobs.verify import verify
from isocenter.learn.data.table import from_csv
from isocenter.learn.package.archive import pack, unpack
from isocenter.learn.package.fingerprint import case_digest, fingerprint_of, image_facts
from isocenter.learn.package.model import Package
from isocenter.learn.package.networks import NetworkPredictor
from isocenter.learn.package.reading import Training, read_package, write_package
from isocenter.learn.package.start import read_start
from isocenter.learn.study import StudyOptions, study
from isocenter.learn.train.classification import train_classifier
from isocenter.learn.train.settings import FitSettings
from tests.jobs.test_learn import pictures
from tests.learn.make_masks import disc, discs

TINY = LearnOptions(folds=2, minutes=0.0003)
QUICK = LearnOptions(folds=2, minutes=0.0001, baselines=("majority",), parts=2)


@pytest.fixture(scope="module")
def cohorts(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    base = tmp_path_factory.mktemp("learn-start")
    return discs(base / "before", 6), discs(base / "now", 6, seed=4)


@pytest.fixture(scope="module")
def first(cohorts: tuple[Path, Path]) -> Learned:
    return learn(cohorts[0], cohorts[0] / "labels.csv", cohorts[0].parent / "first", TINY)


def on(cohort: Path, out: Path, start: Path, options: LearnOptions = TINY) -> Learned:
    return learn(cohort, cohort / "labels.csv", out, replace(options, start=start))


@pytest.fixture(scope="module")
def tuned(cohorts: tuple[Path, Path], first: Learned) -> Learned:
    return on(cohorts[1], cohorts[0].parent / "tuned", first.package)


def test_the_report_the_card_and_the_lineage_say_so(first: Learned, tuned: Learned) -> None:
    name, digest = read_package(first.package).manifest["name"], read_package(first.package).digest
    page, methods = (tuned.out / "report.html").read_text(), (tuned.out / "methods.txt").read_text()
    assert "What the network began with" in page and "none of the 6 cases that it was trained on is among these" in page
    assert "No licence was stated" in page and digest in page and digest in methods
    package = read_package(tuned.package)
    (ancestor,) = package.manifest["training"]["ancestors"]
    assert (ancestor["name"], ancestor["sha256"], len(ancestor["digests"])) == (name, digest, 6)
    assert digest in package.card and digest in package.licence and package.self_test().passed
    assert package.plan["spacing"] == read_package(first.package).plan["spacing"]
    facts = json.loads((tuned.out / "lineage.json").read_text())["facts"]
    assert facts["start"]["ancestors"][0]["sha256"] == digest and verify(tuned.out).sound
    assert "began with" not in (first.out / "report.html").read_text()


def test_equal_runs_are_bit_equal(cohorts: tuple[Path, Path], first: Learned, tuned: Learned, tmp_path: Path) -> None:
    again = on(cohorts[1], tmp_path / "again", first.package)
    for name in ("model.isocenter", "report.html", "lineage.json", "leakage.json", "tables/scores.csv"):
        assert (again.out / name).read_bytes() == (tuned.out / name).read_bytes(), name


def test_cases_that_it_has_seen_refuse_also_those_of_its_ancestors(
    cohorts: tuple[Path, Path], first: Learned, tuned: Learned, tmp_path: Path
) -> None:
    for package in (first.package, tuned.package):
        out = tmp_path / package.parent.name
        with pytest.raises(ContentError, match=r"6 of 6 cases are among those that model .* --accept-leak REASON"):
            on(cohorts[0], out, package)
        assert not (out / "report.html").exists()


def test_a_leak_is_accepted_and_what_cannot_be_known_is_said(cohorts: tuple[Path, Path], first: Learned, tmp_path: Path) -> None:
    members, _ = unpack(first.package)
    manifest = json.loads(members["manifest.json"])
    before = {"name": "elsewhere", "sha256": "sha256:0", "model": "Network.", "licence": "MIT", "cohort": "x", "cases": 9}
    manifest["training"]["ancestors"] = [{**before, "digests": []}]
    (tmp_path / "old.isocenter").write_bytes(pack({**members, "manifest.json": json.dumps(manifest).encode()}))
    out = tmp_path / "out"
    command = [
        "run",
        str(cohorts[0]),
        "--labels",
        str(cohorts[0] / "labels.csv"),
        "-o",
        str(out),
        "--folds",
        "2",
        "--minutes",
        "0.002",
    ]
    reason = "a test of the machinery"
    done = CliRunner().invoke(app, [*command, "--start", str(tmp_path / "old.isocenter"), "--accept-leak", reason])
    assert done.exit_code == 0 and "it was trained on 6 of these cases or more" in done.output
    found = [f for f in json.loads((out / "leakage.json").read_text())["findings"] if f["kind"] == "start"]
    assert [f["severity"] for f in found] == ["refuse", "warn"] and "'elsewhere'" in found[1]["sentence"]
    page, package = (out / "report.html").read_text(), read_package(out / "model.isocenter")
    assert reason in page and "cannot be known" in page and "elsewhere" in page
    assert any("leakage finding was accepted" in text for text in package.manifest["limits"])
    assert [a["name"] for a in package.manifest["training"]["ancestors"]] == [manifest["name"], "elsewhere"]


def classifier(path: Path) -> Package:
    """Write a small classifier of four pictures."""
    images = [disc(k)[0] for k in range(4)]
    trained = train_classifier(
        images,
        ["disc", "none"] * 2,
        validation=0,
        parameters={"depth": 18, "width": 0.0625},
        settings=FitSettings(epochs=1),
        batch=4,
    )
    model = NetworkPredictor(trained, trained.network, trained.parameters)
    training = Training("elsewhere", 4, 4, digests=tuple(case_digest(i) for i in images))
    return write_package(
        path, model, name="small", fingerprint=fingerprint_of([image_facts(i) for i in images]), training=training
    )


def test_classes_are_fine_tuned_by_the_network_and_the_size_check_is_that_of_the_network(tmp_path: Path) -> None:
    now = pictures(tmp_path / "now", 8, seed=3)
    rows = [line.rsplit(",", 1)[0] for line in (now / "labels.csv").read_text().splitlines()]
    (now / "labels.csv").write_text("\n".join(rows) + "\n")  # without sites, at which more networks would be trained
    start = classifier(tmp_path / "small.isocenter")
    chosen = StudyOptions(
        folds=2, primary="cnn", baselines=("majority",), accept_leak="phantoms", curve=False, minutes=0.0001, parts=2
    )
    found = study(
        from_csv(now, now / "labels.csv"), replace(chosen, start=read_start(tmp_path / "small.isocenter", "classification"))
    )
    assert any("weights from 4 patients of the rarest class" in text for text in found.size.sentences)
    assert not any("features are offered" in text for text in found.size.sentences)
    text = methods(found)
    assert "from random weights" not in text and "from the images themselves" in text and start.digest in text
    assert "none of the 4 cases" in start_sentence(found) and start_section(found) and start_facts(found)
    package = read_package(package_of(found, tmp_path / "tuned.isocenter"))
    assert package.plan["start"] == start.digest and package.plan["parameters"] == {"depth": 18, "width": 0.0625}
    assert package.plan["size"] == [32, 32] and package.classes == ("round", "square") and package.self_test().passed
    assert [a["name"] for a in package.manifest["training"]["ancestors"]] == ["small"]


def test_classes_and_numbers_name_the_network_as_the_result(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    asked: list[StudyOptions] = []

    def told(cohort: Any, options: StudyOptions, say: Any) -> None:
        asked.append(options)
        raise ContentError("enough")

    monkeypatch.setattr("isocenter.learn.study.study", told)
    now, _ = pictures(tmp_path / "now", 4), classifier(tmp_path / "small.isocenter")
    for learner, primary in ((None, "cnn"), ("forest", "forest")):
        with pytest.raises(ContentError, match="enough"):
            on(now, tmp_path / "out", tmp_path / "small.isocenter", replace(QUICK, primary=learner))
        assert asked[-1].primary == primary and asked[-1].start is not None and asked[-1].start.name == "small"


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (replace(TINY, minutes=0.0), "0 minutes"),
        (replace(TINY, primary="pixels"), "learner 'pixels'"),
    ],
)
def test_nothing_to_train_is_one_sentence(
    options: LearnOptions, sentence: str, cohorts: tuple[Path, Path], first: Learned, tmp_path: Path
) -> None:
    with pytest.raises(ParameterError, match=sentence):
        on(cohorts[1], tmp_path / "out", first.package, options)


def test_a_table_and_times_have_no_network(first: Learned, tmp_path: Path) -> None:
    rows = "".join(f"c{k},{'ab'[k % 2]},{k}.5\n" for k in range(8))
    (tmp_path / "table.csv").write_text("identifier,label,size\n" + rows)
    with pytest.raises(ParameterError, match="columns of numbers to learn from"):
        learn(tmp_path, tmp_path / "table.csv", tmp_path / "out", replace(QUICK, start=first.package))
    pictured = pictures(tmp_path / "in", 4)
    lines = (pictured / "labels.csv").read_text().splitlines()
    timed = "".join(f"{line.split(',')[0]},{3 + k},{k % 2},p{k}\n" for k, line in enumerate(lines[1:]))
    (pictured / "labels.csv").write_text("image,label,event,patient\n" + timed)
    with pytest.raises(ParameterError, match="a time to an event to learn from"):
        on(pictured, tmp_path / "times", first.package)
