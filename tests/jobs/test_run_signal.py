"""`isocenter run` on recordings: an EEG of known rhythms, what is left alone and why, and what a study for images does."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

import isocenter as iso
from isocenter.core.errors import ContentError
from isocenter.core.signal import Signal
from isocenter.jobs.options import Options
from isocenter.jobs.run import prepare, run
from isocenter.jobs.signal_choice import looks_like_eeg
from isocenter.jobs.verify import verify
from tests.jobs.make_slide import CHANNELS, RATE, eeg


def table(path: Path) -> dict[str, dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as handle:
        return {row["region"]: row for row in csv.DictReader(handle)}


def test_an_eeg_is_cleaned_measured_and_verified(tmp_path: Path) -> None:
    iso.write(eeg(), tmp_path / "eeg.csv")
    summary = run(tmp_path / "eeg.csv", tmp_path / "out")
    assert summary.exit_code == 0 and summary.cases[0].study == "eeg"
    assert "named as electrodes" in summary.cases[0].why
    out = tmp_path / "out"
    before, after = table(out / "tables" / "spectrum.csv"), table(out / "tables" / "spectrum_cleaned.csv")
    assert list(before) == list(CHANNELS)
    for name in CHANNELS:
        assert float(after[name]["alpha_peak"]) == 10.0
        assert float(after[name]["gamma_share"]) < 0.2 * float(before[name]["gamma_share"])
    # A rhythm of amplitude 60 uV has a power of 1800 uV^2; what the window and a little muscle do is within a tenth.
    assert float(after["O1"]["alpha_power"]) == pytest.approx(1800, rel=0.1)
    cleaned = iso.read_study(out / "signals" / "cleaned.csv")
    signal = next(iter(cleaned.slots.values()))
    assert isinstance(signal, Signal) and signal.channels == CHANNELS and signal.rate == pytest.approx(RATE)
    assert verify(out, recompute=True).sound
    page = (out / "report.html").read_text(encoding="utf-8")
    assert "alpha peak" in page and "data:image/png" in page
    assert run(tmp_path / "eeg.csv", out).reused


def test_flat_cut_off_and_humming_channels_are_named(tmp_path: Path) -> None:
    samples = np.array(eeg().array)
    samples[1] = 0.0
    samples[2] = np.clip(samples[2], -10, 10)
    samples[3] += 500 * np.sin(2 * np.pi * 50 * np.arange(samples.shape[1]) / RATE)
    iso.write(Signal(samples, RATE, CHANNELS, "uV"), tmp_path / "eeg.csv")
    notes = " ".join(run(tmp_path / "eeg.csv", tmp_path / "out").cases[0].notes)
    for words in ("Channel Fp2 is flat", "Channel C3 is cut off", "Channel C4 is mostly hum"):
        assert words in notes
    assert "Channel Fp1" not in notes


def test_other_recordings_are_left_alone_unless_asked_for(tmp_path: Path) -> None:
    belt = Signal(np.sin(np.arange(4000) / 40.0)[None], 64.0, ("chest belt",), "a.u.")
    iso.write(belt, tmp_path / "breathing.csv")
    with pytest.raises(ContentError, match="not named as electrodes"):
        prepare([tmp_path / "breathing.csv"])
    with pytest.raises(ContentError, match="study is for other inputs"):
        prepare([tmp_path / "breathing.csv"], Options(study="generic"))
    summary = run(tmp_path / "breathing.csv", tmp_path / "out", study="eeg")
    notes = " ".join(summary.cases[0].notes)
    assert "left as it is" in notes and "gamma cannot be measured" in notes
    assert table(tmp_path / "out" / "tables" / "spectrum.csv")["chest belt"]["gamma_power"] == ""


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (("Fp1", "Fp2", "Cz"), True),
        (("EEG C3-A2", "EEG C4-A1", "EOG left"), True),
        (("T7-P7", "FP1-F7"), True),
        (("Fc5.", "C3..", "Cz.."), True),
        (("ECG I", "ECG II"), False),
        (("acc x", "acc y", "acc z"), False),
        (("C3",), False),
    ],
)
def test_electrodes_are_known_by_name(names: tuple[str, ...], expected: bool) -> None:
    assert (looks_like_eeg(Signal(np.zeros((len(names), 4)), 100.0, names)) is not None) is expected
