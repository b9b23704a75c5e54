"""features.change: RECIST axes and volumes over time, with their error."""

from __future__ import annotations

import numpy as np
import pytest

from isocenter.core.errors import ContentError
from isocenter.core.geometry import Geometry
from isocenter.core.image import Image
from isocenter.core.labels import LabelMap, Segment
from isocenter.kernels.change import change, recist, size
from isocenter.ops.features.change import Change


def ellipsoid(
    shape: tuple[int, ...], spacing: tuple[float, ...], half: tuple[float, ...]
) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    mesh = np.meshgrid(*[(np.arange(n) - n // 2) * s for n, s in zip(shape, spacing, strict=True)], indexing="ij")
    inside: np.ndarray[tuple[int, ...], np.dtype[np.bool_]] = sum((m / h) ** 2 for m, h in zip(mesh, half, strict=True)) <= 1.0
    return inside


def test_size_of_an_ellipsoid() -> None:
    spacing = (1.5, 0.8, 0.8)
    found = size(ellipsoid((31, 61, 61), spacing, (12.0, 8.0, 18.0)), spacing)
    assert found.long_axis == pytest.approx(36.0, rel=0.03) and found.short_axis == pytest.approx(16.0, rel=0.04)
    assert found.volume == pytest.approx(4 / 3 * np.pi * 12 * 8 * 18, rel=0.01)
    # A shell of half a mm: its volume by the surface of the ellipsoid (Knud Thomsen's formula).
    p = 1.6075
    area = 4 * np.pi * ((12**p * 8**p + 12**p * 18**p + 8**p * 18**p) / 3) ** (1 / p)
    assert found.volume_error == pytest.approx(0.5 * area, rel=0.1)
    along = size(ellipsoid((31, 61, 61), spacing, (20.0, 8.0, 10.0)), spacing, planes=((0, 1), (0, 2), (1, 2)))
    assert along.long_axis == pytest.approx(40.0, rel=0.04)


def test_growth_and_its_interval() -> None:
    spacing, shape = (1.0, 1.0, 1.0), (41, 41, 41)
    labels = np.zeros((3, *shape), np.uint8)
    for t, one in enumerate((10.0, 10.2, 14.0)):
        labels[t][ellipsoid(shape, spacing, (one,) * 3)] = 1
        labels[t][ellipsoid(shape, spacing, (3.0,) * 3)] = 2 if t < 2 else 1
    grid = Geometry.regular(shape, spacing)
    image = Image(np.zeros((3, *shape), np.float32), ("t", "z", "y", "x"), grid)
    region = LabelMap(labels, ("t", "z", "y", "x"), grid, (Segment(1, "grows"), Segment(2, "goes")))
    table = Change(contour_error=0.3)(image, region)
    assert table.regions == ("grows", "goes") and table["grows", "time_points"] == 3
    assert table["grows", "volume_change"] == pytest.approx(100 * (1.4**3 - 1), rel=0.06)
    assert table["grows", "volume_change_low"] > 0 and table["grows", "volume_changed"] == 1
    assert (
        table["grows", "long_axis_change"] == pytest.approx(40.0, abs=3.0) and table["grows", "response"] == "progressive disease"
    )
    assert table["goes", "volume_last"] == 0 and table["goes", "response"] == "complete response"
    still = Change(contour_error=1.0)(image.replace(array=image.array[:2]), region.replace(array=labels[:2]))
    assert still["grows", "volume_changed"] == 0 and still["grows", "response"] == "stable disease"


def test_examinations_on_grids_of_their_own() -> None:
    regions = []
    for spacing, half, names in (((1.0, 1.0, 1.0), 10.0, ("node", "gone")), ((2.5, 0.7, 0.7), 13.0, ("node",))):
        shape = tuple(int(40 / s) for s in spacing)
        labels = ellipsoid(shape, spacing, (half,) * 3).astype(np.uint8)
        rows = tuple(Segment(k, name) for k, name in enumerate(names, start=1))
        if len(names) > 1:
            labels[2:4, 2:6, 2:6] = 2
        regions.append(LabelMap(labels, ("z", "y", "x"), Geometry.regular(shape, spacing, origin=(half, 0.0, 5.0)), rows))
    table = Change(contour_error=0.3).between(*regions)
    assert table.regions == ("node", "gone")
    assert table["node", "volume_change"] == pytest.approx(100 * (1.3**3 - 1), rel=0.05)
    assert table["node", "long_axis_change"] == pytest.approx(30.0, abs=4.0) and table["node", "volume_changed"] == 1
    assert table["gone", "volume_last"] == 0 and table["gone", "response"] == "complete response"
    with pytest.raises(ContentError, match="two or more"):
        Change().between(regions[0])


def test_the_interval_covers_repeated_measurements() -> None:
    rng = np.random.default_rng(0)
    inside = 0
    for _ in range(2000):
        before, after = rng.normal(30.0, 1.0), rng.normal(36.0, 1.2)
        _, low, high = change(before, after, 1.0, 1.2)
        inside += low <= 20.0 <= high
    assert inside / 2000 == pytest.approx(0.95, abs=0.015)


@pytest.mark.parametrize(
    "baseline, nadir, now, word",
    [
        (50.0, 50.0, 0.0, "complete response"),
        (50.0, 50.0, 35.0, "partial response"),
        (50.0, 30.0, 36.0, "progressive disease"),
        (20.0, 20.0, 24.5, "stable disease"),
        (20.0, 20.0, 25.0, "progressive disease"),
        (50.0, 50.0, 36.0, "stable disease"),
    ],
)
def test_categories(baseline: float, nadir: float, now: float, word: str) -> None:
    assert recist(baseline, nadir, now) == word


def test_one_time_point_has_no_change() -> None:
    grid = Geometry.regular((9, 9), 1.0)
    region = LabelMap(ellipsoid((9, 9), (1.0, 1.0), (3.0, 3.0)).astype(np.uint8), ("y", "x"), grid)
    table = Change()(Image(np.zeros((9, 9)), ("y", "x"), grid), region)
    assert np.isnan(table["volume_change"]) and table["response"] == "" and table["volume_first"] == table["volume_last"]
