"""The scan finds what was planted, all of it, and nothing where nothing was planted."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as Picture

from isocenter.core.errors import ContentError, ParameterError
from isocenter.learn.data.cohort import Cohort, Sample
from isocenter.learn.data.folders import from_folders
from isocenter.learn.data.table import from_csv
from isocenter.learn.leakage.duplicates import find_copies, merged
from isocenter.learn.leakage.facts import gather
from isocenter.learn.leakage.scan import scan
from isocenter.learn.splits import given, kfold
from isocenter.testing.phantoms.brain_slices import COPIES, PlantedCase, flawed_set


def written(root: Path, cases: list[PlantedCase]) -> tuple[Cohort, list[PlantedCase]]:
    """Write a set as folders and return the cohort with its cases in the cohort's order."""
    kept = {}
    for k, case in enumerate(cases):
        place = f"{case.part}/{case.label}/{k:05d}.png"
        (root / place).parent.mkdir(parents=True, exist_ok=True)
        Picture.fromarray(case.array).save(root / place)
        kept[place] = case
    cohort = from_folders(root)
    return cohort, [kept[name] for name in cohort.identifiers]


def kinds(report: Any) -> Any:
    return [finding.kind for finding in report.findings]


def test_every_planted_copy_is_found_and_nothing_else(tmp_path: Path) -> None:
    cohort, cases = written(tmp_path, flawed_set(60, 50, within_train=14, within_test=12, across=9, size=96))
    planted = set()
    for k, case in enumerate(cases):
        if case.copy:
            original = next(i for i, c in enumerate(cases) if c.source == case.source and not c.copy)
            planted.add((min(k, original), max(k, original)))
    assert {case.copy for case in cases} == {"", *COPIES}
    copies = find_copies(gather(cohort))
    assert {(copy.first, copy.second) for copy in copies} == planted
    report = scan(cohort, given(cohort, list(cohort.subgroups["part"])))
    across = next(f for f in report.findings if f.kind == "duplicates across")
    assert across.severity == "refuse"
    assert across.sentence.startswith("9 cases that are tested")
    within = next(f for f in report.findings if f.kind == "duplicates within")
    assert within.sentence.startswith("14 within train, 12 within test of 110")
    assert report.refused
    with pytest.raises(ContentError, match="--accept-leak REASON"):
        report.require()
    # Bound to one patient, the copies stay together, and what is left is said as a warning.
    whole = merged(cohort, copies)
    again = scan(whole, kfold(whole, 4))
    assert not again.refused
    assert "duplicates within" in kinds(again)


def test_similar_people_give_no_alarm(tmp_path: Path) -> None:
    cohort, _ = written(tmp_path, flawed_set(50, 30, within_train=0, within_test=0, across=0, size=96, seed=5))
    report = scan(cohort, given(cohort, list(cohort.subgroups["part"])))
    assert not [f for f in report.findings if f.severity == "refuse" or "duplicates" in f.kind or f.kind == "file name"]


