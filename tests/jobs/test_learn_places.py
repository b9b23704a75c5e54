"""run --labels with boxes and points, from the table to a package that is used and judged elsewhere."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import isocenter as iso
from isocenter.core.errors import FormatError, ParameterError, SpecError
from isocenter.jobs import model as model_job
from isocenter.jobs.learn import LearnOptions, learn
from isocenter.jobs.place_rows import place_rows
from isocenter.jobs.predict import predict
from isocenter.learn.data.cohort import Cohort, Sample
from isocenter.learn.data.table import from_csv
from isocenter.learn.package import places
from isocenter.learn.package.reading import read_package
from isocenter.learn.package.validate_places import PlacedCase
from isocenter.learn.places.baselines import fit_blobs
from isocenter.learn.places.outcome import ObjectsFound, outcome_of
from isocenter.learn.places.places import Places
from isocenter.learn.study_places import PlaceOptions, PlaceStudy, study_places
from isocenter.pipeline.verify import verify
from tests.learn.places_cohort import Kind, discs, write_cohort

CHOSEN = LearnOptions(folds=2, minutes=0.0, accept_leak="phantoms of one head")


@pytest.fixture(scope="module")
def learned(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Return a cohort of heads and what was learned from it."""
    folder = tmp_path_factory.mktemp("places")
    root = write_cohort(folder / "heads", "points", 8)
    learn(root, root / "labels.csv", folder / "out", CHOSEN)
    return root, folder / "out"


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as handle:
        return list(csv.DictReader(handle))


@pytest.mark.parametrize(
    ("kind", "primary", "score"), [("points", "template match", "median_error"), ("boxes", "blob detector", "cpm")]
)
def test_from_a_table_of_places_to_a_package(
    tmp_path: Path, learned: tuple[Path, Path], kind: Kind, primary: str, score: str
) -> None:
    root, out = learned
    if kind == "boxes":
        root, out = write_cohort(tmp_path / "cohort", kind, 8), tmp_path / "out"
        learn(root, root / "labels.csv", out, CHOSEN)
    scores = rows_of(out / "tables" / "scores.csv")
    assert primary in {r["model"] for r in scores} and score in {r["score"] for r in scores}
    assert {r["what"] for r in rows_of(out / "tables" / "predictions.csv")} == {"true", "found"}
    whole = rows_of(out / "tables" / "cases.csv")
    assert len({r["case"] for r in whole}) == len(whole) == 8
    if kind == "boxes":
        rows = rows_of(out / "tables" / "predictions.csv")
        assert sum(int(r["true"]) for r in whole) == sum(r["what"] == "true" for r in rows) > 0
        assert all(int(r["hit"]) + int(r["missed"]) == int(r["true"]) for r in whole)
        assert sum(int(r["false_alarms"]) for r in whole) <= sum(r["called"] == "yes" for r in rows)
    else:
        assert all(float(r["mean_error"]) <= float(r["worst_error"]) and r["unit"] == "mm" for r in whole)
    assert "named as the model to report before" in (out / "methods.txt").read_text()
    assert not [d for d in verify(out) if d.counts]
    assert read_package(out / "model.isocenter").self_test().passed

    new = write_cohort(tmp_path / "new", kind, 2, first=50)
    (new / "c051.nii.gz").unlink()
    summary = predict([new], out / "model.isocenter", tmp_path / "predicted")
    assert not summary.set_aside
    case = tmp_path / "predicted"
    table = rows_of(case / "tables" / "found.csv")
    plain = json.loads((case / "tables" / "found.json").read_text())
    assert len(plain[kind]) == len(table) > 0 and {"label", "row" if kind == "points" else "row_low", "called"} <= set(table[0])
    shapes = json.loads((case / "labels" / "found.geojson").read_text())["features"]
    assert {s["geometry"]["type"] for s in shapes} == {"Point" if kind == "points" else "Polygon"}
    assert "What the model found" in (case / "report.html").read_text()

    other = write_cohort(tmp_path / "other", kind, 3, first=60)
    judged = model_job.validate_on(out / "model.isocenter", other, tmp_path / "judged", draws=50)
    assert score in judged.found.scores and (tmp_path / "judged" / "report.html").is_file()
    assert {g.attribute for g in judged.found.subgroups} == {"site", "sex"}
    written = rows_of(tmp_path / "judged" / "tables" / "places.csv")
    assert {r["case"] for r in rows_of(tmp_path / "judged" / "tables" / "cases.csv")} == {
        c.identifier for c in judged.found.cases
    }
    found = [r for r in written if r["what"] == "found"]
    assert len(found) == sum(len(c.found) for c in judged.found.cases if isinstance(c, PlacedCase)) > 0
    # All candidates stand there, so that FROC can be computed again; landmarks without a spread have no score.
    assert {r["called"] for r in found} <= {"yes", "no"} and (kind == "points" or all(0 <= float(r["score"]) <= 1 for r in found))


