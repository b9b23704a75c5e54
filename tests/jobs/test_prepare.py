"""The job ``prepare``: only what the measures ask for, with reasons, a lineage that verifies and a pipeline that runs again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import isocenter as iso
from isocenter.core.geometry import Geometry
from isocenter.core.image import Image
from isocenter.core.signal import Signal
from isocenter.io.dicom.write_series import write_series
from isocenter.jobs import run as runs
from isocenter.jobs import verify
from isocenter.jobs.prepare import prepare, proposal_of
from isocenter.testing.phantoms.brain_mr import brain_mr
from isocenter.testing.phantoms.chest_ct import chest_ct
from isocenter.testing.phantoms.fundus import fundus
from isocenter.testing.phantoms.pet import pet
from isocenter.testing.phantoms.ultrasound import ultrasound
from isocenter.testing.phantoms.xray_chest import xray_chest


def _taken(image: Image | Signal) -> list[str]:
    return [step.op for step in proposal_of(image).steps]


def _eeg(muscle: float) -> Signal:
    rng = np.random.default_rng(0)
    times = np.arange(4000) / 500.0
    sources = np.stack(
        [np.sin(2 * np.pi * f * times + f) for f in (2.0, 5.0, 9.0, 11.0)] + [muscle * rng.standard_normal(len(times))]
    )
    return Signal(rng.standard_normal((6, 5)) @ sources, 500.0, unit="uV")


def test_a_noisy_uneven_head_from_dicom_to_dicom(tmp_path: Path) -> None:
    phantom = brain_mr(shape=(40, 60, 56), spacing=(4.8, 3.6, 3.6), bias=0.3, noise=20.0)
    write_series(phantom.image, tmp_path / "mr")
    ready, summary = prepare([tmp_path / "mr"], tmp_path / "out")
    assert summary.exit_code == 0
    assert [row["op"] for row in ready.analyses[0].rows if row["to"] in ("after_nonlocal_means", "prepared")] == [
        "denoise.nonlocal_means",
        "correct.bias_field",
    ]
    assert any("Rician" in text and text.startswith("done: ") for text in ready.analyses[0].preparation)
    out = tmp_path / "out"
    prepared = np.asarray(iso.read(out / "images" / "prepared.nii.gz").array, float)
    truth = np.asarray(phantom.clean.array, float).reshape(prepared.shape)
    inside = truth > 400
    ratios = [(v[inside] / truth[inside]).std() for v in (np.asarray(phantom.image.array, float), prepared)]
    assert ratios[1] < 0.5 * ratios[0]
    series = np.asarray(iso.read(out / "dicom" / "prepared").array, float)
    np.testing.assert_allclose(series, prepared, atol=0.01 * np.ptp(prepared))
    page = (out / "report.html").read_text()
    assert "What was considered and not done" in page and "contrast to noise" in page
    assert (out / "images" / "before-after.png").stat().st_size > 1000
    assert verify.verify(out).sound and verify.verify(out, recompute=True).sound
    again = runs.run(tmp_path / "mr", tmp_path / "again", study=str(out / "prepare.yaml"))
    assert again.exit_code == 0
    assert (
        iso.read(tmp_path / "again" / "images" / "prepared.nii.gz").digest == iso.read(out / "images" / "prepared.nii.gz").digest
    )


def test_a_clean_phantom_stays_what_it_is(tmp_path: Path) -> None:
    image = brain_mr(noise=0.0).clean
    assert _taken(image) == []
    iso.write(image, tmp_path / "clean.nii.gz")
    _, summary = prepare([tmp_path / "clean.nii.gz"], tmp_path / "out")
    assert summary.exit_code == 0
    found = iso.read(tmp_path / "out" / "images" / "prepared.nii.gz")
    np.testing.assert_array_equal(found.array, iso.read(tmp_path / "clean.nii.gz").array)
    assert verify.verify(tmp_path / "out").sound
    assert "No step was needed" in (tmp_path / "out" / "report.html").read_text()


def test_calibrated_values_are_never_divided_shifted_or_stretched() -> None:
    for image in (chest_ct().image, pet().image):
        noisy = image.replace(array=np.asarray(image.array) * np.linspace(0.7, 1.3, image.shape[-1]))
        stages = {op.partition(".")[0] for op in _taken(noisy)}
        assert stages <= {"denoise"}
        assert any("would change what they mean" in one.sentence for one in proposal_of(noisy).considered)
    assert _taken(pet().image) == []  # uptake is read off peaks


def test_each_kind_of_image_gets_what_it_needs() -> None:
    assert _taken(ultrasound().image) == ["denoise.speckle"]
    assert "enhance.fundus" in _taken(fundus().image)
    assert _taken(xray_chest().image) == []
    still = np.asarray(brain_mr(noise=0.0).clean.array, float)[24:40, ::2, ::2]
    rng = np.random.default_rng(0)
    moved = np.stack([np.roll(still, k // 3, axis=2) + 15.0 * rng.standard_normal(still.shape) for k in range(12)])
    series = Image(moved.astype(np.float32), ("t", "z", "y", "x"), Geometry.regular(still.shape, (3.0, 4.5, 4.5)), modality="MR")
    assert _taken(series) == ["denoise.low_rank", "correct.motion"]
    specks = np.where(
        rng.random(still.shape) < 0.03,
        still.max() * 2,
        np.where(rng.random(still.shape) < 0.03, -100.0, still + rng.normal(0, 3, still.shape)),
    )
    assert "denoise.median" in _taken(Image(specks, ("z", "y", "x"), Geometry.regular(still.shape)))


@pytest.mark.parametrize(("modality", "quantity"), [("MR", None), ("CT", "HU"), ("DX", None), ("PT", "SUVbw")])
def test_salt_and_pepper_asks_for_the_median_of_extremes_alone(modality: str, quantity: str | None) -> None:
    truth = np.asarray(brain_mr(noise=0.0).clean.array, np.float32)[24:40, ::2, ::2]
    rng = np.random.default_rng(1)
    for share in (0.02, 0.05):
        where = rng.random(truth.shape)
        specks = np.where(where < share / 2, -50.0, np.where(where < share, 1.2 * truth.max(), truth)).astype(np.float32)
        image = Image(specks, ("z", "y", "x"), Geometry.regular(truth.shape), modality=modality, quantity=quantity)
        (step,) = (s for s in proposal_of(image).steps if s.op.startswith("denoise."))
        assert step.op == "denoise.median" and dict(step.parameters) == {"only": "extremes"}
        made = np.asarray(iso.op(step.op, **step.parameters)(image).array)
        plain = np.asarray(iso.op("denoise.median")(image).array)
        assert abs(made.mean() / truth.mean() - 1) < 0.2 * abs(plain.mean() / truth.mean() - 1)
        assert np.abs(made - truth).mean() < 0.2 * min(np.abs(specks - truth).mean(), np.abs(plain - truth).mean())


def test_noise_that_follows_no_model_is_left_alone_and_said() -> None:
    rng = np.random.default_rng(0)
    base = np.linspace(100.0, 1000.0, 96)[:, None] * np.ones((96, 96))
    strength = np.where(np.arange(96) // 12 % 2 == 0, 3.0, 90.0)[:, None]
    image = Image(
        base + strength * rng.standard_normal(base.shape), ("y", "x"), Geometry.regular(base.shape), modality="CT", quantity="HU"
    )
    proposal = proposal_of(image)
    assert proposal.steps == ()
    assert any("unknown noise is left alone" in one.sentence for one in proposal.considered)


@pytest.mark.parametrize(
    "array", [np.full((8, 8), 3.0), np.full((1, 1), 2.0), np.where(np.eye(40) > 0, np.nan, 1.0), np.zeros((3, 9, 9), bool)]
)
def test_nothing_to_go_by_means_nothing_is_done(array: np.ndarray) -> None:
    dims = ("z", "y", "x")[3 - array.ndim :]
    assert _taken(Image(array, dims, Geometry.regular(array.shape))) == []


def test_a_signal_is_prepared_where_it_needs_it(tmp_path: Path) -> None:
    assert _taken(_eeg(0.0)) == []
    iso.write(_eeg(2.0), tmp_path / "eeg.csv")
    _, summary = prepare([tmp_path / "eeg.csv"], tmp_path / "out")
    assert summary.exit_code == 0
    assert (tmp_path / "out" / "signals" / "prepared.csv").is_file()
    assert verify.verify(tmp_path / "out").sound and verify.verify(tmp_path / "out", recompute=True).sound


def test_the_plan_of_a_run_tells_what_would_help(tmp_path: Path) -> None:
    iso.write(brain_mr(bias=0.3, noise=20.0).image, tmp_path / "head.nii.gz")
    told = runs.prepare([tmp_path / "head.nii.gz"], judge=True).analyses[0].preparation
    assert any(text.startswith("would help: correct.bias_field") for text in told)
    assert runs.prepare([tmp_path / "head.nii.gz"]).analyses[0].preparation == ()
