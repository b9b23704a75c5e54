"""SUVbw against known truth, and every reason for refusing it."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom.dataset import Dataset

from isocenter.io.dicom.pet import suvbw_factor
from tests.io.dicom.samples import inspect, pet_slice, read, save

ACTIVITY = np.array([[0, 1000, 2000], [4000, 8000, 16000]], np.uint16)
HALF_LIFE = 6586.2


def decayed(seconds: float) -> float:
    """Return what 1 Bq/ml is in SUVbw for 70 kg and 370 MBq injected `seconds` before."""
    return 70_000.0 / (370e6 * math.exp(-math.log(2) * seconds / HALF_LIFE))


def test_factor_equals_its_definition() -> None:
    assert suvbw_factor(70.0, 370e6, HALF_LIFE, 3600.0) == pytest.approx(decayed(3600.0), rel=1e-12)
    # After one half-life half of the dose is left, so the same activity is twice the uptake.
    assert suvbw_factor(70.0, 370e6, 100.0, 100.0) == pytest.approx(2 * suvbw_factor(70.0, 370e6, 100.0, 0.0), rel=1e-12)


CONVERTED: list[tuple[str, dict[str, Any], float]] = [
    ("start of the scan", {}, decayed(3600)),
    ("administration", {"DecayCorrection": "ADMIN"}, decayed(0)),
    ("full date of injection", {"RadiopharmaceuticalStartDateTime": "20240102093000.00"}, decayed(5400)),
    (
        "injection before midnight",
        {"RadiopharmaceuticalStartTime": "233000", "SeriesTime": "003000", "AcquisitionTime": "003000"},
        decayed(3600),
    ),
    ("fractions of a second", {"RadiopharmaceuticalStartTime": "100000.500000"}, decayed(3599.5)),
    ("later bed position", {"AcquisitionTime": "112000"}, decayed(3600)),
    ("processed series", {"SeriesTime": "150000", "AcquisitionTime": "110000"}, decayed(3600)),
    ("slope", {"RescaleSlope": 0.5}, 0.5 * decayed(3600)),
]


@pytest.mark.parametrize(("case", "changes", "factor"), CONVERTED, ids=[c[0] for c in CONVERTED])
def test_activity_becomes_suv(tmp_path: Path, case: str, changes: dict[str, Any], factor: float) -> None:
    image = read(save([pet_slice(0.0, ACTIVITY, **changes)], tmp_path))
    assert image.quantity == "SUVbw" and image.dtype == np.float32
    assert np.allclose(image.array, ACTIVITY * factor, rtol=1e-6, atol=0)


def test_processed_series_says_which_time_was_taken(tmp_path: Path) -> None:
    items, _ = inspect(save([pet_slice(0.0, ACTIVITY, SeriesTime="150000")], tmp_path))
    assert any("earliest AcquisitionTime" in p.text for p in items[0].problems)


def test_ge_processed_series_uses_its_private_scan_time(tmp_path: Path) -> None:
    data = pet_slice(0.0, ACTIVITY, SeriesTime="150000", AcquisitionTime="111500", Manufacturer="GE MEDICAL SYSTEMS")
    data.add_new(0x00090010, "LO", "GEMS_PETD_01")
    data.add_new(0x0009100D, "DT", "20240102110000.00")
    assert np.allclose(read(save([data], tmp_path)).array, ACTIVITY * decayed(3600), rtol=1e-6)


def test_each_slice_has_its_slope(tmp_path: Path) -> None:
    slices = [pet_slice(float(z), ACTIVITY, RescaleSlope=0.5 + z) for z in range(3)]
    image = read(save(slices, tmp_path))
    for z in range(3):
        assert np.allclose(image.array[z], ACTIVITY * (0.5 + z) * decayed(3600), rtol=1e-6)


def test_suv_is_never_converted_twice(tmp_path: Path) -> None:
    image = read(save([pet_slice(0.0, ACTIVITY, Units="GML", RescaleSlope=0.001)], tmp_path))
    assert image.quantity == "SUVbw" and np.allclose(image.array, ACTIVITY * 0.001, rtol=1e-6)
    lean = read(save([pet_slice(0.0, ACTIVITY, Units="GML", SUVType="LBM")], tmp_path / "lean"))
    assert lean.quantity == "SUVlbm"


def philips(**changes: float) -> Dataset:
    data = pet_slice(0.0, ACTIVITY, Units="CNTS")
    data.add_new(0x70530010, "LO", "Philips PET Private Group")
    if "suv" in changes:
        data.add_new(0x70531000, "DS", str(changes["suv"]))
    if "activity" in changes:
        data.add_new(0x70531009, "DS", str(changes["activity"]))
    return data


def test_philips_counts_by_their_private_factors(tmp_path: Path) -> None:
    direct = read(save([philips(suv=0.00031, activity=2.0)], tmp_path / "suv"))
    assert direct.quantity == "SUVbw" and np.allclose(direct.array, ACTIVITY * 0.00031, rtol=1e-6)
    through = read(save([philips(suv=0.0, activity=2.0)], tmp_path / "activity"))
    assert through.quantity == "SUVbw" and np.allclose(through.array, ACTIVITY * 2.0 * decayed(3600), rtol=1e-6)


REFUSED: list[tuple[str, dict[str, Any]]] = [
    ("PatientWeight) is missing", {"PatientWeight": None}),
    ("PatientWeight) is 0", {"PatientWeight": 0}),
    ("PatientWeight) is 70000", {"PatientWeight": 70000}),
    ("RadionuclideTotalDose) is missing", {"RadionuclideTotalDose": None}),
    ("RadionuclideTotalDose) is 370", {"RadionuclideTotalDose": 370}),
    ("RadionuclideHalfLife) is missing", {"RadionuclideHalfLife": None}),
    ("RadionuclideHalfLife) is 0", {"RadionuclideHalfLife": 0}),
    ("time of injection is missing", {"RadiopharmaceuticalStartTime": None}),
    ("RadiopharmaceuticalInformationSequence", {"RadiopharmaceuticalInformationSequence": None}),
    ("not corrected for attenuation", {"CorrectedImage": ["DECY"]}),
    ("not corrected for decay", {"CorrectedImage": ["ATTN"]}),
    ("DecayCorrection (0054,1102) is 'NONE'", {"DecayCorrection": "NONE"}),
    ("after the start of the scan", {"RadiopharmaceuticalStartDateTime": "20240102120000"}),
    ("before the start of the scan", {"RadiopharmaceuticalStartDateTime": "20231220100000"}),
    ("start of the scan is not given", {"SeriesTime": None, "AcquisitionTime": None}),
    ("Units (0054,1001) is 'PROPCPS'", {"Units": "PROPCPS"}),
]


@pytest.mark.parametrize(("reason", "changes"), REFUSED, ids=[r[0] for r in REFUSED])
def test_suv_is_refused_with_its_reason_and_values_stay(tmp_path: Path, reason: str, changes: dict[str, Any]) -> None:
    items, refusals = inspect(save([pet_slice(0.0, ACTIVITY, **changes)], tmp_path))
    assert not refusals
    text = " ".join(p.text for p in items[0].problems)
    assert "SUV was not computed" in text and reason in text
    image = items[0].load()
    assert image.quantity in ("Bq/ml", "propcps") and np.array_equal(image.array, ACTIVITY)


def test_counts_without_philips_factors_are_refused(tmp_path: Path) -> None:
    items, _ = inspect(save([philips()], tmp_path))
    assert items[0].spec.quantity == "counts" and "Philips" in items[0].problems[0].text
