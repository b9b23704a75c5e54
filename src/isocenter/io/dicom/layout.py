"""How a file's pixels are stored, checked against the file before anything is allocated.

References
----------
DICOM PS3.3 C.7.6.3 (image pixel module); PS3.5 section 8 (encoding of pixel data).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from isocenter.core.errors import FormatError, UnsupportedError
from isocenter.io.budget import Budget
from isocenter.io.dicom import values
from isocenter.io.dicom.dataset import File
from isocenter.io.dicom.elements import Dataset
from isocenter.io.dicom.words import clean

__all__ = ["Layout", "has_pixels", "layout"]

PIXELS, FLOATS, DOUBLES = 0x7FE00010, 0x7FE00008, 0x7FE00009
_SINGLE = ("MONOCHROME1", "MONOCHROME2", "PALETTE COLOR")
_COLOUR = ("RGB", "YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT", "YBR_PARTIAL_420", "YBR_PARTIAL_422")


@dataclass(frozen=True, slots=True)
class Layout:
    """Storage of pixels.

    Attributes
    ----------
    rows, columns, frames, samples
        Size; `samples` per pixel.
    allocated, stored, high
        Bits of a sample's cell, bits used, and the highest bit used.
    signed, floating
        Kind of number.
    photometric, planar
        Meaning and order of the samples.
    start, length
        Where native pixels lie.
    fragments
        Where encapsulated ones lie: the offset table first.
    """

    rows: int
    columns: int
    frames: int
    samples: int
    allocated: int
    stored: int
    high: int
    signed: bool
    floating: bool
    photometric: str
    planar: int
    start: int
    length: int
    fragments: tuple[tuple[int, int], ...] | None = None
    notes: tuple[str, ...] = field(default=(), compare=False)

    @property
    def dtype(self) -> np.dtype[np.generic]:
        """Native-order type of one stored sample."""
        if self.floating:
            return np.dtype(f"f{self.allocated // 8}")
        return np.dtype(f"{'i' if self.signed else 'u'}{max(1, (self.allocated + 7) // 8)}")

    @property
    def frame_bytes(self) -> int:
        """Bytes of one decoded frame."""
        return self.rows * self.columns * self.samples * self.dtype.itemsize

    @property
    def range(self) -> tuple[int, int]:
        """Lowest and highest value that the stored bits can hold."""
        if self.signed:
            return -(1 << (self.stored - 1)), (1 << (self.stored - 1)) - 1
        return 0, (1 << self.stored) - 1

    def native_bits(self) -> int:
        """Bits that native pixels take in the file."""
        samples = 2 if self.photometric == "YBR_FULL_422" else self.samples
        return self.rows * self.columns * samples * self.frames * self.allocated


def has_pixels(data: Dataset) -> bool:
    """Return whether a dataset holds pixels of any kind."""
    return any(tag in data.elements for tag in (PIXELS, FLOATS, DOUBLES))


def layout(file: File, budget: Budget, most_frames: int | None = None) -> Layout:
    """Read and check how a file's pixels are stored.

    Parameters
    ----------
    file
        The opened file.
    budget
        Limits.
    most_frames
        Of tiles that are never held together: how many there may be; then their sum counts against no other limit.

    Raises
    ------
    FormatError
        If the description is impossible or the file holds fewer pixels than it says.
    BudgetError
        If they would take more than the budget.
    """
    found = _described(file)
    if most_frames is not None:
        replace(budget, max_frames=most_frames).check_frames(found.frames, file.path, "the tiles")
        budget.check_shape((found.rows, found.columns, found.samples), found.dtype.itemsize, file.path, "a tile")
        return _present(file, found, None)
    budget.check_frames(found.frames, file.path)
    budget.check_shape((found.frames, found.rows, found.columns, found.samples), found.dtype.itemsize, file.path, "the pixels")
    return _present(file, found, budget)


def _whole(file: File, keyword: str, low: int, high: int, default: int | None = None) -> int:
    value = values.integer(file.data, keyword)
    if value is None:
        value = default
    if value is None:
        raise FormatError(f"{clean(file.path)}: {keyword} is missing: expected it beside pixel data; export the file again.")
    if not low <= value <= high:
        raise FormatError(
            f"{clean(file.path)}: {keyword} is {value}: expected {low} to {high}; the header is damaged, export the file again."
        )
    return value


def _described(file: File) -> Layout:
    data, path = file.data, file.path
    tag = next((t for t in (PIXELS, FLOATS, DOUBLES) if t in data.elements), None)
    if tag is None:
        raise FormatError(f"{clean(path)}: PixelData (7FE0,0010) is missing: expected pixels; fetch the file again.")
    floating = tag != PIXELS
    samples = _whole(file, "SamplesPerPixel", 1, 4, 1 if floating else None)
    rows, columns = _whole(file, "Rows", 1, 65535), _whole(file, "Columns", 1, 65535)
    frames = _whole(file, "NumberOfFrames", 1, 1 << 31, 1)
    photometric = values.text(data, "PhotometricInterpretation", "MONOCHROME2" if floating else "")
    wanted = 1 if photometric in _SINGLE else 3 if photometric in _COLOUR else 0
    if not wanted:
        raise FormatError(
            f"{clean(path)}: PhotometricInterpretation (0028,0004) is '{clean(photometric)}': expected one of "
            f"{', '.join(_SINGLE + _COLOUR[:5])}; correct the header."
        )
    if samples != wanted:
        raise FormatError(
            f"{clean(path)}: SamplesPerPixel (0028,0002) is {samples} with PhotometricInterpretation {photometric}: expected {wanted}; "
            "the header contradicts itself, export the file again."
        )
    if photometric.startswith("YBR_PARTIAL") and file.syntax.codec != "video":
        raise UnsupportedError(
            f"{clean(path)}: PhotometricInterpretation {photometric} is not read: expected RGB or YBR_FULL; convert it first."
        )
    if floating:
        allocated = 32 if tag == FLOATS else 64
        stored, high, signed = allocated, allocated - 1, True
    else:
        allocated, stored, high = _bits(file)
        signed = bool(_whole(file, "PixelRepresentation", 0, 1, 0 if photometric not in _SINGLE[:2] else None))
    planar = _whole(file, "PlanarConfiguration", 0, 1, 0) if samples > 1 else 0
    element = data.elements[tag]
    fragments = None if element.fragments is None else tuple(element.fragments)
    return Layout(
        rows, columns, frames, samples, allocated, stored, high, signed, floating, photometric, planar, element.start,
        element.length, fragments,
    )  # fmt: skip


def _bits(file: File) -> tuple[int, int, int]:
    allocated = _whole(file, "BitsAllocated", 1, 64)
    if allocated not in (1, 8, 12, 16, 32, 64):
        raise FormatError(
            f"{clean(file.path)}: BitsAllocated (0028,0100) is {allocated}: expected 1, 8, 16 or 32; correct the header."
        )
    stored = _whole(file, "BitsStored", 1, allocated, allocated)
    high = _whole(file, "HighBit", 0, allocated - 1, stored - 1)
    if high != stored - 1:
        raise FormatError(
            f"{clean(file.path)}: HighBit (0028,0102) is {high} with BitsStored {stored}: expected {stored - 1}; which bits hold the value "
            "cannot be known, export the file again."
        )
    return allocated, stored, high


def _present(file: File, found: Layout, budget: Budget | None) -> Layout:
    path = file.path
    if file.syntax.encapsulated:
        if found.fragments is None:
            raise FormatError(
                f"{clean(path)}: PixelData (7FE0,0010) is not in fragments, but the transfer syntax is {file.syntax.name}: expected them to "
                "agree; export the file again."
            )
        packed = sum(length for _, length in found.fragments[1:])
        if len(found.fragments) < 2 or not packed:
            raise FormatError(
                f"{clean(path)}: PixelData (7FE0,0010) holds no compressed bytes: expected {found.frames} frame(s); fetch it again."
            )
        if any(length == 0 for _, length in found.fragments[1:]):
            raise FormatError(
                f"{clean(path)}: a fragment of PixelData (7FE0,0010) is empty: expected compressed bytes; fetch the file again."
            )
        if (
            budget is not None and file.syntax.codec != "video"
        ):  # a still scene of any length packs into next to nothing; its size alone counts
            budget.check_ratio(packed, found.frame_bytes * found.frames, path, "decoding the pixels")
        return found
    if found.fragments is not None:
        raise FormatError(
            f"{clean(path)}: PixelData (7FE0,0010) is in fragments, but the transfer syntax is {file.syntax.name}: expected them to agree; "
            "export the file again."
        )
    wanted = (found.native_bits() + 7) // 8
    if found.length < wanted:
        raise FormatError(
            f"{clean(path)}: PixelData holds {found.length} bytes, but {found.frames} x {found.rows} x {found.columns} x {found.samples} samples of "
            f"{found.allocated} bits need {wanted}: expected whole pixels; the file was cut short, fetch it again."
        )
    if found.length > wanted + (wanted & 1):
        file.warnings.append(f"PixelData holds {found.length - wanted} bytes more than its header describes; they were ignored.")
    return found
