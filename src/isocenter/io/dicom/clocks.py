"""Temporal attributes as numbers, and dates and times as seconds.

References
----------
DICOM PS3.5 section 6.2 (DA, TM, DT).
"""

from __future__ import annotations

import datetime
import re

from isocenter.io.dicom import values
from isocenter.io.dicom.elements import Dataset

__all__ = ["clocks", "moment", "moment_of_dt", "seconds_of_day"]

_TIME = re.compile(r"(\d{2})(?::?(\d{2}))?(?::?(\d{2}))?(?:\.(\d{1,6}))?")
_NUMBERS = (
    "TemporalPositionIdentifier", "TemporalPositionIndex", "TriggerTime", "NominalCardiacTriggerDelayTime", "FrameReferenceTime",
    "AcquisitionNumber", "TemporalResolution",
)  # fmt: skip


def seconds_of_day(text: str) -> float | None:
    """Return the seconds since midnight of a DICOM time, None where it is none."""
    found = _TIME.match(text.strip())
    if not found:
        return None
    hour, minute, second = (int(v or 0) for v in found.groups()[:3])
    if hour > 23 or minute > 59 or second > 60:
        return None
    return 3600.0 * hour + 60.0 * minute + second + float("0." + (found[4] or "0"))


def _day(text: str) -> int | None:
    digits = text.strip().replace(".", "").replace("-", "")[:8]
    try:
        return datetime.date(int(digits[:4]), int(digits[4:6]), int(digits[6:8])).toordinal()
    except ValueError:
        return None


def moment(date: str, time: str) -> float | None:
    """Return seconds on an absolute scale of a DICOM date and time, None where one of them is missing."""
    day, second = _day(date), seconds_of_day(time)
    return None if day is None or second is None else 86400.0 * day + second


def moment_of_dt(text: str) -> float | None:
    """Return seconds on the same scale of a DICOM date-time (its offset from UTC is left aside)."""
    text = re.split(r"[+-]\d{4}$", text.strip())[0]
    return moment(text[:8], text[8:]) if len(text) >= 10 else None


def clocks(data: Dataset) -> dict[str, float]:
    """Return the temporal attributes that a dataset gives, by keyword; unreadable ones are left out."""
    found: dict[str, float] = {}
    for keyword in _NUMBERS:
        number = values.lenient(data, keyword)  # a clock that cannot be read orders nothing; the positions decide
        if number is not None:
            found[keyword] = number
    stamp = moment_of_dt(values.text(data, "AcquisitionDateTime"))
    if stamp is None:
        stamp = moment(values.text(data, "AcquisitionDate"), values.text(data, "AcquisitionTime"))
    if stamp is not None:
        found["AcquisitionDateTime"] = stamp
    for keyword in ("AcquisitionTime", "ContentTime"):
        second = seconds_of_day(values.text(data, keyword))
        if second is not None:
            found[keyword] = second
    return found
