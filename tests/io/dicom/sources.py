"""DICOM images with their identity, read with pydicom alone, for the tests of what is written about them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pydicom

from isocenter.core.geometry import Geometry
from isocenter.core.image import Image

_PERSON = (
    "PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyInstanceUID", "StudyID", "StudyDate", "StudyTime", "AccessionNumber",
    "ReferringPhysicianName", "SeriesInstanceUID", "SOPClassUID", "Modality", "FrameOfReferenceUID",
)  # fmt: skip


def read_stack(paths: Sequence[Path]) -> tuple[Image, dict[str, Any]]:
    """Return single-frame slices as an image sorted along the normal, and its identity."""
    files = [pydicom.dcmread(path) for path in paths]
    right, down = (np.array(files[0].ImageOrientationPatient[k : k + 3], float) for k in (0, 3))
    normal = np.cross(right, down)
    files.sort(key=lambda f: float(normal @ np.array(f.ImagePositionPatient, float)))
    places = np.array([np.array(f.ImagePositionPatient, float) for f in files])
    step = places[1] - places[0] if len(files) > 1 else normal * float(files[0].SliceThickness)
    rows, columns = (float(v) for v in files[0].PixelSpacing)
    affine = np.zeros((4, 4))
    affine[:3, 0], affine[:3, 1], affine[:3, 2], affine[:3, 3], affine[3, 3] = step, down * rows, right * columns, places[0], 1.0
    array = np.stack([f.pixel_array * float(f.RescaleSlope) + float(f.RescaleIntercept) for f in files]).astype(np.int16)
    identity = {k: str(files[0].get(k) or "") for k in _PERSON}
    identity_all: dict[str, Any] = {**identity, "SOPInstanceUIDs": [str(f.SOPInstanceUID) for f in files]}
    geometry = Geometry(array.shape, affine, str(files[0].get("FrameOfReferenceUID") or "") or None)
    return Image(array, ("z", "y", "x"), geometry, modality="CT", quantity="HU"), identity_all
