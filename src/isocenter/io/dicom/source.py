"""Headers of the images that a result refers to, rebuilt from what was kept of them.

A segmentation or report names its source slice by slice. Grid and identity of the image suffice for that, so the
source files need not be opened again (they may be on another machine by then).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from pydicom.dataset import Dataset

from isocenter.core.errors import ContentError, GeometryError
from isocenter.core.geometry import Geometry
from isocenter.io.dicom.common import decimal, derive_uid, required_uid, write_person

__all__ = ["frame_of_reference", "has_plane", "plane_attributes", "slice_position", "slice_step", "source_headers"]


def frame_of_reference(geometry: Geometry, identity: Mapping[str, Any]) -> str:
    """Return the frame of reference of a grid: its own, else the source's, else one derived from the series."""
    for candidate in (geometry.frame, identity.get("FrameOfReferenceUID")):
        if candidate:
            return required_uid({"FrameOfReferenceUID": candidate}, "FrameOfReferenceUID")
    return derive_uid("frame", required_uid(identity, "SeriesInstanceUID"))


def plane_attributes(geometry: Geometry) -> tuple[list[str], list[str]]:
    """Return ImageOrientationPatient and PixelSpacing of the planes of a grid.

    Raises
    ------
    GeometryError
        If rows and columns do not meet at a right angle, which DICOM cannot express.
    """
    n = geometry.ndim
    down, right = geometry.direction[:, n - 2], geometry.direction[:, n - 1]
    if abs(float(down @ right)) > 1e-4:
        raise GeometryError(
            f"Rows and columns of {geometry} meet at {np.degrees(np.arccos(np.clip(down @ right, -1, 1))):.2f} degrees: "
            "DICOM expects right angles within a slice; resample to an orthogonal grid first."
        )
    spacing = [decimal(geometry.spacing[n - 2]), decimal(geometry.spacing[n - 1])]
    return [decimal(_tidy(v)) for v in (*right, *down)], spacing


def slice_position(geometry: Geometry, index: int) -> list[str]:
    """Return ImagePositionPatient of a slice."""
    where = (0, 0) if geometry.ndim == 2 else (index, 0, 0)
    return [decimal(_tidy(v)) for v in geometry.to_world(where)]


def _tidy(value: float) -> float:
    return 0.0 if abs(value) < 1e-12 else float(value)


def has_plane(geometry: Geometry, identity: Mapping[str, Any]) -> bool:
    """Return whether the source lies in a patient's world (a projection image or a photograph does not)."""
    return geometry.unit == "mm" and (geometry.ndim == 3 or bool(identity.get("FrameOfReferenceUID")))


def source_headers(geometry: Geometry, identity: Mapping[str, Any], grid: Geometry | None = None) -> list[Dataset]:
    """Return one header per source file, in slice order; a single one for a multi-frame file.

    Parameters
    ----------
    geometry
        Grid of what refers to the source.
    identity
        DICOM keyword -> text, with ``SOPInstanceUIDs`` (one per slice, in slice order, or a single one of a
        multi-frame file) and ``SOPClassUID``.
    grid
        Grid of the source image itself, where it is known: then it must be the same one. A source with several
        time points is referred to by its first.

    Raises
    ------
    ContentError
        If the source is not DICOM, or its files are not those of the grid.
    GridMismatchError
        If the two grids differ.
    """
    if grid is not None:
        geometry.require_match(grid, ("the labels", "their source"))
    instances = [str(v) for v in identity.get("SOPInstanceUIDs") or ()]
    if not instances:
        raise ContentError("The image has no SOPInstanceUIDs: expected an image read from DICOM, to which a result can refer.")
    slices = 1 if geometry.ndim == 2 else geometry.shape[0]
    multiframe = bool(identity.get("FrameNumbers")) or (len(set(instances)) == 1 and slices > 1)
    if grid is not None and len(instances) > slices and len(instances) % slices == 0:
        instances = instances[:slices]
    if not multiframe and len(instances) != slices:
        raise ContentError(
            f"The grid has {slices} slices, but the source {len(instances)} files: expected labels on the grid of "
            "their source; resample them back with resample.to_grid."
        )
    common = Dataset()
    write_person(common, identity)
    common.SOPClassUID = required_uid(identity, "SOPClassUID")
    common.SeriesInstanceUID = required_uid(identity, "SeriesInstanceUID")
    common.Modality = str(identity.get("Modality") or "OT")[:16]
    common.Rows, common.Columns = geometry.shape[-2:]
    spatial = has_plane(geometry, identity)
    if spatial:
        common.FrameOfReferenceUID = frame_of_reference(geometry, identity)
        common.PositionReferenceIndicator = ""
    if multiframe:
        return [_multiframe(common, geometry, slices, required_uid({"SOPInstanceUID": instances[0]}, "SOPInstanceUID"), spatial)]
    headers = []
    for k, instance in enumerate(instances):
        header = Dataset()
        header.update(common)
        header.SOPInstanceUID = required_uid({"SOPInstanceUID": instance}, "SOPInstanceUID")
        if spatial:
            header.ImageOrientationPatient, header.PixelSpacing = plane_attributes(geometry)
            header.ImagePositionPatient = slice_position(geometry, k)
            header.SliceThickness = decimal(slice_step(geometry))
        headers.append(header)
    return headers


def slice_step(geometry: Geometry) -> float:
    """Return the distance in mm between slices along their normal; 1 where there is one slice."""
    if geometry.ndim == 2:
        return 1.0
    normal = np.cross(geometry.direction[:, 2], geometry.direction[:, 1])
    return abs(float(normal @ geometry.affine[:3, 0]))


def _multiframe(common: Dataset, geometry: Geometry, slices: int, instance: str, spatial: bool) -> Dataset:
    header = Dataset()
    header.update(common)
    header.SOPInstanceUID = instance
    header.NumberOfFrames = slices
    if spatial:
        orientation, measures, shared = Dataset(), Dataset(), Dataset()
        orientation.ImageOrientationPatient, measures.PixelSpacing = plane_attributes(geometry)
        measures.SliceThickness = decimal(slice_step(geometry))
        shared.PlaneOrientationSequence, shared.PixelMeasuresSequence = [orientation], [measures]
        header.SharedFunctionalGroupsSequence = [shared]
        frames = []
        for k in range(slices):
            position, frame = Dataset(), Dataset()
            position.ImagePositionPatient = slice_position(geometry, k)
            frame.PlanePositionSequence = [position]
            frames.append(frame)
        header.PerFrameFunctionalGroupsSequence = frames
    return header
