"""features.perfusion: regions, arterial inputs, signals and refusals."""

from __future__ import annotations

import numpy as np
import pytest

from isocenter.core.errors import ContentError, ParameterError
from isocenter.core.geometry import Geometry
from isocenter.core.image import Image
from isocenter.core.labels import LabelMap, Segment
from isocenter.kernels.perfusion.arterial import parker
from isocenter.kernels.perfusion.relaxation import spoiled_signal
from isocenter.kernels.perfusion.tofts import tofts
from isocenter.ops.features.perfusion import Perfusion

TIMES = tuple(float(t) for t in np.arange(0.0, 240.0, 4.0))


def series(signal: bool = False) -> tuple[Image, LabelMap]:
    """Return an artery and a lesion with Ktrans 0.25 / min, ve 0.3, vp 0.05, as concentrations or as signals."""
    blood = parker(TIMES, 20.0)
    tissue = tofts(TIMES, blood / 0.6, 0.25, 0.3, 0.05)
    labels = np.zeros((6, 7), np.uint8)
    labels[:, 0], labels[2:5, 3:6] = 1, 2
    values = np.zeros((len(TIMES), 6, 7))
    values[:, labels == 1], values[:, labels == 2] = blood[:, None], tissue[:, None]
    if signal:
        before = np.where(labels == 1, 1.6, 1.1)
        values = spoiled_signal(1.0 / before + 4.5 * values, 1000.0, 15.0, 0.005)
    grid = Geometry.regular((6, 7), 1.5)
    image = Image(values, ("t", "y", "x"), grid, modality="MR", quantity=None if signal else "mM", times=TIMES)
    return image, LabelMap(labels, ("y", "x"), grid, (Segment(1, "artery"), Segment(2, "lesion")))


@pytest.mark.parametrize(
    "operation, signal",
    [
        (Perfusion(artery="artery", hematocrit=0.4), False),
        (Perfusion(delay=20.0, hematocrit=0.4), False),
        (Perfusion(arterial=tuple(parker(TIMES, 20.0) / 0.6)), False),
        (Perfusion(artery="artery", hematocrit=0.4, flip_angle=15.0, t1=1.1, baseline=(0, 4)), True),
    ],
    ids=["segment", "population", "given", "signals"],
)
def test_the_lesion_comes_back(operation: Perfusion, signal: bool) -> None:
    image, region = series(signal)
    table = operation(image, region)
    assert table["lesion", "ktrans"] == pytest.approx(0.25, rel=1e-3)
    assert table["lesion", "ve"] == pytest.approx(0.3, rel=1e-3)
    assert table["lesion", "vp"] == pytest.approx(0.05, rel=1e-2)
    assert table["lesion", "perfusion_samples"] == 9 and table["lesion", "residual"] < 1e-4


@pytest.mark.parametrize("model", ["tofts", "extended_tofts", "patlak", "dsc"])
def test_maps_hold_what_the_table_is_the_median_of(model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    image, region = series()
    noise = 0.002 * np.random.default_rng(1).standard_normal(image.shape)
    image = image.replace(array=np.asarray(image.array) + noise)
    operation = Perfusion(artery="artery", model=model, hematocrit=0.4)
    table, maps = operation(image, region), operation.maps(image, region)
    assert maps.dims == ("c", "y", "x") and maps.geometry == image.geometry and maps.channels is not None
    lesion = np.asarray(region.array) == 2
    for name, one in zip(maps.channels, np.asarray(maps.array), strict=True):
        assert not one[~lesion].any()
        if name not in ("kep", "residual"):
            assert float(np.median(one[lesion])) == pytest.approx(table["lesion", name], rel=1e-5)
    monkeypatch.setattr("isocenter.ops.features.perfusion._CURVES", 2)  # in pieces, and on two threads: the same bits
    np.testing.assert_array_equal(np.asarray(operation.maps(image, region, threads=2).array), np.asarray(maps.array))


def test_maps_of_a_phantom_give_its_parameters_back() -> None:
    blood = parker(TIMES, 20.0) / 0.6
    truth = {"ktrans": (0.1, 0.3, 0.6), "ve": (0.2, 0.35, 0.5), "vp": (0.01, 0.05, 0.1)}
    rows = [tofts(TIMES, blood, k, ve, vp) for k, ve, vp in zip(*truth.values(), strict=True)]
    values = np.stack(rows, axis=1).reshape(len(TIMES), 1, 3, 1)
    image = Image(values, ("t", "z", "y", "x"), Geometry.regular((1, 3, 1), 2.0), quantity="mM", times=TIMES)
    maps = Perfusion(arterial=tuple(blood)).maps(image)
    found = dict(zip(maps.channels or (), np.asarray(maps.array)[:, 0, :, 0], strict=True))
    for name, expected in truth.items():
        np.testing.assert_allclose(found[name], expected, rtol=1e-3)
    np.testing.assert_allclose(found["kep"], np.divide(truth["ktrans"], truth["ve"]), rtol=1e-3)
    with pytest.raises(ContentError, match="beside the image"):
        Perfusion(artery="artery").maps(image)


def test_refusals() -> None:
    image, region = series()
    with pytest.raises(ContentError, match="no segment 'aorta'"):
        Perfusion(artery="aorta")(image, region)
    with pytest.raises(ContentError, match="seconds of every time point"):
        Perfusion()(image.replace(times=None), region)
    with pytest.raises(ContentError, match="fits concentrations in mM"):
        Perfusion()(image.replace(quantity=None), region)
    with pytest.raises(ParameterError, match="needs an arterial input"):
        Perfusion(model="dsc")
    with pytest.raises(ContentError, match="3 arterial values for 60"):
        Perfusion(arterial=(1.0, 2.0, 3.0))(image, region)
