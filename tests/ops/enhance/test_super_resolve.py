"""enhance.super_resolve on the head phantom."""

from __future__ import annotations

import numpy as np
import pytest

from isocenter.core.errors import ParameterError
from isocenter.core.geometry import Geometry
from isocenter.core.image import Image
from isocenter.core.labels import LabelMap, Segment
from isocenter.ops.enhance.super_resolve import SuperResolve
from isocenter.testing.phantoms.brain_mr import brain_mr


def coarse() -> tuple[np.ndarray, Image]:
    truth = np.asarray(brain_mr(noise=0.0).clean.array, np.float64)
    blocks = truth.reshape(32, 2, 48, 2, 44, 2).mean(axis=(1, 3, 5))
    return truth, Image(blocks.astype(np.float32), ("z", "y", "x"), Geometry.regular(blocks.shape, 2.0))


def test_nearer_to_the_truth_than_the_spline_and_true_to_what_was_measured() -> None:
    truth, image = coarse()
    error = {}
    for iterations in (0, 10):
        found = np.asarray(SuperResolve(iterations=iterations)(image).array, np.float64)
        error[iterations] = 10 * np.log10(((found - truth) ** 2).mean())
        again = found.reshape(32, 2, 48, 2, 44, 2).mean(axis=(1, 3, 5))
        off = np.abs(again - np.asarray(image.array)).mean()
        assert off < (20.0 if iterations == 0 else 1.0)
    assert error[0] - error[10] >= 0.8


def test_the_grid_covers_the_same_volume() -> None:
    geometry = Geometry.regular((4, 5, 6), (4.0, 1.0, 1.0), origin=(1.0, 2.0, 3.0))
    found = SuperResolve(factor=(4, 1, 1))(Image(np.random.default_rng(0).random((4, 5, 6)), ("z", "y", "x"), geometry))
    assert found.geometry.shape == (16, 5, 6)
    np.testing.assert_allclose(found.geometry.spacing, (1.0, 1.0, 1.0))
    np.testing.assert_allclose(found.geometry.to_world([1.5, 0, 0]), geometry.to_world([0, 0, 0]))


def test_labels_stay_labels_and_impossible_factors() -> None:
    labels = LabelMap(np.eye(4, dtype=np.uint8) * 3, ("y", "x"), Geometry.regular((4, 4)), (Segment(3, "line"),))
    assert set(np.unique(SuperResolve()(labels).array)) == {0, 3}
    with pytest.raises(ParameterError, match="1 to 16"):
        SuperResolve(factor=0)
