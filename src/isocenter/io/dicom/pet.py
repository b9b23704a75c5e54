"""PET units: the one place where activity becomes a standardised uptake value, or says why it cannot.

SUVbw = activity concentration x body weight / injected dose decayed to the time the images are corrected to.

References
----------
DICOM PS3.3 C.8.9 (PET); QIBA FDG-PET/CT profile, SUV calculation (vendor-neutral pseudo-code).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from isocenter.io.dicom import values
from isocenter.io.dicom.clocks import moment, moment_of_dt, seconds_of_day
from isocenter.io.dicom.elements import Dataset
from isocenter.io.dicom.kinds import private_numbers
from isocenter.io.dicom.words import clean
from isocenter.io.inventory import Problem

__all__ = ["Uptake", "suvbw_factor", "uptake"]

_PHILIPS_SUV, _PHILIPS_ACTIVITY, _GE_SCAN_TIME = 0x70531000, 0x70531009, 0x0009100D
_QUANTITIES = {"BQML": "Bq/ml", "CNTS": "counts", "PROPCNTS": "proportional counts", "CPS": "counts/s", "MGMINML": "mg/min/ml"}
_SUV_TYPES = {
    "": "SUVbw",
    "BW": "SUVbw",
    "BSA": "SUVbsa",
    "LBM": "SUVlbm",
    "LBMJANMA": "SUVlbm",
    "LBMJAMES128": "SUVlbm",
    "IBW": "SUVibw",
}


@dataclass(frozen=True, slots=True)
class Uptake:
    """What PET values are.

    Attributes
    ----------
    factor
        Multiplies the rescaled values (1 where nothing is converted).
    quantity
        What they are then.
    problems
        Why they are not SUV, or what was assumed.
    """

    factor: float
    quantity: str | None
    problems: tuple[Problem, ...] = field(default=())


def suvbw_factor(weight: float, dose: float, half_life: float, decay_time: float) -> float:
    """Return what turns Bq/ml into SUVbw (g/ml).

    Parameters
    ----------
    weight
        Body weight in kg.
    dose
        Administered activity in Bq.
    half_life
        Of the radionuclide, in s.
    decay_time
        Seconds from administration to the time that the images are decay-corrected to.
    """
    return weight * 1000.0 / (dose * math.pow(2.0, -decay_time / half_life))


class _RefusedError(Exception):
    """SUV cannot be computed; the text is a clause that says why."""


def uptake(data: Dataset, acquisitions: list[float]) -> Uptake:
    """Return how the values of a PET series become SUVbw.

    Parameters
    ----------
    data
        Header of one of its images.
    acquisitions
        Moments at which its slices were acquired (`isocenter.io.dicom.clocks.moment`), as far as known.
    """
    units = values.text(data, "Units").upper()
    if units == "GML":  # is SUV already: converting it again is the classic mistake
        quantity = _SUV_TYPES.get(values.text(data, "SUVType").upper())
        return Uptake(1.0, quantity or "g/ml")
    try:
        if units == "BQML":
            factor, notes = _from_activity(data, acquisitions)
        elif units == "CNTS":
            factor, notes = _from_counts(data, acquisitions)
        else:
            raise _RefusedError(f"Units (0054,1001) is '{clean(units, 16)}', expected BQML, GML or Philips CNTS")
    except _RefusedError as reason:
        quantity = _QUANTITIES.get(units, clean(units, 16).lower() or None)
        return Uptake(
            1.0, quantity,
            (Problem(f"SUV was not computed: {reason}.", f"Values stay in {quantity or 'unknown units'}; steps that need SUVbw refuse them."),),
        )  # fmt: skip
    return Uptake(factor, "SUVbw", tuple(notes))


def _from_counts(data: Dataset, acquisitions: list[float]) -> tuple[float, list[Problem]]:
    found = private_numbers(data, _PHILIPS_SUV)
    if found and found[0] > 0:
        return found[0], []
    activity = private_numbers(data, _PHILIPS_ACTIVITY)
    if not activity or activity[0] <= 0:
        raise _RefusedError("Units is CNTS and the Philips factors (7053,1000) and (7053,1009) are missing or 0")
    factor, notes = _from_activity(data, acquisitions)
    return activity[0] * factor, notes


def _positive(data: Dataset, keyword: str, words: str, low: float, high: float) -> float:
    value = values.number(data, keyword)
    if value is None:
        raise _RefusedError(f"{words} ({keyword}) is missing")
    if not low <= value <= high:
        raise _RefusedError(f"{words} ({keyword}) is {value:g}, expected {low:g} to {high:g}")
    return value


def _from_activity(data: Dataset, acquisitions: list[float]) -> tuple[float, list[Problem]]:
    corrected = values.texts(data, "CorrectedImage")
    for need, words in (("ATTN", "attenuation"), ("DECY", "decay")):
        if need not in corrected:
            raise _RefusedError(f"the images are not corrected for {words} (CorrectedImage lacks {need})")
    drug = values.first_item(data, "RadiopharmaceuticalInformationSequence")
    if drug is None:
        raise _RefusedError("RadiopharmaceuticalInformationSequence (0054,0016) is missing")
    weight = _positive(data, "PatientWeight", "the body weight in kg", 0.2, 700.0)
    dose = _positive(drug, "RadionuclideTotalDose", "the injected dose in Bq", 1e5, 1e11)
    half_life = _positive(drug, "RadionuclideHalfLife", "the half-life in s", 10.0, 1e7)
    reference = values.text(data, "DecayCorrection").upper()
    if reference == "ADMIN":
        return suvbw_factor(weight, dose, half_life, 0.0), []
    if reference != "START":
        raise _RefusedError(f"DecayCorrection (0054,1102) is '{clean(reference, 16) or 'missing'}', expected START or ADMIN")
    start, notes = _scan_start(data, acquisitions)
    elapsed = start - _injection(data, drug, start)
    if elapsed < 0:
        raise _RefusedError(f"the injection lies {-elapsed:.0f} s after the start of the scan")
    if elapsed > 12 * 3600 + 10 * half_life:
        raise _RefusedError(f"the injection lies {elapsed / 3600:.1f} h before the start of the scan")
    return suvbw_factor(weight, dose, half_life, elapsed), notes


def _scan_start(data: Dataset, acquisitions: list[float]) -> tuple[float, list[Problem]]:
    """Return the moment that the images are decay-corrected to."""
    series = moment(values.text(data, "SeriesDate"), values.text(data, "SeriesTime"))
    first = min(acquisitions, default=None)
    if series is not None and (first is None or series <= first):
        return series, []
    if "GE" in values.text(data, "Manufacturer").upper():
        stamp = moment_of_dt(values.text(data, _GE_SCAN_TIME))
        if stamp is not None:
            return stamp, []
    if first is None:
        raise _RefusedError("the start of the scan is not given (SeriesTime, AcquisitionTime)")
    note = Problem(
        "SeriesTime lies after the first acquisition (a processed series): decay was counted to the earliest AcquisitionTime.",
        "SUV is wrong by the decay in between if the scanner corrected to another time.",
    )
    return first, [note]


def _injection(data: Dataset, drug: Dataset, start: float) -> float:
    stamp = moment_of_dt(values.text(drug, "RadiopharmaceuticalStartDateTime"))
    if stamp is not None:
        return stamp
    second = seconds_of_day(values.text(drug, "RadiopharmaceuticalStartTime"))
    if second is None:
        raise _RefusedError("the time of injection is missing (RadiopharmaceuticalStartDateTime or RadiopharmaceuticalStartTime)")
    injected = start - start % 86400.0 + second  # only a time of day: on the day of the scan, or the evening before
    return injected if injected <= start else injected - 86400.0
