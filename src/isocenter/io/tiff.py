"""TIFF: read and written; several pages are a stack, a physical pixel size counts only where a microscope states it.

References
----------
Adobe, TIFF Revision 6.0; OME-TIFF specification (attributes of the Pixels element); ImageJ's TIFF description.
"""

from __future__ import annotations

import importlib.util
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.core.errors import FormatError, UnsupportedError
from isocenter.core.geometry import Geometry
from isocenter.core.image import SPATIAL, Image
from isocenter.core.labels import MaskStack
from isocenter.io import atomic, child
from isocenter.io import facts as facts_of
from isocenter.io.budget import Budget
from isocenter.io.inventory import Item, Problem
from isocenter.io.raster import COLOURS, Picture, decoding, picture_spec, pillow_array
from isocenter.io.slide import slide
from isocenter.io.streams import Stream
from isocenter.io.tiff_pages import Page, pages
from isocenter.io.tiff_text import meaning_of

__all__ = ["NAME", "SUFFIXES", "inspect", "sniff", "write"]

NAME = "tiff"
SUFFIXES: tuple[str, ...] = (".tif", ".tiff", ".svs")
#: Compressions that need no further package: none, deflate, its older code.
DEFLATE = (8, 32946)
PLAIN = (1, *DEFLATE)
#: Deflate gives back 1032 bytes for one at most; what stays below the floor is not worth a look.
MOST_INFLATION, INFLATION_FLOOR = 1032, 1 << 27
KINDS = {1: "u", 2: "i", 3: "f"}
MIN_IS_WHITE, PALETTE, SEPARATED, YCBCR = 0, 3, 5, 6


