"""Real CT, MR and PET series with their structure sets equal their NIfTI versions, voxel by voxel and mm by mm."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest

from isocenter.io.budget import Budget
from isocenter.io.dicom import inspect_files
from isocenter.io.inventory import Item

RAS_TO_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])
CASES = [(case, part) for case in ("STS_002", "STS_003") for part in ("CT", "MR_T1", "PET")]


def items_of(folder: Path) -> list[Item]:
    items, refusals = inspect_files([p for p in folder.rglob("*") if p.is_file()], Budget())
    assert not refusals
    return items


def nifti(path: Path) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Return samples in z y x order and the LPS affine in that order."""
    image: Any = nibabel.load(path)
    affine = RAS_TO_LPS @ image.affine
    return np.asarray(image.dataobj).transpose(2, 1, 0), affine[:, [2, 1, 0, 3]]


def corner_distance(a: np.ndarray[Any, Any], b: np.ndarray[Any, Any], shape: tuple[int, ...]) -> float:
    corners = np.array([[*c, 1.0] for c in np.ndindex(2, 2, 2)]) * [*(n - 1 for n in shape), 1.0]
    return float(np.linalg.norm((corners @ (a - b).T)[:, :3], axis=1).max())


@pytest.mark.parametrize(("case", "part"), CASES)
def test_voxels_affine_and_masks_equal_the_nifti(shared: Callable[[str], Path], case: str, part: str) -> None:
    root = shared(f"data/sts/{case}")
    items = items_of(root / "dicom" / part)
    image = next(i for i in items if i.kind == "image").load()
    truth, affine = nifti(root / "nifti" / f"{part}_image.nii.gz")
    assert image.shape == truth.shape
    assert corner_distance(image.geometry.affine, affine, image.shape) < 1e-3
    if part == "PET":
        assert image.quantity == "SUVbw" and image.dtype == np.float32
        assert float(np.abs(image.array.astype(float) - truth).max()) < 1e-5
    else:
        assert np.array_equal(image.array, truth)
        assert image.dtype.kind in "iu" and image.quantity == ("HU" if part == "CT" else None)

    masks = next(i for i in items if i.kind == "labels").load()
    expected, mask_affine = nifti(root / "nifti" / f"{part}_mask.nii.gz")
    assert corner_distance(masks.geometry.affine, mask_affine, image.shape) < 1e-3
    found, wanted = masks.array.any(axis=0), expected > 0
    dice = 2 * int((found & wanted).sum()) / (int(found.sum()) + int(wanted.sum()))
    assert dice >= 0.999, dice


def test_one_folder_gives_one_case_with_its_structures_on_their_own_images(shared: Callable[[str], Path]) -> None:
    items = items_of(shared("data/sts/STS_002/dicom"))
    assert [i.name for i in items if i.kind == "image"] == ["ct", "pet", "mr"]
    assert len({i.patient for i in items}) == 1
    by_uid = {i.uid: i for i in items if i.kind == "image"}
    for masks in (i for i in items if i.kind == "labels"):
        owner = next(by_uid[r] for r in masks.references if r in by_uid)
        assert masks.spec.geometry == owner.spec.geometry and masks.group == owner.group


def test_ct_phantom_and_its_tumour_equal_their_nifti(shared: Callable[[str], Path]) -> None:
    root = shared("data/ibsi/1_ct_phantom")
    items = items_of(root / "dicom")
    image, masks = items[0].load(), items[1].load()
    truth, affine = nifti(root / "image" / "phantom.nii.gz")
    assert np.array_equal(image.array, truth) and corner_distance(image.geometry.affine, affine, image.shape) < 1e-3
    assert image.quantity == "HU" and [s.name for s in masks.segments] == ["GTV-1"]
    assert np.array_equal(masks.array[0], nifti(root / "mask" / "mask.nii.gz")[0] > 0)


def test_items_travel_to_other_processes(shared: Callable[[str], Path]) -> None:
    for item in items_of(shared("data/sts/STS_002/dicom/PET")):
        again = pickle.loads(pickle.dumps(item))
        assert again.load().digest == item.load().digest
