"""segment.multi_otsu: the thresholds that trying every one finds, and those of a peer."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from skimage.filters import threshold_multiotsu

from isocenter.core.geometry import Geometry
from isocenter.core.image import Image
from isocenter.kernels.otsu import histogram, otsu
from isocenter.kernels.thresholds import condense, multi_otsu
from isocenter.ops.segment.multi_otsu import MultiOtsu


def mixed(seed: int, size: int = 4000) -> np.ndarray:
    rng = np.random.default_rng(seed)
    parts = [rng.normal(m, 12, size) for m in (40, 110, 180, 230)]
    return np.clip(np.rint(np.concatenate(parts)), 0, 255).astype(np.uint8).reshape(-1, 80)


def within_classes(values: np.ndarray, labels: np.ndarray) -> float:
    data = values.astype(np.float64)
    return sum(float(((data[labels == k] - data[labels == k].mean()) ** 2).sum()) for k in np.unique(labels))


@pytest.mark.parametrize("classes", [2, 3, 4])
@pytest.mark.parametrize("seed", range(3))
def test_equals_a_peer(classes: int, seed: int) -> None:
    values = mixed(seed)
    ours = MultiOtsu(classes=classes)(Image(values, ("y", "x"), Geometry.pixels(values.shape)))
    theirs = np.digitize(values, threshold_multiotsu(values, classes), right=True)
    assert within_classes(values, np.asarray(ours.array)) <= within_classes(values, theirs) * (1 + 1e-12)
    assert (ours.array != theirs).mean() < 0.01, "the peer computes in float32: a near tie may fall the other way"
    assert [s.name for s in ours.segments] == [f"class {k}" for k in range(1, classes)]


def test_is_the_best_of_all() -> None:
    values = np.random.default_rng(5).integers(0, 12, 300)
    counts, centers = histogram(values)

    def between(cut: tuple[int, ...]) -> float:
        parts = np.split(np.sort(values), np.searchsorted(np.sort(values), np.array(cut), side="right"))
        return -sum(float(((p - p.mean()) ** 2).sum()) for p in parts)

    best = max(combinations(range(11), 3), key=between)
    assert between(tuple(int(t) for t in multi_otsu(counts, centers, 4))) == pytest.approx(between(best))
    assert multi_otsu(counts, centers, 2) == [otsu(values)]


def test_wide_histograms_are_condensed_and_too_few_values_noted() -> None:
    counts, centers = condense(np.ones(1000, np.int64), np.arange(1000.0), 256)
    assert counts.sum() == 1000
    assert counts.size == 250
    assert centers[0] == 1.5
    flat = MultiOtsu(classes=4)(Image(np.eye(5, dtype=np.int16), ("y", "x"), Geometry.pixels((5, 5))))
    assert not flat.array.any()
    assert "fewer different values" in flat.provenance.steps[-1].notes[0]
