"""Small sound files of every kind that the fuzzer bends: none above a few kilobytes, so that most bytes matter."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydicom.dataset import Dataset
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    RLELossless,
    SegmentationStorage,
)

from isocenter.core.geometry import Geometry
from isocenter.core.image import Image
from isocenter.core.labels import LabelMap, Segment
from isocenter.io import ome_zarr_write
from isocenter.io.dicom.write_seg import write_seg
from isocenter.io.dicom.write_series import write_series
from tests.io import mutants
from tests.io.dicom.samples import ct_slice, inspect, pet_slice, save
from tests.io.dicom.test_multiframe import enhanced, ramp
from tests.io.dicom.test_rtstruct import HOLE, SQUARE, at, structures
from tests.jobs.make_cohort import STUDY, ball

#: Every study that ships, and one with several kinds of parameters.
SPECS = Path(__file__).resolve().parents[2] / "src" / "isocenter" / "studies"
RAMP = np.add.outer(np.arange(40), np.arange(32)).astype(np.uint16) * 5


def _bytes(data: Dataset, **how: Any) -> bytes:
    buffer = io.BytesIO()
    data.save_as(buffer, enforce_file_format=True, **how)
    return buffer.getvalue()


def _compressed(uid: Any) -> bytes:
    data = ct_slice(0.0, RAMP)
    data.compress(uid)
    return _bytes(data)


def _in(uid: Any, *, implicit: bool = False, little: bool = True) -> bytes:
    data = ct_slice(0.0, RAMP if little else RAMP.astype(">u2"))
    data.file_meta.TransferSyntaxUID = uid
    return _bytes(data, implicit_vr=implicit, little_endian=little)


def _segmentation(folder: Path) -> bytes:
    save([ct_slice(float(z)) for z in range(3)], folder / "source")
    source = inspect(folder / "source")[0][0]
    assert source.spec.geometry is not None
    labels = np.zeros(source.spec.geometry.shape, np.uint8)
    labels[1, 1:3, 1:3], labels[2, 0, 0] = 1, 2
    table = (Segment(1, "lung"), Segment(2, "nodule"))
    write_seg(
        LabelMap(labels, ("z", "y", "x"), source.spec.geometry, table),
        source.identity,
        folder / "s.dcm",
        grid=source.spec.geometry,
    )
    return (folder / "s.dcm").read_bytes()


def _dicom(folder: Path) -> dict[str, bytes]:
    write_series(ball(1, 6), folder / "written")
    colour = ct_slice(0.0, RAMP.astype(np.uint8), SamplesPerPixel=3, PhotometricInterpretation="RGB", PlanarConfiguration=0)
    colour.Rows, colour.Columns = 10, 12
    colour.PixelData = np.arange(360, dtype=np.uint16).astype(np.uint8).tobytes()
    map_labels = enhanced([0.0, 1.0, 2.0], ramp(3, np.uint8), SOPClassUID=SegmentationStorage, SegmentationType="BINARY")
    return {
        "slice.dcm": _bytes(ct_slice(0.0, RAMP)),
        "written.dcm": next((folder / "written").iterdir()).read_bytes(),
        "implicit.dcm": _in(ImplicitVRLittleEndian, implicit=True),
        "big.dcm": _in(ExplicitVRBigEndian, little=False),
        "deflated.dcm": _in(DeflatedExplicitVRLittleEndian),
        "rle.dcm": _compressed(RLELossless),
        "jls.dcm": _compressed(JPEGLSLossless),
        "j2k.dcm": _compressed(JPEG2000Lossless),
        "pet.dcm": _bytes(pet_slice(0.0, RAMP)),
        "enhanced.dcm": _bytes(enhanced([0.0, 2.0, 4.0], ramp(3))),
        "colour.dcm": _bytes(colour),
        "seg.dcm": _segmentation(folder),
        "odd_seg.dcm": _bytes(map_labels),
        "rtstruct.dcm": _bytes(structures({"GTV": [at(SQUARE, 1.0), at(HOLE, 1.0)], "cord": [at(SQUARE, 2.0)]})),
    }


def _stores(folder: Path) -> dict[str, bytes]:
    """Return OME-Zarr hierarchies of both versions, each as the entries of one archive."""
    found = {}
    planes = np.add.outer(np.arange(3) * 7, RAMP[:9, :8]).astype(np.int16)
    volume = Image(planes, ("z", "y", "x"), Geometry.regular(planes.shape, (2.0, 1.0, 1.0)), modality="MR")
    labels = LabelMap((planes > 60).astype(np.uint8), volume.dims, volume.geometry, (Segment(1, "bright"),))
    several: tuple[tuple[Literal["0.4", "0.5"], Image], ...] = (("0.4", volume), ("0.5", volume), ("0.4", labels))
    for version, value in several:
        name = f"{'labels' if value is labels else 'image'}{version[-1]}.ome.zarr"
        ome_zarr_write.write(value, folder / name, version)
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            for path in sorted((folder / name).rglob("*")):
                if path.is_file():
                    archive.writestr(zipfile.ZipInfo(str(path.relative_to(folder))), path.read_bytes())
        found[f"{name}.zip"] = buffer.getvalue()
    return found


def seeds(folder: Path) -> dict[str, bytes]:
    """Return sound files by name; `folder` is scratch space."""
    folder.mkdir(parents=True, exist_ok=True)
    found = mutants.seeds(folder)
    found |= _dicom(folder)
    found |= _stores(folder)
    found["small.yaml"] = STUDY.encode()
    for path in sorted(SPECS.glob("*.yaml")):
        found[path.name] = path.read_bytes()
    buffer = io.BytesIO()
    np.save(buffer, RAMP, allow_pickle=False)
    found["array.npy"] = buffer.getvalue()
    found["series.csv"] = b"time,a,b\n" + b"".join(b"%.2f,%d,%d\n" % (k / 10, k, k * k) for k in range(12))
    return found
