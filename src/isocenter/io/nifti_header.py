"""The headers of NIfTI-1 and NIfTI-2, parsed and packed; every field is checked before it is believed.

References
----------
R.W. Cox et al., NIfTI-1 data format (nifti1.h); NIfTI-2 (nifti2.h), Data Format Working Group, 2011.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.core.errors import FormatError, UnsupportedError

__all__ = ["CODES", "LABEL_INTENT", "SIZES", "VECTOR_INTENT", "Header", "pack", "parse", "size_of"]

#: datatype code -> (numpy type, bits per voxel, samples per voxel)
DATATYPES: dict[int, tuple[str, int, int]] = {
    2: ("u1", 8, 1), 4: ("i2", 16, 1), 8: ("i4", 32, 1), 16: ("f4", 32, 1), 32: ("c8", 64, 1), 64: ("f8", 64, 1),
    128: ("u1", 24, 3), 256: ("i1", 8, 1), 512: ("u2", 16, 1), 768: ("u4", 32, 1), 1024: ("i8", 64, 1),
    1280: ("u8", 64, 1), 1792: ("c16", 128, 1), 2304: ("u1", 32, 4),
}  # fmt: skip
#: numpy type -> datatype code, of one sample per voxel
CODES = {name: code for code, (name, _, samples) in DATATYPES.items() if samples == 1}
UNREAD = {1: "single bits", 1536: "128-bit floats", 2048: "256-bit complex numbers"}

_NAMES_1 = "i35xB8h3f4h8f3fhBB4f8x80s24s2h6f12f16s4s"
_NAMES_2 = "i8s2h8q3d8dq2d4d2q80s24s2i6d12d3i16sB15x"
SIZES = {1: 348, 2: 540}
LABEL_INTENT = 1002
VECTOR_INTENT = 1007


@dataclass(frozen=True)
class Header:
    """What a NIfTI header says, in the file's own terms (axes i j k ..., world RAS).

    Attributes
    ----------
    version, order, single
        1 or 2; ``<`` or ``>``; whether header and voxels share one file.
    shape
        Extents along i, j, k, t ... as stated.
    dtype, samples
        Type of one sample as stored, and samples per voxel (3 or 4 for colour).
    slope, inter
        Value = stored x slope + inter; slope 0 means as stored.
    pixdim
        Eight steps; the first one is the sign of the k axis in the qform.
    units
        Code of the units of space and time.
    qform, quaternion, sform
        Code, (b, c, d, x, y, z); code, three rows of four.
    offset
        First byte of the voxels.
    intent, toffset
        Intent code; start of the time axis.
    extended
        Whether the header announces extensions.
    """

    version: int
    order: str
    single: bool
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    samples: int
    slope: float
    inter: float
    pixdim: tuple[float, ...]
    units: int
    qform: int
    quaternion: tuple[float, ...]
    sform: int
    srow: npt.NDArray[np.float64]
    offset: int
    intent: int
    toffset: float
    extended: bool = False

    @property
    def nbytes(self) -> int:
        """Bytes of the voxels as stored."""
        return math.prod(self.shape) * self.samples * self.dtype.itemsize


def size_of(head: bytes) -> tuple[int, str] | None:
    """Return the version and byte order that the first four bytes stand for, None where they stand for neither."""
    if len(head) < 4:
        return None
    for order in "<>":
        size = struct.unpack(order + "i", head[:4])[0]
        for version, expected in SIZES.items():
            if size == expected:
                return version, order
    return None


def _fields(data: bytes, version: int, order: str) -> dict[str, Any]:
    if version == 1:
        v = struct.unpack(order + _NAMES_1, data[:348])
        names = {
            "dim": v[2:10], "intent": v[13], "datatype": v[14], "bitpix": v[15], "pixdim": v[17:25], "offset": v[25],
            "slope": v[26], "inter": v[27], "units": v[30], "toffset": v[34], "qform": v[37], "sform": v[38],
            "quaternion": v[39:45], "srow": v[45:57], "magic": v[58],
        }  # fmt: skip
        return names
    v = struct.unpack(order + _NAMES_2, data[:540])
    return {
        "magic": v[1][:4], "datatype": v[2], "bitpix": v[3], "dim": v[4:12], "pixdim": v[15:23], "offset": v[23],
        "slope": v[24], "inter": v[25], "toffset": v[29], "qform": v[34], "sform": v[35],
        "quaternion": v[36:42], "srow": v[42:54], "units": v[55], "intent": v[56],
    }  # fmt: skip


def parse(data: bytes, name: str) -> Header:
    """Parse and check a header.

    Parameters
    ----------
    data
        The file's first bytes: 352 of NIfTI-1, 544 of NIfTI-2 (four fewer where voxels lie elsewhere).
    name
        The file's name, for messages.

    Raises
    ------
    FormatError
        If any field contradicts the format or another field.
    UnsupportedError
        If the header is sound, but of a kind that is not read.
    """

    def wrong(what: str, expected: str) -> FormatError:
        return FormatError(f"{name}: {what}: expected {expected}; get a sound copy of the file.")

    if not data:
        raise wrong("empty file", "a NIfTI image")
    found = size_of(data)
    if found is None:
        raise wrong(f"the header's size field is {int.from_bytes(data[:4], 'little')}", "348 (NIfTI-1) or 540 (NIfTI-2)")
    version, order = found
    if len(data) < SIZES[version]:
        raise wrong(f"only {len(data)} bytes", f"a header of {SIZES[version]} bytes")
    f = _fields(data, version, order)
    magic = f["magic"]
    if magic[:3] not in ((b"n+1", b"ni1") if version == 1 else (b"n+2", b"ni2")):
        if version == 1 and not magic.strip(b"\0") and name.lower().endswith((".hdr", ".hdr.gz", ".img", ".img.gz")):
            return _analyze(f, order, name, wrong)
        raise wrong(f"magic {magic!r}", "b'n+1', b'ni1', b'n+2' or b'ni2'")
    shape = _shape(f["dim"], wrong)
    dtype, samples = _dtype(f["datatype"], f["bitpix"], order, name, wrong)
    single = magic[1:2] == b"+"
    offset = _offset(f["offset"], single, version, wrong)
    slope, inter = float(f["slope"]), float(f["inter"])
    if not math.isfinite(slope) or not math.isfinite(inter):
        raise wrong(f"scl_slope {slope:g} and scl_inter {inter:g}", "finite numbers")
    flag = data[SIZES[version] : SIZES[version] + 4]
    return Header(
        version, order, single, shape, dtype, samples, slope, inter, tuple(float(v) for v in f["pixdim"]), int(f["units"]),
        int(f["qform"]), tuple(float(v) for v in f["quaternion"]), int(f["sform"]),
        np.array(f["srow"], np.float64).reshape(3, 4), offset, int(f["intent"]), float(f["toffset"]),
        single and bool(flag[:1].strip(b"\0")),
    )  # fmt: skip


def _analyze(f: dict[str, Any], order: str, name: str, wrong: Any) -> Header:
    """Return an ANALYZE 7.5 header: extents, type and voxel size in mm stand where NIfTI has them, and nothing else does.

    Which side is left the format does not say: without qform and sform that becomes the problem it is.
    """
    shape = _shape(f["dim"], wrong)
    dtype, samples = _dtype(f["datatype"], f["bitpix"], order, name, wrong)
    offset = _offset(f["offset"], False, 1, wrong)
    # SPM keeps a scale where ANALYZE has an unused field; a value that is no factor is left alone.
    scale = float(f["slope"]) if math.isfinite(f["slope"]) and f["slope"] > 0 else 0.0
    pixdim = (1.0, *(float(v) for v in f["pixdim"][1:]))
    still = np.zeros((3, 4))
    return Header(1, order, False, shape, dtype, samples, scale, 0.0, pixdim, 2, 0, (0.0,) * 6, 0, still, offset, 0, 0.0, False)


def _shape(dim: Any, wrong: Any) -> tuple[int, ...]:
    count = int(dim[0])
    if not 1 <= count <= 7:
        raise wrong(f"dim[0] is {count}", "1 to 7 axes")
    shape = tuple(int(n) for n in dim[1 : count + 1])
    if min(shape) < 1:
        raise wrong(f"extents {shape}", "at least one sample along every axis")
    return shape


def _dtype(code: int, bits: int, order: str, name: str, wrong: Any) -> tuple[np.dtype[Any], int]:
    if code in UNREAD:
        raise UnsupportedError(f"{name}: voxels of {UNREAD[code]} (datatype {code}) are not read: expected integers or floats.")
    if code not in DATATYPES:
        raise wrong(f"datatype {code}", f"one of {sorted(DATATYPES)}")
    kind, expected, samples = DATATYPES[code]
    if bits != expected:
        raise wrong(f"bitpix {bits} with datatype {code}", f"bitpix {expected}")
    return np.dtype(order + kind), samples


def _offset(value: float, single: bool, version: int, wrong: Any) -> int:
    first = SIZES[version] + 4 if single else 0
    if not math.isfinite(value) or value != int(value) or not first <= value < 1 << 62:
        raise wrong(f"vox_offset {value:g}", f"a whole number from {first}")
    return int(value)


def pack(header: Header) -> bytes:
    """Return the bytes of a little-endian header, the four bytes that announce extensions included."""
    code = {(3, "u1"): 128, (4, "u1"): 2304}.get((header.samples, header.dtype.str[1:]), CODES.get(header.dtype.str[1:], 0))
    bits = DATATYPES[code][1]
    dim = [len(header.shape), *header.shape, *[1] * (7 - len(header.shape))]
    srow = [float(v) for v in header.srow.reshape(-1)]
    flag = bytes([1 if header.extended else 0, 0, 0, 0])
    blank = (b"", b"")
    if header.version == 1:
        return (
            struct.pack(
                "<" + _NAMES_1, 348, 0, *dim, 0, 0, 0, header.intent, code, bits, 0, *header.pixdim, header.offset,
                header.slope, header.inter, 0, 0, header.units, 0, 0, 0, header.toffset, *blank, header.qform, header.sform,
                *header.quaternion, *srow, b"", b"n+1\0",
            )
            + flag
        )  # fmt: skip
    return (
        struct.pack(
            "<" + _NAMES_2, 540, b"n+2\0\r\n\x1a\n", code, bits, *dim, 0, 0, 0, *header.pixdim, header.offset,
            header.slope, header.inter, 0, 0, 0, header.toffset, 0, 0, *blank, header.qform, header.sform,
            *header.quaternion, *srow, 0, header.units, header.intent, b"", 0,
        )
        + flag
    )  # fmt: skip
