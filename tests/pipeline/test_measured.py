"""Features are taken from unfiltered voxels unless the study says otherwise."""

from __future__ import annotations

import pytest

from isocenter import studies
from isocenter.core.geometry import Geometry
from isocenter.core.operation import Spec
from isocenter.core.registry import operations
from isocenter.pipeline.measured import ALTERING
from isocenter.pipeline.plan import plan
from isocenter.pipeline.spec import load

GRID = Geometry.regular((32, 64, 64), (2.0, 1.0, 1.0))


def _planned(chain: str, measured: str, quantity: str | None, extra: str = "") -> tuple[str, ...]:
    text = f"""
name: test
steps:
{chain}
- {{op: segment.otsu, from: smooth, to: region}}
- {{op: features.intensity, from: [{measured}, region], to: found{extra}}}
"""
    spec = Spec("Image", ("z", "y", "x"), "<f4", GRID, None, quantity, 32 * 64 * 64)
    return plan(load(text), {"image": spec}).problems


MEDIAN = "- {op: denoise.median, from: image, to: smooth}"


@pytest.mark.parametrize("quantity", ["HU", "SUVbw", "Bq/ml", "mm2/s"])
def test_calibrated_values_behind_a_filter_are_not_measured(quantity: str) -> None:
    (problem,) = _planned(MEDIAN, "smooth", quantity)
    assert f"'smooth', whose {quantity} denoise.median has changed" in problem
    assert _planned(MEDIAN, "image", quantity) == ()


def test_a_study_may_say_that_it_means_it() -> None:
    assert _planned(MEDIAN, "smooth", "HU", ", filtered: true") == ()


def test_resampling_does_not_hide_a_filter() -> None:
    chain = (
        MEDIAN
        + "\n- {op: resample.to_spacing, from: smooth, to: coarse, with: {spacing: 2.0}}\n- {op: segment.otsu, from: coarse, to: part}\n"
    )
    text = "\nname: test\nsteps:\n" + chain + "- {op: features.intensity, from: [coarse, part], to: found}\n"
    spec = Spec("Image", ("z", "y", "x"), "<f4", GRID, "CT", "HU", 32 * 64 * 64)
    assert "denoise.median has changed" in plan(load(text), {"image": spec}).problems[0]


def test_arbitrary_units_and_response_maps_are_free() -> None:
    assert _planned(MEDIAN, "smooth", None) == ()
    assert _planned("- {op: filter.mean, from: image, to: smooth}", "smooth", "HU") == ()


@pytest.mark.parametrize("name", studies.names())
def test_no_shipped_study_measures_filtered_values(name: str) -> None:
    made = {}
    for step in load(studies.path(name)).steps:
        if step.op.partition(".")[0] in ALTERING:
            made[step.to] = step.op
        if operations().entry(step.op).family == "Extractor":
            assert not set(step.inputs) & set(made)
