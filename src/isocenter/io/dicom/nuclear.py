"""Reconstructed nuclear medicine volumes: one multi-frame file whose frames are stacked slices.

References
----------
DICOM PS3.3 C.8.4.8 (NM multi-frame), C.8.4.15 (NM reconstruction).
"""

from __future__ import annotations

import numpy as np

from isocenter.core.errors import GeometryError
from isocenter.io.dicom import values
from isocenter.io.dicom.dataset import File
from isocenter.io.dicom.elements import Dataset
from isocenter.io.dicom.frame import Frame, Plane
from isocenter.io.dicom.layout import Layout
from isocenter.io.dicom.pixels import Pixels
from isocenter.io.dicom.plane import has_plane, plane
from isocenter.io.dicom.rescale import Rescale
from isocenter.io.dicom.words import clean

__all__ = ["frames_of_nuclear", "is_nuclear_volume"]


def is_nuclear_volume(data: Dataset, form: Layout) -> bool:
    """Return whether a dataset is a reconstructed nuclear medicine volume that says where it lies."""
    if form.frames < 2 or values.text(data, "Modality").upper() not in ("NM", "PT", "ST"):
        return False
    detector = values.first_item(data, "DetectorInformationSequence")
    return "RECON TOMO" in values.texts(data, "ImageType") and detector is not None and has_plane(detector)


def frames_of_nuclear(file: File, form: Layout, pixels: Pixels, rescale: Rescale, sop: str) -> list[Frame]:
    """Return the slices, placed from the first one by the spacing between slices.

    Raises
    ------
    GeometryError
        If the spacing between slices is missing.
    """
    data = file.data
    detector = values.first_item(data, "DetectorInformationSequence")
    assert detector is not None
    gap = values.number(data, "SpacingBetweenSlices") or 0.0
    if gap == 0.0:
        raise GeometryError(
            f"{clean(file.path)}: SpacingBetweenSlices (0018,0088) is missing: expected mm between the {form.frames} slices; correct the header."
        )
    first = plane(detector, detector, data)
    step = first.normal * gap
    order = values.integers(data, "SliceVector") or list(range(1, form.frames + 1))
    if len(order) < form.frames:
        raise GeometryError(
            f"{clean(file.path)}: SliceVector names {len(order)} of {form.frames} slices: expected every one; export the file again."
        )
    return [
        Frame(
            pixels,
            k,
            Plane(np.asarray(first.position + step * (order[k] - 1)), first.along_x, first.along_y, first.spacing),
            rescale,
            k + 1,
            sop,
        )
        for k in range(form.frames)
    ]
