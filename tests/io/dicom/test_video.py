"""Video transfer syntaxes: every frame comes back in its colours, and the dataset must tell the truth about them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import generate_uid

from isocenter.io.door import inspect, read
from tests.io.films import film, pictures

pytest.importorskip("av", reason="video is an extra")

BASE = "1.2.840.10008.1.2.4."
ENDOSCOPY = "1.2.840.10008.5.1.4.1.1.77.1.1.1"
EVEN = tuple(k / 25 for k in range(6))
STREAMS = [
    pytest.param("100", "mpeg2video", ".m2v", id="mpeg2-bare"),
    pytest.param("101", "mpeg2video", ".mpg", id="mpeg2-program-stream"),
    pytest.param("102", "libx264", ".h264", id="h264-bare"),
    pytest.param("103.1", "libx264", ".mp4", id="h264-mp4-in-fragments"),
    pytest.param("104", "libx264", ".ts", id="h264-transport-stream"),
    pytest.param("107", "libx265", ".hevc", id="hevc-bare"),
]


def dicom_video(folder: Path, syntax: str, stream: bytes, **changes: Any) -> Path:
    """Write a video object around a stream."""
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = BASE + syntax
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = ENDOSCOPY, generate_uid(entropy_srcs=["video"])
    data = FileDataset(str(folder / "video.dcm"), Dataset(), file_meta=meta, preamble=b"\0" * 128)
    data.SOPClassUID, data.SOPInstanceUID = ENDOSCOPY, meta.MediaStorageSOPInstanceUID
    data.StudyInstanceUID, data.SeriesInstanceUID = "2.25.11", "2.25.12"
    data.Modality, data.PatientID, data.PatientName = "ES", "P", "P"
    data.Rows, data.Columns, data.NumberOfFrames, data.SamplesPerPixel = 48, 64, 6, 3
    data.PhotometricInterpretation, data.PlanarConfiguration = "YBR_PARTIAL_420", 0
    data.BitsAllocated, data.BitsStored, data.HighBit, data.PixelRepresentation = 8, 8, 7, 0
    data.FrameTime = "40"
    for name, value in changes.items():
        setattr(data, name, value)
    pieces = [stream[k : k + 1000] for k in range(0, len(stream), 1000)] if syntax.endswith(".1") else [stream]
    data.PixelData = encapsulate([p + b"\0" * (len(p) % 2) for p in pieces], has_bot=False)
    data["PixelData"].VR = "OB"
    data["PixelData"].is_undefined_length = True
    path = folder / "video.dcm"
    pydicom.dcmwrite(path, data, implicit_vr=False, little_endian=True)
    return path


def stream_of(folder: Path, codec: str, suffix: str) -> bytes:
    options: Any = {"x265-params": "log-level=none"} if codec == "libx265" else {}
    return film(folder / f"a{suffix}", pictures(colour=True), codec, "yuv420p", EVEN, **options).read_bytes()


@pytest.mark.parametrize(("syntax", "codec", "suffix"), STREAMS)
def test_frames_come_back_in_their_colours(tmp_path: Path, syntax: str, codec: str, suffix: str) -> None:
    truth = pictures(colour=True)
    image = read(dicom_video(tmp_path, syntax, stream_of(tmp_path, codec, suffix)))
    assert image.dims == ("t", "c", "y", "x") and image.modality == "ES" and image.channels == ("red", "green", "blue")
    found = np.moveaxis(np.asarray(image.array), 1, -1)[:, 4:40:8, 4:60:8].astype(int)
    assert np.abs(found - truth[:, 4:40:8, 4:60:8]).mean() < 8
    assert image.times == pytest.approx([0.0, 0.04, 0.08, 0.12, 0.16, 0.2])


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"NumberOfFrames": 7}, "6 frames, NumberOfFrames"),
        ({"NumberOfFrames": 5}, "6 frames, NumberOfFrames"),
        ({"Rows": 50}, "48 x 64"),
        ({"SamplesPerPixel": 1, "PhotometricInterpretation": "MONOCHROME2"}, "expected them to agree"),
    ],
)
def test_a_dataset_that_lies_about_its_video_is_refused(tmp_path: Path, changes: dict[str, Any], told: str) -> None:
    path = dicom_video(tmp_path, "102", stream_of(tmp_path, "libx264", ".h264"), **changes)
    (refusal,) = inspect(path).refusals
    assert told in refusal.reason and "video.dcm" in refusal.reason


@pytest.mark.parametrize("stream", [b"\0" * 600, b"#EXTM3U\nfile:///etc/passwd\n" * 20, b"\0\0\0\1" + b"\x67" * 500])
def test_no_stream_is_a_sentence(tmp_path: Path, stream: bytes) -> None:
    inventory = inspect(dicom_video(tmp_path, "102", stream))
    assert not inventory.items and "video.dcm" in inventory.refusals[0].reason


@pytest.mark.parametrize(
    ("syntax", "name"),
    [("92", "JPEG 2000 Part 2"), ("94", "JPIP Referenced"), ("112", "JPEG XL"), ("52", "JPEG Extended"), ("205", "JPIP HTJ2K")],
)  # fmt: skip
def test_a_syntax_that_is_not_read_is_named(tmp_path: Path, syntax: str, name: str) -> None:
    path = dicom_video(tmp_path, "101", b"\1\2\3\4")
    old, new = (f"{BASE}{n}".ljust(24, "\0").encode() for n in ("101", syntax))
    path.write_bytes(path.read_bytes().replace(old[: len(f"{BASE}101") + 1], new[: len(f"{BASE}101") + 1], 1))
    (refusal,) = inspect(path).refusals
    assert name in refusal.reason and refusal.kind == "unsupported"
