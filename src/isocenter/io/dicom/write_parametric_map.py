"""Writing a map of numbers (attribution, probability, a fitted parameter) as a DICOM parametric map over its source.

References
----------
DICOM PS3.3 A.75 (Parametric Map IOD), C.8.23 (Parametric Map modules), C.7.6.16.2.11 (Real World Value Mapping).
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import highdicom
import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset
from pydicom.sr.coding import Code as DicomCode

from isocenter._version import __version__
from isocenter.core.codes import Code
from isocenter.core.errors import ContentError
from isocenter.core.geometry import Geometry
from isocenter.core.image import Image
from isocenter.io.dicom.common import (
    MAKER,
    PENDING_INSTANCE,
    PENDING_SERIES,
    finish,
    long_string,
    moment,
    short_string,
)
from isocenter.io.dicom.source import has_plane, source_headers
from isocenter.io.dicom.ucum import unit_code

__all__ = ["WrittenMap", "write_parametric_map"]


@dataclass(frozen=True)
class WrittenMap:
    """What `write_parametric_map` wrote.

    Attributes
    ----------
    path
        The file.
    sop_class, instance, series
        UIDs of the object.
    """

    path: Path
    sop_class: str
    instance: str
    series: str


def write_parametric_map(
    image: Image,
    identity: Mapping[str, Any],
    path: str | Path,
    *,
    grid: Geometry | None = None,
    label: str = "",
    unit: str = "1",
    quantity: Code | None = None,
    description: str = "",
    series_number: int = 910,
) -> WrittenMap:
    """Write a map as 32-bit floating point numbers on the slices of its source.

    Parameters
    ----------
    image
        Axes ``z y x`` or ``y x`` on the grid of the source series: the same slices in the same order.
    identity
        Of the source, as for `isocenter.io.dicom.write_seg.write_seg`.
    path
        The file; its folder must exist.
    grid
        Grid of the source image as it was read: a map that is not on it is refused.
    label
        What the numbers are, for a viewer. Default: the image's quantity.
    unit
        Of the numbers, as tables write it (``1`` for none).
    quantity
        Coded concept of what they are, where a terminology has one.
    description
        SeriesDescription and ContentDescription.
    series_number
        SeriesNumber.

    Raises
    ------
    ContentError
        If the source is not DICOM or does not lie in a patient's world, the map has other axes, or holds values that are not
        finite.
    GridMismatchError
        If the map is not on the grid of its source.
    WriteError
        If the disk refuses.
    """
    values = _checked(image, identity)
    headers = source_headers(image.geometry, identity, grid)
    name = label or image.quantity or "map"
    with warnings.catch_warnings():
        # Advice to the programmer about names; what matters is checked by the tests' validator.
        warnings.simplefilter("ignore")
        dataset = _map(headers, values, identity, name, unit, quantity, description, series_number)
    instance, series = finish(dataset, Path(path), identity)
    return WrittenMap(Path(path), str(dataset.SOPClassUID), instance, series)


def _checked(image: Image, identity: Mapping[str, Any]) -> npt.NDArray[np.float32]:
    """Return the samples of a map that can be written over its source; raises `ContentError` where it cannot."""
    if image.geometry.ndim not in (2, 3) or len(image.dims) != image.geometry.ndim:
        raise ContentError(f"A map with axes {' '.join(image.dims)}: expected two or three spatial axes only.")
    values = np.asarray(image.array, np.float32)
    if not np.isfinite(values).all():
        raise ContentError("The map holds values that are not finite: expected finite numbers; viewers cannot show others.")
    if not has_plane(image.geometry, identity):
        raise ContentError(
            "The source has no place in a patient (a projection or a photograph): a parametric map needs one; write NIfTI instead."
        )
    return values


def _code(code: Code) -> DicomCode:
    return DicomCode(code.value, code.scheme, long_string(code.meaning))


def _map(
    headers: list[Dataset],
    values: Any,
    identity: Mapping[str, Any],
    name: str,
    unit: str,
    quantity: Code | None,
    description: str,
    series_number: int,
) -> Dataset:
    low, high = float(values.min()), float(values.max())
    mapping = highdicom.pm.RealWorldValueMapping(
        lut_label=short_string(name),
        lut_explanation=long_string(description or name),
        unit=_code(unit_code(unit)),
        value_range=(low, high if high > low else low + 1.0),
        slope=1.0,
        intercept=0.0,
        quantity_definition=None if quantity is None else _code(quantity),
    )
    date, time = moment(identity)
    made: Dataset = highdicom.pm.ParametricMap(
        source_images=headers,
        pixel_array=values if values.ndim == 3 else values[None],
        series_instance_uid=PENDING_SERIES,
        series_number=series_number,
        sop_instance_uid=PENDING_INSTANCE,
        instance_number=1,
        manufacturer=MAKER,
        manufacturer_model_name=MAKER,
        software_versions=__version__,
        device_serial_number=__version__,
        contains_recognizable_visual_features=False,
        real_world_value_mappings=[mapping],
        window_center=(low + high) / 2.0,
        window_width=max(high - low, 1e-6),
        content_label="MAP",
        content_description=long_string(description or name),
        series_description=long_string(description or name),
        content_date=date,
        content_time=time,
    )
    made.Laterality = ""  # asked for where no body part is named, and nothing of it is known here
    return made
