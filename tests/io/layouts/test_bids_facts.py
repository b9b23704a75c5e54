"""What stands beside the images of a BIDS dataset: sidecars are inherited, the nearer wins; participants have age, sex and group."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from isocenter.core.geometry import Geometry
from isocenter.core.image import Image
from isocenter.core.study import Study
from isocenter.io import door
from isocenter.io.layouts.bids_facts import participants
from isocenter.learn.data.bids import from_bids

GRID = Geometry.regular((3, 4, 5), (2.0, 1.0, 1.0))
TABLE = "participant_id\tage\tsex\tgroup\nsub-01\t34.5\tF\tcontrol\nsub-02\t97\tm\tpatient\nsub-03\tn/a\tn/a\tn/a\n"


def _image(path: Path, dims: tuple[str, ...] = ("z", "y", "x")) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    shape = GRID.shape if len(dims) == 3 else (2, *GRID.shape)
    seed = sum(map(ord, path.name))
    door.write(Image(np.random.default_rng(seed).integers(0, 900, shape).astype(np.int16), dims, GRID), path)


def _json(path: Path, **values: Any) -> None:
    path.write_text(json.dumps(values))


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    root = tmp_path / "ds"
    for subject in ("01", "02", "03"):
        _image(root / f"sub-{subject}/ses-a/anat/sub-{subject}_ses-a_T1w.nii.gz")
        _image(root / f"sub-{subject}/ses-a/func/sub-{subject}_ses-a_task-rest_bold.nii.gz", ("t", "z", "y", "x"))
    _json(root / "dataset_description.json", Name="a", BIDSVersion="1.10.0", Manufacturer="nobody")
    _json(root / "T1w.json", Manufacturer="Acme", MagneticFieldStrength=1.5, EchoTime=0.00456, FlipAngle=9)
    _json(root / "task-rest_bold.json", RepetitionTime=2.0, Manufacturer="Boldly")
    _json(root / "task-move_bold.json", Manufacturer="another task")
    _json(root / "sub-02/sub-02_T1w.json", MagneticFieldStrength=3)
    _json(root / "sub-02/ses-a/anat/sub-02_ses-a_T1w.json", EchoTime=0.003, ManufacturersModelName="Own")
    _json(root / "sub-01/sub-02_T1w.json", Manufacturer="of another subject")
    (root / "participants.tsv").write_text(TABLE)
    return root


def studies(root: Path) -> dict[str, Study]:
    """Return the cases by the folder of their subject."""
    return {case.items[0].paths[0].parts[-4]: door.load_case(case) for case in door.cases(door.inspect(root))}


def facts(root: Path, subject: str, name: str) -> dict[str, Any]:
    (item,) = (i for i in door.inspect(root).items if i.name == name and f"sub-{subject}" in i.paths[0].parts)
    return dict(item.attributes)


def test_sidecars_are_inherited_and_the_nearer_wins(dataset: Path) -> None:
    first, second = facts(dataset, "01", "t1w"), facts(dataset, "02", "t1w")
    assert first["manufacturer"] == second["manufacturer"] == "Acme"
    assert (first["field_strength"], second["field_strength"]) == (1.5, 3.0)
    assert (first["echo_time"], second["echo_time"]) == (4.56, 3.0)  # ms, as DICOM has it
    assert first["flip_angle"] == 9 and "model" not in first and second["model"] == "Own"


def test_only_sidecars_of_the_suffix_and_the_entities_apply(dataset: Path) -> None:
    bold = facts(dataset, "01", "bold")
    assert bold["manufacturer"] == "Boldly" and bold["repetition_time"] == 2000 and "echo_time" not in bold


def test_participants_become_facts_of_the_study(dataset: Path) -> None:
    found = studies(dataset)
    one, two, three = (found[f"sub-0{k}"].attributes for k in (1, 2, 3))
    assert (one["age"], one["sex"], one["group"]) == (34.5, "F", "control")
    assert (two["age"], two["sex"], two["group"]) == (90.0, "M", "patient")  # an older age tells a person
    assert not {"age", "sex", "group"} & set(three)


def test_the_cohort_of_learning_reads_the_same_table(dataset: Path) -> None:
    assert participants(dataset)["02"]["group"] == "patient" and participants(dataset / "sub-01") == {}
    (dataset / "participants.tsv").write_text(TABLE.replace("n/a\tn/a\tn/a", "60\tF\tcontrol"))
    cohort = from_bids(dataset, "group")
    assert [sample.label for sample in cohort.samples] == ["control", "patient", "control"]


@pytest.mark.parametrize("text", ["{", "[1]", "[" * 100_000, '{"EchoTime": NaN, "FlipAngle": true, "Manufacturer": 3}', "\xff"])
def test_a_broken_sidecar_is_told_and_the_image_is_read(dataset: Path, text: str) -> None:
    (dataset / "sub-01/ses-a/anat/sub-01_ses-a_T1w.json").write_bytes(text.encode("latin-1"))
    (item,) = (i for i in door.inspect(dataset).items if i.name == "t1w" and "sub-01" in i.paths[0].parts)
    sound = text.startswith("{") and len(text) > 1
    assert any("sub-01_ses-a_T1w.json was left out" in p.text for p in item.problems) is not sound
    assert item.attributes["flip_angle"] == 9 and item.attributes["manufacturer"] == "Acme"
    assert item.load().shape == GRID.shape


def test_a_broken_table_of_participants_is_told(dataset: Path) -> None:
    (dataset / "participants.tsv").write_text("participant_id\tage\nsub-01\n")
    items = door.inspect(dataset).items
    assert all(any("participants.tsv was left out" in p.text for p in i.problems) for i in items) and len(items) == 6


def test_a_sidecar_states_the_modality_before_the_folder_does(dataset: Path) -> None:
    _json(dataset / "sub-03/sub-03_T1w.json", Modality="CT")
    found = studies(dataset)
    assert found["sub-03"]["t1w"].modality == "CT" and found["sub-01"]["t1w"].modality == "MR"
