"""Siemens raw data: against the same scan as NumPy array, both layouts restated by hand, and damaged files."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from isocenter.core.errors import InputError
from isocenter.core.raw import Raw
from isocenter.io import door

RNG = np.random.default_rng(5)
PROTOCOL = b"Config ### ASCCONV BEGIN\nsKSpace.ucTrajectory\t = \t1\nsSliceArray.asSlice[0].dReadoutFOV = 200.5\nsKSpace.lBaseResolution = 4\n"


def measurement(
    layout: str, lines: np.ndarray[tuple[int, int, int], np.dtype[np.complex64]], protocol: bytes = PROTOCOL
) -> bytes:
    """Return a file with a noise scan, readouts of (line, coil, samples), the second of them reflected, and the end."""
    head = struct.pack("<I", len(protocol) + 4) + protocol
    body = b""
    noise = (1 << 25, 0, np.ones((2, 3), np.complex64))
    scans = [noise, *[(8 | (1 << 24 if k == 1 else 0), k, line[:, ::-1] if k == 1 else line) for k, line in enumerate(lines)]]
    for flags, number, samples in scans:
        loops = struct.pack("<14H", number, *[0] * 13)
        coils, count = samples.shape
        if layout == "vd":
            length = 192 + coils * (32 + 8 * count)
            header = struct.pack("<I", length).ljust(40, b"\0") + struct.pack("<QHH", flags, count, coils) + loops
            body += header.ljust(192, b"\0") + b"".join(bytes(32) + row.astype("<c8").tobytes() for row in samples)
        else:
            for row in samples:
                header = struct.pack("<I", 128 + 8 * count).ljust(20, b"\0") + struct.pack("<QHH", flags, count, coils) + loops
                body += header.ljust(128, b"\0") + row.astype("<c8").tobytes()
    body += struct.pack("<I", 0).ljust(40 if layout == "vd" else 20, b"\0") + struct.pack("<Q", 1).ljust(152, b"\0")
    if layout == "vb":
        return head + body
    index = struct.pack("<II", 0, 1) + struct.pack("<IIQQ", 1, 1, 10240, len(head + body)) + b"Doe^John"
    return index.ljust(10240, b"\0") + head + body


def lines() -> np.ndarray[tuple[int, int, int], np.dtype[np.complex64]]:
    return (RNG.normal(size=(5, 2, 8)) + 1j * RNG.normal(size=(5, 2, 8))).astype(np.complex64)


@pytest.mark.parametrize("layout", ["vb", "vd"])
def test_both_layouts(tmp_path: Path, layout: str) -> None:
    truth = lines()
    (tmp_path / "meas.dat").write_bytes(measurement(layout, truth))
    (item,) = door.inspect(tmp_path).items
    raw = item.load()
    assert isinstance(raw, Raw) and raw.axes == ("coil", "line", "readout") and raw.modality == "MR"
    assert np.array_equal(raw.array, truth.transpose(1, 0, 2))
    assert raw.acquisition["trajectory"] == "cartesian" and raw.acquisition["field_of_view_readout"] == 200.5
    assert item.attributes["readout_oversampling"] == 2.0
    assert "Doe" not in repr(item) and not item.problems


def test_a_phantom_equals_its_published_array(shared: Callable[[str], Path]) -> None:
    folder = shared("kspace")
    raw = door.inspect(folder / "gre.dat").items[0].load()
    assert raw.array.shape == (2, 160, 320)
    # The array has no oversampling: half of the field along the readout is cut away.
    field = np.fft.fftshift(np.fft.ifft(np.fft.ifftshift(raw.array, axes=-1), axis=-1), axes=-1)[..., 80:240]
    cut = np.fft.fftshift(np.fft.fft(np.fft.ifftshift(field, axes=-1), axis=-1), axes=-1)
    truth = np.load(folder / "gre_160x160_2coil.npy")
    scale = np.abs(truth).max()
    assert min(np.abs(cut - t).max() for t in (truth, truth.swapaxes(1, 2))) < 1e-3 * scale


@pytest.mark.parametrize("layout", ["vb", "vd"])
def test_truncation_and_other_trajectories_are_refused(tmp_path: Path, layout: str) -> None:
    whole = measurement(layout, lines())
    path = tmp_path / "meas.dat"
    for data in (whole[: len(whole) - 400], measurement(layout, lines(), PROTOCOL.replace(b"\t1", b"\t4"))):
        path.write_bytes(data)
        found = door.inspect(path)
        assert not found.items and len(found.refusals) == 1, found
        assert "damaged (" not in found.refusals[0].reason


def test_other_data_files_are_passed_over(tmp_path: Path) -> None:
    (tmp_path / "table.dat").write_bytes(bytes(range(256)) * 40)
    assert not door.inspect(tmp_path).items


@pytest.mark.parametrize("seed", range(24))
def test_damage_never_ends_in_anything_but_a_sentence(tmp_path: Path, seed: int) -> None:
    rng = np.random.default_rng(seed)
    data = bytearray(measurement("vd" if seed % 2 else "vb", lines()))
    first = 0 if seed % 4 < 2 else max(0, len(data) - 1200)
    for at in rng.integers(first, len(data), 6):
        data[at] = rng.integers(256)
    path = tmp_path / "meas.dat"
    path.write_bytes(data)
    found = door.inspect(path)
    assert all("damaged (" not in r.reason for r in found.refusals)
    for item in found.items:
        try:
            item.load()
        except InputError:
            continue
