"""Perfusion kernels on every case of the OSIPI reference tables, within that project's tolerances."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from isocenter.kernels.perfusion.arterial import parker
from isocenter.kernels.perfusion.relaxation import concentration, spoiled_signal, variable_flip_angle
from isocenter.kernels.perfusion.susceptibility import flow_and_volume, relaxation_change
from isocenter.kernels.perfusion.tofts import exponential_convolution, fit_patlak, fit_tofts, tofts

Shared = Callable[[str], Path]


def rows(path: Path) -> list[dict[str, str]]:
    csv.field_size_limit(10**7)
    with path.open(encoding="utf-8-sig") as handle:
        return list(csv.DictReader(handle, skipinitialspace=True))


def numbers(text: str) -> npt.NDArray[np.float64]:
    return np.array(text.split(), dtype=np.float64)


def within(value: float, expected: float, absolute: float, relative: float = 0.0) -> bool:
    return abs(value - expected) <= absolute + relative * abs(expected)


def test_extended_tofts(shared: Shared) -> None:
    cases = rows(shared("dce_reference/DCEmodels/data/dce_DRO_data_extended_tofts.csv"))
    assert len(cases) == 15
    for case in cases:
        ktrans, ve, vp, _ = fit_tofts(numbers(case["t"]), numbers(case["C"]), numbers(case["ca"]))[0]
        assert within(ktrans, float(case["Ktrans"]), 0.005, 0.01), case["label"]
        assert within(ve, float(case["ve"]), 0.05), case["label"]
        assert within(vp, float(case["vp"]), 0.0025), case["label"]


def test_patlak(shared: Shared) -> None:
    cases = rows(shared("dce_reference/DCEmodels/data/patlak_sd_0.02_delay_0.csv"))
    assert len(cases) == 9
    for case in cases:
        ps, vp, _ = fit_patlak(numbers(case["t"]), numbers(case["C_t"]), numbers(case["cp_aif"]))[0]
        assert within(ps, float(case["ps"]), 0.005, 0.01) and within(vp, float(case["vp"]), 0.0025), case["label"]


def test_susceptibility(shared: Shared) -> None:
    cases = rows(shared("dce_reference/DSCmodels/data/dsc_data.csv"))
    assert len(cases) == 14
    for case in cases:
        cbv, cbf, mtt = flow_and_volume(numbers(case["C_tis"]), numbers(case["C_aif"]), float(case["tr"]), threshold=0.05)[0]
        assert within(cbv, float(case["cbv"]), 1.0, 0.1) and within(cbf, float(case["cbf"]), 15.0, 0.1), case["label"]
        assert mtt == pytest.approx(60.0 * cbv / cbf)


def test_population_average(shared: Shared) -> None:
    cases = rows(shared("dce_reference/PopulationAIF_DCE/data/ParkerAIF_ref.csv"))
    assert len(cases) == 1931
    found = parker(60.0 * np.array([float(c["time"]) for c in cases]))
    expected = np.array([float(c["Cb"]) for c in cases])
    np.testing.assert_allclose(found, expected, atol=1e-4, rtol=0.01)
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_concentrations(shared: Shared) -> None:
    cases = rows(shared("dce_reference/SI_to_Conc/data/SI2Conc_data.csv"))
    assert len(cases) == 5
    for case in cases:
        found = concentration(
            numbers(case["s"]),
            flip=float(case["FA"]),
            tr=float(case["TR"]),
            t1=float(case["T1base"]),
            relaxivity=float(case["r1"]),
            baseline=(1, int(case["numbaselinepts"])),
        )
        np.testing.assert_allclose(found, numbers(case["conc"]), atol=1e-5, rtol=1e-5)


def test_t1_of_the_brain(shared: Shared) -> None:
    cases = rows(shared("dce_reference/T1_mapping/data/t1_brain_data.csv"))
    assert len(cases) == 76
    for case in cases:
        r1, s0 = variable_flip_angle(numbers(case["s"]), numbers(case["FA"]), numbers(case["TR"])[0])
        assert within(float(r1), float(case["R1"]), 0.0, 0.001), case["label"]
        assert within(float(s0), float(case["s0"]), 0.0, 0.001), case["label"]


#: The fourth fit of the table, "T1 linear B1cor", has a test of its own: its B1 is not the one that the table lists.
@pytest.mark.parametrize(
    "column, linear, corrected", [("linear", True, False), ("nonlinear", False, False), ("nonlinear B1cor", False, True)]
)
def test_t1_of_the_prostate(shared: Shared, column: str, linear: bool, corrected: bool) -> None:
    cases = rows(shared("dce_reference/T1_mapping/data/t1_prostate_data.csv"))
    assert len(cases) == 50
    for case in cases:
        b1 = float(case["B1"]) / 100.0 if corrected else 1.0
        r1, s0 = variable_flip_angle(
            numbers(case["s"]), numbers(case["FA"]), numbers(case["TR"])[0] / 1000.0, linear=linear, b1=b1
        )
        assert within(float(r1), 1000.0 / float(case[f"T1 {column}"]), 0.0, 0.001), case["label"]
        assert within(float(s0), float(case[f"s0 {column}"]), 0.0, 0.001), case["label"]


def test_t1_of_the_prostate_by_the_linear_fit_to_corrected_angles(shared: Shared) -> None:
    """The column was made with another B1 than the one listed: of each voxel, one B1 gives both of its numbers, T1 and S0.

    That B1 is found from T1; S0 then has to follow to within the tolerance, in every voxel.
    """
    for case in rows(shared("dce_reference/T1_mapping/data/t1_prostate_data.csv")):
        signals, flips, tr = numbers(case["s"]), numbers(case["FA"]), numbers(case["TR"])[0] / 1000.0
        wanted = 1000.0 / float(case["T1 linear B1cor"])
        low, high = 0.7, 1.4
        for _ in range(50):  # the rate rises with B1
            middle = 0.5 * (low + high)
            r1, s0 = variable_flip_angle(signals, flips, tr, linear=True, b1=middle)
            low, high = (middle, high) if float(r1) < wanted else (low, middle)
        assert within(float(r1), wanted, 0.0, 1e-9), case["label"]
        assert within(float(s0), float(case["s0 linear B1cor"]), 0.0, 1e-4), case["label"]
        assert abs(middle / (float(case["B1"]) / 100.0) - 1.0) < 0.08, case["label"]


def test_convolution_is_exact_for_straight_pieces() -> None:
    times = np.array([0.0, 1.0, 2.5, 4.0, 7.0])
    curve = np.array([0.0, 2.0, 1.0, 1.0, 0.5])
    fine = np.linspace(0.0, 7.0, 70001)
    for rate in (1e-7, 0.01, 0.4, 8.0):
        values = np.interp(fine, times, curve) * np.exp(rate * (fine - 7.0))
        expected = float(np.sum(0.5 * (values[1:] + values[:-1])) * (fine[1] - fine[0]))
        assert exponential_convolution(times, curve, rate)[-1] == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("model", ["tofts", "extended_tofts"])
def test_own_curves_come_back_and_threads_do_not_matter(model: str) -> None:
    times = np.arange(0.0, 300.0, 3.0)
    plasma = parker(times, 12.0, 0.42)
    truth = [(k, ve, 0.0 if model == "tofts" else vp) for k in (0.02, 0.3, 1.2) for ve in (0.1, 0.5) for vp in (0.01, 0.2)]
    curves = np.stack([tofts(times, plasma, *row) for row in truth])
    found = fit_tofts(times, curves, plasma, model=model)  # type: ignore[arg-type]  # one of the two names
    np.testing.assert_allclose(found[:, :3], truth, rtol=1e-4, atol=1e-6)
    again = fit_tofts(times, curves, plasma, model=model, threads=2)  # type: ignore[arg-type]  # likewise
    np.testing.assert_array_equal(found, again)
    assert np.isnan(fit_tofts(times, np.full(len(times), np.nan), plasma)).all()


def test_signals_come_back() -> None:
    flips = np.array([3.0, 8.0, 15.0])
    r1, s0 = np.array([0.3, 1.0, 4.0]), np.array([100.0, 50.0, 2000.0])
    signals = spoiled_signal(r1, s0, flips[:, None], 0.006)
    for linear in (True, False):
        found = variable_flip_angle(signals, flips, 0.006, linear=linear)
        np.testing.assert_allclose(found[0], r1, rtol=1e-6)
        np.testing.assert_allclose(found[1], s0, rtol=1e-6)
    rate = relaxation_change(100.0 * np.exp(-0.03 * np.array([0.0, 0.0, 5.0, 9.0])), 0.03, (0, 2))
    np.testing.assert_allclose(rate, [0.0, 0.0, 5.0, 9.0], atol=1e-12)
