"""Volumes whose sides cannot be mixed up, and what a picture of them looks like."""

from __future__ import annotations

import io
import itertools
import struct
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image as Picture

from isocenter.core.geometry import Geometry
from isocenter.core.image import Image
from isocenter.core.labels import LabelMap, Segment

#: Order of the axes and which of them run backwards: the 48 ways to store a volume.
ORDERS = [(axes, flips) for axes in itertools.permutations(range(3)) for flips in itertools.product((False, True), repeat=3)]


def stored(value: Any, axes: tuple[int, ...], flips: tuple[bool, ...]) -> Any:
    """Return the same volume stored in another order of its axes."""
    array, geometry = np.transpose(np.asarray(value.array), axes), value.geometry.transpose(axes)
    for axis, flip in enumerate(flips):
        if flip:
            array, geometry = np.flip(array, axis), geometry.flip(axis)
    return value.replace(array=np.ascontiguousarray(array), geometry=geometry)


def marked(spacing: tuple[float, ...] = (3.0, 1.0, 1.25), shape: tuple[int, ...] = (20, 48, 40), **more: Any) -> Image:
    """A body with an L-shaped object on the patient's left, in front, towards the head."""
    array = np.full(shape, -1000, np.int16)
    z, y, x = shape
    array[1:-1, 4:-4, 3:-3] = 20
    # The long stroke lies along superior, the short one points to the left.
    array[z * 5 // 8 : z - 3, y // 6 : y // 3, x * 5 // 8 : x * 5 // 8 + 4] = 900
    array[z * 5 // 8 : z * 5 // 8 + 2, y // 6 : y // 3, x * 5 // 8 : x * 7 // 8] = 900
    geometry = Geometry.regular(shape, spacing, origin=(-31.7, 12.3, 401.9))
    return Image(array, ("z", "y", "x"), geometry, modality="CT", quantity="HU", **more)


def mark_labels(image: Image, name: str = "tumour") -> LabelMap:
    """The object of `marked` as a label map."""
    return LabelMap((np.asarray(image.array) > 500).astype(np.uint8), image.dims, image.geometry, (Segment(1, name),))


def ball(geometry: Geometry, centre: tuple[float, ...], radius: float) -> npt.NDArray[np.bool_]:
    """Return which samples lie within a radius in mm of a point in the world."""
    index = np.stack(np.meshgrid(*[np.arange(n) for n in geometry.shape], indexing="ij"), axis=-1)
    distance = np.linalg.norm(geometry.to_world(index) - np.asarray(centre), axis=-1)
    return np.asarray(distance <= radius)


def decoded(png: bytes) -> npt.NDArray[np.uint8]:
    """Return the pixels of a PNG as uint8 RGB."""
    return np.asarray(Picture.open(io.BytesIO(png)).convert("RGB"))


def chunks(png: bytes) -> Iterator[str]:
    """Yield the names of the chunks of a PNG."""
    at = 8
    while at < len(png):
        (size,) = struct.unpack(">I", png[at : at + 4])
        yield png[at + 4 : at + 8].decode()
        at += 12 + size


def near(pixels: npt.NDArray[np.uint8], colour: tuple[int, int, int], within: int = 40) -> npt.NDArray[np.bool_]:
    """Return which pixels have about a colour."""
    return np.asarray((np.abs(pixels.astype(int) - colour) <= within).all(axis=-1))


def centre_of(mask: npt.NDArray[np.bool_]) -> tuple[float, float]:
    """Return the mean row and column of a mask, as shares of its height and width."""
    rows, columns = np.nonzero(mask)
    return float(rows.mean() / mask.shape[0]), float(columns.mean() / mask.shape[1])


#: Texts that try to be more than text.
HOSTILE = [
    "<script>alert(1)</script><img src=x onerror=alert(1)>",
    '"><svg/onload=alert(1)>',
    "{{ 7 * 7 }}{% for x in y %}",
    "<font color='red'>red</font><br/><para>&amp;&lt;",
    "</para></font><b>",
    "\x1b[31mred\x1b[0m\x07\x00",
    '=HYPERLINK("http://example.org";"x")',
    "\u202egnp.exe\u2066\u2069",
    "a" * 5000,
    "e" + "\u0301" * 400,
    "\ud800 lone \udfff",
    "$\\frac{1}{$ %(x)s {0} \\x",
    "\u4e2d\u6587 \u0627\u0644\u0639\u0631\u0628\u064a\u0629 \u05e2\u05d1\u05e8\u05d9\u05ea \U0001f600",
    "line one\nline two\r\nthree\u2028four",
    "a\n" * 1500,
    "W" * 3000 + " " + "\n" * 3000,
    "",
]
