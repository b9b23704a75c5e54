"""Recordings: EDF, EDF+ and BDF, tables with a time column, NumPy arrays with a sidecar; and what is refused of them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from isocenter.core.errors import BudgetError, ContentError, FormatError, InputError, UnsupportedError
from isocenter.core.signal import Signal
from isocenter.io import door
from isocenter.io.budget import Budget

RNG = np.random.default_rng(7)


def recording(
    channels: Sequence[tuple[str, str, float, float, int, int, np.ndarray[Any, Any]]],
    seconds: float = 1.0,
    kind: str = "",
    width: int = 2,
    person: str = "X X X X",
    records: int | None = None,
) -> bytes:
    """Return an EDF or BDF file; the last element of a channel has the shape (records, samples) and holds stored numbers."""
    count = len(channels[0][-1])
    first = b"0       " if width == 2 else b"\xffBIOSEMI"
    size = str(256 * (len(channels) + 1))
    head = f"{person:<80}{'Startdate X X X X':<80}01.01.8500.00.00{size:<8}{kind:<44}"
    head += f"{count if records is None else records:<8}{seconds:<8g}{len(channels):<4}"
    columns = [
        [f"{c[0]:<16}" for c in channels],
        [" " * 80 for _ in channels],
        [f"{c[1]:<8}" for c in channels],
        *[[f"{c[k]:<8}" for c in channels] for k in (2, 3, 4, 5)],
        [" " * 80 for _ in channels],
        [f"{c[-1].shape[1]:<8}" for c in channels],
        [" " * 32 for _ in channels],
    ]
    head += "".join("".join(column) for column in columns)
    data = b""
    for record in range(count):
        for *_, stored in channels:
            row = stored[record]
            data += (
                row.tobytes() if row.dtype == np.uint8 else row.astype("<i4").view(np.uint8).reshape(-1, 4)[:, :width].tobytes()
            )
    return first + head.encode("latin-1") + data


def stored(records: int, samples: int, bits: int = 16) -> np.ndarray[Any, Any]:
    top = 1 << (bits - 1)
    values = RNG.integers(-top, top, (records, samples))
    values[0, :2] = -top, top - 1
    return values


def notes(onsets: Sequence[float], size: int = 32) -> np.ndarray[Any, Any]:
    """Return the annotation channel of records that begin at these seconds, as bytes."""
    rows = [f"+{onset:g}\x14\x14\0".encode().ljust(size, b"\0") for onset in onsets]
    array = np.array([np.frombuffer(row, np.uint8) for row in rows])
    return array


def annotated(onsets: Sequence[float]) -> tuple[str, str, float, float, int, int, np.ndarray[Any, Any]]:
    return ("EDF Annotations", "", -1, 1, -32768, 32767, notes(onsets))


def edf_plus(onsets: Sequence[float], kind: str, seconds: float = 1.0) -> bytes:
    """Return an EDF+ file of one channel and its annotations."""
    eeg = stored(len(onsets), 8)
    raw = recording([("EEG Fz", "uV", -100, 100, -32768, 32767, eeg), annotated(onsets)], seconds, kind)
    # The annotation channel was written byte by byte: its header counts samples of two bytes.
    at = 256 + 2 * (16 + 80 + 8 * 5 + 80) + 8
    return raw[:at] + b"16      " + raw[at + 8 :]


@pytest.mark.parametrize(("width", "bits"), [(2, 16), (3, 24)])
def test_physical_values(tmp_path: Path, width: int, bits: int) -> None:
    low, high = -(1 << (bits - 1)), (1 << (bits - 1)) - 1
    one, two = stored(5, 16, bits), stored(5, 16, bits)
    path = tmp_path / ("a.edf" if width == 2 else "a.bdf")
    path.write_bytes(
        recording([("Fz", "uV", -200, 200, low, high, one), ("Cz", "uV", 50, -50, low, high, two)], 0.5, width=width)
    )
    signal = door.read_study(path)["signal"]
    assert isinstance(signal, Signal)
    assert (signal.channels, signal.unit, signal.rate, signal.duration) == (("Fz", "Cz"), "uV", 32.0, 2.5)
    expected = np.stack([(v.reshape(-1) - low) * (b - a) / (high - low) + a for v, a, b in ((one, -200, 200), (two, 50, -50))])
    assert np.abs(signal.array - expected).max() < 2e-5
    assert signal.array.min() == pytest.approx(-200) and signal.array.max() == pytest.approx(200)


def test_two_rates_are_two_signals_of_one_case(tmp_path: Path) -> None:
    path = tmp_path / "night.edf"
    path.write_bytes(
        recording(
            [("EEG", "uV", -9, 9, -99, 99, stored(3, 10)), ("Resp", "mV", -1, 1, -99, 99, stored(3, 2)),
             ("EOG", "uV", -9, 9, -99, 99, stored(3, 10))],
            person="MCH-0234567 F 02-MAY-1951 Haagse_Harry",
        )
    )  # fmt: skip
    found = door.inspect(path)
    assert len(door.cases(found)) == 1
    study = door.read_study(path)
    assert study["signal_10_hz_uv"].channels == ("EEG", "EOG")
    assert study["signal_2_hz_mv"].array.shape == (1, 6)
    assert all(item.patient.startswith("edf:") and "Harry" not in repr(item) for item in found.items)


def test_annotations_keep_the_time(tmp_path: Path) -> None:
    path = tmp_path / "a.edf"
    for onsets, kind in (([0.25, 1.25, 2.25], "EDF+C"), ([0.25, 1.25, 2.25], "EDF+D")):
        path.write_bytes(edf_plus(onsets, kind))
        signal = door.read_study(path)["signal"]
        assert (signal.start, signal.channels) == (0.25, ("EEG Fz",))


def test_an_interrupted_recording_is_refused_with_its_place(tmp_path: Path) -> None:
    path = tmp_path / "a.edf"
    path.write_bytes(edf_plus([0, 1, 30], "EDF+D"))
    with pytest.raises(ContentError, match=r"record 3 states 30 s, the one before it ends at 2 s"):
        door.read_study(path)


def test_an_open_recording_tells_how_much_is_there(tmp_path: Path) -> None:
    path = tmp_path / "a.edf"
    path.write_bytes(recording([("Fz", "uV", -9, 9, -99, 99, stored(4, 10))], records=-1) + b"\0\0\0")
    (item,) = door.inspect(path).items
    assert item.problems[0].text.startswith("The recording was not closed; 4 whole data records")
    assert item.load().array.shape == (1, 40)


def _edited(at: int, text: str) -> bytes:
    raw = recording([("Fz", "uV", -9, 9, -99, 99, stored(4, 10))])
    return raw[:at] + text.encode().ljust(8)[: max(len(text), 8)] + raw[at + 8 :]


DIGITAL_LOW, SAMPLES = 256 + 16 + 80 + 8 + 16, 256 + 16 + 80 + 8 + 32 + 80


@pytest.mark.parametrize(
    ("data", "error", "words"),
    [
        (_edited(236, "9999"), FormatError, "promises 9999 data records"),
        (_edited(236, "0"), InputError, "no samples"),
        (_edited(236, "1e400"), FormatError, "expected a number"),
        (_edited(236, "1_0"), FormatError, "expected a number"),
        (_edited(236, "-2"), FormatError, "from -1"),
        (_edited(244, "0"), FormatError, "more than 0"),
        (_edited(244, "nan"), FormatError, "expected a number"),
        (_edited(184, "512000"), FormatError, "bytes for 1 channels"),
        (_edited(DIGITAL_LOW, "99"), FormatError, "no physical meaning"),
        (_edited(SAMPLES, "99999999"), FormatError, "expected a whole number"),
        (_edited(SAMPLES, "60000000"), InputError, "only 0 are there"),
        (_edited(0, "")[:300], FormatError, "does not begin|header"),
    ],
)
def test_damaged_recordings_are_refused(tmp_path: Path, data: bytes, error: type[Exception], words: str) -> None:
    path = tmp_path / "a.edf"
    path.write_bytes(data)
    with pytest.raises(error, match=words):
        door.read_study(path)


def test_a_recording_beyond_the_budget_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.edf"
    path.write_bytes(recording([("Fz", "uV", -9, 9, -99, 99, stored(400, 10))]))
    (refusal,) = door.inspect(path, budget=Budget(max_bytes=1000)).refusals
    assert refusal.kind == "budget"


# -- tables -----------------------------------------------------------------------------------------------


def test_a_table_round_trips(tmp_path: Path) -> None:
    signal = Signal(RNG.normal(size=(3, 50)), 50.0, ("ax", "ay", "az"), "m/s^2", 2.0)
    door.write(signal, tmp_path / "imu.csv")
    again = door.read_study(tmp_path / "imu.csv")["signal"]
    assert np.array_equal(again.array, signal.array)
    assert (again.channels, again.unit, again.start) == (signal.channels, signal.unit, 2.0)
    assert again.rate == pytest.approx(50.0, rel=1e-12)


@pytest.mark.parametrize(
    ("text", "rate", "first"),
    [
        ("time (ms),a\n0,1\n10,2\n20,3\n30,4\n", 100.0, 1.0),
        ("t;a;b\n0,0;1,5;2\n0,5;3;4\n1,0;5;\n1,5;5;6\n", 2.0, 1.5),
        ("Timestamp_us\ta\n1000\t1\n2000\t1e3\n3000\t2\n", 1000.0, 1.0),
        ("\ufefftime,a\r\n0,7\r\n0.1,8\r\n0.2,9\r\n", 10.0, 7.0),
        ("seconds,a\n0.000,1\n0.004,2\n0.008,1\n0.012,2\n0.016,1\n0.020,2\n0.023,1\n", 260.87, 1.0),
    ],
)
def test_tables_of_other_spellings(tmp_path: Path, text: str, rate: float, first: float) -> None:
    path = tmp_path / "s.csv"
    path.write_text(text, encoding="utf-8")
    signal = door.read_study(path)["signal"]
    assert signal.rate == pytest.approx(rate, rel=1e-4)
    assert signal.array[0, 0] == first


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ("0,1\n1,2\n2,3\n7,4\n8,5", r"line 5 comes 5 s after"),
        ("0,1\n1,2\n2,3\n3", r"line 5 has 1 cells"),
        ("0,1\n1,2\n2,3\n3,x", r"line 5 holds a cell that is no number"),
        ("0,1\n1,2\n2,3\n3,1_0", r"line 5 holds a cell that is no number"),
    ],
)
def test_uneven_and_ragged_tables_are_refused_by_line(tmp_path: Path, rows: str, words: str) -> None:
    path = tmp_path / "s.csv"
    path.write_text("time (s),a\n" + rows + "\n")
    with pytest.raises(InputError, match=words):
        door.read_study(path)


@pytest.mark.parametrize(
    "text", ["case,label\na,1\nb,0\n", "time,event\n412,1\n30,0\n7,1\n", "time,event\nlong,1\nshort,0\nmid,1\n"]
)
def test_other_tables_are_passed_over(tmp_path: Path, text: str) -> None:
    (tmp_path / "labels.csv").write_text(text)
    found = door.inspect(tmp_path)
    assert not found.items and [p.name for p, _ in found.skipped] == ["labels.csv"]


def test_an_unstated_unit_is_told(tmp_path: Path) -> None:
    (tmp_path / "s.csv").write_text("time,a\n0,1\n1,2\n2,\n")
    (item,) = door.inspect(tmp_path).items
    assert ["unit of the time" in p.text for p in item.problems] == [True, False]
    assert "1 samples" in item.problems[1].text


# -- NumPy ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", ["<f4", ">i2", "<f8"])
def test_arrays_with_a_rate_are_signals(tmp_path: Path, order: str, dtype: str) -> None:
    array = np.asarray(RNG.normal(size=(2, 30)) * 100, dtype=dtype, order=order)  # type: ignore[call-overload] # order from a parameter
    np.save(tmp_path / "s.npy", array)
    (tmp_path / "s.json").write_text(
        json.dumps({"SamplingFrequency": 250, "Columns": ["a", "b"], "StartTime": -1, "Units": "mV"})
    )
    signal = door.read_study(tmp_path)["signal"]
    assert np.array_equal(signal.array, array) and signal.array.dtype.isnative
    assert (signal.rate, signal.channels, signal.start, signal.unit) == (250.0, ("a", "b"), -1.0, "mV")


@pytest.mark.parametrize("shape", [(30,), (64, 64), (4, 8, 8)])
def test_arrays_without_a_rate_say_what_to_do(tmp_path: Path, shape: tuple[int, ...]) -> None:
    np.save(tmp_path / "s.npy", np.zeros(shape))
    with pytest.raises(UnsupportedError, match=r"SamplingFrequency.*isocenter\.Image\(array, dims, geometry\)"):
        door.read(tmp_path / "s.npy")


def _npy(header: str, data: bytes = b"") -> bytes:
    return b"\x93NUMPY\x01\0" + len(header).to_bytes(2, "little") + header.encode("latin-1") + data


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (_npy("{'descr': '|O', 'fortran_order': False, 'shape': (3,)}"), UnsupportedError),
        (_npy("{'descr': '<f8', 'fortran_order': False, 'shape': (10**13,)}"), FormatError),
        (_npy("{'descr': '<f8', 'fortran_order': False, 'shape': (10000000000000,)}"), BudgetError),
        (_npy("{'descr': '<f8', 'fortran_order': False, 'shape': (-5,)}"), FormatError),
        (_npy("{'descr': '<f8', 'fortran_order': False, 'shape': (5,)}", b"\0" * 39), FormatError),
        (_npy("__import__('os').system('true')"), FormatError),
        (_npy("(" * 3000), FormatError),
        (b"\x93NUMPY\x02\0\xff\xff\xff\xff", FormatError),
    ],
)
def test_hostile_arrays_are_refused(tmp_path: Path, data: bytes, error: type[Exception]) -> None:
    (tmp_path / "s.npy").write_bytes(data)
    (tmp_path / "s.json").write_text('{"SamplingFrequency": 1}')
    with pytest.raises(error):
        door.read_study(tmp_path / "s.npy")
