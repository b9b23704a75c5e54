"""Whole slides in DICOM made for tests, by pydicom alone."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pydicom
from PIL import Image as Pillow
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import generate_uid

CLASS = "1.2.840.10008.5.1.4.1.1.77.1.6"
EXPLICIT, JPEG = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.4.50"


def picture(rows: int = 150, columns: int = 200) -> npt.NDArray[np.uint8]:
    """Return a smooth coloured picture, its left half darker."""
    y, x = np.mgrid[:rows, :columns]
    picture = np.stack([y * 200 / rows, x * 200 / columns, 120 + 0 * x], axis=-1)
    picture[:, : columns // 2, 2] = 20
    return picture.astype(np.uint8)


def halved(array: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Return a picture of half the size, by the mean of four."""
    rows, columns = array.shape[0] // 2, array.shape[1] // 2
    blocks = array[: 2 * rows, : 2 * columns].reshape(rows, 2, columns, 2, -1).mean(axis=(1, 3))
    return np.rint(blocks).astype(np.uint8)


def _jpeg(tile: npt.NDArray[np.uint8]) -> bytes:
    buffer = io.BytesIO()
    Pillow.fromarray(tile).save(buffer, "JPEG", quality=95)
    data = buffer.getvalue()
    return data + b"\0" * (len(data) % 2)


def tiles_of(array: npt.NDArray[np.uint8], tile: int) -> dict[tuple[int, int], npt.NDArray[np.uint8]]:
    """Return the tiles of a picture, those at the border filled up with its last pixels."""
    rows, columns = -(-array.shape[0] // tile), -(-array.shape[1] // tile)
    full = np.pad(array, ((0, rows * tile - array.shape[0]), (0, columns * tile - array.shape[1]), (0, 0)), mode="edge")
    return {(r, c): full[r * tile : (r + 1) * tile, c * tile : (c + 1) * tile] for r in range(rows) for c in range(columns)}


def level(
    path: Path, array: npt.NDArray[np.uint8], tile: int = 64, *, syntax: str = EXPLICIT, leave_out: tuple[tuple[int, int], ...] | None = None,
    spacing: float | None = 0.0005, frames: slice | None = None, **changes: Any,
) -> Path:  # fmt: skip
    """Write one level; `leave_out` makes it sparse, without those tiles; `frames` writes a part of it."""
    tiles = tiles_of(array, tile)
    kept = [(place, t) for place, t in tiles.items() if leave_out is None or place not in leave_out]
    kept = kept[frames] if frames is not None else kept
    meta = FileMetaDataset()
    meta.TransferSyntaxUID, meta.MediaStorageSOPClassUID = syntax, CLASS
    meta.MediaStorageSOPInstanceUID = generate_uid(entropy_srcs=[path.name])
    data = FileDataset(str(path), Dataset(), file_meta=meta, preamble=b"\0" * 128)
    data.SOPClassUID, data.SOPInstanceUID = CLASS, meta.MediaStorageSOPInstanceUID
    data.StudyInstanceUID, data.SeriesInstanceUID, data.FrameOfReferenceUID = "2.25.21", "2.25.22", "2.25.23"
    data.Modality, data.PatientID, data.PatientName = "SM", "P", "P"
    data.ImageType = ["DERIVED", "PRIMARY", "VOLUME", "RESAMPLED"]
    data.Rows = data.Columns = tile
    data.NumberOfFrames, data.SamplesPerPixel, data.PlanarConfiguration = len(kept), 3, 0
    data.PhotometricInterpretation = "RGB" if syntax == EXPLICIT else "YBR_FULL_422"
    data.BitsAllocated, data.BitsStored, data.HighBit, data.PixelRepresentation = 8, 8, 7, 0
    data.TotalPixelMatrixRows, data.TotalPixelMatrixColumns = array.shape[:2]
    data.ImageOrientationSlide = [0, -1, 0, -1, 0, 0]
    origin = Dataset()
    origin.XOffsetInSlideCoordinateSystem, origin.YOffsetInSlideCoordinateSystem = "20", "40"
    data.TotalPixelMatrixOriginSequence = [origin]
    shared = Dataset()
    if spacing is not None:
        measures = Dataset()
        measures.PixelSpacing, measures.SliceThickness = [spacing, spacing], "0.001"
        shared.PixelMeasuresSequence = [measures]
    data.SharedFunctionalGroupsSequence = [shared]
    if leave_out is None:
        data.DimensionOrganizationType = "TILED_FULL"
    else:
        data.DimensionOrganizationType = "TILED_SPARSE"
        data.PerFrameFunctionalGroupsSequence = [_group(place, tile) for place, _ in kept]
    if syntax == EXPLICIT:
        raw = b"".join(t.tobytes() for _, t in kept)
        data.PixelData = raw + b"\0" * (len(raw) % 2)
    else:
        data.PixelData = encapsulate([_jpeg(np.ascontiguousarray(t)) for _, t in kept])
        data["PixelData"].is_undefined_length = True
    data["PixelData"].VR = "OB"
    for name, value in changes.items():
        setattr(data, name, value)
    pydicom.dcmwrite(path, data, implicit_vr=False, little_endian=True)
    return path


def _group(place: tuple[int, int], tile: int) -> Dataset:
    where, group = Dataset(), Dataset()
    where.RowPositionInTotalImagePixelMatrix = place[0] * tile + 1
    where.ColumnPositionInTotalImagePixelMatrix = place[1] * tile + 1
    group.PlanePositionSlideSequence = [where]
    return group
