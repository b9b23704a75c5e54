"""Seeded mutations of small sound files: flipped, cut, grown, spliced and rewritten bytes."""

from __future__ import annotations

import gzip
import io
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image as Pillow

from isocenter.core.geometry import Geometry
from isocenter.core.image import Image
from isocenter.core.labels import LabelMap
from isocenter.io import door

EDGES = (
    b"\x00",
    b"\xff",
    b"\x7f",
    b"\x80",
    b"\xff\xff\xff\xff",
    b"\xff\xff\xff\x7f",
    b"\x00\x00\x00\x80",
    b"-1",
    b"nan",
    b"1e309",
    b"99999999999",
    b"..",
    b"/",
)


def seeds(folder: Path) -> dict[str, bytes]:
    """Return small sound files of every format by name."""
    grid = Geometry.regular((3, 4, 5), (3.0, 1.0, 0.5))
    volume = Image(np.arange(60, dtype=np.int16).reshape(3, 4, 5), ("z", "y", "x"), grid, modality="CT")
    labels = LabelMap((np.asarray(volume.array) % 3).astype(np.uint8), ("z", "y", "x"), grid)
    colour = Image(np.arange(60, dtype=np.uint8).reshape(3, 4, 5), ("c", "y", "x"), Geometry.pixels((4, 5)))
    deep = Image(np.arange(60, dtype=np.uint16).reshape(3, 4, 5), ("c", "y", "x"), Geometry.pixels((4, 5)))
    values = {
        "a.nii": volume, "b.nii.gz": labels, "c.nrrd": volume, "d.mha": volume, "e.seg.nrrd": labels, "f.png": colour, "g.png": deep,
        "h.tif": volume, "i.tiff": colour,
    }  # fmt: skip
    for name, value in values.items():
        door.write(value, folder / name)
    found = {name: (folder / name).read_bytes() for name in values}
    for name, format in (("j.jpg", "JPEG"), ("k.bmp", "BMP"), ("l.webp", "WEBP"), ("m.png", "PNG"), ("n.tif", "TIFF")):
        buffer = io.BytesIO()
        Pillow.fromarray(np.arange(300, dtype=np.uint8).reshape(10, 10, 3)).save(
            buffer, format, **({"compression": "tiff_lzw"} if format == "TIFF" else {})
        )
        found[name] = buffer.getvalue()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x/a.nii", found["a.nii"])
        archive.writestr("x/b.png", found["f.png"])
    found["o.zip"] = buffer.getvalue()
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive_tar:
        entry = tarfile.TarInfo("x/a.nii")
        entry.size = len(found["a.nii"])
        archive_tar.addfile(entry, io.BytesIO(found["a.nii"]))
    found["p.tar"] = buffer.getvalue()
    found["q.tar.gz"] = gzip.compress(found["p.tar"], mtime=0)
    for name in values:
        (folder / name).unlink()
    return found


def mutate(data: bytes, rng: np.random.Generator) -> bytes:
    """Return one mutation of a file; most changes fall into its first kilobyte, where the headers are."""
    raw = bytearray(data)
    for _ in range(int(rng.integers(1, 5))):
        top = len(raw) if rng.random() < 0.3 else min(len(raw), 1024)
        at = int(rng.integers(0, max(1, top)))
        kind = int(rng.integers(0, 7))
        if kind == 0:
            raw[at : at + 1] = bytes([int(rng.integers(0, 256))])
        elif kind == 1:
            edge = EDGES[int(rng.integers(0, len(EDGES)))]
            raw[at : at + len(edge)] = edge
        elif kind == 2:
            del raw[at:]
        elif kind == 3:
            del raw[at : at + int(rng.integers(1, 40))]
        elif kind == 4:
            raw[at:at] = rng.integers(0, 256, int(rng.integers(1, 40)), np.uint8).tobytes()
        elif kind == 5:
            other = int(rng.integers(0, max(1, len(raw))))
            raw[at : at + 16] = raw[other : other + 16]
        elif at < len(raw):
            raw[at] ^= 1 << int(rng.integers(0, 8))
    return bytes(raw)


def mutants(folder: Path, count: int, seed: int) -> Iterator[Path]:
    """Write mutated files into `folder`, one at a time, and yield their paths."""
    rng = np.random.default_rng(seed)
    sound = seeds(folder)
    names = sorted(sound)
    for k in range(count):
        name = names[k % len(names)]
        path = folder / name
        path.write_bytes(mutate(sound[name], rng))
        yield path
        path.unlink()
