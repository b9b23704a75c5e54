"""features.perfusion_map: a phantom of known kinetics gives its parameters back, voxel by voxel, from an artery that it holds."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from isocenter.core.errors import ContentError, GridMismatchError, IsocenterError, ParameterError
from isocenter.core.geometry import Geometry
from isocenter.core.image import Image
from isocenter.core.labels import LabelMap, Segment
from isocenter.core.operation import Spec
from isocenter.core.registry import operations
from isocenter.kernels.perfusion.arterial import parker
from isocenter.kernels.perfusion.tofts import tofts
from isocenter.ops.features.perfusion import Perfusion
from isocenter.ops.features.perfusion_map import PerfusionMap

TIMES = np.arange(0.0, 300.0, 2.0)
KTRANS, VE, VP = np.array([0.05, 0.1, 0.25, 0.4]), np.array([0.15, 0.3, 0.5]), 0.04
HEMATOCRIT = 0.42


def phantom(noise: float = 0.0) -> tuple[Image, LabelMap]:
    """Return a series (t, 1, 4, 4): a column of blood, then tissue whose transfer grows down and whose space grows across."""
    plasma = parker(tuple(TIMES))
    array = np.zeros((len(TIMES), 1, 4, 4))
    array[:, 0, :, 0] = plasma[:, None] * (1 - HEMATOCRIT)  # whole blood
    for row, ktrans in enumerate(KTRANS):
        for column, ve in enumerate(VE):
            array[:, 0, row, 1 + column] = tofts(TIMES, plasma, ktrans, ve, VP)
    array += noise * np.random.default_rng(5).standard_normal(array.shape)
    grid = Geometry.regular((1, 4, 4), (5.0, 2.0, 2.0))
    image = Image(array.astype(np.float32), ("t", "z", "y", "x"), grid, modality="MR", quantity="mM", times=tuple(TIMES))
    labels = np.ones((1, 4, 4), np.uint8)
    labels[:, :, 1:] = 2
    return image, LabelMap(labels, ("z", "y", "x"), grid, (Segment(1, "artery"), Segment(2, "tumour")))


def channels(maps: Image) -> dict[str, Any]:
    return dict(zip(maps.channels or (), np.asarray(maps.array)[:, 0], strict=True))


@pytest.mark.parametrize(("noise", "within"), [(0.0, 0.01), (0.005, 0.1)])
def test_known_kinetics_come_back_from_the_artery_of_the_series(noise: float, within: float) -> None:
    maps = PerfusionMap(artery="artery")(*phantom(noise))
    found = channels(maps)
    assert maps.dims == ("c", "z", "y", "x") and list(found) == ["ktrans", "ve", "vp", "kep", "residual"]
    np.testing.assert_allclose(found["ktrans"][:, 1:], np.repeat(KTRANS[:, None], 3, 1), rtol=within)
    np.testing.assert_allclose(found["ve"][:, 1:], np.repeat(VE[None], 4, 0), rtol=1.5 * within)
    np.testing.assert_allclose(found["vp"][:, 1:], VP, atol=0.04 * within + 0.001 + 0.1 * noise)
    np.testing.assert_allclose(found["kep"][:, 1:], KTRANS[:, None] / VE[None], rtol=2 * within)
    assert not found["ktrans"][:, 0].any(), "the artery is no tissue"
    assert maps.quantity == "kinetic parameter" and maps.provenance.steps[-1].operation == "features.perfusion_map"


def test_maps_are_those_whose_medians_the_table_gives_on_one_thread_and_two() -> None:
    image, region = phantom(0.003)
    one, two = (PerfusionMap(artery="artery")(image, region, threads=n) for n in (1, 2))
    assert np.array_equal(one.array, two.array) and one.digest == two.digest
    table = Perfusion(artery="artery")(image, region)
    assert np.median(channels(one)["ktrans"][:, 1:]) == pytest.approx(table["tumour", "ktrans"], rel=1e-5)


@pytest.mark.parametrize("operation", PerfusionMap.examples(), ids=lambda o: o.model)
def test_a_plan_knows_what_comes(operation: PerfusionMap) -> None:
    for inputs in operation.example_inputs():
        expected, result = operation.resolve(*(Spec.of(i) for i in inputs)), operation(*inputs)
        assert Spec.of(result) == expected


def test_what_does_not_fit_is_refused_in_a_sentence() -> None:
    image, region = phantom()
    operation = PerfusionMap(artery="artery")
    wrong: list[tuple[tuple[Image, ...], type[IsocenterError], str]] = [
        ((image,), ParameterError, "1 images: expected a time series and labels"),
        ((region, image), ContentError, "expected a time series first"),
        ((image, image), ContentError, "expected a time series first"),
        ((image.replace(quantity=None), region), ContentError, "concentrations in mM"),
        ((image.replace(times=None), region), ContentError, "seconds of every time point"),
        ((image, region.replace(geometry=Geometry.regular((1, 4, 4), (5.0, 2.0, 2.5)))), GridMismatchError, "the labels"),
        ((image, region.replace(segments=(Segment(1, "vessel"), Segment(2, "tumour")))), ContentError, "no segment 'artery'"),
    ]
    for inputs, kind, says in wrong:
        with pytest.raises(kind, match=says):
            operation(*inputs)
    with pytest.raises(ParameterError, match="needs an arterial input"):
        PerfusionMap(model="dsc")


def test_it_takes_what_the_table_of_the_medians_takes() -> None:
    # An operation says its parameters in its own file, so that they are listed without importing it: these two say the same.
    rows = [
        [(p.name, p.annotation, p.default) for p in operations().entries[name].parameters]
        for name in ("features.perfusion", "features.perfusion_map")
    ]
    assert rows[0] == rows[1] and len(rows[0]) == 13
    limits = [{name: field.metadata for name, field in kind.model_fields.items()} for kind in (Perfusion, PerfusionMap)]
    assert limits[0] == limits[1]
