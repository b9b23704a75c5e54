"""Maps of runs, zones, dependences and tones: each window gives what its definition gives, written out in Python."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from scipy import ndimage

from isocenter.kernels.texture.emphasis import emphasis_features
from isocenter.kernels.texture.tones import tone_features
from isocenter.kernels.texture.window_maps import WINDOWED, window_map
from tests.kernels.texture.test_maps import directions

Pairs = list[tuple[int, int]]


def runs(window: npt.NDArray[Any], step: tuple[int, ...]) -> Pairs:
    found = []
    for start in np.argwhere(window > 0):
        here = window[tuple(start)]
        inside = [lambda p: (p >= 0).all() and (p < window.shape).all()][0]
        before = start - step
        if inside(before) and window[tuple(before)] == here:
            continue
        length = 1
        while inside(start + length * np.asarray(step)) and window[tuple(start + length * np.asarray(step))] == here:
            length += 1
        found.append((int(here), length))
    return found


def zones(window: npt.NDArray[Any]) -> Pairs:
    found = []
    for level in np.unique(window[window > 0]):
        labels, count = ndimage.label(window == level, np.ones((3,) * window.ndim))
        found += [(int(level), int((labels == k).sum())) for k in range(1, count + 1)]
    return found


def around(window: npt.NDArray[Any], place: npt.NDArray[Any]) -> npt.NDArray[Any]:
    return window[tuple(slice(max(0, k - 1), k + 2) for k in place)]


def dependences(window: npt.NDArray[Any]) -> Pairs:
    return [(int(window[tuple(p)]), int((around(window, p) == window[tuple(p)]).sum())) for p in np.argwhere(window > 0)]


def emphasis(pairs: Pairs, samples: float) -> npt.NDArray[np.float64]:
    table = sorted(Counter(pairs).items())
    level, extent, count = (np.array(v, np.int64) for v in zip(*[(a, b, n) for (a, b), n in table], strict=True))
    return np.asarray(emphasis_features(level, extent, count, samples))


def tones(window: npt.NDArray[Any], count: int) -> npt.NDArray[np.float64]:
    number, away = np.zeros(count, np.int64), np.zeros(count)
    for place in np.argwhere(window > 0):
        here, near = int(window[tuple(place)]), around(window, place)
        others = int((near > 0).sum()) - 1
        if others:
            number[here - 1] += 1
            away[here - 1] += abs(here - (near.sum() - here) / others)
    return np.asarray(tone_features(number, away))


def expected(window: npt.NDArray[Any], family: int, merged: bool, flat: bool) -> npt.NDArray[np.float64]:
    samples = float((window > 0).sum())
    if family == 0:
        parts = [runs(window, step) for step in directions(flat)]
        if merged:
            return emphasis([p for part in parts for p in part], samples * len(parts))
        return np.asarray(np.mean([emphasis(part, samples) for part in parts], axis=0))
    if family == 3:
        return tones(window, 6)
    return emphasis(zones(window) if family == 1 else dependences(window), samples)


@pytest.mark.parametrize("shape, radius", [((3, 5, 6), 1), ((4, 4, 5), 2), ((1, 6, 7), 1)])
def test_every_feature_equals_its_definition(shape: Any, radius: int) -> None:
    rng = np.random.default_rng(3)
    levels = rng.integers(1, 6, shape)
    levels[rng.random(shape) < 0.2] = 0
    levels[..., :2] = 3
    flat = shape[0] == 1
    given = levels[0] if flat else levels
    wholes = {}
    for place in map(tuple, np.argwhere(levels > 0)[::3]):
        window = levels[tuple(slice(max(0, k - radius), k + radius + 1) for k in place)]
        for family, merged in ((0, False), (0, True), (1, False), (2, False), (3, False)):
            wholes[place, family, merged] = expected(window, family, merged, flat)
    for name, (family, k) in WINDOWED.items():
        for merged in (False, True) if family == 0 else (False,):
            found = window_map(given, name, radius=radius, merged=merged)
            found = found[None] if flat else found
            for (place, which, how), values in wholes.items():
                if which == family and how == merged:
                    wanted = values[k] if np.isfinite(values[k]) else 0.0
                    assert found[place] == pytest.approx(wanted, rel=2e-6, abs=1e-6), (name, place)


def test_threads_do_not_matter() -> None:
    levels = np.random.default_rng(4).integers(0, 9, (5, 12, 13))
    for name in ("rlm_sre", "szm_sze", "ngl_lde", "ngt_coarseness"):
        np.testing.assert_array_equal(window_map(levels, name), window_map(levels, name, threads=2))
