"""The jobs ``evaluate`` and ``compare``: tables, intervals, the worst first, what cannot be judged set aside with its reason."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

import isocenter as iso
from isocenter.core.errors import FormatError, GridMismatchError, MissingInputError, ParameterError
from isocenter.core.geometry import Geometry
from isocenter.core.labels import LabelMap, Segment
from isocenter.jobs.compare import compare
from isocenter.jobs.evaluate import evaluate, pairs_of

GRID = Geometry.regular((10, 40, 40), (3.0, 1.0, 1.0))


def lesions(present: int, shift: int = 0) -> LabelMap:
    mask = np.zeros(GRID.shape, np.uint8)
    for k in range(present):
        y, x = 3 + 12 * (k // 3), 3 + 12 * (k % 3)
        mask[3:7, y : y + 6, x + shift : x + 6 + shift] = 1
    return LabelMap(mask, ("z", "y", "x"), GRID, (Segment(1, "lesion"),))


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8") as handle:
        return list(csv.DictReader(handle))


@pytest.fixture
def cohort(tmp_path: Path) -> Path:
    (tmp_path / "predictions").mkdir()
    (tmp_path / "truths").mkdir()
    for k, found in enumerate((6, 5, 3, 0)):
        iso.write(lesions(found, shift=1), tmp_path / "predictions" / f"case{k}.nii.gz")
        iso.write(lesions(6), tmp_path / "truths" / f"case{k}.nrrd")
    return tmp_path


def test_a_folder_is_judged_case_by_case_and_object_by_object(cohort: Path) -> None:
    result = evaluate(cohort / "predictions", cohort / "truths", cohort / "out", workers=2)
    assert result.exit_code == 0 and result.judged == 4
    cases = rows(cohort / "out" / "cases.csv")
    assert [c["objects_missed"] for c in cases] == ["0", "1", "3", "6"]
    distances = [float(c["lesion_hausdorff_95"]) for c in cases]
    assert distances == sorted(distances) and len(set(distances)) == 4
    assert distances[-1] == pytest.approx(GRID.diagonal)
    each = rows(cohort / "out" / "objects.csv")
    assert len(each) == 24 and sum(r["outcome"] == "missed" for r in each) == 10
    assert {r["hausdorff_95"] for r in each if r["outcome"] == "hit"} == {"1.0"}
    summary = {r["score"]: r for r in rows(cohort / "out" / "summary.csv")}["lesion_sensitivity"]
    assert float(summary["mean"]) == pytest.approx((1 + 5 / 6 + 0.5) / 4) and summary["n"] == "4"
    assert float(summary["low_95"]) < float(summary["mean"]) < float(summary["high_95"])
    assert result.worst == ("case3", "case2", "case1", "case0")
    pictures = sorted((cohort / "out" / "worst").glob("*.png"))
    assert [p.name for p in pictures] == [f"0{k + 1}-case{3 - k}.png" for k in range(4)]
    assert "case3" in (cohort / "out" / "report.html").read_text()


def test_one_process_and_two_give_equal_bytes(cohort: Path) -> None:
    for workers, name in ((1, "one"), (2, "two")):
        evaluate(cohort / "predictions", cohort / "truths", cohort / name, workers=workers)
    for file in ("cases.csv", "objects.csv", "summary.csv", "report.html", "worst/01-case3.png"):
        assert (cohort / "one" / file).read_bytes() == (cohort / "two" / file).read_bytes()


def test_what_cannot_be_judged_is_set_aside_and_the_rest_goes_on(cohort: Path) -> None:
    (cohort / "predictions" / "case1.nii.gz").write_bytes(b"no image at all")
    small = LabelMap(np.ones((4, 4, 4), np.uint8), ("z", "y", "x"), Geometry.regular((4, 4, 4), 1.0), (Segment(1, "lesion"),))
    iso.write(small, cohort / "predictions" / "case2.nii.gz")
    (cohort / "predictions" / "case3.nii.gz").unlink()
    result = evaluate(cohort / "predictions", cohort / "truths", cohort / "out", workers=1)
    assert result.exit_code == 1 and result.judged == 1
    reasons = dict(result.set_aside)
    assert set(reasons) == {"case1", "case2", "case3"}
    assert "grid" in reasons["case2"] and reasons["case3"] == "has no prediction of that name"
    assert {r["case"] for r in rows(cohort / "out" / "set_aside.csv")} == set(reasons)


def test_pairs_from_a_table_and_what_is_no_such_table(cohort: Path) -> None:
    table = cohort / "pairs.csv"
    table.write_text("case,prediction,truth\nfirst,predictions/case0.nii.gz,truths/case0.nrrd\n")
    result = evaluate(table, None, cohort / "out")
    assert result.judged == 1 and result.worst == ("first",)
    assert all(row[3] is None for row in result.summary), "one case has no interval"
    table.write_text("image,mask\na,b\n")
    with pytest.raises(FormatError, match="'prediction' and 'truth'"):
        pairs_of(table, None)
    table.write_text("case,prediction,truth\na,b,c\na,d,e\n")
    with pytest.raises(FormatError, match="stands in it twice"):
        pairs_of(table, None)
    with pytest.raises(MissingInputError, match="no such file or folder"):
        pairs_of(cohort / "nowhere", cohort / "truths")
    with pytest.raises(ParameterError, match="two folders, two files"):
        pairs_of(cohort / "predictions", table)


def test_instances_in_a_picture_without_a_pixel_size(tmp_path: Path) -> None:
    grid = Geometry.pixels((20, 30))
    truth = np.zeros(grid.shape, np.uint16)
    truth[2:8, 2:8], truth[2:8, 8:14], truth[12:18, 4:10] = 1, 2, 3
    found = np.where(truth == 2, 0, truth)
    for name, array in (("found", found), ("truth", truth)):
        iso.write(LabelMap(array.astype(np.uint16), ("y", "x"), grid), tmp_path / f"{name}.png")
    result = evaluate(tmp_path / "found.png", tmp_path / "truth.png", tmp_path / "out", objects="labels")
    assert {r[0]: r[2] for r in result.summary}["objects_missed"] == 1.0
    assert [r["outcome"] for r in rows(tmp_path / "out" / "objects.csv")] == ["hit", "missed", "hit"]


def test_two_masks_side_by_side(cohort: Path) -> None:
    pair = (cohort / "predictions" / "case2.nii.gz", cohort / "truths" / "case2.nrrd")
    result = compare(*pair, cohort / "out", label="lesion")
    counts = np.bincount(np.asarray(iso.read_labels(cohort / "out" / "agreement.nii.gz").array).ravel(), minlength=4)
    assert counts[1:].tolist() == [3 * 4 * 6 * 5, 3 * 4 * 6, 3 * 4 * 6 + 3 * 4 * 36]
    assert "576 differ" in result.notes[0]
    assert {n: v for n, v, _ in result.scores}["objects_missed"] == 3
    assert sorted(p.name for p in (cohort / "out").iterdir() if p.suffix != ".json") == [
        "agreement.nii.gz", "agreement.png", "report.html", "scores.csv",
    ]  # fmt: skip
    small = LabelMap(np.ones((4, 4, 4), np.uint8), ("z", "y", "x"), Geometry.regular((4, 4, 4), 1.0))
    iso.write(small, cohort / "small.nii.gz")
    with pytest.raises(GridMismatchError):
        compare(cohort / "small.nii.gz", pair[1], cohort / "other")