def pictures(root: Path, count: int, draw: Any = None, **columns: Any) -> Cohort:
    """Return a cohort of noise whose pixels `draw` may change, with columns given as functions of its number."""
    rng = np.random.default_rng(3)
    root.mkdir(exist_ok=True)
    samples = []
    for k in range(count):
        label = "ab"[k % 2]
        array = rng.integers(0, 200, (32, 32)).astype(np.uint8)
        if draw is not None:
            array = draw(array, label, k)
        name = columns.get("name", lambda k, label: f"img{rng.integers(1 << 30):010d}.png")(k, label)
        Picture.fromarray(array).save(root / name)
        site = columns.get("site", lambda k, label: "xy"[(k // 2) % 2])(k, label)
        samples.append(Sample(name, root / name, label, f"p{k}", site))
    return Cohort(tuple(samples), "classification", "planted", root)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        (lambda k, label: f"IMG_{k * 7919 % 1000:03d}_{'ab'.index(label)}.png", "last part of every file name"),
        (lambda k, label: f"{'zq'['ab'.index(label)]}{k * 7919 % 1000:03d}.png", "first part of every file name"),
        (lambda k, label: f"{k + 100 * (label == 'b'):04d}.png", "run through the classes in turn"),
    ],
)
def test_labels_in_names_are_named(tmp_path: Path, name: Any, words: Any) -> None:
    report = scan(pictures(tmp_path / "set", 40, name=name))
    (finding,) = report.findings
    assert finding.kind == "file name"
    assert words in finding.sentence


@pytest.mark.parametrize("spelling", ["No-Tumour_{k}.png", "x{k}_notumour.png", "NO_TUMOUR ({k}).png", "noTumour{k}.png"])
def test_a_class_spelled_in_names_is_named(tmp_path: Path, spelling: Any) -> None:
    names = {"a": spelling, "b": "tumour {k}.png"}
    cohort = pictures(tmp_path / "set", 24, name=lambda k, label: names[label].format(k=k))
    labels = {"a": "no tumour", "b": "tumour"}
    cohort = replace(cohort, samples=tuple(replace(s, label=labels[str(s.label)]) for s in cohort.samples))
    (finding,) = scan(cohort).findings
    assert "24 of 24 file names hold the class itself" in finding.sentence


def mark(array: Any, label: Any, k: Any) -> Any:
    if label == "b":
        array[2:5, 2:5] = 255
    array[16, 16] = 255
    return array


def widen(array: Any, label: Any, k: Any) -> Any:
    return np.pad(array, 4, mode="reflect") if label == "a" else array


@pytest.mark.parametrize(("draw", "words"), [(mark, "mark upper left"), (widen, "'size'")])
def test_marks_and_sizes_that_tell_the_class_refuse(tmp_path: Path, draw: Any, words: Any) -> None:
    report = scan(pictures(tmp_path / "set", 100, draw))
    assert any(f.severity == "refuse" and words in f.sentence for f in report.findings), report.findings


def test_a_site_for_each_class_refuses_few_patients_too(tmp_path: Path) -> None:
    """With 20 of them the interval of the area is wide, yet no site can be left out to see what is left."""
    report = scan(pictures(tmp_path / "one", 20, site=lambda k, label: "xy"["ab".index(label)]))
    found = next(f for f in report.findings if f.kind == "source")
    assert found.severity == "refuse" and "take cases of each class from each source" in found.sentence
    some = scan(pictures(tmp_path / "two", 20, site=lambda k, label: "xy"["ab".index(label) if k else 1 - "ab".index(label)]))
    assert all(f.severity == "warn" for f in some.findings if f.kind == "source")


def test_a_site_for_each_class_refuses_and_a_mixed_one_does_not(tmp_path: Path) -> None:
    report = scan(pictures(tmp_path / "one", 100, site=lambda k, label: "xy"["ab".index(label)]))
    assert [f.severity for f in report.findings if f.kind == "source"] == ["refuse"]
    assert not scan(pictures(tmp_path / "two", 60)).findings


def test_chance_gives_no_alarm(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    alarms = 0
    for draw in range(20):
        samples = tuple(
            Sample(f"s{k}", None, "ab"[rng.integers(2)], f"p{k}", f"site{rng.integers(4)}", {"sex": "MF"[rng.integers(2)]})
            for k in range(80)
        )
        alarms += bool(scan(Cohort(samples, "classification", f"draw {draw}")).findings)
    assert alarms == 0


def test_patients_on_both_sides_refuse(tmp_path: Path) -> None:
    cohort = pictures(tmp_path / "set", 30)
    cohort = replace(cohort, samples=tuple(replace(s, patient=f"p{k // 3}") for k, s in enumerate(cohort.samples)))
    report = scan(cohort, given(cohort, ["train"] * 16 + ["test"] * 14))
    assert report.refusals[0].kind == "patient"
    assert "1 of 10 patients" in report.refusals[0].sentence
    assert not scan(cohort, kfold(cohort)).refused


def test_copies_with_other_labels_and_broken_files_are_named(tmp_path: Path) -> None:
    same = np.random.default_rng(8).integers(0, 200, (32, 32)).astype(np.uint8)
    cohort = pictures(tmp_path / "set", 24, lambda array, label, k: same if k < 2 else array)
    cohort.file(9).write_bytes(b"\x89PNG\r\n\x1a\n broken")
    report = scan(cohort)
    assert {"label conflict", "unreadable", "duplicates within"} <= set(kinds(report))
    assert cohort.samples[9].identifier in next(f for f in report.findings if f.kind == "unreadable").sentence


def test_accepting_takes_a_reason_and_keeps_it(tmp_path: Path) -> None:
    cohort = pictures(tmp_path / "one", 100, site=lambda k, label: "xy"["ab".index(label)])
    report = scan(cohort, accept="a demonstration of what not to do")
    report.require()
    assert report.to_dict()["accepted"] == "a demonstration of what not to do"
    assert report.to_table()[1][0][0] == "refuse"
    with pytest.raises(ParameterError, match="needs its reason"):
        scan(cohort, accept=" ")


def test_features_that_stand_for_the_label_or_the_site() -> None:
    rng = np.random.default_rng(0)
    rows = []
    for k in range(60):
        label = "ab"[int(rng.integers(2))]
        values = {"repeat": float(label == "b"), "where": float(k % 3), "real": float(rng.normal() + (label == "b"))}
        rows.append(Sample(f"s{k}", None, label, f"p{k}", "xyz"[k % 3], {}, values))
    report = scan(Cohort(tuple(rows), "classification", "table"))
    assert [(f.severity, f.sentence.split("'")[1]) for f in report.findings] == [("refuse", "repeat"), ("warn", "where")]


def test_shared_chest_radiographs_tell_their_label_by_name(shared: Any) -> None:
    root = shared("cxr_lungs")
    cohort = from_csv(root / "images", root / "labels.csv", columns={"image": "file", "site": "source"})
    report = scan(cohort, kfold(cohort))
    name = next(f for f in report.findings if f.kind == "file name")
    assert "'0' is normal; '1' is tuberculosis; association 1.00" in name.sentence
    assert not report.refused
    assert not any("duplicates" in kind for kind in kinds(report))


def test_shared_brain_ages_are_mostly_site(shared: Any) -> None:
    root = shared("brain_age")
    cohort = from_csv(root, root / "fcon1000_tr.csv", columns={"identifier": "sub_id", "label": "age"}, leave_out=["Unnamed: 0"])
    report = scan(cohort, kfold(cohort))
    site = next(f for f in report.findings if f.kind == "source")
    assert "The site alone predicts the label with a mean error of 5.0" in site.sentence
    assert "'sitenum' names the site" in next(f for f in report.findings if f.kind == "feature").sentence
