"""segment.kmeans: a fixed point of the algorithm, no worse than a peer's best of many starts."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.cluster import KMeans

from isocenter.core.geometry import Geometry
from isocenter.core.image import Image
from isocenter.ops.segment.kmeans import Kmeans


def mixed(seed: int, kind: type = np.int16) -> np.ndarray:
    rng = np.random.default_rng(seed)
    values = np.concatenate([rng.normal(m, 30, n) for m, n in ((-900, 500), (0, 3000), (120, 1500), (600, 400))])
    return values.astype(kind).reshape(60, 90)


def inertia(values: np.ndarray, labels: np.ndarray) -> float:
    data = values.astype(np.float64)
    return sum(float(((data[labels == k] - data[labels == k].mean()) ** 2).sum()) for k in np.unique(labels))


@pytest.mark.parametrize("classes", [2, 3, 4])
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("kind", [np.int16, np.float32])
def test_clusters_as_tightly_as_a_peer(classes: int, seed: int, kind: type) -> None:
    values = mixed(seed, kind)
    labels = np.asarray(Kmeans(classes=classes)(Image(values, ("y", "x"), Geometry.pixels(values.shape))).array)
    peer = KMeans(classes, n_init=10, random_state=0).fit(values.reshape(-1, 1).astype(np.float64))
    assert inertia(values, labels) <= peer.inertia_ * (1.0 + 1e-3)
    means = [values[labels == k].mean() for k in range(1, classes + 1)]
    assert means == sorted(means)
    nearest = 1 + np.abs(values[..., None].astype(np.float64) - np.array(means)).argmin(axis=-1)
    assert (nearest != labels).mean() < 2e-3, "no sample lies nearer to another mean (but for a bin's width)"


def test_fewer_values_than_clusters() -> None:
    found = Kmeans(classes=3)(Image(np.eye(4, dtype=np.uint8), ("y", "x"), Geometry.pixels((4, 4))))
    assert not found.array.any()
    assert "fewer different values" in found.provenance.steps[-1].notes[0]
