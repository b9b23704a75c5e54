"""Plots that judge a model: they are pictures, equal for equal input, and show what they are given."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image as Pillow

from isocenter.core.errors import ParameterError
from isocenter.view import curves


def pixels(data: bytes) -> np.ndarray:
    return np.asarray(Pillow.open(io.BytesIO(data)).convert("RGB"))


def test_the_curve_lies_where_its_points_are() -> None:
    line = np.linspace(0, 1, 50)
    good = curves.roc([("good", line, line**0.1)])
    assert good == curves.roc([("good", line, line**0.1)])
    picture = pixels(good).astype(int)
    teal = (abs(picture - [11, 110, 117]) < 40).all(axis=2)
    rows = np.nonzero(teal)[0]
    assert np.median(rows) < picture.shape[0] * 0.35, "a good curve hugs the top"
    bad = pixels(curves.roc([("bad", line, line**8)])).astype(int)
    assert np.median(np.nonzero((abs(bad - [11, 110, 117]) < 40).all(axis=2))[0]) > picture.shape[0] * 0.5


def test_the_others_are_drawn() -> None:
    generator = np.random.default_rng(0)
    truth = generator.normal(50, 10, 40)
    pictures = [
        curves.reliability([(0.1, 0.2, 0.05, 0.4, 20), (0.9, 0.8, 0.6, 0.95, 18)]),
        curves.agreement(truth, truth + 1.0, 1.0, -0.5, 2.5, "years"),
        curves.learning([(20, 0.7, 0.6, 0.8), (80, 0.8, 0.75, 0.85)], "AUC"),
    ]
    for data in pictures:
        assert pixels(data).std() > 5
    assert len(set(pictures)) == 3


def test_too_many_curves() -> None:
    with pytest.raises(ParameterError):
        curves.roc([])
