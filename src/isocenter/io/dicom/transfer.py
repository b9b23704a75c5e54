"""Transfer syntaxes: how the bytes of a dataset and of its pixels are written.

References
----------
DICOM PS3.5 section 10 and annex A; PS3.6 annex A.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from isocenter.core.errors import FormatError, UnsupportedError
from isocenter.io.dicom.words import clean

__all__ = ["SYNTAXES", "Codec", "Syntax", "syntax"]

Codec = Literal["native", "rle", "jpeg", "jpeg-ls", "jpeg-2000", "deflate", "video"]


@dataclass(frozen=True)
class Syntax:
    """One transfer syntax.

    Attributes
    ----------
    uid, name
        As in PS3.6.
    codec
        Family of the pixel codec.
    implicit, big, deflated
        How the dataset is written: no value representations, big endian, deflated as a whole.
    lossy
        Whether the codec may have changed pixel values.
    """

    uid: str
    name: str
    codec: Codec = "native"
    implicit: bool = False
    big: bool = False
    deflated: bool = False
    lossy: bool = False

    @property
    def encapsulated(self) -> bool:
        """Whether pixels stand in fragments."""
        return self.codec != "native"


_BASE = "1.2.840.10008.1.2"

_VIDEO = {
    100: "MPEG2 Main Profile / Main Level", 101: "MPEG2 Main Profile / High Level", 102: "MPEG-4 AVC/H.264 High Profile / Level 4.1",
    103: "MPEG-4 AVC/H.264 BD-compatible High Profile / Level 4.1", 104: "MPEG-4 AVC/H.264 High Profile / Level 4.2 for 2D video",
    105: "MPEG-4 AVC/H.264 High Profile / Level 4.2 for 3D video", 106: "MPEG-4 AVC/H.264 Stereo High Profile / Level 4.2",
    107: "HEVC/H.265 Main Profile / Level 5.1", 108: "HEVC/H.265 Main 10 Profile / Level 5.1",
}  # fmt: skip

SYNTAXES: dict[str, Syntax] = {
    s.uid: s
    for s in (
        Syntax(_BASE, "Implicit VR Little Endian", implicit=True),
        Syntax(f"{_BASE}.1", "Explicit VR Little Endian"),
        Syntax(f"{_BASE}.1.99", "Deflated Explicit VR Little Endian", deflated=True),
        Syntax(f"{_BASE}.2", "Explicit VR Big Endian", big=True),
        Syntax(f"{_BASE}.5", "RLE Lossless", "rle"),
        Syntax(f"{_BASE}.8.1", "Deflated Image Frame Compression", "deflate"),
        Syntax(f"{_BASE}.4.50", "JPEG Baseline", "jpeg", lossy=True),
        Syntax(f"{_BASE}.4.51", "JPEG Extended", "jpeg", lossy=True),
        Syntax(f"{_BASE}.4.57", "JPEG Lossless (process 14)", "jpeg"),
        Syntax(f"{_BASE}.4.70", "JPEG Lossless (process 14, selection value 1)", "jpeg"),
        Syntax(f"{_BASE}.4.80", "JPEG-LS Lossless", "jpeg-ls"),
        Syntax(f"{_BASE}.4.81", "JPEG-LS Near-Lossless", "jpeg-ls", lossy=True),
        Syntax(f"{_BASE}.4.90", "JPEG 2000 Lossless", "jpeg-2000"),
        Syntax(f"{_BASE}.4.91", "JPEG 2000", "jpeg-2000", lossy=True),
        Syntax(f"{_BASE}.4.201", "High-Throughput JPEG 2000 Lossless", "jpeg-2000"),
        Syntax(f"{_BASE}.4.202", "High-Throughput JPEG 2000 with RPCL Lossless", "jpeg-2000"),
        Syntax(f"{_BASE}.4.203", "High-Throughput JPEG 2000", "jpeg-2000", lossy=True),
        *(
            Syntax(f"{_BASE}.4.{number}{part}", f"{name}{', fragmentable' if part else ''}", "video", lossy=True)
            for number, name in _VIDEO.items()
            for part in ("", ".1")[: 2 if number < 107 else 1]
        ),
    )
}

#: Those that the dictionary at hand may lack.
_NAMED = {
    f"{_BASE}.4.110": "JPEG XL Lossless", f"{_BASE}.4.111": "JPEG XL JPEG Recompression", f"{_BASE}.4.112": "JPEG XL",
    "1.2.840.113619.5.2": "GE private implicit VR with big-endian pixels",
}  # fmt: skip


def _registered(uid: str) -> str:
    """Return the name of a transfer syntax that is registered (or widely used) and not decoded, nothing for others."""
    from pydicom.uid import UID_dictionary

    if uid in _NAMED:
        return _NAMED[uid]
    entry = UID_dictionary.get(uid)
    return entry[0].split(":")[0] if entry is not None and entry[1] == "Transfer Syntax" else ""


def syntax(uid: str, path: Path) -> Syntax:
    """Return the transfer syntax of a UID.

    Raises
    ------
    UnsupportedError
        For a registered syntax that is not decoded.
    FormatError
        For a UID that names none.
    """
    found = SYNTAXES.get(uid)
    if found is not None:
        return found
    other = _registered(uid)
    if other:
        raise UnsupportedError(
            f"{clean(path)}: transfer syntax '{other}' ({uid}) is not decoded: expected an uncompressed, RLE, JPEG, JPEG-LS, "
            "JPEG 2000 or video file; transcode it first."
        )
    raise FormatError(
        f"{clean(path)}: TransferSyntaxUID (0002,0010) {clean(uid)!r} is no known transfer syntax: expected one of PS3.6 annex A; "
        "export the file again."
    )
