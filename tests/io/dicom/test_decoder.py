"""The decoding child: limits kept, killed and replaced when it misbehaves, the parent none the wiser."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.uid import JPEG2000Lossless, JPEGLSLossless, RLELossless

from isocenter.core.errors import FormatError
from isocenter.io.budget import Budget
from isocenter.io.dicom import decoder
from isocenter.io.dicom.codestream import check_frame
from isocenter.io.dicom.dataset import open_file
from isocenter.io.dicom.layout import layout
from isocenter.io.dicom.pixels import Pixels, locate, stored
from tests.io.dicom.samples import PYDICOM, ct_slice, read, save

RAMP = np.add.outer(np.arange(80), np.arange(70)).astype(np.uint16) * 5


def compressed(tmp_path: Path, uid: pydicom.uid.UID, array: np.ndarray[Any, Any] = RAMP) -> Path:
    data = ct_slice(0.0, array)
    data.compress(uid)
    return save([data], tmp_path) / "000.dcm"


def located(path: Path) -> Pixels:
    file = open_file(path, Budget())
    return locate(file, layout(file, Budget()))


@pytest.mark.parametrize("uid", [RLELossless, JPEGLSLossless, JPEG2000Lossless])
@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.int16])
def test_lossless_codecs_give_back_what_was_put_in(tmp_path: Path, uid: pydicom.uid.UID, kind: type) -> None:
    array: Any = (RAMP % 251).astype(kind) - (100 if kind is np.int16 else 0)
    found, _ = stored(located(compressed(tmp_path, uid, array.astype(kind))))
    assert found.dtype == kind and np.array_equal(found[0], array)


def frame(tmp_path: Path) -> tuple[bytes, Pixels]:
    pixels = located(compressed(tmp_path, JPEGLSLossless))
    assert pixels.extents is not None
    start, length = pixels.extents[0][0]
    return pixels.path.read_bytes()[start : start + length], pixels


def test_damaged_streams_cost_the_file_not_the_child(tmp_path: Path) -> None:
    stream, pixels = frame(tmp_path)
    broken = stream[:60] + bytes(len(stream) - 62) + stream[-2:]
    for _ in range(3):
        with pytest.raises(FormatError, match="cannot be decoded"):
            decoder.decode_frame(broken, pixels.syntax, pixels.layout, 0, pixels.path)
    assert np.array_equal(decoder.decode_frame(stream, pixels.syntax, pixels.layout, 0, pixels.path)[0], RAMP)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda s: s[:-40], "end of image"),
        (lambda s: b"\0" + s[1:], "start of image"),
        (lambda s: s.replace(b"\xff\xf7", b"\xff\xc3", 1), "transfer syntax"),
    ],
)
def test_codestreams_are_compared_with_the_dataset_first(tmp_path: Path, change: Any, says: str) -> None:
    stream, pixels = frame(tmp_path)
    check_frame(stream, pixels.syntax, pixels.layout, 0, pixels.path)
    with pytest.raises(FormatError, match=says):
        check_frame(change(stream), pixels.syntax, pixels.layout, 0, pixels.path)


def test_series_of_compressed_slices_keeps_its_order_when_decoded_at_once(tmp_path: Path) -> None:
    slices = []
    for z in range(12):
        data = ct_slice(float(z), (RAMP + z).astype(np.uint16))
        data.compress(JPEG2000Lossless if z % 2 else JPEGLSLossless)
        slices.append(data)
    image = read(save(slices, tmp_path))
    for z in range(12):
        assert np.array_equal(image.array[z], RAMP.astype(int) + z - 1024)


def test_a_file_that_changes_while_it_is_read_is_refused(tmp_path: Path) -> None:
    pixels = located(compressed(tmp_path, RLELossless))
    pixels.path.write_bytes(pixels.path.read_bytes()[:-10])
    with pytest.raises(FormatError, match="changed"):
        stored(pixels)


@pytest.mark.parametrize("name", ["JPEG-lossy.dcm", "JPGExtended.dcm"])
def test_twelve_bit_jpeg_is_read_where_a_codec_is_installed(name: str) -> None:
    image_codecs = importlib.util.find_spec("imagecodecs")
    pixels = located(PYDICOM / name)
    if image_codecs is None:
        with pytest.raises(FormatError, match="imagecodecs"):
            stored(pixels)
    else:
        found = stored(pixels)[0]
        assert found.shape == (1, 1024, 256) and found.dtype == np.uint16 and 255 < found.max() < 4096
