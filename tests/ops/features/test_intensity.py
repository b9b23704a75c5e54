"""features.intensity against the IBSI references, and what it gives in the corner cases."""

from __future__ import annotations

import csv
import math
from collections.abc import Callable
from pathlib import Path

import nibabel
import numpy as np
import numpy.typing as npt
import pytest

from isocenter.core.geometry import Geometry
from isocenter.core.image import Image
from isocenter.core.labels import LabelMap, Segment
from isocenter.ops.features.intensity import Intensity

#: Column -> tag of the IBSI reference tables.
TAGS = {
    "mean": "stat_mean",
    "variance": "stat_var",
    "skewness": "stat_skew",
    "excess_kurtosis": "stat_kurt",
    "median": "stat_median",
    "minimum": "stat_min",
    "percentile_10": "stat_p10",
    "percentile_90": "stat_p90",
    "maximum": "stat_max",
    "interquartile_range": "stat_iqr",
    "range": "stat_range",
    "mean_absolute_deviation": "stat_mad",
    "robust_mean_absolute_deviation": "stat_rmad",
    "median_absolute_deviation": "stat_medad",
    "coefficient_of_variation": "stat_cov",
    "quartile_coefficient_of_dispersion": "stat_qcod",
    "energy": "stat_energy",
    "root_mean_square": "stat_rms",
    "peak_local": "loc_peak_loc",
    "peak_global": "loc_peak_glob",
}


def reference(path: Path) -> dict[str, tuple[float, float]]:
    """Return tag -> (value, tolerance; at least half of the last printed digit) of an IBSI table."""
    table = {}
    with path.open(encoding="utf-8") as handle:
        for row in csv.DictReader(handle, delimiter=";"):
            text = row["reference value"]
            if text:
                digits = text.lower().split("e")[0]
                printed = 0.5 * 10.0 ** -(len(digits.split(".")[1]) if "." in digits else 0)
                scale = 10.0 ** int(text.lower().split("e")[1]) if "e" in text.lower() else 1.0
                table[row["tag"]] = (float(text), max(float(row["tolerance"] or 0), printed * scale))
    return table


def volume(path: Path) -> tuple[npt.NDArray[np.float64], Geometry]:
    """Return samples (z, y, x) and grid of a NIfTI file, read without isocenter's own reader."""
    file = nibabel.load(path)
    affine = np.diag([-1.0, -1.0, 1.0, 1.0]) @ file.affine
    array = np.ascontiguousarray(np.asarray(file.dataobj, dtype=np.float64).transpose(2, 1, 0))
    return array, Geometry(array.shape, affine[:, [2, 1, 0, 3]])


def case(
    values: npt.ArrayLike, mask: npt.ArrayLike | None = None, spacing: float = 2.0, quantity: str | None = None
) -> tuple[Image, LabelMap]:
    array = np.asarray(values)
    dims = ("z", "y", "x")[3 - array.ndim :]
    grid = Geometry.regular(array.shape, spacing)
    region = np.ones(array.shape, np.uint8) if mask is None else np.asarray(mask, np.uint8)
    return Image(array, dims, grid, quantity=quantity), LabelMap(region, dims, grid, (Segment(1, "lesion"),))


@pytest.fixture(scope="module")
def phantom(shared: Callable[[str], Path]) -> tuple[Image, LabelMap, Path]:
    folder = shared("data/ibsi")
    array, grid = volume(folder / "1_digital_phantom/image/phantom.nii.gz")
    mask, _ = volume(folder / "1_digital_phantom/mask/mask.nii.gz")
    labels = LabelMap((mask > 0).astype(np.uint8), ("z", "y", "x"), grid, (Segment(1, "region"),))
    return Image(array, ("z", "y", "x"), grid), labels, folder / "1_reference_values"


@pytest.mark.parametrize("column", TAGS)
def test_digital_phantom_of_the_ibsi(phantom: tuple[Image, LabelMap, Path], column: str) -> None:
    image, labels, tables = phantom
    expected, tolerance = reference(tables / "ibsi_1_dig_phantom.csv")[TAGS[column]]
    assert Intensity(peaks="always")(image, labels)[column] == pytest.approx(expected, abs=tolerance)


