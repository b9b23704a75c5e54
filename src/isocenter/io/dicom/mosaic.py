"""Siemens mosaics: the slices of a volume tiled into one image.

The position in the header is that of the mosaic's corner; the volume's first sample is found by moving in by
half of what the mosaic is larger than one tile.

References
----------
Siemens CSA header (0029,1010): NumberOfImagesInMosaic, SliceNormalVector.
"""

from __future__ import annotations

import math
import struct

import numpy as np

from isocenter.core.errors import GeometryError
from isocenter.io.dicom import values
from isocenter.io.dicom.clocks import clocks
from isocenter.io.dicom.dataset import File
from isocenter.io.dicom.elements import Dataset
from isocenter.io.dicom.frame import Frame, Plane
from isocenter.io.dicom.kinds import kind_of, private_numbers
from isocenter.io.dicom.layout import Layout
from isocenter.io.dicom.pixels import Pixels
from isocenter.io.dicom.plane import plane
from isocenter.io.dicom.rescale import Rescale
from isocenter.io.dicom.words import clean

__all__ = ["csa_values", "frames_of_mosaic", "is_mosaic"]

_CSA, _TILES = 0x00291010, 0x0019100A


def is_mosaic(data: Dataset) -> bool:
    """Return whether an image says that it is a mosaic."""
    return "MOSAIC" in values.texts(data, "ImageType")


def csa_values(raw: bytes, name: str) -> list[float]:
    """Return the numbers of an entry of a Siemens CSA header, none where it is absent or the header is broken."""
    if raw[:4] != b"SV10" or len(raw) < 16:
        return []
    count = struct.unpack_from("<I", raw, 8)[0]
    pos = 16
    for _ in range(min(count, 512)):
        if pos + 84 > len(raw):
            return []
        tag = raw[pos : pos + 64].split(b"\0", 1)[0]
        items = struct.unpack_from("<I", raw, pos + 76)[0]
        pos += 84
        found = []
        for _item in range(min(items, 4096)):
            if pos + 16 > len(raw):
                return []
            length = struct.unpack_from("<I", raw, pos + 4)[0]
            pos += 16
            text = raw[pos : pos + length].split(b"\0", 1)[0].strip()
            pos += -(-length // 4) * 4
            if tag == name.encode() and text:
                try:
                    found.append(float(text))
                except ValueError:
                    return []
        if tag == name.encode():
            return found
    return []


def frames_of_mosaic(
    file: File, form: Layout, pixels: Pixels, rescale: Rescale, modality: str, number: int, sop: str
) -> list[Frame]:
    """Return the slices of a mosaic.

    Raises
    ------
    GeometryError
        If the number of slices, their distance or their direction is not given.
    """
    data = file.data
    raw = values.raw(data, _CSA) or b""
    count = next(iter(csa_values(raw, "NumberOfImagesInMosaic") or private_numbers(data, _TILES)), 0.0)
    tiles = math.ceil(math.sqrt(count)) if 1 <= count <= 4096 else 0
    if not tiles or form.rows % tiles or form.columns % tiles:
        raise GeometryError(
            f"{clean(file.path)}: a mosaic of {form.rows} x {form.columns} samples with {count:g} slices: expected the number of slices in (0019,100A) "
            "or the CSA header; export the series as single slices."
        )
    gap = values.number(data, "SpacingBetweenSlices")
    if gap is None or not 0 < gap < 1000:
        raise GeometryError(
            f"{clean(file.path)}: a mosaic without SpacingBetweenSlices (0018,0088): expected mm between its slices; export single slices."
        )
    corner = plane(data, data, data)
    height, width = form.rows // tiles, form.columns // tiles
    first = (
        corner.position
        + corner.along_x * corner.spacing[1] * (form.columns - width) / 2
        + corner.along_y * corner.spacing[0] * (form.rows - height) / 2
    )
    normal = corner.normal
    stated = csa_values(raw, "SliceNormalVector")
    if len(stated) == 3 and float(np.dot(stated, normal)) < 0:
        normal = -normal
    kind, times = kind_of(data, modality), clocks(data)
    return [
        Frame(
            pixels, 0, Plane(np.asarray(first + normal * gap * k), corner.along_x, corner.along_y, corner.spacing), rescale, number, sop, kind, times,
            (k // tiles * height, k % tiles * width, height, width),
        )
        for k in range(int(count))
    ]  # fmt: skip
