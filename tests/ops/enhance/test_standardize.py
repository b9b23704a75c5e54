"""enhance.standardize: two scanners' scales become one."""

from __future__ import annotations

import numpy as np
import pytest

from isocenter.core.errors import ParameterError
from isocenter.core.image import Image
from isocenter.kernels.standard_scale import PERCENTILES, foreground, learn_landmarks
from isocenter.ops.enhance.standardize import Standardize
from isocenter.testing.phantoms.brain_mr import brain_mr


@pytest.fixture(scope="module")
def head() -> Image:
    return brain_mr(noise=12.0).image


@pytest.mark.parametrize("method", ["z_score", "landmarks", "white_stripe"])
def test_gain_and_offset_of_a_scanner_do_not_matter(head: Image, method: str) -> None:
    first = np.asarray(Standardize(method=method)(head).array)
    other = head.replace(array=np.asarray(head.array, np.float32) * 3.7 + 100)
    np.testing.assert_allclose(np.asarray(Standardize(method=method)(other).array), first, atol=0.02 * np.ptp(first))


def test_what_each_scale_means(head: Image) -> None:
    values = foreground(np.asarray(head.array, np.float32))
    tissue = np.asarray(head.array) > values.min() - 1e-3
    score = np.asarray(Standardize()(head).array)[tissue]
    assert score.mean() == pytest.approx(0.0, abs=1e-3) and score.std() == pytest.approx(1.0, abs=1e-3)
    scale = np.asarray(Standardize(method="landmarks")(head).array)[tissue]
    np.testing.assert_allclose(np.percentile(scale, PERCENTILES), np.linspace(0, 100, 11), atol=1e-2)
    stripe = Standardize(method="white_stripe")(head)
    brightest = float(np.asarray(head.array, float)[np.abs(np.asarray(stripe.array)) < 0.2].mean())
    assert brightest > 600, "white matter is 720 in the phantom"
    assert stripe.quantity == "standardized"


def test_learned_landmarks(head: Image) -> None:
    arrays = [np.asarray(head.array, np.float32) * k for k in (1.0, 2.5)]
    learned = learn_landmarks(arrays)
    assert learned[0] == pytest.approx(0.0) and learned[-1] == pytest.approx(100.0)
    found = np.asarray(Standardize(method="landmarks", landmarks=learned)(head).array)
    np.testing.assert_allclose(
        np.percentile(found[np.asarray(head.array) > foreground(arrays[0]).min() - 1e-3], PERCENTILES), learned, atol=1e-2
    )


def test_impossible_landmarks_and_a_constant(head: Image) -> None:
    for wrong in ((1.0, 2.0), tuple(range(11))[::-1]):
        with pytest.raises(ParameterError, match="11 rising"):
            Standardize(landmarks=wrong)
    for method in ("z_score", "landmarks", "white_stripe"):
        found = Standardize(method=method)(head.replace(array=np.full(head.shape, 5, np.uint8)))
        assert not np.asarray(found.array).any()
        assert "one value" in found.provenance.steps[-1].notes[0]
