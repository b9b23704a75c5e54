"""The formats: which module reads a file, and which writes one.

A file is recognised by what it holds; its name only decides what a broken one was meant to be. Format modules
are imported when a file first needs them.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Literal

__all__ = ["FORMATS", "HEAD", "Format", "by_suffix", "recognise"]

#: Bytes of a file that recognition looks at.
HEAD = 4096


@dataclass(frozen=True)
class Format:
    """One format module of `isocenter.io`: its name and the suffixes its files carry."""

    name: str
    suffixes: tuple[str, ...]
    writes: bool = True

    def module(self) -> ModuleType:
        """Import the module."""
        return importlib.import_module(f"isocenter.io.{self.name}")

    def claims(self, path: Path) -> bool:
        """Return whether a file's name ends as this format's do."""
        return path.name.lower().endswith(self.suffixes)


#: In the order in which they are asked. DICOM comes first: its preamble may look like anything.
FORMATS: tuple[Format, ...] = (
    Format("dicom", (".dcm", ".dicom", ".ima"), writes=False),
    Format("nrrd", (".nrrd", ".nhdr", ".seg.nrrd")),
    Format("metaimage", (".mha", ".mhd")),
    Format("png", (".png",)),
    Format("vendor_slide", (".ndpi", ".mrxs", ".scn", ".svslide", ".bif"), writes=False),
    Format("tiff", (".tif", ".tiff", ".svs")),
    Format("jpeg", (".jpg", ".jpeg"), writes=False),
    Format("bitmap", (".bmp", ".webp"), writes=False),
    Format("ome_zarr", (".ome.zarr", ".zarr")),
    Format("edf", (".edf", ".bdf"), writes=False),
    Format("video", (".mp4", ".m4v", ".mov", ".qt", ".avi", ".mkv", ".webm", ".mpg", ".mpeg")),
    Format("npy", (".npy",), writes=False),
    Format("time_series", (), writes=False),
    Format("siemens_raw", (), writes=False),
    Format("minc", (".mnc",), writes=False),
    Format("ismrmrd", (".h5", ".hdf5", ".mrd", ".ismrmrd"), writes=False),
    Format("nifti", (".nii", ".nii.gz", ".nii.bz2", ".hdr", ".hdr.gz", ".img", ".img.gz")),
)

#: Kinds of files that are known and not read, and what to do instead.
KNOWN: dict[str, str] = {
    ".gii": "a GIFTI surface", ".svg": "a drawing (SVG), which may carry scripts",
    ".par": "a Philips PAR/REC image", ".mgz": "a FreeSurfer image", ".mgh": "a FreeSurfer image", ".mat": "a MATLAB file",
    ".gif": "an animation (GIF)", ".pdf": "a document (PDF)",
    ".czi": "a microscope file", ".nd2": "a microscope file", ".lif": "a microscope file", ".pkl": "a pickle, which may run code",
    ".npz": "NumPy arrays without a geometry", ".csv": "a table without a time column", ".tsv": "a table without a time column",
}  # fmt: skip


def recognise(
    head: bytes, path: Path, formats: Sequence[Format] = FORMATS
) -> tuple[Format | None, Literal["content", "name", ""]]:
    """Return the format of a file and what it was recognised by.

    Parameters
    ----------
    head
        Its first bytes.
    path
        The file.
    formats
        Those to ask.

    Returns
    -------
    tuple
        The format (None where there is none) and ``content``, or ``name`` where only the suffix speaks for it.
    """
    for one in formats:
        if head and one.module().sniff(head, path):
            return one, "content"
    for one in formats:
        if one.claims(path):
            return one, "name"
    return None, ""


def by_suffix(path: Path) -> Format | None:
    """Return the format that writes files of that name, None where none does."""
    best = [f for f in FORMATS if f.writes and f.claims(path)]
    return best[0] if best else None