def sniff(head: bytes, path: Path) -> bool:
    """Return whether a file's first bytes are those of a TIFF or BigTIFF."""
    return head[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")


# -- reading ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Layout:
    """How pages become an image: the page axes with their extents, then the axes of a page."""

    path: Path
    pages: tuple[Page, ...]
    axes: tuple[tuple[str, int], ...]

    @property
    def page(self) -> Page:
        return self.pages[0]

    @property
    def count(self) -> int:
        return len(self.pages)

    @property
    def colours(self) -> int:
        return 3 if self.page.photometric in (PALETTE, YCBCR) else self.page.samples

    @property
    def dtype(self) -> np.dtype[Any]:
        if self.page.photometric == PALETTE:
            return np.dtype(np.uint8)
        return np.dtype(f"{KINDS.get(self.page.format, 'u')}{max(1, self.page.bits // 8)}")

    @property
    def dims(self) -> tuple[str, ...]:
        names = {a for a, _ in self.axes} | ({"c"} if self.colours > 1 else set())
        return (*[a for a in "tcz" if a in names], "y", "x")

    @property
    def shape(self) -> tuple[int, ...]:
        sizes = (
            dict(self.axes) | ({"c": self.colours} if self.colours > 1 else {}) | {"y": self.page.height, "x": self.page.width}
        )
        return tuple(sizes[d] for d in self.dims)

    def _check_inflation(self, page: Page) -> None:
        """Inflate large deflated blocks in small pieces first: not every decoder can be told how much it may give back."""
        if page.compression not in DEFLATE:
            return
        for at, length in page.blocks:
            if length * MOST_INFLATION > page.expected + INFLATION_FLOOR:
                with Stream(self.path, "zlib", at) as stream:
                    if stream.skip(page.expected + 1) > page.expected:
                        raise FormatError(
                            f"{self.path.name}: a block of pixels inflates beyond the {page.expected} bytes of its page: "
                            "expected a sound file; do not open it."
                        )

    def _by_pillow(self, k: int) -> npt.NDArray[Any]:
        """Decode one page to (y, x) or (y, x, c) where imagecodecs is not installed."""
        array = pillow_array("TIFF", self.path, (self.page.width, self.page.height), page=k)
        if array.dtype != self.dtype:
            raise UnsupportedError(
                f"{self.path.name}: pages of compression {self.page.compression} with samples of type {self.dtype} need the "
                'package imagecodecs: pip install "isocenter[wsi]".'
            )
        return array

    def __call__(self) -> tuple[npt.NDArray[Any], tuple[str, ...], tuple[str, ...] | None]:
        page = (self.page.height, self.page.width) + ((self.colours,) if self.colours > 1 else ())
        room = math.prod(page) * self.count * self.dtype.itemsize
        for one in self.pages:
            self._check_inflation(one)
        if self.page.compression in PLAIN or _has_codecs():
            facts = {
                "pages": self.count, "shape": page, "dtype": self.dtype.str, "palette": self.page.photometric == PALETTE,
                "planes": self.page.samples > 1 and self.page.planar == 2 and self.page.photometric != PALETTE,
            }  # fmt: skip
            with decoding(self.path), self.path.open("rb") as handle:
                _, raw = child.decode("tiff", b"", room, facts, file=handle, memory=child.BASE_MEMORY + 4 * room // self.count)
            if raw.nbytes != room:
                raise FormatError(f"{self.path.name}: decodes to {raw.nbytes} bytes: expected {room}; get a sound copy.")
            stack = raw.view(self.dtype).reshape(self.count, *page)
        else:
            stack = np.empty((self.count, *page), self.dtype)
            for k in range(self.count):
                stack[k] = self._by_pillow(k)
        names = [*[a for a, _ in self.axes], "y", "x", *(["c"] if self.colours > 1 else [])]
        stack = stack.reshape([*[n for _, n in self.axes], *page])
        array = np.ascontiguousarray(stack.transpose([names.index(d) for d in self.dims]))
        return array, self.dims, COLOURS.get(self.colours) if self.colours > 2 else None


def _has_codecs() -> bool:
    return importlib.util.find_spec("imagecodecs") is not None


def inspect(path: Path, budget: Budget) -> list[Item]:
    """Return what a TIFF file holds.

    Parameters
    ----------
    path
        The file.
    budget
        Limits; the pages are decoded once up to ``budget.verify_bytes``.

    Raises
    ------
    FormatError, UnsupportedError, BudgetError
        If it cannot be used, with the reason.
    """
    whole_slide = slide(path, budget)
    if whole_slide is not None:
        return [whole_slide]
    found = pages(path, budget)
    first = found[0]
    if first.photometric == SEPARATED or first.bits not in (1, 8, 16, 32, 64) or first.format not in KINDS:
        raise UnsupportedError(
            f"{path.name}: samples of {first.bits} bits, kind {first.format}, colours {first.photometric}: expected grey or RGB of "
            "8, 16, 32 or 64 bits; convert the picture first."
        )
    alike = [p for p in found if p.key == first.key]
    count = len(alike) if len(alike) == len(found) else 1
    problems = []
    if count < len(found):
        problems.append(Problem(f"{len(found) - 1} further pages differ in size or type; only the first is read."))
    if first.photometric == MIN_IS_WHITE:
        problems.append(Problem("The picture is stored with 0 as white; the values are kept as they are stored."))
    content = facts_of.decode(first.description)
    meaning = meaning_of(first.description, first.resolution, count)
    axes = _own_axes(content, count) or meaning.axes or ((("z", count),) if count > 1 else ())
    layout = _Layout(path, tuple(found[:count]), axes)
    if len(set(layout.dims)) < len(axes) + 2 + (layout.colours > 1):
        raise UnsupportedError(f"{path.name}: pages of channels with several samples a pixel: expected one or the other.")
    budget.check_shape(layout.shape, layout.dtype.itemsize, path)
    geometry = _geometry(layout, meaning.spacing, problems)
    spec = picture_spec(layout.shape, layout.dims, layout.dtype, content, geometry)
    if meaning.times is not None:
        content.setdefault("times", meaning.times)
    picture = Picture(
        NAME, path, layout, spec.replace(modality=spec.modality or meaning.modality), tuple(problems), content, meaning.modality
    )
    return [picture.item(budget)]


def _own_axes(content: dict[str, Any], count: int) -> tuple[tuple[str, int], ...]:
    """Return the page axes that our own description states, where they fit."""
    sizes = content.get("pages")
    if isinstance(sizes, list) and all(
        isinstance(p, list) and len(p) == 2 and p[0] in tuple("tcz") and isinstance(p[1], int) for p in sizes
    ):
        axes = tuple((str(a), int(n)) for a, n in sizes)
        if math.prod(n for _, n in axes) == count and len({a for a, _ in axes}) == len(axes):
            return axes
    return ()


def _geometry(layout: _Layout, spacing: dict[str, float] | None, problems: list[Problem]) -> Geometry:
    spatial = [d for d in layout.dims if d in SPATIAL]
    shape = [n for d, n in zip(layout.dims, layout.shape, strict=True) if d in SPATIAL]
    if not spacing or not {"x", "y"} <= spacing.keys():
        return Geometry.pixels(shape)
    if any(d not in spacing for d in spatial):
        problems.append(Problem("The distance of the planes is not stated, so the stack has no size in mm."))
        return Geometry.pixels(shape)
    return Geometry.regular(shape, [spacing[d] for d in spatial])


# -- writing ----------------------------------------------------------------------------------------------


def write(value: Any, path: Path) -> None:
    """Write an image or label map; planes, channels and time points become pages (colours stay together).

    Values are stored as they are and uncompressed; what they mean and where they lie goes into the description,
    from which `inspect` restores it.

    Parameters
    ----------
    value
        Image or LabelMap of at least two spatial axes.
    path
        Ends in ``.tif`` or ``.tiff``.

    Raises
    ------
    UnsupportedError
        If TIFF cannot hold it.
    WriteError
        If the disk refuses.
    """
    import tifffile

    path = Path(path)
    if not isinstance(value, Image) or isinstance(value, MaskStack) or value.dims[-2:] != ("y", "x"):
        raise UnsupportedError(f"{path.name}: a TIFF holds planes: expected an image with the axes y and x.")
    if path.suffix.lower() not in (".tif", ".tiff"):
        raise UnsupportedError(f"{path.name}: TIFF is written as .tif or .tiff: expected one of these suffixes.")
    array: npt.NDArray[Any] = np.asarray(value.array)
    if array.dtype == np.bool_:
        array = array.view(np.uint8)
    if array.dtype.kind not in "iuf" or array.dtype.itemsize > 8:
        raise UnsupportedError(f"{path.name}: samples of type {array.dtype} have no TIFF type: expected integers or floats.")
    dims = value.dims
    colour = "c" in dims and array.dtype.kind == "u" and array.shape[dims.index("c")] in (3, 4)
    if colour:
        array = np.moveaxis(array, dims.index("c"), -1)
    outer = [d for d in dims if d not in ("y", "x") and not (colour and d == "c")]
    content = facts_of.describe(value, dims)
    content["geometry"] = {k: v for k, v in value.geometry.to_dict().items() if k != "frame"}
    content["pages"] = [[d, int(n)] for d, n in zip(outer, array.shape, strict=False)]
    tail = array.shape[len(outer) :]
    stack = np.ascontiguousarray(array).reshape(-1, *tail)
    with atomic.replacing(path) as handle:
        writer = tifffile.TiffWriter(handle, byteorder="<", bigtiff=stack.nbytes > 3 << 30)
        with writer:
            for k, page in enumerate(stack):
                writer.write(
                    page, photometric="rgb" if colour else "minisblack", metadata=None, software=False, datetime=False, contiguous=False,
                    description=facts_of.encode(content).encode() if k == 0 else None,
                    **({"extrasamples": ["unassalpha"]} if colour and tail[-1] == 4 else {}),
                )  # fmt: skip
