"""Spatial registrations: a map between two frames of reference, as a `Transform`.

The object maps each of its sources into its own frame; a transform of isocenter maps the fixed world to the moving
one, so the matrix is inverted: fixed is the object's frame, moving the source's.

References
----------
DICOM PS3.3 C.20.2 (Spatial Registration), C.20.2.1.1 (the matrix).
"""

from __future__ import annotations

import dataclasses
from functools import partial
from pathlib import Path

import numpy as np

from isocenter.core.errors import ContentError, FormatError, ParameterError
from isocenter.core.operation import Spec
from isocenter.core.provenance import Provenance
from isocenter.core.transform import Affine
from isocenter.io.budget import Budget
from isocenter.io.dicom import values
from isocenter.io.dicom.dataset import File, open_file
from isocenter.io.dicom.elements import Dataset
from isocenter.io.dicom.identity import identity, key, patient_key, uid
from isocenter.io.dicom.words import clean
from isocenter.io.inventory import Item, Problem

__all__ = ["CLASS", "read_registrations", "registration_items"]

CLASS = "1.2.840.10008.5.1.4.1.1.66.1"
MOST_MATRICES = 64


def _matrix(data: Dataset, what: str) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """Return the product of the matrices of one source, the first one applied first."""
    whole = np.eye(4)
    steps = values.items(data, "MatrixRegistrationSequence")
    rows = [m for step in steps for m in values.items(step, "MatrixSequence")]
    if len(rows) > MOST_MATRICES:
        raise FormatError(f"{what}: {len(rows)} matrices for one source: expected at most {MOST_MATRICES}; get a sound copy.")
    for row in rows:
        kind = values.text(row, "FrameOfReferenceTransformationMatrixType")
        one = np.array(values.numbers(row, "FrameOfReferenceTransformationMatrix", 16)).reshape(4, 4)
        linear = one[:3, :3]
        if kind == "RIGID" and not np.allclose(linear @ linear.T, np.eye(3), atol=1e-3):
            raise FormatError(
                f"{what}: a matrix that is called rigid and is not (PS3.3 C.20.2.1.1): expected a rotation; do not use it."
            )
        whole = one @ whole
    return whole


def read_registrations(data: Dataset, what: str) -> list[tuple[str, Affine]]:
    """Return the frame of reference of each source, with the map from the object's frame to it.

    Parameters
    ----------
    data
        The object.
    what
        How messages call it.

    Raises
    ------
    FormatError, ContentError
        If a matrix is no invertible map, or every source lies in the object's frame already.
    """
    fixed = uid(data, "FrameOfReferenceUID")
    found = []
    for source in values.items(data, "RegistrationSequence"):
        frame = uid(source, "FrameOfReferenceUID")
        matrix = _matrix(source, what)
        if frame == fixed and np.array_equal(matrix, np.eye(4)):
            continue
        try:
            found.append((frame, Affine(matrix).inverse()))
        except ParameterError as error:
            raise FormatError(f"{what}: FrameOfReferenceTransformationMatrix (3006,00C6): {error}") from error
    if not found:
        raise ContentError(f"{what}: a spatial registration that moves nothing: expected a source in another frame of reference.")
    return found


def _load(path: Path, number: int) -> Affine:
    _, one = read_registrations(open_file(path, Budget()).data, clean(path))[number]
    return dataclasses.replace(one, provenance=Provenance.read(one.digest, "dicom"))


def registration_items(file: File) -> list[Item]:
    """Return one item for each source of a spatial registration.

    Raises
    ------
    InputError
        If it cannot be used.
    """
    data = file.data
    study = uid(data, "StudyInstanceUID")
    problems = tuple(Problem(t) for t in file.warnings)
    return [
        Item(
            "registration", "transform", "dicom", Spec("Transform"), (file.path,), partial(_load, file.path, number),
            key("study", study)[:16] if study else "", patient_key(data), problems, {}, identity(data),
            (uid(data, "FrameOfReferenceUID"), frame), uid(data, "SOPInstanceUID"),
        )
        for number, (frame, _) in enumerate(read_registrations(data, clean(file.path)))
    ]  # fmt: skip