def test_every_statistic_carries_its_identifier(phantom: tuple[Image, LabelMap, Path]) -> None:
    image, labels, _ = phantom
    columns = {c.name: c for c in Intensity(peaks="always")(image, labels).columns}
    assert all(columns[name].standard.startswith("IBSI:") and len(columns[name].standard) == 9 for name in TAGS)


def test_units_follow_the_quantity() -> None:
    columns = {c.name: c.unit for c in Intensity()(*case(np.arange(27.0).reshape(3, 3, 3), quantity="HU")).columns}
    assert (columns["mean"], columns["energy"], columns["skewness"]) == ("HU", "HU^2", "1")
    columns = {c.name: c.unit for c in Intensity()(*case(np.arange(27.0).reshape(3, 3, 3), quantity="SUVbw")).columns}
    assert (columns["mean"], columns["variance"], columns["metabolic_volume"]) == ("g/ml", "(g/ml)^2", "ml")


def test_an_empty_region_has_no_samples_and_nothing_else() -> None:
    image, labels = case(np.ones((4, 4, 4)), np.zeros((4, 4, 4)), quantity="SUVbw")
    row = Intensity()(image, labels).to_records()[0]
    assert row["samples"] == 0.0 and row["metabolic_volume"] == 0.0
    assert all(math.isnan(v) for k, v in row.items() if k not in ("region", "samples", "metabolic_volume"))


@pytest.mark.parametrize("value", [0.1, -1000.0, 3e7])
def test_equal_values_have_no_spread(value: float) -> None:
    found = Intensity()(*case(np.full((5, 7, 3), value)))
    names = ("variance", "skewness", "excess_kurtosis", "range")
    assert [found[name] for name in names] == [0.0] * 4
    assert found["mean"] == pytest.approx(value)


def test_samples_that_are_not_finite_are_left_out_and_said_so() -> None:
    values = np.ones((4, 4))
    values[0, 0] = np.nan
    found = Intensity()(*case(values))
    assert found["samples"] == 15 and found["mean"] == 1.0
    assert "not finite" in found.provenance.steps[-1].notes[0]


def test_uptake_of_a_hot_ball() -> None:
    z, y, x = (np.indices((40, 40, 40)) - 20.0) * 1.0
    ball = z**2 + y**2 + x**2 <= 10.0**2
    image, labels = case(np.where(ball, 8.0, 1.0), ball, spacing=1.0, quantity="SUVbw")
    found = Intensity()(image, labels)
    assert found["peak_global"] == pytest.approx(8.0)
    assert found["metabolic_volume"] == pytest.approx(4 / 3 * math.pi, rel=0.02)
    assert found["total_lesion_uptake"] == pytest.approx(8.0 * found["metabolic_volume"])


def test_the_peak_is_the_mean_over_one_millilitre_at_the_edge_too() -> None:
    values = np.random.default_rng(3).normal(5.0, 1.0, (9, 10, 11))
    grid = Geometry.regular(values.shape, (3.0, 1.5, 2.0))
    image = Image(values, ("z", "y", "x"), grid, quantity="SUVbw")
    mask = np.zeros(values.shape, np.uint8)
    mask[0, 0, :2] = 1
    found = Intensity()(image, LabelMap(mask, ("z", "y", "x"), grid, (Segment(1, "lesion"),)))
    position = np.indices(values.shape).reshape(3, -1).T * np.array([3.0, 1.5, 2.0])
    means = [values.ravel()[np.linalg.norm(position - c, axis=1) <= 6.2035].mean() for c in ((0, 0, 0), (0, 0, 2.0))]
    assert found["peak_global"] == pytest.approx(max(means))
    assert found["peak_local"] == pytest.approx(means[int(np.argmax(values[0, 0, :2]))])


def test_no_peaks_without_uptake_or_in_the_plane() -> None:
    assert "peak_local" not in Intensity()(*case(np.ones((3, 3, 3)), quantity="HU")).names
    assert "peak_local" not in Intensity(peaks="always")(*case(np.ones((3, 3)), quantity="SUVbw")).names
