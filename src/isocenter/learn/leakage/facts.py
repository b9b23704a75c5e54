"""One pass over the images of a cohort: digest, thumbnail and the facts around the pixels, in bounded memory."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.core.errors import IsocenterError
from isocenter.core.image import Image
from isocenter.core.provenance import digest_array
from isocenter.learn.data.cohort import Cohort
from isocenter.learn.data.patients import pseudonymous
from isocenter.learn.leakage.likeness import FINE, SIDE, descriptor, picture_of, thumbnail

__all__ = ["Facts", "gather"]

#: Thumbnails beyond this many bytes go to a temporary file.
IN_MEMORY = 256 << 20
Fact = str | float


@dataclass
class Facts:
    """What one pass over a cohort's images gives.

    Attributes
    ----------
    digests
        Digest of the pixel values of each image, empty where it could not be read.
    thumbnails
        Shape (n, FINE, FINE), float16, for confirming likeness.
    spectra
        Shape (n, SIDE, SIDE), for proposing it.
    flat
        Whether each image is a picture, which may be mirrored, not a volume.
    table
        Name of a fact (``suffix``, ``rows``, ``spacing``, ``mark upper left`` ...) to its value for each image.
    patients
        Pseudonym of the patient that a header names, empty where none does.
    unreadable
        (position, reason) of images that cannot be read.
    """

    digests: list[str]
    thumbnails: npt.NDArray[np.float16]
    spectra: npt.NDArray[np.float32]
    flat: npt.NDArray[np.bool_]
    table: dict[str, list[Fact]] = field(default_factory=dict)
    patients: list[str] = field(default_factory=list)
    unreadable: list[tuple[int, str]] = field(default_factory=list)


def gather(cohort: Cohort, progress: Callable[[int, int], None] | None = None) -> Facts:
    """Read every image of a cohort once.

    Parameters
    ----------
    cohort
        Cases with images.
    progress
        Called with (done, of) after each.
    """
    count = len(cohort)
    shape = (count, FINE, FINE)
    thumbnails: npt.NDArray[np.float16]
    if count * FINE * FINE * 2 <= IN_MEMORY:
        thumbnails = np.zeros(shape, np.float16)
    else:
        thumbnails = np.memmap(tempfile.TemporaryFile(), np.float16, "w+", shape=shape)  # noqa: SIM115  # lives as long as the array
    facts = Facts(
        [""] * count, thumbnails, np.zeros((count, SIDE, SIDE), np.float32), np.zeros(count, bool), patients=[""] * count
    )
    for k in range(count):
        try:
            image, known, facts.patients[k] = _read(cohort.file(k))
        except IsocenterError as error:
            facts.unreadable.append((k, str(error)))
            known = {}
        else:
            array = np.asarray(image.array)
            picture = picture_of(array, image.dims)
            facts.digests[k] = _pixel_digest(array)
            facts.thumbnails[k] = thumbnail(picture)
            facts.spectra[k] = descriptor(picture)
            facts.flat[k] = len(image.spatial_axes) < 3
            known.update(_around(image, array, picture))
        for name, value in known.items():
            facts.table.setdefault(name, [""] * count)[k] = value
        if progress is not None:
            progress(k + 1, count)
    return facts


def _read(path: Path) -> tuple[Image, dict[str, Fact], str]:
    """Return an image, what its file and headers say, and whom they name."""
    from isocenter.io import door

    items = [item for item in door.inspect(path).items if item.kind == "image"]
    if len(items) != 1:
        return door.read(path), {}, ""  # says what is wrong, or reads what is no plain image
    item = items[0]
    image = item.load()
    facts: dict[str, Fact] = {
        f"header {key}": value for key, value in item.attributes.items() if isinstance(value, str | int | float)
    }
    facts["suffix"] = "".join(path.suffixes[-2:]).lower() if path.is_file() else "folder"
    facts["bytes of the file"] = float(path.stat().st_size) if path.is_file() else float(len(item.paths))
    facts["format"] = item.format
    return image, facts, pseudonymous(item.patient) if item.format == "dicom" and item.patient else ""


def _pixel_digest(array: npt.NDArray[Any]) -> str:
    """Return a digest of the values, whatever integer type they are stored as."""
    if array.dtype.kind in "iub" and array.dtype.itemsize <= 4:
        array = array.astype(np.int64 if array.dtype == np.uint32 else np.int32)
    return digest_array(array)


def _around(image: Image, array: npt.NDArray[Any], picture: npt.NDArray[np.float32]) -> dict[str, Fact]:
    """Return what a shallow reader could tell from an image without looking at its content."""
    facts: dict[str, Fact] = {
        "size": " x ".join(str(n) for n in image.geometry.shape),
        "sample type": str(array.dtype),
        "channels": "".join(image.dims),
        "modality": image.modality or "",
        "quantity": image.quantity or "",
        "spacing": " x ".join(f"{v:.4g}" for v in image.geometry.spacing) if image.geometry.unit == "mm" else "unknown",
        "direction": image.geometry.orientation if image.geometry.unit == "mm" else "unknown",
        "lowest value": float(picture.min()),
        "highest value": float(picture.max()),
    }
    if facts_of_frame := _frame(picture):
        facts.update(facts_of_frame)
    return facts


def _frame(picture: npt.NDArray[np.float32]) -> dict[str, Fact]:
    """Return marks burnt into the corners (share of samples at the very top of the range) and the width of empty borders."""
    rows, columns = picture.shape
    if min(rows, columns) < 16:
        return {}
    low, high = float(picture.min()), float(picture.max())
    if high <= low:
        return {}
    top = picture >= high - 0.02 * (high - low)
    half_r, half_c = max(rows // 6, 4), max(columns // 6, 4)
    corners = {
        "upper left": top[:half_r, :half_c],
        "upper right": top[:half_r, -half_c:],
        "lower left": top[-half_r:, :half_c],
        "lower right": top[-half_r:, -half_c:],
    }
    facts: dict[str, Fact] = {f"mark {name}": float(part.mean()) for name, part in corners.items()}
    empty_rows = np.flatnonzero(np.ptp(picture, axis=1) > 0)
    empty_columns = np.flatnonzero(np.ptp(picture, axis=0) > 0)
    facts["empty border"] = float(
        min(empty_rows[0], rows - 1 - empty_rows[-1]) + min(empty_columns[0], columns - 1 - empty_columns[-1])
    )
    return facts
