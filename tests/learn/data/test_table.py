"""Tables of labels: read as written, task concluded with its reason, every bad row named by its line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import isocenter as iso
from isocenter.core.errors import FormatError, MissingInputError, SpecError
from isocenter.learn.data.cohort import Cohort
from isocenter.learn.data.table import from_csv


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "input"
    (root / "images").mkdir(parents=True)
    for k in range(6):
        array = np.full((8, 8), k, np.uint8)
        iso.write(iso.Image(array, ("y", "x"), iso.Geometry.pixels((8, 8))), root / "images" / f"{k}.png")
    return root


def table(root: Path, text: str) -> Path:
    path = root.parent / "labels.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_roles_subgroups_and_notes(folder: Any) -> None:
    rows = "\n".join(f"images/{k}.png,{'ab'[k % 2]},p{k // 2},s{k % 3},{'F' if k else ''}" for k in range(6))
    cohort = from_csv(folder, table(folder, "image;label;patient;site;sex\n".replace(";", ",") + rows))
    assert cohort.task == "classification"
    assert "2 names" in cohort.notes[0]
    assert cohort.classes == ("a", "b")
    assert list(cohort.groups) == ["p0", "p0", "p1", "p1", "p2", "p2"]
    assert list(cohort.sites) == ["s0", "s1", "s2"] * 2
    assert list(cohort.subgroups["sex"]) == ["", "F", "F", "F", "F", "F"]
    assert np.asarray(cohort.image(3).array).max() == 3
    assert cohort.take([1, 2]).identifiers == ("images/1.png", "images/2.png")
    assert cohort.digest != cohort.take([1, 2]).digest
    assert list(cohort.targets) == [0, 1] * 3


@pytest.mark.parametrize(
    ("labels", "task", "reason"),
    [
        (["0", "1"] * 3, "classification", "2 whole numbers"),
        (["34.5", "20", "71", "33", "50", "61"], "regression", "6 different numbers"),
        ([f"images/{k}.png" for k in range(6)], "segmentation", "files of masks"),
        (["tb", "normal"] * 3, "classification", "2 names"),
    ],
)
def test_the_task_is_concluded_and_said(folder: Any, labels: Any, task: Any, reason: Any) -> None:
    rows = "\n".join(f"images/{k}.png,{label}" for k, label in enumerate(labels))
    cohort = from_csv(folder, table(folder, "image,label\n" + rows))
    assert cohort.task == task
    assert reason in cohort.notes[0]
    assert "each case counts as a patient of its own" in cohort.notes[1]


def test_tables_of_boxes_and_points_are_told_apart(folder: Any) -> None:
    for name, head in (("boxes", "xmin,ymin,xmax,ymax\n"), ("points", "x,y\n")):
        for k in range(6):
            (folder / f"{name}{k}.csv").write_text(head + "1,2,3,4\n", encoding="utf-8")
    for name, task in (("boxes", "detection"), ("points", "landmarks")):
        rows = "\n".join(f"images/{k}.png,{name}{k}.csv" for k in range(6))
        assert from_csv(folder, table(folder, "image,label\n" + rows)).task == task


def test_a_table_without_images_holds_features(tmp_path: Path) -> None:
    text = "sub,label,site,thick,volume,hand\n" + "\n".join(
        f"s{k},{20.5 + k},a,{k / 10},{'' if k == 2 else k},r" for k in range(8)
    )
    cohort = from_csv(tmp_path, table(tmp_path / "x", text), columns={"identifier": "sub"})
    assert cohort.task == "regression"
    assert cohort.features == ("thick", "volume")
    assert cohort.matrix().shape == (8, 2)
    assert np.isnan(cohort.matrix()[2, 1])
    assert list(cohort.subgroups) == ["hand"]
    assert cohort.identifiers[0] == "s0"


def test_survival_needs_its_events(tmp_path: Path) -> None:
    head = "identifier,label,event,stage\n"
    cohort = from_csv(tmp_path, table(tmp_path / "x", head + "a,10,1,2\nb,20,0,3\n"))
    assert cohort.task == "survival"
    assert cohort.samples[1].values == {"stage": 3.0, "event": 0.0}
    with pytest.raises(SpecError, match="line 3: event '2'; expected 1"):
        from_csv(tmp_path, table(tmp_path / "x", head + "a,10,1,2\nb,20,2,3\n"))


def test_each_bad_row_is_one_sentence_with_its_line(folder: Any) -> None:
    (folder.parent / "outside.png").write_bytes(b"x")
    (folder / "images" / "link.png").symlink_to(folder.parent / "outside.png")
    bad = {
        2: ("images/9.png,a,p", "there is no 'images/9.png' in the input"),
        3: ("../outside.png,a,p", "lies outside of the input"),
        4: ("/etc/passwd,a,p", "lies outside of the input"),
        5: ("images/link.png,a,p", "lies outside of the input"),
        6: (",a,p", "the image is empty"),
        7: ("images/1.png,,p", "the label is empty"),
        8: ("images/2.png,a,", "the patient is empty"),
        9: ("images/3.png,a,p", ""),
        10: ("images/3.png,b,p", "stands in line 9 already"),
    }
    with pytest.raises(SpecError) as caught:
        from_csv(folder, table(folder, "image,label,patient\n" + "\n".join(row for row, _ in bad.values())))
    expected = [(line, words) for line, (_, words) in bad.items() if words]
    assert len(caught.value.problems) == len(expected)
    for problem, (line, words) in zip(caught.value.problems, expected, strict=True):
        assert problem.startswith(f"line {line}: ")
        assert words in problem


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected column names"),
        ("image,image\n", "each once"),
        ("image,label\n", "no rows"),
        ("picture,label\nx,y\n", "neither a column 'image' nor one of numbers"),
        ("picture,label,age\nimages/0.png,y,30\n", "column 'picture' names files .* expected --column 'image=picture'"),
        ("image,kind\nx,y\n", "no column 'label'"),
        ('image,label\n"x,y\n', "is broken"),
        ("image,label\nx\n", "1 cells for 2 columns"),
    ],
)
def test_what_is_no_table_is_refused(folder: Any, text: Any, message: Any) -> None:
    with pytest.raises((FormatError, SpecError), match=message):
        from_csv(folder, table(folder, text))


def labelled(folder: Path, labels: list[str], head: str = "image;label", more: str = "") -> Cohort:
    rows = "\n".join(f"images/{k}.png;{label}{more.format(k)}" for k, label in enumerate(labels))
    return from_csv(folder, table(folder, f"{head}\n{rows}"))


def test_one_class_spelled_as_whole_number_and_as_decimal_is_one_class(folder: Path) -> None:
    assert labelled(folder, ["0", "1", "1.0", "0.0", "1", "0"]).classes == ("0", "1")


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (["yes", "no", "Yes", "no", "yes", "no"], "'Yes' and 'yes' differ in their spelling alone"),
        (["e\u0301", "no", "\u00e9", "no", "\u00e9", "no"], "differ in their spelling alone"),
        (["0", "1", "nan", "1", "0", "1"], "line 4: the label is 'nan', which says that there is none"),
        (["1.5", "2.5", "3.5", "4.5", "5.5", "6.5", "NA"], "line 8: the label 'NA' is no finite number"),
        (["1.5", "2.5", "3.5", "4.5", "5.5", "6.5", "inf"], "line 8: the label 'inf' is no finite number"),
        (["1,200", "1,300", "2,400", "2,500", "9,950", "1,234"], "column 'label': '1,200' can be read in two ways"),
        (["1,5", "2.5", "3,5", "4,5", "5,5", "6,5"], "can be read in two ways"),
        ([f"masks/{k}.nii.gz" for k in range(6)], "line 2: there is no 'masks/0.nii.gz'"),
    ],
)  # fmt: skip
def test_a_label_that_would_change_the_task_or_the_classes_is_refused(folder: Path, labels: list[str], message: str) -> None:
    (folder / "images" / "6.png").write_bytes((folder / "images" / "5.png").read_bytes())
    with pytest.raises((FormatError, SpecError), match=message):
        labelled(folder, labels)


def test_decimal_commas_are_numbers(folder: Path) -> None:
    cohort = labelled(folder, ["10,28", "7,5", "12", "9,125", "11,5", "8,25"], "image;label;age", ";4{},5")
    assert cohort.task == "regression" and "read as decimal signs" in cohort.notes[0]
    assert cohort.labels.tolist() == [10.28, 7.5, 12.0, 9.125, 11.5, 8.25]
    assert cohort.subgroups["age"].tolist() == [f"4{k}.5" for k in range(6)]
    # Underscores are no separators of digits.
    assert labelled(folder, ["1_2", "1_3", "1_4", "1_5", "1_6", "1_7"]).task == "classification"


@pytest.mark.parametrize(
    "head", ["Image;Label;Patient", "image;label;patient_id", "IMAGE;label;Subject ID", "image;label;PatientID"]
)
def test_patients_are_known_by_the_usual_names_of_their_column(folder: Path, head: str) -> None:
    cohort = labelled(folder, ["a", "b"] * 3, head, ";p")
    assert set(cohort.groups) == {"p"} and not cohort.subgroups
    named = head.split(";")[2]
    assert ([n for n in cohort.notes if named in n] == []) is (named == "Patient")
    apart = from_csv(folder, folder.parent / "labels.csv", leave_out=[named])
    assert len(set(apart.groups)) == 6


def test_numbers_of_rows_are_no_feature(tmp_path: Path) -> None:
    rows = "\n".join(f"{k},{'ab'[k % 2]},{k * 1.5}" for k in range(6))
    cohort = from_csv(tmp_path, table(tmp_path / "x", "ID,label,thick\n" + rows))
    assert cohort.features == ("thick",) and cohort.identifiers == tuple("012345")


def test_paths_as_programs_write_them(folder: Path) -> None:
    rows = "\n".join(f"{p},{'ab'[k % 2]}" for k, p in enumerate([f"{folder}/images/0.png", "images\\1.png", "./images/2.png"]))
    cohort = from_csv(folder, table(folder, "image,label\n" + rows))
    assert cohort.identifiers == ("images/0.png", "images/1.png", "images/2.png")
    again = table(folder, f"image,label\n{rows}\nimages/0.png,a\n")
    with pytest.raises(SpecError, match=r"'images/0.png' stands in line 2 already"):
        from_csv(folder, again)


@pytest.mark.parametrize(("event", "expected"), [("1.0", 1.0), ("0.0", 0.0), ("True", 1.0), ("false", 0.0)])
def test_events_as_programs_write_them(tmp_path: Path, event: str, expected: float) -> None:
    text = f"identifier,label,event,stage\na,10,1,2\nb,20,{event},3\n"
    assert from_csv(tmp_path, table(tmp_path / "x", text)).samples[1].values["event"] == expected


def test_absent_inputs_are_named(folder: Any) -> None:
    with pytest.raises(MissingInputError, match="no such file"):
        from_csv(folder, folder / "none.csv")
    with pytest.raises(MissingInputError, match="no such folder"):
        from_csv(folder / "none", table(folder, "image,label\n"))


def test_the_shared_chest_radiographs_are_one_line(shared: Any) -> None:
    root = shared("cxr_lungs")
    if not (root / "images").is_dir():
        pytest.skip("the images are not unpacked")
    cohort = from_csv(root / "images", root / "labels.csv", columns={"image": "file", "site": "source"})
    assert len(cohort) == 200
    assert set(cohort.sites) == {"Shenzhen", "Montgomery"} or len(set(cohort.sites)) == 2


@pytest.mark.parametrize(
    ("labels", "positive"),
    [
        (["ill", "well"], "ill"),
        (["TB", "normal"], "TB"),
        (["fracture", "no fracture"], "fracture"),
        (["benign", "malignant"], "malignant"),
        (["0", "1"], "1"),
        (["no", "yes"], "yes"),
        (["none", "normal"], "normal"),
    ],
)
def test_the_positive_class_is_never_the_one_that_says_there_is_nothing(folder: Path, labels: list[str], positive: str) -> None:
    cohort = labelled(folder, labels * 3)
    assert cohort.classes[1] == positive and cohort.targets[labels.index(positive)] == 1
