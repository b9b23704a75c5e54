"""Pictures: what PNG, JPEG, BMP, WebP and TIFF share.

A picture has no place in a patient. Its geometry is in pixels unless the file states a physical size of its
samples (microscopes do; a resolution in dots per inch is about printing and means nothing here).
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image as Pillow

from isocenter.core.errors import BudgetError, FormatError, UnsupportedError
from isocenter.core.geometry import Geometry
from isocenter.core.image import SPATIAL, Image
from isocenter.core.labels import LabelMap, MaskStack
from isocenter.core.operation import Spec
from isocenter.io import facts as facts_of
from isocenter.io.budget import Budget
from isocenter.io.inventory import Item, Problem
from isocenter.io.lazy import sourced
from isocenter.io.text import slot_name, stem

__all__ = ["COLOURS", "Picture", "decoding", "pillow_array", "pillow_open", "plane"]

COLOURS: dict[int, tuple[str, ...]] = {2: ("grey", "alpha"), 3: ("red", "green", "blue"), 4: ("red", "green", "blue", "alpha")}


@contextmanager
def decoding(path: Path) -> Iterator[None]:
    """Turn whatever a decoder raises on bad bytes into one sentence.

    Raises
    ------
    FormatError
        For damaged data.
    BudgetError
        For a picture larger than the decoder allows.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # decoders warn about odd metadata; what matters is checked here
            yield
    except (FormatError, BudgetError):
        raise
    except Pillow.DecompressionBombError as error:
        raise BudgetError(
            f"{path.name}: has more pixels than the decoder allows: expected a smaller picture; cut it into tiles."
        ) from error
    except Exception as error:
        what = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        raise FormatError(f"{path.name}: the picture is damaged ({what}): expected a whole file; get a fresh copy.") from error


def pillow_open(format: str, path: Path, budget: Budget, data: bytes | None = None) -> Pillow.Image:
    """Open a picture with Pillow, one format only, and check its size before anything is decoded.

    Parameters
    ----------
    format
        Pillow's name of the format.
    path
        The file.
    budget
        Limits.
    data
        Its bytes, where they were read (and cleaned) already.
    """
    if data is None:
        budget.check_bytes(path.stat().st_size, path, "reading the file")
        data = path.read_bytes()
    with decoding(path):
        picture = Pillow.open(io.BytesIO(data), formats=(format,))
    width, height = picture.size
    if width < 1 or height < 1:
        raise FormatError(f"{path.name}: {width} x {height} pixels: expected at least one each way; get a sound copy.")
    budget.check_pixels(width * height, path)
    size = budget.check_shape((height, width, len(picture.getbands())), 2 if "16" in picture.mode else 1, path, "the picture")
    budget.check_ratio(len(data), size, path, "decoding")
    return picture


def pillow_array(picture: Pillow.Image, path: Path) -> npt.NDArray[Any]:
    """Decode a picture to (y, x) or (y, x, c) in the type it has."""
    with decoding(path):
        if picture.mode == "P":
            picture = picture.convert("RGBA" if "transparency" in picture.info else "RGB")
        if picture.mode not in ("1", "L", "LA", "RGB", "RGBA", "I;16", "I;16B", "I;16L", "I", "F"):
            raise UnsupportedError(f"{path.name}: pixels of mode {picture.mode} are not read: expected grey, RGB or RGBA.")
        picture.load()
        array = np.asarray(picture)
    if array.dtype == np.bool_:
        array = array.astype(np.uint8)
    return array.astype(array.dtype.newbyteorder("="), copy=False)


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
