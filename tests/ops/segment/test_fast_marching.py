"""segment.fast_marching: arrival times are distances where nothing slows the front, and edges hold it."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk

from isocenter.core.errors import ParameterError
from isocenter.kernels.marching import arrival
from isocenter.ops.segment.fast_marching import FastMarching
from tests.ops.segment.seeded import MIDDLE, ball, dice


def test_arrival_is_distance_on_anisotropic_grids() -> None:
    spacing = (2.0, 1.0, 0.5)
    times = arrival(np.ones((15, 31, 61)), np.array([[7, 15, 30]]), spacing)
    place = (np.indices(times.shape).T - (7, 15, 30)).T * np.array(spacing)[:, None, None, None]
    far = np.sqrt((place**2).sum(axis=0))
    assert np.abs(times - far).max() < 2.0
    assert times[7, 15] == pytest.approx(far[7, 15]), "exact along the axes"
    assert np.isinf(arrival(np.ones((5,)), np.array([[0]]), (1.0,), until=2.5)[3:]).all()


def test_equals_a_peer_with_any_speed() -> None:
    speed = np.random.default_rng(0).uniform(0.2, 2.0, (12, 14, 16))
    peer = sitk.FastMarchingImageFilter()
    peer.AddTrialPoint([5, 7, 6, 0])
    peer.SetStoppingValue(1e6)
    theirs = sitk.GetArrayFromImage(peer.Execute(sitk.GetImageFromArray(speed)))
    ours = arrival(speed, np.array([[6, 7, 5]]), (1.0, 1.0, 1.0))
    assert np.abs(ours - theirs).max() < 1e-3


def test_edges_hold_the_front_and_walls_stop_it() -> None:
    image, truth = ball(3.0)
    assert dice(FastMarching(seeds=(MIDDLE,), reach=11.0, sigma=0.7)(image).array, truth) > 0.9
    speed = np.ones((5, 5))
    speed[:, 2] = 0.0
    assert np.isinf(arrival(speed, np.array([[2, 0]]), (1.0, 1.0))[:, 2:]).all()
    with pytest.raises(ParameterError, match="no seed"):
        FastMarching()(image)
