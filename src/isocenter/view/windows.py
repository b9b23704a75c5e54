"""Display windows: which values become black and which white, always stated in words.

A window changes what is seen, never what is measured. For CT the usual windows are fixed, PET is shown inverted from
0 to 10 SUV, MR (which has no unit) between percentiles of its signal, stored photographs as they are.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.core.errors import ParameterError, did_you_mean
from isocenter.core.image import Image
from isocenter.view.text import clean, number

__all__ = ["CT_WINDOWS", "Window", "choose", "stated"]


@dataclass(frozen=True)
class Window:
    """A linear map of values to greys.

    Parameters
    ----------
    name
        What it is called: ``Soft tissue`` ...
    low, high
        Values shown black and white.
    unit
        Unit of the values, empty where they have none.
    inverted
        Whether `low` is white and `high` black.
    basis
        How the limits were found, where they were not fixed beforehand.
    """

    name: str
    low: float
    high: float
    unit: str = ""
    inverted: bool = False
    basis: str = ""

    def __post_init__(self) -> None:
        if not (np.isfinite(self.low) and np.isfinite(self.high) and self.low < self.high):
            raise ParameterError(f"Window from {self.low} to {self.high}: expected finite limits, the lower one first.")

    @property
    def span(self) -> str:
        """The limits, for instance ``-1350 to 150 HU``."""
        unit = f" {self.unit}" if self.unit else ""
        return f"{number(self.low)} to {number(self.high)}{unit}"

    @property
    def words(self) -> str:
        """The window in a sentence part, for instance ``Lung window, -1350 to 150 HU (level -600, width 1500)``."""
        level = (
            f" (level {number((self.low + self.high) / 2)}, width {number(self.high - self.low)})" if self.unit == "HU" else ""
        )
        basis = f" ({self.basis})" if self.basis else ""
        shade = ", dark is high" if self.inverted else ""
        return f"{clean(self.name, 60)} window, {self.span}{level}{basis}{shade}"

    def apply(self, values: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
        """Return greys 0 to 255 of values; one that is not finite is shown as the lower limit."""
        data = np.asarray(values, dtype=np.float64)
        data = np.where(np.isfinite(data), data, self.low)
        share = np.clip((data - self.low) / (self.high - self.low), 0.0, 1.0)
        grey: npt.NDArray[np.uint8] = np.floor((1.0 - share if self.inverted else share) * 255.0 + 0.5).astype(np.uint8)
        return grey


def _ct(name: str, level: float, width: float) -> Window:
    return Window(name, level - width / 2, level + width / 2, "HU")


#: The usual windows of CT by name.
CT_WINDOWS: dict[str, Window] = {
    "lung": _ct("Lung", -600, 1500),
    "soft tissue": _ct("Soft tissue", 40, 400),
    "bone": _ct("Bone", 400, 1800),
    "brain": _ct("Brain", 40, 80),
}

_LUNG_NAMES = ("lung", "airway", "nodule")
_PHOTOGRAPHS = frozenset({"OP", "OPT", "SM", "XC", "GM", "ES", "US", "IVUS"})


def choose(image: Image, values: npt.NDArray[Any], names: Iterable[str] = (), wanted: Window | str | None = None) -> Window:
    """Return the window for an image.

    Parameters
    ----------
    image
        Says modality and quantity; its samples are not touched.
    values
        The samples that count (a sample of a volume will do). Of a volume of shape (s, p, l) the middle decides
        whether it is of the lungs: foam and clothing around a patient are as light as they are.
    names
        Names of the segments that will be outlined: lungs ask for the lung window.
    wanted
        A window, the name of one of the CT windows, or None to choose by modality and quantity.

    Raises
    ------
    ParameterError
        If there is no window of that name, or a named CT window is asked for values that are not HU.
    """
    if isinstance(wanted, Window):
        return wanted
    everything = np.asarray(values)
    finite = everything[np.isfinite(everything)] if everything.dtype.kind == "f" else everything.reshape(-1)
    is_ct = image.quantity == "HU"
    if wanted is not None:
        return _named(wanted, image, is_ct)
    if is_ct:
        return CT_WINDOWS[_ct_name(everything, tuple(names))]
    if image.quantity == "SUVbw":
        return Window("PET", 0.0, 10.0, "SUV", inverted=True)
    if image.quantity == "probability":
        return Window("Probability", 0.0, 1.0)
    if finite.dtype == np.uint8 and (image.modality is None or image.modality in _PHOTOGRAPHS):
        return Window("Stored values, full", 0.0, 255.0)
    if finite.dtype == np.bool_:
        return Window("Mask", 0.0, 1.0)
    return _percentiles(image, finite)


#: A window that leaves fewer of the samples than this between its limits shows nothing.
_LEAST_SHARE = 0.01


def stated(image: Image, centre: float, width: float, basis: str, *, inverted: bool = False) -> Window | None:
    """Return the window that an image came with, None where it is of no use for its samples.

    Parameters
    ----------
    image
        The image; an evenly spread part of its samples is looked at.
    centre, width
        In the values of the image.
    basis
        Where they stand, in words: ``stated in its header``.
    inverted
        Whether high values are shown dark.

    References
    ----------
    DICOM PS3.3 C.11.2.1.2 (window centre and width).
    """
    low, high = centre - width / 2, centre + width / 2
    if not (np.isfinite(low) and np.isfinite(high) and low < high):
        return None
    values = np.asarray(image.array).reshape(-1)
    values = values[:: max(1, values.size // 1_000_000)]
    if not values.size or float(((values > low) & (values < high)).mean()) < _LEAST_SHARE:
        return None
    return Window("Own", low, high, image.quantity or "", inverted=inverted, basis=basis)


def _named(wanted: str, image: Image, is_ct: bool) -> Window:
    key = wanted.strip().lower().replace("_", " ").replace("-", " ")
    if key not in CT_WINDOWS:
        raise ParameterError(
            f"No display window '{clean(wanted, 60)}': there are {list(CT_WINDOWS)}.{did_you_mean(key, CT_WINDOWS)}"
        )
    if not is_ct:
        raise ParameterError(
            f"The {key} window is one of CT numbers, but the image holds {image.quantity or 'values of unknown unit'}: "
            "expected HU; give a window with limits instead."
        )
    return CT_WINDOWS[key]


def _ct_name(values: npt.NDArray[Any], names: tuple[str, ...]) -> str:
    if any(word in name.lower() for name in names for word in _LUNG_NAMES):
        return "lung"
    if values.ndim == 3:
        values = values[
            :, values.shape[1] // 5 : -(-values.shape[1] * 4 // 5), values.shape[2] // 5 : -(-values.shape[2] * 4 // 5)
        ]
    if not values.size:
        return "soft tissue"
    # Aerated lung fills -950 to -500 HU; air outside the body lies below, fat and soft tissue far above.
    lung = float(((values > -950) & (values < -500)).mean())
    tissue = float((values > -200).mean())
    return "lung" if lung > 0.08 and lung > 0.2 * tissue else "soft tissue"


def _percentiles(image: Image, values: npt.NDArray[Any]) -> Window:
    name = {"MR": "MR signal", "PT": "PET", "NM": "Count"}.get(image.modality or "", "Display")
    unit = image.quantity or ""
    # The air around the patient is zero in many MR and PET series and would drag the percentiles down.
    inside = values[values != 0]
    inside = inside if inside.size > 0.02 * values.size else values
    if not inside.size:
        return Window(name, 0.0, 1.0, unit, basis="no samples")
    low, high = (float(v) for v in np.percentile(inside.astype(np.float64), (1.0, 99.5)))
    if low >= high:
        return Window(name, low - 0.5, low + 0.5, unit, basis="all samples alike")
    return Window(name, low, high, unit, inverted=image.modality == "PT", basis="1st to 99.5th percentile")
