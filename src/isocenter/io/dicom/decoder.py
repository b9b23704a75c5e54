"""Compressed frames to samples, in a child: which codec, what it is told, and whether its answer can be right."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.core.errors import FormatError
from isocenter.io import child
from isocenter.io.dicom.codestream import colours
from isocenter.io.dicom.layout import Layout
from isocenter.io.dicom.transfer import Syntax
from isocenter.io.dicom.words import clean

__all__ = ["decode_frame"]

_EXTENDED = "1.2.840.10008.1.2.4.51"


def decode_frame(stream: bytes, form: Syntax, layout: Layout, frame: int, path: Path) -> tuple[npt.NDArray[Any], str]:
    """Decode one frame.

    Parameters
    ----------
    stream
        Its compressed bytes, checked by `isocenter.io.dicom.codestream.check_frame`.
    form, layout
        How it is stored.
    frame, path
        Where it is, for the message.

    Returns
    -------
    tuple
        Array of shape (rows, columns[, samples]) and the photometric interpretation it is in now.

    Raises
    ------
    FormatError
        If it cannot be decoded, within the time and memory that its size deserves.
    """
    codec: str = form.codec if form.codec != "jpeg" else "gdcm"
    if form.uid == _EXTENDED and layout.stored > 8:
        codec = "jpeg-12"  # the core's codecs have no decoder of it; the extra ``wsi`` brings one
    facts = {
        "syntax": form.uid, "rows": layout.rows, "columns": layout.columns, "samples": layout.samples, "allocated": layout.allocated,
        "precision": layout.stored, "signed": layout.signed, "photometric": layout.photometric,
    }  # fmt: skip
    try:
        found, data = child.decode(
            codec, stream, 2 * layout.frame_bytes, facts, memory=child.BASE_MEMORY + 6 * layout.frame_bytes
        )
    except child.ChildError as error:
        raise FormatError(
            f"{clean(path)}: frame {frame + 1} cannot be decoded as {form.name} ({clean(error, 160)}): expected a whole codestream; "
            "fetch the file again."
        ) from None
    array = _array(codec, found, data, layout, frame, path)
    if layout.samples == 3 and form.codec in ("jpeg", "jpeg-ls"):
        return array, colours(stream, form, layout.photometric)
    # OpenJPEG undoes the colour transforms of its format.
    return array, "RGB" if form.codec == "jpeg-2000" and layout.photometric in ("YBR_ICT", "YBR_RCT") else layout.photometric


def _array(
    codec: str, found: dict[str, Any], data: npt.NDArray[np.uint8], layout: Layout, frame: int, path: Path
) -> npt.NDArray[Any]:
    """Return the bytes as samples, after checking that they are as many as the frame has."""
    precision = found.get("precision", layout.allocated if codec == "gdcm" else 16)
    shape = (layout.rows, layout.columns) + ((layout.samples,) if layout.samples > 1 else ())
    size = next((n for n in (1, 2, 4) if precision <= 8 * n), 0) if isinstance(precision, int) else 0
    if not size or data.nbytes != int(np.prod(shape)) * size:
        raise FormatError(
            f"{clean(path)}: frame {frame + 1} decodes to {data.nbytes} bytes of {clean(precision, 12)} bits a sample: expected {shape} "
            "samples; fetch the file again."
        )
    array = data.view(f"<{'i' if layout.signed else 'u'}{size}")
    spare = 8 * size - precision
    # JPEG-LS knows no sign, and JPEG 2000 may state another one than the dataset: the bits are read as the dataset says.
    turned = layout.signed if codec == "jpeg-ls" else bool(found.get("signed", layout.signed)) != layout.signed
    if spare and turned:
        np.left_shift(array, spare, out=array)
        np.right_shift(array, spare, out=array)
    array = array.astype(array.dtype.newbyteorder("="), copy=False)
    if found.get("planar") is True:
        return np.ascontiguousarray(np.moveaxis(array.reshape(layout.samples, layout.rows, layout.columns), 0, -1))
    return array.reshape(shape)
