"""Folders, nnU-Net, BIDS and DICOM layouts become cohorts with the right labels and patients."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import isocenter as iso
from isocenter.core.errors import ContentError, FormatError, MissingInputError, ParameterError, SpecError
from isocenter.learn.data.bids import from_bids
from isocenter.learn.data.dicom import from_dicom
from isocenter.learn.data.folders import from_folders
from isocenter.learn.data.layout import from_layout
from isocenter.learn.data.nnunet import from_nnunet


def picture(path: Any, value: Any = 0) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    iso.write(iso.Image(np.full((8, 8), value, np.uint8), ("y", "x"), iso.Geometry.pixels((8, 8))), path)


def volume(path: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    iso.write(iso.Image(np.ones((4, 5, 6), np.uint8), ("z", "y", "x"), iso.Geometry.regular((4, 5, 6))), path)


def test_sub_folders_are_classes(tmp_path: Path) -> None:
    for k in range(3):
        picture(tmp_path / "glioma" / f"{k}.png", k)
        picture(tmp_path / "none" / f"patient{k // 2}" / f"{k}.png", k)
    (tmp_path / "none" / "notes.txt").write_text("x", encoding="utf-8")
    cohort = from_folders(tmp_path)
    assert cohort.classes == ("none", "glioma"), "of two classes the one that says there is nothing is not the positive one"
    assert len(cohort) == 6
    assert list(cohort.groups[3:]) == ["patient0", "patient0", "patient1"]
    (tmp_path / "empty").mkdir()
    with pytest.raises(ContentError, match="class 'empty' is empty"):
        from_folders(tmp_path)


def test_a_division_that_came_along_is_kept(tmp_path: Path) -> None:
    for part in ("Training", "Testing"):
        for label in "ab":
            picture(tmp_path / part / label / "1.png")
    cohort = from_folders(tmp_path)
    assert cohort.classes == ("a", "b")
    assert sorted(cohort.subgroups["part"]) == ["test", "test", "train", "train"]
    (tmp_path / "x").mkdir()
    with pytest.raises(FormatError, match="no sub-folders"):
        from_folders(tmp_path / "x")


def test_nnunet(tmp_path: Path) -> None:
    facts: dict[str, Any] = {"channel_names": {"0": "CT"}, "labels": {"background": 0, "liver": 1}, "file_ending": ".nii.gz"}
    for k in range(2):
        volume(tmp_path / "imagesTr" / f"liver_{k}_0000.nii.gz")
        volume(tmp_path / "labelsTr" / f"liver_{k}.nii.gz")
    with pytest.raises(FormatError, match=r"dataset\.json cannot be read"):
        from_nnunet(tmp_path)
    (tmp_path / "dataset.json").write_text(json.dumps(facts), encoding="utf-8")
    cohort = from_nnunet(tmp_path)
    assert cohort.task == "segmentation"
    assert cohort.identifiers == ("liver_0", "liver_1")
    assert cohort.mask(0).array.max() == 1
    assert [s.name for s in cohort.take([1]).mask(0).segments] == ["liver"]
    volume(tmp_path / "labelsTr" / "liver_2.nii.gz")
    with pytest.raises(SpecError, match="case 'liver_2'"):
        from_nnunet(tmp_path)
    (tmp_path / "labelsTr" / "liver_2.nii.gz").unlink()
    for k in range(2):
        volume(tmp_path / "imagesTr" / f"liver_{k}_0001.nii.gz")
    facts["channel_names"]["1"] = "PET"
    (tmp_path / "dataset.json").write_text(json.dumps(facts), encoding="utf-8")
    with pytest.raises(ContentError, match="each case has 2 files"):
        from_nnunet(tmp_path)


def test_a_data_set_that_says_ct_means_hu(tmp_path: Path) -> None:
    grid = iso.Geometry.regular((4, 5, 6))
    stored = {"a": -900, "b": 100, "c": -900}  # the second was shifted by somebody
    for name, least in stored.items():
        path = tmp_path / "imagesTr" / f"{name}_0000.nii.gz"
        volume(path)
        volume(tmp_path / "labelsTr" / f"{name}.nii.gz")
        values = np.linspace(least, 1200, 120, dtype=np.float32).reshape(4, 5, 6)
        iso.write(iso.Image(values, ("z", "y", "x"), grid, modality="MR" if name == "c" else None), path)
    facts: dict[str, Any] = {"channel_names": {"0": "ct"}, "labels": {"background": 0, "liver": 1}, "file_ending": ".nii.gz"}
    (tmp_path / "dataset.json").write_text(json.dumps(facts), encoding="utf-8")
    cohort = from_nnunet(tmp_path)
    assert [(i.modality, i.quantity) for i in map(cohort.image, range(3))] == [("CT", "HU"), ("CT", None), ("MR", None)]
    assert cohort.take([1, 0]).image(1).quantity == "HU" and any("HU" in note for note in cohort.notes)
    facts["channel_names"]["0"] = "T1"
    (tmp_path / "dataset.json").write_text(json.dumps(facts), encoding="utf-8")
    assert from_nnunet(tmp_path).image(0).quantity is None and from_nnunet(tmp_path).modality is None


def test_bids(tmp_path: Path) -> None:
    for k in range(3):
        volume(tmp_path / f"sub-0{k}" / "anat" / f"sub-0{k}_T1w.nii.gz")
        volume(tmp_path / "derivatives" / "seg" / f"sub-0{k}" / "anat" / f"sub-0{k}_label-lesion_mask.nii.gz")
    text = "participant_id\tage\tsite\tsex\n" + "\n".join(f"sub-0{k}\t{20.5 + k}\ts{k}\tF" for k in range(3))
    (tmp_path / "participants.tsv").write_text(text, encoding="utf-8")
    cohort = from_bids(tmp_path, "age")
    assert cohort.task == "regression"
    assert list(cohort.labels) == [20.5, 21.5, 22.5]
    assert list(cohort.groups) == ["00", "01", "02"]
    assert list(cohort.sites) == ["s0", "s1", "s2"]
    masks = from_bids(tmp_path, "mask")
    assert masks.task == "segmentation"
    assert all(isinstance(sample.label, Path) and sample.label.name.endswith("_mask.nii.gz") for sample in masks.samples)
    with pytest.raises(FormatError, match="no column 'iq'"):
        from_bids(tmp_path, "iq")
    volume(tmp_path / "sub-09" / "anat" / "sub-09_T1w.nii.gz")
    with pytest.raises(SpecError, match="gives no 'age'"):
        from_bids(tmp_path, "age")


def test_dicom_with_structure_sets(shared: Any) -> None:
    cohort = from_dicom(shared("sts/STS_002/dicom"))
    assert cohort.task == "segmentation"
    assert len(set(cohort.groups)) == 1
    assert cohort.samples[0].patient.startswith("patient-")
    mask = cohort.mask(0)
    assert np.asarray(mask.array).any()


def test_a_folder_is_read_by_its_layout(tmp_path: Path) -> None:
    for k in range(2):
        picture(tmp_path / "classes" / "ab"[k] / "1.png", k)
        volume(tmp_path / "nnunet" / "imagesTr" / f"liver_{k}_0000.nii.gz")
        volume(tmp_path / "nnunet" / "labelsTr" / f"liver_{k}.nii.gz")
        volume(tmp_path / "bids" / f"sub-0{k}" / "anat" / f"sub-0{k}_FLAIR.nii.gz")
        volume(tmp_path / "bids" / "derivatives" / "seg" / f"sub-0{k}" / "anat" / f"sub-0{k}_label-lesion_mask.nii.gz")
    facts = {"channel_names": {"0": "CT"}, "labels": {"background": 0, "liver": 1}, "file_ending": ".nii.gz"}
    (tmp_path / "nnunet" / "dataset.json").write_text(json.dumps(facts), encoding="utf-8")
    rows = "participant_id\tage\tscanner\nsub-00\t20.5\tA\nsub-01\t30.5\tB\n"
    (tmp_path / "bids" / "participants.tsv").write_text(rows, encoding="utf-8")
    (tmp_path / "table.csv").write_text("image,label\na/1.png,x\nb/1.png,y\n", encoding="utf-8")
    assert from_layout(tmp_path / "classes", tmp_path / "classes").classes == ("a", "b")
    assert from_layout(tmp_path / "nnunet", tmp_path / "nnunet").task == "segmentation"
    assert from_layout(tmp_path / "bids", tmp_path / "bids").task == "segmentation"
    ages = from_layout(tmp_path / "bids", tmp_path / "bids" / "participants.tsv", columns={"label": "age"})
    assert list(ages.labels) == [20.5, 30.5] and "scanner" in ages.subgroups
    fewer = from_layout(
        tmp_path / "bids", tmp_path / "bids" / "participants.tsv", columns={"label": "age"}, leave_out=["scanner"]
    )
    assert "scanner" not in fewer.subgroups
    with pytest.raises(ParameterError, match="column for 'site'"):
        from_layout(tmp_path / "bids", tmp_path / "bids" / "participants.tsv", columns={"label": "age", "site": "scanner"})
    assert from_layout(tmp_path / "classes", tmp_path / "table.csv").classes == ("x", "y")
    with pytest.raises(MissingInputError, match="no such table"):
        from_layout(tmp_path, tmp_path / "nothing.csv")
    with pytest.raises(ContentError, match="gives labels for segmentation"):
        from_layout(tmp_path / "nnunet", tmp_path / "nnunet", task="classification")
    (tmp_path / "classes" / "labels.csv").write_text("image,label\na/1.png,x\nb/1.png,z\n", encoding="utf-8")
    assert from_layout(tmp_path / "classes", tmp_path / "classes").classes == ("x", "z")
    (tmp_path / "classes" / "labels.csv").unlink()
    with pytest.raises(ParameterError, match="has no columns"):
        from_layout(tmp_path / "classes", tmp_path / "classes", leave_out=["age"])
    volume(tmp_path / "bids" / "sub-00" / "anat" / "sub-00_T2w.nii.gz")
    with pytest.raises(FormatError, match="of the kinds FLAIR, T2w"):
        from_layout(tmp_path / "bids", tmp_path / "bids")


def test_a_folder_of_dicom_is_read_by_what_refers_to_its_images(shared: Any) -> None:
    folder = shared("sts/STS_002/dicom")
    assert from_layout(folder, folder).samples == from_dicom(folder).samples
