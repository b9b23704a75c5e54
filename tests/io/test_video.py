"""Video: what is written comes back upright, in its own times and colours; what is cut, hidden or too large is refused."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from isocenter.core.errors import FormatError, UnsupportedError
from isocenter.core.geometry import Geometry
from isocenter.core.image import Image
from isocenter.io.budget import Budget
from isocenter.io.door import inspect, read, write
from tests.io.films import TIMES, film, pictures, turned

pytest.importorskip("av", reason="video is an extra")

LOSSLESS = [
    pytest.param("a.mkv", "ffv1", "gray", np.uint8, id="matroska-grey"),
    pytest.param("a.mkv", "ffv1", "gray16le", np.uint16, id="matroska-grey-16"),
    pytest.param("a.avi", "rawvideo", "gray", np.uint8, id="avi-grey"),
    pytest.param("a.mov", "png", "gray", np.uint8, id="quicktime-grey"),
]


@pytest.mark.parametrize(("name", "codec", "pixels", "dtype"), LOSSLESS)
def test_grey_stays_grey_and_exact(tmp_path: Path, name: str, codec: str, pixels: str, dtype: type) -> None:
    times = TIMES if not name.endswith(".avi") else tuple(k / 25 for k in range(6))
    truth = pictures(dtype=dtype)
    image = read(film(tmp_path / name, truth, codec, pixels, times))
    assert image.dims == ("t", "y", "x") and image.dtype == dtype and image.geometry.unit == "px"
    assert np.array_equal(image.array, truth)
    assert image.times == pytest.approx(times, abs=1e-3)


@pytest.mark.parametrize(
    ("name", "codec", "pixels"),
    [("a.mp4", "libx264", "yuv420p"), ("a.mov", "mjpeg", "yuvj420p"), ("a.mpg", "mpeg2video", "yuv420p"), ("a.avi", "mpeg4", "yuv420p")],
)  # fmt: skip
def test_colour_is_rgb_within_the_loss_of_the_codec(tmp_path: Path, name: str, codec: str, pixels: str) -> None:
    even = tuple(k / 25 for k in range(6))
    times = even if codec in ("mpeg2video", "mpeg4") else TIMES
    truth = pictures(colour=True)
    image = read(film(tmp_path / name, truth, codec, pixels, times))
    assert image.dims == ("t", "c", "y", "x") and image.channels == ("red", "green", "blue")
    inside = np.moveaxis(np.asarray(image.array), 1, -1)[:, 4:40:8, 4:60:8].astype(int) - truth[:, 4:40:8, 4:60:8]
    assert np.percentile(np.abs(inside), 95) <= 24 and np.abs(inside).mean() < 8
    assert image.times is not None
    assert np.diff(image.times) == pytest.approx(np.diff(times), abs=1e-3)


@pytest.mark.parametrize(
    ("matrix", "expected"),
    [
        ((0, 1, -1, 0), lambda a: np.rot90(a, -1, (1, 2))),  # a quarter turn clockwise, as telephones write it
        ((0, -1, 1, 0), lambda a: np.rot90(a, 1, (1, 2))),
        ((-1, 0, 0, -1), lambda a: a[:, ::-1, ::-1]),
        ((-1, 0, 0, 1), lambda a: a[:, :, ::-1]),  # mirrored
    ],
)
def test_a_turned_picture_is_put_upright_and_told(tmp_path: Path, matrix: tuple[int, int, int, int], expected: Any) -> None:
    path = turned(film(tmp_path / "a.mp4", pictures(), "png", "gray"), matrix)
    (item,) = inspect(path).items
    assert any("upright" in p.text for p in item.problems)
    assert np.array_equal(item.load().array, expected(pictures()))


def test_sound_and_personal_text_are_told(tmp_path: Path) -> None:
    path = film(tmp_path / "a.mp4", pictures(), "png", "gray", metadata={"title": "Jane Doe", "location": "+48.1+11.5/"})
    (item,) = inspect(path).items
    assert any("may identify a person" in p.text for p in item.problems)
    assert not any("Jane" in p.sentence() for p in item.problems)


def _cut(path: Path, part: float) -> Path:
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * part)])
    return path


@pytest.mark.parametrize(
    ("name", "codec", "pixels", "options"),
    [
        ("a.mp4", "libx264", "yuv420p", {}),
        ("b.mp4", "libx264", "yuv420p", {"movflags": "faststart"}),
        ("a.avi", "rawvideo", "gray", {}),
        ("a.mkv", "ffv1", "gray", {}),
    ],
)
@pytest.mark.parametrize("part", [0.05, 0.6, 0.9])
def test_a_video_that_was_cut_short_is_refused(
    tmp_path: Path, name: str, codec: str, pixels: str, options: dict[str, str], part: float
) -> None:
    rng = np.random.default_rng(3)
    noise = rng.integers(0, 255, (6, 48, 64), dtype=np.uint8)
    frames = noise if pixels == "gray" else np.stack([noise] * 3, -1)
    path = _cut(film(tmp_path / name, frames, codec, pixels, tuple(k / 25 for k in range(6)), options), part)
    inventory = inspect(path)
    assert not inventory.items
    assert (
        len(inventory.refusals) == 1 and name in inventory.refusals[0].reason and "Traceback" not in inventory.refusals[0].reason
    )


def test_no_playlist_leads_elsewhere(tmp_path: Path) -> None:
    film(tmp_path / "secret.mp4", pictures(), "png", "gray")
    (tmp_path / "list.mp4").write_text("#EXTM3U\n#EXTINF:1,\nsecret.mp4\n")
    (tmp_path / "concat.mov").write_text("ffconcat version 1.0\nfile secret.mp4\n")
    for name in ("list.mp4", "concat.mov"):
        inventory = inspect(tmp_path / name)
        assert not inventory.items and inventory.refusals


def test_the_header_is_held_against_the_budget(tmp_path: Path) -> None:
    path = film(tmp_path / "a.mkv", pictures(), "ffv1", "gray")
    for budget in (Budget(max_bytes=6 * 48 * 64 - 1), Budget(max_frames=5), Budget(max_pixels=48 * 64 - 1)):
        (refusal,) = inspect(path, budget=budget).refusals
        assert refusal.kind == "budget" and "a.mkv" in refusal.reason


def test_a_missing_package_is_named_with_its_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = film(tmp_path / "a.mkv", pictures(), "ffv1", "gray")
    monkeypatch.setitem(sys.modules, "av", None)
    (refusal,) = inspect(path).refusals
    assert refusal.kind == "unsupported" and 'pip install "isocenter[video]"' in refusal.reason


def _series(frames: Any, **more: Any) -> Image:
    dims = ("t", "c", "y", "x") if frames.ndim == 4 else ("t", "y", "x")
    return Image(frames, dims, Geometry.pixels(frames.shape[-2:]), times=TIMES, **more)


def test_a_series_is_written_for_viewing_and_the_same_twice(tmp_path: Path) -> None:
    frames = np.moveaxis(pictures(colour=True, rows=47, columns=63), -1, 1)
    write(_series(frames, channels=("red", "green", "blue")), tmp_path / "a.mp4")
    write(_series(frames, channels=("red", "green", "blue")), tmp_path / "b.mp4")
    assert (tmp_path / "a.mp4").read_bytes() == (tmp_path / "b.mp4").read_bytes()
    back = read(tmp_path / "a.mp4")
    assert back.shape == (6, 3, 48, 64) and back.times == pytest.approx(TIMES, abs=1e-4)
    assert np.abs(np.asarray(back.array)[:, :, 4:40:8, 4:56:8].astype(int) - frames[:, :, 4:40:8, 4:56:8]).mean() < 8


@pytest.mark.parametrize("suffix", [".mp4", ".mov"])
def test_what_video_cannot_hold_is_refused(tmp_path: Path, suffix: str) -> None:
    floats = _series(pictures().astype(np.float32))
    with pytest.raises(UnsupportedError, match="expected"):
        write(floats, tmp_path / f"a{suffix}")
    assert not list(tmp_path.iterdir())


def test_what_is_no_video_by_its_bytes_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(b"\x00" * 4096)
    with pytest.raises(FormatError, match="no video"):
        read(tmp_path / "a.mp4")
