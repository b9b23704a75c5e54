"""RT dose grids: frames at offsets along the normal, values scaled to Gy.

References
----------
DICOM PS3.3 C.8.8.3 (RT dose).
"""

from __future__ import annotations

import numpy as np

from isocenter.core.errors import FormatError, GeometryError
from isocenter.io.dicom import values
from isocenter.io.dicom.dataset import File
from isocenter.io.dicom.frame import Frame, Plane
from isocenter.io.dicom.layout import Layout
from isocenter.io.dicom.pixels import Pixels
from isocenter.io.dicom.plane import plane
from isocenter.io.dicom.rescale import Rescale
from isocenter.io.dicom.words import clean

__all__ = ["frames_of_dose"]


def frames_of_dose(file: File, form: Layout, pixels: Pixels, sop: str) -> list[Frame]:
    """Return the planes of a dose grid.

    Raises
    ------
    GeometryError
        If the offsets do not fit the frames.
    """
    data = file.data
    first = plane(data, data, data)
    offsets = values.numbers(data, "GridFrameOffsetVector") if form.frames > 1 else [0.0]
    if len(offsets) != form.frames:
        raise GeometryError(
            f"{clean(file.path)}: GridFrameOffsetVector (3004,000C) has {len(offsets)} values for {form.frames} frames: expected one each; "
            "export the file again."
        )
    if offsets[0] != 0.0 and form.frames > 1:  # absolute z of an axial grid instead of distances from the first plane (C.8.8.3.2)
        if abs(first.normal[2]) < 0.999:
            raise GeometryError(
                f"{clean(file.path)}: GridFrameOffsetVector starts at {offsets[0]:g} on an oblique grid: expected offsets from 0."
            )
        offsets = [(z - offsets[0]) * float(np.sign(first.normal[2])) for z in offsets]
    scale = values.number(data, "DoseGridScaling")
    if not scale:
        raise FormatError(
            f"{clean(file.path)}: DoseGridScaling (3004,000E) is missing or 0: expected the dose of one stored unit; export the file again."
        )
    rescale = Rescale(scale, 0.0, values.text(data, "DoseUnits").upper())
    return [
        Frame(
            pixels,
            k,
            Plane(np.asarray(first.position + first.normal * offset), first.along_x, first.along_y, first.spacing),
            rescale,
            k + 1,
            sop,
        )
        for k, offset in enumerate(offsets)
    ]