def test_an_image_without_objects_has_a_row_and_a_place_is_called_by_its_class() -> None:
    geometry = iso.Geometry.regular((32, 32), 1.0)
    one = np.array([[4.0, 4.0, 12.0, 12.0]])
    nothing = Places("boxes", np.zeros((0, 4)), (), geometry)
    two = Places("boxes", np.concatenate([one, one]), ("a", "b"), geometry, np.array([0.9, 0.2]))
    called = Places("boxes", one, ("a",), geometry, np.array([0.9]))
    assert outcome_of(nothing, nothing, nothing, ()) == ObjectsFound(0, 0, 0, 0)
    assert outcome_of(nothing, two, called, ()) == ObjectsFound(0, 0, 0, 1)
    assert outcome_of(called, two, called, ()) == ObjectsFound(1, 1, 0, 0)
    sample = Sample("x.png", Path("x.png"), None, "x")
    _, rows = place_rows(Cohort((sample,), "detection"), 0, nothing, two, called)
    assert [(r[0], r[-1]) for r in rows] == [("found", "yes"), ("found", "no")]


def test_equal_runs_leave_equal_files(tmp_path: Path, learned: tuple[Path, Path]) -> None:
    root, before = learned
    learn(root, root / "labels.csv", tmp_path / "again", CHOSEN)
    ends = []
    for folder in (before, tmp_path / "again"):
        files = sorted(p for p in folder.rglob("*") if p.is_file() and p.name not in ("run.json", "lock"))
        ends.append({p.relative_to(folder).as_posix(): p.read_bytes() for p in files})
    assert ends[0] == ends[1]


def study_of(root: Path, **options: Any) -> PlaceStudy:
    chosen = PlaceOptions(**{"folds": 2, "accept_leak": "phantoms of one head", **options})
    return study_places(from_csv(root, root / "labels.csv"), chosen)


def test_a_place_outside_of_its_image_sets_the_case_aside(tmp_path: Path) -> None:
    root = write_cohort(tmp_path / "cohort", "points", 7)
    (root / "c003.csv").write_text("label,row,column\nleft,400,3\n")
    found = study_of(root)
    assert [case for case, _ in found.aside] == ["c003.nii.gz"] and "outside of the image" in found.aside[0][1]


def test_bad_rows_and_choices_give_one_sentence(tmp_path: Path) -> None:
    root = write_cohort(tmp_path / "cohort", "points", 6)
    (root / "c003.csv").write_text("label,row,column\nleft,three,3\n")
    with pytest.raises(SpecError, match="c003.csv: line 2: 'three' in column 'row' is no finite number"):
        learn(root, root / "labels.csv", tmp_path / "out", CHOSEN)
    with pytest.raises(ParameterError, match="expected one of mean place, template match, landmark net"):
        learn(root, root / "labels.csv", tmp_path / "out", LearnOptions(folds=2, minutes=0.0, primary="forest"))
    with pytest.raises(ParameterError, match="is a network: say how long"):
        learn(root, root / "labels.csv", tmp_path / "out", LearnOptions(folds=2, minutes=0.0, primary="landmark net"))


@pytest.mark.parametrize("kind", ["points", "boxes"])
def test_a_network_stands_beside_the_baselines_where_there_is_time(tmp_path: Path, kind: Kind) -> None:
    found = study_of(write_cohort(tmp_path / "cohort", kind, 8), minutes=0.0003)
    name = "landmark net" if kind == "points" else "detection net"
    assert found.primary == name and set(found.differences) == set(found.proofs) - {name}
    assert found.away is not None and found.away[0] != name, "no time to train it for every site"
    description, arrays = places.take_apart(found.final)
    again = places.restore(json.loads(json.dumps(description)), arrays)
    image = found.cohort.image(1)
    one, two = found.final.predict(image), again.predict(image)
    assert np.array_equal(one.samples, two.samples) and one.names == two.names and again.threshold == found.final.threshold
    arrays.popitem()
    with pytest.raises(FormatError, match="does not fit its description"):
        places.restore(description, arrays)


def test_blobs_know_the_classes_that_they_cannot_tell_apart() -> None:
    """Every blob is called the most frequent class, but a cohort of both can be judged: the model was made from both."""
    images, truth = zip(*(discs(k) for k in range(6)), strict=True)
    given = [replace(t, names=("cyst", "node")[-len(t) :] if len(t) else ()) for t in truth]
    blobs = fit_blobs(images, given)
    assert blobs.names == ("node", "cyst") and {n for image in images for n in blobs.predict(image).names} == {"node"}
