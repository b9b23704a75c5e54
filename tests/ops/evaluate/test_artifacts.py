"""evaluate.artifacts: each artefact alone on a phantom, and none on sound images."""

from __future__ import annotations

import numpy as np
import pytest

from isocenter.core.geometry import Geometry
from isocenter.core.image import Image
from isocenter.ops.evaluate.artifacts import Artifacts
from isocenter.ops.evaluate.contrast import Contrast
from isocenter.testing.phantoms import brain_mr as heads
from isocenter.testing.phantoms.chest_ct import chest_ct
from isocenter.testing.phantoms.xray_chest import xray_chest


def _scores(array: np.ndarray) -> dict[str, float]:
    dims = ("z", "y", "x")[3 - array.ndim :]
    return {k: float(v) for k, v in Artifacts()(Image(array, dims, Geometry.regular(array.shape))).items()}


@pytest.fixture(scope="module")
def head() -> np.ndarray:
    clean = np.asarray(heads.brain_mr(noise=0.0).clean.array, float)
    return clean + 4.0 * np.random.default_rng(0).standard_normal(clean.shape)


@pytest.mark.parametrize("image", [heads.brain_mr, chest_ct, xray_chest])
def test_sound_images_show_none(image) -> None:  # type: ignore[no-untyped-def]  # makers of phantoms
    found = Artifacts()(image().image)
    limits = {"stripes_rows": 0.005, "stripes_columns": 0.005, "rings": 0.002, "ringing": 0.003, "clipped": 0.0, "rim": 0.0}
    assert all(float(found[name]) <= most for name, most in limits.items())


def test_stripes_are_measured_by_their_height(head: np.ndarray) -> None:
    offsets = np.random.default_rng(1).standard_normal(head.shape[-1])
    contrast = float(Contrast()(Image(head, ("z", "y", "x"), Geometry.regular(head.shape)))["contrast"])
    striped = _scores(head + 0.05 * contrast * offsets)
    assert 0.03 < striped["stripes_columns"] < 0.07 and striped["stripes_rows"] == 0.0
    turned = _scores((head + 0.05 * contrast * offsets).swapaxes(1, 2))
    assert turned["stripes_rows"] == pytest.approx(striped["stripes_columns"]) and turned["stripes_columns"] == 0.0


def test_rings_around_the_middle_are_seen(head: np.ndarray) -> None:
    middle = [(n - 1) / 2 for n in head.shape[1:]]
    rows, columns = np.indices(head.shape[1:])
    radius = np.rint(np.hypot(rows - middle[0], columns - middle[1])).astype(int)
    heights = 28.0 * np.random.default_rng(0).standard_normal(radius.max() + 1)
    assert _scores(head + heights[radius])["rings"] > 0.01


def test_a_cut_off_k_space_rings() -> None:
    fine = np.asarray(heads.brain_mr(shape=heads.LARGE[0], spacing=heads.LARGE[1]).clean.array, float)[70:90]
    space = np.fft.fftshift(np.fft.fft2(fine), axes=(-2, -1))[:, 54:162, 48:144]
    cut = np.abs(np.fft.ifft2(np.fft.ifftshift(space, axes=(-2, -1)))) / 4.0
    assert _scores(cut)["ringing"] > 0.003 > _scores(fine[:, ::2, ::2])["ringing"]


def test_a_cut_off_top_and_an_empty_rim(head: np.ndarray) -> None:
    exposed = np.random.default_rng(0).normal(100.0, 20.0, (60, 60))
    assert _scores(np.minimum(exposed, np.quantile(exposed, 0.9)))["clipped"] == pytest.approx(0.1, abs=0.001)
    assert _scores(exposed)["clipped"] == 0.0
    plane = np.zeros((80, 90))
    plane[7:-7, 9:-9] = head[32, 8:74, 8:80]
    assert _scores(plane)["rim"] == 7.0
