"""Pictures: what PNG, JPEG, BMP, WebP and TIFF share.

A picture has no place in a patient. Its geometry is in pixels unless the file states a physical size of its
samples (microscopes do; a resolution in dots per inch is about printing and means nothing here).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.core.errors import FormatError, UnsupportedError
from isocenter.core.geometry import Geometry
from isocenter.core.image import SPATIAL, Image
from isocenter.core.labels import LabelMap, MaskStack
from isocenter.core.operation import Spec
from isocenter.core.text import plain
from isocenter.io import child
from isocenter.io import facts as facts_of
from isocenter.io.budget import Budget
from isocenter.io.inventory import Item, Problem
from isocenter.io.lazy import sourced
from isocenter.io.text import slot_name, stem

__all__ = ["COLOURS", "Header", "Picture", "decoding", "pillow_array", "pillow_header", "plane"]

#: Pillow's modes -> type of a sample, samples per pixel.
MODES = {
    "1": ("u1", 1), "L": ("u1", 1), "LA": ("u1", 2), "RGB": ("u1", 3), "RGBA": ("u1", 4), "I;16": ("<u2", 1), "I;16L": ("<u2", 1),
    "I;16B": (">u2", 1), "I": ("i4", 1), "F": ("f4", 1),
}  # fmt: skip
COLOURS: dict[int, tuple[str, ...]] = {2: ("grey", "alpha"), 3: ("red", "green", "blue"), 4: ("red", "green", "blue", "alpha")}


@contextmanager
def decoding(path: Path, what: str = "the picture is damaged") -> Iterator[None]:
    """Turn what comes of a codec on bad bytes into one sentence.

    Raises
    ------
    FormatError
        For damaged data, or a codec that had to be ended.
    """
    try:
        yield
    except child.ChildError as error:
        raise FormatError(f"{path.name}: {what} ({plain(error, 200)}): expected a whole file; get a fresh copy.") from error


@dataclass(frozen=True)
class Header:
    """What a codec reads in the header of a picture.

    Attributes
    ----------
    width, height
        Pixels.
    mode, bands
        Pillow's name of the kind of pixels, and samples per pixel.
    frames
        Pictures of an animation.
    turn
        EXIF orientation, 1 where there is none.
    """

    width: int
    height: int
    mode: str
    bands: int
    frames: int
    turn: int


def pillow_header(format: str, path: Path, budget: Budget) -> Header:
    """Return the header of a picture, its size checked before anything is decoded.

    Parameters
    ----------
    format
        Pillow's name of the format: no other is tried.
    path
        The file.
    budget
        Limits.
    """
    size = budget.check_bytes(path.stat().st_size, path, "reading the file")
    with decoding(path), path.open("rb") as handle:
        found, _ = child.decode("pillow-header", b"", 0, {"format": format, "exif": True, "frames": True}, file=handle)
    width, height = (int(n) for n in found["size"])
    header = Header(width, height, str(found["mode"]), int(found["bands"]), int(found["frames"]), int(found["turn"]))
    if width < 1 or height < 1:
        raise FormatError(f"{path.name}: {width} x {height} pixels: expected at least one each way; get a sound copy.")
    budget.check_pixels(width * height, path)
    total = budget.check_shape((height, width, header.bands), 2 if "16" in header.mode else 1, path, "the picture")
    budget.check_ratio(size, total, path, "decoding")
    return header


def pillow_array(
    format: str, path: Path, size: tuple[int, int], data: bytes | None = None, page: int = 0, budget: Budget | None = None
) -> npt.NDArray[Any]:
    """Decode a picture to (y, x) or (y, x, c) in the type it has.

    Parameters
    ----------
    format, path
        As of `pillow_header`.
    size
        Width and height that it must have.
    data
        Its bytes, where they were read (and cleaned) already.
    page
        Which of several.
    budget
        Limits; those of this machine by default.
    """
    width, height = size
    room = (budget or Budget()).check_bytes(4 * width * height, path, "the picture")
    facts = {"format": format, "size": [width, height], "page": page}
    with decoding(path):
        if data is None:
            with path.open("rb") as handle:
                found, raw = child.decode("pillow", b"", room, facts, file=handle, memory=child.BASE_MEMORY + 2 * room)
        else:
            found, raw = child.decode("pillow", data, room, facts, memory=child.BASE_MEMORY + 2 * room + 2 * len(data))
    if found.get("mode") not in MODES:
        raise UnsupportedError(
            f"{path.name}: pixels of mode {plain(found.get('mode'), 12)} are not read: expected grey, RGB or RGBA."
        )
    code, bands = MODES[str(found["mode"])]
    dtype = np.dtype(code)
    if raw.nbytes != width * height * bands * dtype.itemsize:
        raise FormatError(f"{path.name}: decodes to {raw.nbytes} bytes: expected {width} x {height} pixels; get a sound copy.")
    array = raw.view(dtype).reshape((height, width) + ((bands,) if bands > 1 else ()))
    return array.astype(dtype.newbyteorder("="), copy=False)


def plane(array: npt.NDArray[Any], ours: bool = False) -> tuple[npt.NDArray[Any], tuple[str, ...], tuple[str, ...] | None]:
    """Return a decoded picture as (c, y, x) or (y, x), its dims and channel names; an opaque alpha channel is dropped.

    Parameters
    ----------
    array
        Shape (y, x) or (y, x, c).
    ours
        Whether isocenter wrote the file: then every channel is a channel.
    """
    if array.ndim == 2:
        return array, ("y", "x"), None
    count = array.shape[2]
    if count in (2, 4) and not ours:
        full = np.iinfo(array.dtype).max if array.dtype.kind in "iu" else 1.0
        if (array[..., -1] == full).all():
            array = array[..., :-1]
            count -= 1
    if count == 1:
        return np.ascontiguousarray(array[..., 0]), ("y", "x"), None
    return np.ascontiguousarray(np.moveaxis(array, -1, 0)), ("c", "y", "x"), COLOURS.get(count)


@dataclass(frozen=True)
class Picture:
    """One picture of a file before it is decoded.

    Attributes
    ----------
    format, path
        Name of the format; the file.
    decode
        Gives the samples with their dims and channel names.
    spec
        What is known of it; the channels may turn out fewer (an opaque alpha channel is dropped).
    geometry
        Makes the grid for the spatial shape.
    facts
        What the file says beyond the samples.
    """

    format: str
    path: Path
    decode: Callable[[], tuple[npt.NDArray[Any], tuple[str, ...], tuple[str, ...] | None]]
    spec: Spec
    problems: tuple[Problem, ...] = ()
    facts: dict[str, Any] = field(default_factory=dict)
    modality: str | None = None

    def load(self) -> Image | LabelMap | MaskStack:
        """Decode the picture."""
        array, dims, channels = self.decode()
        shape = tuple(n for n, d in zip(array.shape, dims, strict=True) if d in SPATIAL)
        known = self.spec.geometry
        grid = facts_of.geometry(self.facts, shape) or (
            known if known is not None and known.shape == shape else Geometry.pixels(shape)
        )
        notes = [p.sentence() for p in self.problems]
        rows = facts_of.segments(self.facts)
        modality, quantity = self.facts.get("modality", self.modality), self.facts.get("quantity")
        if rows is not None and array.dtype.kind in "iu" and "c" not in dims:
            values = {int(v) for v in np.unique(array)} - {0}
            table: Any = rows if values <= {r.value for r in rows} else None
            return sourced(LabelMap(array, dims, grid, table, modality=modality), self.format, notes)
        counts = dict(zip(dims, array.shape, strict=True))
        stated, times = self.facts.get("channels"), self.facts.get("times")
        if stated is not None and len(stated) == counts.get("c"):
            channels = tuple(stated)
        elif "dims" in self.facts:  # isocenter wrote the file, and there were no names
            channels = None
        times = times if times is not None and len(times) == counts.get("t") else None
        image = Image(array, dims, grid, modality=modality, quantity=quantity, channels=channels, times=times)
        return sourced(image, self.format, notes)

    def item(self, budget: Budget) -> Item:
        """Return the item; the picture is decoded once where the budget lets inspection read samples."""
        spec = self.spec
        if spec.nbytes <= budget.verify_bytes:
            array, dims, _ = self.decode()
            spec = spec.replace(dims=dims, dtype=array.dtype.str, samples=array.size)
        labels = facts_of.segments(self.facts) is not None and "c" not in spec.dims
        name = slot_name(stem(self.path), "labels") if labels else "image"
        spec = spec.replace(kind="LabelMap") if labels else spec
        return Item(name, "labels" if labels else "image", self.format, spec, (self.path,), self.load, problems=self.problems)


def picture_spec(
    shape: Sequence[int], dims: tuple[str, ...], dtype: Any, facts: dict[str, Any], geometry: Geometry | None = None
) -> Spec:
    """Return the spec of a picture of that shape."""
    spatial = tuple(int(n) for n, d in zip(shape, dims, strict=True) if d in SPATIAL)
    grid = facts_of.geometry(facts, spatial) or geometry or Geometry.pixels(spatial)
    samples = int(np.prod([int(n) for n in shape], dtype=np.int64))
    return Spec("Image", dims, np.dtype(dtype).str, grid, facts.get("modality"), facts.get("quantity"), samples)
