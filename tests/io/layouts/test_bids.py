"""BIDS datasets: sessions are cases, suffixes are slots, masks of derivatives join the image they were drawn on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from isocenter.core.geometry import Geometry
from isocenter.core.image import Image
from isocenter.core.labels import LabelMap
from isocenter.io import door
from isocenter.io.layouts.bids import entities

GRID = Geometry.regular((4, 5, 6), (2.0, 1.0, 1.0))


def _save(path: Path, seed: int, mask: bool = False) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    array = np.random.default_rng(seed).integers(0, 2 if mask else 1000, GRID.shape).astype(np.int16)
    door.write(Image(array, ("z", "y", "x"), GRID), path)


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    root = tmp_path / "ds"
    (root).mkdir()
    (root / "dataset_description.json").write_text('{"Name": "a", "BIDSVersion": "1.10.0"}')
    for k, (subject, session) in enumerate((("01", "a"), ("01", "b"), ("02", "a"))):
        folder = root / f"sub-{subject}" / f"ses-{session}" / "anat"
        for j, suffix in enumerate(("T1w", "FLAIR")):
            _save(folder / f"sub-{subject}_ses-{session}_{suffix}.nii.gz", 10 * k + j)
    _save(root / "derivatives/manual/sub-01/ses-b/anat/sub-01_ses-b_space-T1w_label-lesion_mask.nii.gz", 99, mask=True)
    return root


def test_sessions_are_cases_and_subjects_patients(dataset: Path) -> None:
    found = door.cases(door.inspect(dataset))
    assert len(found) == 3
    slots = [{item.name for item in case.items} for case in found]
    assert sorted(slots, key=len) == [{"t1w", "flair"}, {"t1w", "flair"}, {"t1w", "flair", "lesion"}]
    patients = [{item.patient for item in case.items} for case in found]
    assert all(len(p) == 1 for p in patients) and len(set.union(*patients)) == 2
    assert not any("sub-" in p or "01" == p for p in set.union(*patients))


def test_masks_of_derivatives_are_labels_of_their_session(dataset: Path) -> None:
    case = next(c for c in door.cases(door.inspect(dataset)) if len(c.items) == 3)
    study = door.load_case(case)
    assert isinstance(study["lesion"], LabelMap) and study["t1w"].modality == "MR"
    assert any("modality MR" in note for note in study["t1w"].provenance.notes)


def test_a_mask_on_no_grid_of_its_session_is_told(dataset: Path) -> None:
    other = Image(np.ones((3, 3, 3), np.int16), ("z", "y", "x"), Geometry.regular((3, 3, 3)))
    door.write(other, dataset / "derivatives/manual/sub-01/ses-b/anat/sub-01_ses-b_space-MNI_desc-brain_mask.nii.gz")
    items = [i for i in door.inspect(dataset).items if i.name == "brain"]
    assert any("grid of no image" in p.text for i in items for p in i.problems)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("ds/sub-01/anat/sub-01_T1w.nii.gz", ("01", "", "T1w", "")),
        ("ds/derivatives/x/sub-01/ses-2/func/sub-01_ses-2_task-rest_desc-brain_mask.nii.gz", ("01", "2", "mask", "brain")),
        ("ds/sub-02/anat/sub-01_T1w.nii.gz", None),
        ("images/sub-01_T1w.nii.gz", None),
        ("ds/sub-01/anat/t1.nii.gz", None),
    ],
)
def test_names(path: str, expected: tuple[str, str, str, str] | None) -> None:
    found = entities(Path(path))
    assert (None if found is None else (found.subject, found.session, found.suffix, found.label)) == expected
    if found is not None:
        assert found.root == Path("ds")
