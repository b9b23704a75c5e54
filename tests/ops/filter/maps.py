"""The response maps of the IBSI and what is asked of them: every voxel within 1 % of the reference's range."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.core.families import Filter
from isocenter.core.geometry import Geometry
from isocenter.core.image import Image
from isocenter.io import door
from isocenter.kernels.statistics import first_order

Shared = Callable[[str], Path]

#: The planes of slice-by-slice filters.
PLANE = ("y", "x")

#: The tags of the table of feature values, in the order of `first_order`.
TAGS = ("mean", "var", "skew", "kurt", "median", "min", "p10", "p90", "max", "iqr", "range", "mad", "rmad", "medad", "cov",
        "qcod", "energy", "rms")  # fmt: skip

#: Boundary -> the mode of `numpy.pad` that continues an image so.
MODES: list[tuple[Any, Any]] = [("zero", "constant"), ("nearest", "edge"), ("periodic", "wrap"), ("mirror", "symmetric")]


def volume(values: npt.NDArray[Any], spacing: float = 2.0) -> Image:
    """Return samples as an image of three axes."""
    return Image(values, ("z", "y", "x"), Geometry.regular(values.shape, spacing))


def require_map(shared: Shared, name: str, phantom: str, operation: Filter, measured: float) -> None:
    """Raise unless a filter reproduces a reference map within 1 % of its range, and within what was measured (percent)."""
    image = door.read(shared(f"ibsi/2_digital_phantom/{phantom}/image/{phantom}.nii.gz"))
    reference = np.asarray(door.read(shared(f"ibsi/2_response_maps/{name}-ValidCRM.nii.gz")).array, dtype=np.float64)
    result = operation(image, threads=2)
    apart = np.abs(np.asarray(result.array, dtype=np.float64) - reference) / np.ptp(reference)
    assert apart.max() <= 0.01
    assert apart.max() * 100.0 <= measured
    assert result.geometry == image.geometry and result.array.dtype == np.float32


def require_features(shared: Shared, name: str, operation: Filter | None) -> None:
    """Raise unless the 18 features of a filtered CT phantom are all within the tolerances of the reference table."""
    image = door.read(shared("ibsi/1_ct_phantom/image/phantom.nii.gz"))
    region = np.asarray(door.read_labels(shared("ibsi/1_ct_phantom/mask/mask.nii.gz")).array) > 0
    hu = np.asarray(image.array)
    response = image if operation is None else operation(image, threads=2)
    values = np.asarray(response.array)[region & (hu >= -1000) & (hu <= 400)]
    found = dict(zip(TAGS, first_order(values).values(), strict=True))
    with shared("ibsi/2_reference_feature_values_subset.csv").open(encoding="utf-8") as handle:
        rows = [r for r in csv.DictReader(handle, delimiter=";") if r["filter_id"] == name]
    assert len(rows) == 18
    wrong = []
    for row in rows:
        value = found[row["feature_tag"].removeprefix("stat_")]
        if not abs(value - float(row["consensus_value"])) <= float(row["tolerance"]):
            wrong.append((row["feature_tag"], value, row["consensus_value"]))
    assert not wrong


def require_continued(make: Callable[[Any], Filter], reach: int) -> None:
    """Raise unless each boundary gives what the image continued that way gives without its margin."""
    values = np.random.default_rng(4).standard_normal((9, 11, 10))
    wide = 2 * reach
    inside = tuple(slice(wide, wide + n) for n in values.shape)
    for boundary, mode in MODES:
        alone = np.asarray(make(boundary)(volume(values)).array)
        whole = np.asarray(make("zero")(volume(np.pad(values, wide, mode=mode))).array)[inside]
        np.testing.assert_allclose(alone, whole, atol=1e-5 * np.abs(whole).max())


def require_turning(operation: Filter) -> None:
    """Raise unless the response turns with the image by right angles."""
    values = np.random.default_rng(5).standard_normal((15, 15, 15))
    plain = np.asarray(operation(volume(values)).array)
    for plane in ((0, 1), (1, 2), (0, 2)):
        turned = np.asarray(operation(volume(np.ascontiguousarray(np.rot90(values, 1, plane)))).array)
        np.testing.assert_allclose(np.rot90(turned, -1, plane), plain, atol=1e-6 * np.abs(plain).max())


def require_slicewise(operation: Filter) -> None:
    """Raise unless a filter of the axes y and x treats every slice as an image of its own."""
    values = np.random.default_rng(6).standard_normal((4, 15, 13)).astype(np.float32)
    whole = np.asarray(operation(volume(values)).array)
    plane = Image(values[2], ("y", "x"), Geometry.regular(values[2].shape, 2.0))
    np.testing.assert_array_equal(whole[2], np.asarray(operation(plane).array))
