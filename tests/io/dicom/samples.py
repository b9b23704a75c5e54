"""Helpers of the DICOM tests: reading folders, comparing in world space, and small synthetic series."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, PositronEmissionTomographyImageStorage

from isocenter.io.budget import Budget
from isocenter.io.dicom import inspect_files
from isocenter.io.inventory import Item, Refusal, Repair

RAS_TO_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])
PYDICOM = Path(pydicom.__file__).parent / "data" / "test_files"


def inspect(path: Path, repair: Repair | None = None) -> tuple[list[Item], list[Refusal]]:
    """Inspect one file, or all files of a folder."""
    paths = [p for p in path.rglob("*") if p.is_file()] if path.is_dir() else [path]
    return inspect_files(paths, Budget(), repair)


def read(path: Path, repair: Repair | None = None) -> Any:
    """Load the only item at a path."""
    items, refusals = inspect(path, repair)
    assert not refusals, refusals[0].reason
    assert len(items) == 1, [i.name for i in items]
    return items[0].load()


def nifti(path: Path) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Return samples in x y z [t] order and the LPS affine."""
    image: Any = nibabel.load(path)
    return np.asarray(image.dataobj), RAS_TO_LPS @ image.affine


def worst_difference(
    volume: np.ndarray[Any, Any],
    affine: np.ndarray[Any, Any],
    truth: np.ndarray[Any, Any],
    other: np.ndarray[Any, Any],
    mm: float = 1e-3,
) -> float:
    """Return the largest difference of two volumes sample by sample in the world; infinite where grids differ.

    `volume` (z, y, x) lies at `affine` (array order); `truth` (x, y, z) at `other` (x, y, z order); both LPS.
    """
    # Both grids are affine: where their corners agree, all samples do, and one is the other with axes reordered and flipped.
    corners = np.array(list(itertools.product(*[(0, n - 1) for n in volume.shape])), float)
    world = corners @ affine[:3, :3].T + affine[:3, 3]
    place = (world - other[:3, 3]) @ np.linalg.inv(other[:3, :3]).T
    nearest = np.rint(place).astype(int)
    off = np.linalg.norm((place - nearest) @ other[:3, :3].T, axis=1)
    if off.max() > mm or (nearest < 0).any() or (nearest >= truth.shape).any() or volume.size != truth.size:
        return float("inf")
    steps = [nearest[4 >> k] - nearest[0] for k in range(3)]  # how far the corner at the end of each of our axes lies in theirs
    free = [axis for axis in range(3) if not any(step[axis] for step in steps)]
    order = [int(np.argmax(np.abs(step))) if step.any() else free.pop() for step in steps]
    if sorted(order) != [0, 1, 2]:
        return float("inf")
    turned = truth.transpose(order)
    turned = turned[tuple(slice(None, None, -1 if step[axis] < 0 else 1) for step, axis in zip(steps, order, strict=True))]
    if turned.shape != volume.shape:
        return float("inf")
    if volume.dtype == turned.dtype and np.array_equal(volume, turned):
        return 0.0
    return float(np.abs(volume.astype(float) - turned.astype(float)).max())


def ct_slice(z: float, pixels: np.ndarray[Any, Any] | None = None, **changes: Any) -> Dataset:
    """Return a sound CT slice at height `z` mm; keyword arguments replace or (None) remove attributes."""
    data = Dataset()
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data.SOPClassUID, data.SOPInstanceUID = CTImageStorage, f"1.2.826.0.1.3680043.8.498.1.{round(z * 1000)}"
    data.StudyInstanceUID, data.SeriesInstanceUID, data.FrameOfReferenceUID = "1.2.3.1", "1.2.3.2", "1.2.3.3"
    data.Modality, data.PatientID, data.PatientName = "CT", "P1", "Test^Patient"
    data.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    data.SeriesNumber, data.InstanceNumber = 7, round(z * 10)
    data.ImagePositionPatient, data.ImageOrientationPatient = [0.0, 0.0, z], [1, 0, 0, 0, 1, 0]
    data.PixelSpacing, data.SliceThickness = [1.0, 2.0], 2.0
    data.RescaleSlope, data.RescaleIntercept = 1, -1024
    data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
    array = np.full((6, 5), round(z * 10), np.uint16) if pixels is None else pixels
    data.Rows, data.Columns = array.shape
    data.BitsAllocated = data.BitsStored = 8 * array.dtype.itemsize
    data.HighBit, data.PixelRepresentation = data.BitsStored - 1, int(array.dtype.kind == "i")
    data.PixelData = array.tobytes()
    for keyword, value in changes.items():
        if value is None:
            del data[keyword]
        else:
            setattr(data, keyword, value)
    data.file_meta.MediaStorageSOPClassUID, data.file_meta.MediaStorageSOPInstanceUID = data.SOPClassUID, data.SOPInstanceUID
    return data


def pet_slice(z: float, pixels: np.ndarray[Any, Any], **changes: Any) -> Dataset:
    """Return a sound PET slice: 370 MBq of F-18 at 10:00, scan at 11:00, 70 kg, values in Bq/ml."""
    data = ct_slice(z, pixels, SOPClassUID=PositronEmissionTomographyImageStorage, Modality="PT", RescaleIntercept=0)
    data.Units, data.DecayCorrection, data.CorrectedImage = "BQML", "START", ["ATTN", "DECY", "SCAT"]
    data.SeriesDate = data.AcquisitionDate = "20240102"
    data.SeriesTime, data.AcquisitionTime, data.PatientWeight = "110000", "110000", 70.0
    drug = Dataset()
    drug.RadionuclideTotalDose, drug.RadionuclideHalfLife, drug.RadiopharmaceuticalStartTime = 370e6, 6586.2, "100000"
    data.RadiopharmaceuticalInformationSequence = [drug]
    for keyword, value in changes.items():
        owner = drug if keyword.startswith("Radio") and keyword != "RadiopharmaceuticalInformationSequence" else data
        if value is None:
            del owner[keyword]
        else:
            setattr(owner, keyword, value)
    data.file_meta.MediaStorageSOPClassUID = data.SOPClassUID
    return data


def save(slices: Sequence[Dataset], folder: Path) -> Path:
    """Write datasets as files of a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for k, data in enumerate(slices):
        data.save_as(folder / f"{k:03d}.dcm", enforce_file_format=True)
    return folder
