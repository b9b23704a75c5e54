"""Reading a series of 300 slices of 512 x 512: uncompressed, RLE, JPEG-LS and JPEG 2000, against pydicom and SimpleITK."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

Work = Callable[[], Any]
SLICES, SIDE = 300, 512
#: Syntax -> the transfer syntax that pydicom's encoders write; None leaves the samples as they are.
SYNTAXES = {"raw": None, "rle": "1.2.840.10008.1.2.5", "jls": "1.2.840.10008.1.2.4.80", "j2k": "1.2.840.10008.1.2.4.90"}


def series(kind: str) -> Path:
    """Return a folder with the series, written once: every contestant reads the same files."""
    import pydicom
    from pydicom.dataset import Dataset, FileMetaDataset

    folder = Path(os.environ.get("ISOCENTER_BENCH", tempfile.gettempdir())) / f"isocenter-series-{kind}-{SLICES}"
    if (folder / "complete").exists():
        return folder / "slices"
    (folder / "slices").mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:SIDE, :SIDE]
    for z in range(SLICES):
        inside = (y - 256) ** 2 + (x - 256) ** 2 < (150 + 40 * np.sin(z / 40)) ** 2
        values = np.where(inside, 1064 + rng.normal(0, 12, inside.shape), 24 + rng.normal(0, 6, inside.shape)).clip(0, 4095)
        data = Dataset()
        data.file_meta = FileMetaDataset()
        data.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
        data.SOPClassUID = data.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.2"
        data.SOPInstanceUID = data.file_meta.MediaStorageSOPInstanceUID = f"1.2.3.4.{z + 1}"
        data.StudyInstanceUID, data.SeriesInstanceUID, data.FrameOfReferenceUID = "1.2.3.1", "1.2.3.2", "1.2.3.3"
        data.PatientID, data.PatientName, data.StudyID, data.Modality, data.SeriesNumber = "P", "P", "1", "CT", 1
        data.PatientBirthDate = data.PatientSex = data.StudyDate = data.StudyTime = data.AccessionNumber = (
            data.ReferringPhysicianName
        ) = ""
        data.InstanceNumber, data.ImagePositionPatient, data.ImageOrientationPatient = z + 1, [0, 0, z * 1.5], [1, 0, 0, 0, 1, 0]
        data.PixelSpacing, data.SliceThickness, data.RescaleSlope, data.RescaleIntercept = [0.7, 0.7], 1.5, 1, -1024
        data.ImageType, data.SamplesPerPixel, data.PhotometricInterpretation = ["ORIGINAL", "PRIMARY", "AXIAL"], 1, "MONOCHROME2"
        data.Rows, data.Columns, data.BitsAllocated, data.BitsStored, data.HighBit, data.PixelRepresentation = (
            SIDE,
            SIDE,
            16,
            16,
            15,
            0,
        )
        data.PixelData = values.astype(np.uint16).tobytes()
        if SYNTAXES[kind]:
            data.compress(SYNTAXES[kind])
        data.save_as(folder / "slices" / f"{z:04d}.dcm", enforce_file_format=True)
    (folder / "complete").touch()
    return folder / "slices"


def _ours(kind: str) -> Work:
    import isocenter as iso

    folder = series(kind)
    iso.read(sorted(series("raw").iterdir())[0])  # what a first read imports is loaded before, as the peers' packages are
    return lambda: iso.read(folder).array


def _pydicom(kind: str) -> Work:
    import pydicom

    folder = series(kind)

    def read() -> Any:
        headers = [pydicom.dcmread(path) for path in folder.iterdir()]
        headers.sort(key=lambda header: float(header.ImagePositionPatient[2]))
        out = np.empty((len(headers), SIDE, SIDE), np.int16)
        for k, header in enumerate(headers):
            out[k] = header.pixel_array.astype(np.int16) * int(header.RescaleSlope) + int(header.RescaleIntercept)
            del header.PixelData
            header._pixel_array = None
        return out

    return read


def _simpleitk(kind: str) -> Work:
    import SimpleITK as sitk

    folder = series(kind)

    def read() -> Any:
        names = sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(folder))
        return sitk.GetArrayFromImage(sitk.ReadImage(names))

    return read


def ours_raw() -> Work:
    return _ours("raw")


def ours_rle() -> Work:
    return _ours("rle")


def ours_jls() -> Work:
    return _ours("jls")


def ours_j2k() -> Work:
    return _ours("j2k")


def pydicom_raw() -> Work:
    return _pydicom("raw")


def pydicom_rle() -> Work:
    return _pydicom("rle")


def pydicom_jls() -> Work:
    return _pydicom("jls")


def pydicom_j2k() -> Work:
    return _pydicom("j2k")


def itk_raw() -> Work:
    return _simpleitk("raw")


def itk_rle() -> Work:
    return _simpleitk("rle")


def itk_jls() -> Work:
    return _simpleitk("jls")


def itk_j2k() -> Work:
    return _simpleitk("j2k")


if __name__ == "__main__":
    import sys

    from benchmarks.common import Row, main

    kinds = [sys.argv.pop(1)] if len(sys.argv) > 1 and sys.argv[1] in SYNTAXES else list(SYNTAXES)

    rows = [
        Row(
            f"Read {SLICES} slices of {SIDE} x {SIDE}, {words}: {SLICES * SIDE * SIDE * 2 / 2**20:.0f} MiB of samples", __file__, f"ours_{kind}",
            {"pydicom": f"pydicom_{kind}", "SimpleITK": f"itk_{kind}"}, rounds=3,
        )
        for kind, words in (("raw", "uncompressed"), ("rle", "RLE"), ("jls", "JPEG-LS"), ("j2k", "JPEG 2000"))
        if kind in kinds
    ]  # fmt: skip
    main(rows, "Reading a DICOM series")
