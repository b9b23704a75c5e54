"""Video transfer syntaxes: one MPEG-2, H.264 or HEVC stream for all frames, in one fragment or many.

The stream may stand bare or in a container (program or transport stream, MP4); what it holds is compared with the
dataset. Times come from the dataset, as those of any cine.

References
----------
DICOM PS3.5 sections 8.2.5 to 8.2.14 and annex A.4.5 to A.4.9.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.core.errors import FormatError
from isocenter.io import film as films
from isocenter.io.budget import Budget
from isocenter.io.dicom.words import clean
from isocenter.io.film import Film
from isocenter.io.video import container_of

__all__ = ["check", "frames"]

_PACKET = 188  # bytes of a packet of a transport stream


def _kind(pixels: Any) -> str:
    """Return the container of the stream, or the codec of a bare one.

    Raises
    ------
    FormatError
        If its first bytes are neither.
    """
    start, length = pixels.extents[0][0]
    with open(pixels.path, "rb") as handle:
        handle.seek(start)
        head = handle.read(min(length, 2 * _PACKET + 1))
    found = container_of(head)
    if found in ("mov", "mpeg", "mpegvideo"):
        return found
    if head[:1] == b"\x47" and head[_PACKET : _PACKET + 1] in (b"\x47", b""):
        return "mpegts"
    bare = "hevc" if "HEVC" in pixels.syntax.name else "h264" if "H.264" in pixels.syntax.name else "mpegvideo"
    if head[:3] == b"\0\0\1" or head[:4] == b"\0\0\0\1":
        return bare
    raise FormatError(
        f"{clean(pixels.path)}: PixelData (7FE0,0010) holds no {pixels.syntax.name} stream: expected one, bare, in MP4 or in an MPEG stream; "
        "fetch the file again."
    )


def _film(pixels: Any, budget: Budget) -> Film:
    film = films.probe(pixels.path, _kind(pixels), budget, pixels.extents[0])
    form = pixels.layout
    if film.shape[:2] != (form.rows, form.columns) or (len(film.shape) == 3 and form.samples != 3):
        raise FormatError(
            f"{clean(pixels.path)}: the video holds frames of {' x '.join(str(n) for n in film.shape)}, the dataset says {form.rows} x "
            f"{form.columns} of {form.samples} sample(s): expected them to agree; fetch the file again."
        )
    if film.dtype.itemsize > form.dtype.itemsize:
        raise FormatError(
            f"{clean(pixels.path)}: the video holds samples of {8 * film.dtype.itemsize} bits, BitsAllocated is {form.allocated}: expected "
            "them to fit; export the file again."
        )
    return film


def check(pixels: Any, budget: Budget) -> None:
    """Compare a video with its dataset; up to the budget's ``verify_bytes`` every frame is decoded for that.

    Parameters
    ----------
    pixels
        From `isocenter.io.dicom.pixels.locate`.
    budget
        Limits.

    Raises
    ------
    FormatError
        If size or number of frames differ, or a frame is damaged.
    """
    film = _film(pixels, budget)
    if film.frame_bytes * film.count <= budget.verify_bytes:
        _counted(pixels, sum(1 for _ in films.frames(film, send=False)))


def _counted(pixels: Any, count: int) -> None:
    if count != pixels.layout.frames:
        raise FormatError(
            f"{clean(pixels.path)}: the video holds {count} frames, NumberOfFrames (0028,0008) says {pixels.layout.frames}: expected them to "
            "agree; it was cut short or altered, fetch it again."
        )


def frames(pixels: Any) -> Iterator[npt.NDArray[Any]]:
    """Give every frame as RGB (rows, columns, 3), or grey (rows, columns) where the dataset has one sample.

    Parameters
    ----------
    pixels
        From `isocenter.io.dicom.pixels.locate`.

    Raises
    ------
    FormatError
        If a frame is damaged, or their number is not that of the dataset.
    """
    film = _film(pixels, Budget())
    count = 0
    for samples, _ in films.frames(film):
        count += 1
        if count > pixels.layout.frames:
            break
        grey_as_colour = samples.ndim == 2 and pixels.layout.samples == 3
        yield np.repeat(samples[..., None], 3, axis=2) if grey_as_colour else samples
    _counted(pixels, count)
