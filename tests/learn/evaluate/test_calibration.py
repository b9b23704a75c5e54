"""Calibration: the error of known maps, and maps that mend it without changing the ranking."""

from __future__ import annotations

import numpy as np
import pytest

from isocenter.core.errors import ContentError, ParameterError
from isocenter.learn.evaluate.calibration import calibration_error, fit_calibrator, reliability
from isocenter.learn.evaluate.ranking import auc_roc


def over_sure(n: int, seed: int, factor: float = 3.0) -> tuple[np.ndarray, np.ndarray]:
    """Return labels, and probabilities whose logits are too large by a factor."""
    generator = np.random.default_rng(seed)
    logit = generator.normal(0, 1.2, n)
    y = (generator.random(n) < 1 / (1 + np.exp(-logit))).astype(int)
    p = 1 / (1 + np.exp(-factor * logit))
    return y, np.stack([1 - p, p], axis=1)


def test_known_errors() -> None:
    y = np.repeat([1, 0, 1, 0], [8, 2, 2, 8])
    p = np.repeat([0.85, 0.15], 10)
    assert calibration_error(y, p)[0] == pytest.approx(0.05)
    assert calibration_error(y, np.where(p > 0.5, 0.8001, 0.2001))[0] == pytest.approx(0.0001)
    rows = reliability(y, p)
    assert [r.n for r in rows] == [0, 10, 0, 0, 0, 0, 0, 0, 10, 0]
    assert rows[8].observed == 0.8 and rows[8].interval is not None and rows[8].interval[0] < 0.5
    assert rows[0].interval is None


@pytest.mark.parametrize("kind", ["temperature", "isotonic"])
def test_a_calibrator_mends_new_cases(kind: str) -> None:
    calibrator = fit_calibrator(*over_sure(1500, 1), kind=kind)  # type: ignore[arg-type]  # parametrised text
    y, p = over_sure(3000, 2)
    mended = calibrator(p)
    np.testing.assert_allclose(mended.sum(axis=1), 1.0)
    assert calibration_error(y, mended[:, 1])[0] < 0.4 * calibration_error(y, p[:, 1])[0]
    assert auc_roc(y, mended[:, 1]) == pytest.approx(auc_roc(y, p[:, 1]), abs=0.01)
    assert 0 < mended.min() and mended.max() < 1


def test_the_temperature_is_found() -> None:
    assert fit_calibrator(*over_sure(20000, 3)).temperature == pytest.approx(3.0, rel=0.05)


def test_one_class_cannot_calibrate() -> None:
    with pytest.raises(ContentError):
        fit_calibrator([1, 1], [[0.1, 0.9], [0.2, 0.8]])
    with pytest.raises(ParameterError, match="two classes"):
        fit_calibrator([0, 1, 2], np.eye(3), kind="isotonic")
