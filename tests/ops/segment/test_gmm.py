"""segment.gmm: the likelihood of a peer, and neighbours that settle what values leave open."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.mixture import GaussianMixture

from isocenter.core.errors import ContentError
from isocenter.core.geometry import Geometry
from isocenter.core.image import Image
from isocenter.kernels.otsu import histogram
from isocenter.kernels.thresholds import mixture
from isocenter.ops.segment.gmm import Gmm


def test_parameters_equal_a_peer() -> None:
    rng = np.random.default_rng(0)
    values = np.concatenate([rng.normal(100, 15, 8000), rng.normal(220, 30, 4000), rng.normal(420, 20, 3000)])
    shares, means, widths = mixture(*histogram(np.rint(values).astype(np.int16)), 3)
    peer = GaussianMixture(3, random_state=0, tol=1e-8, max_iter=500).fit(np.rint(values).reshape(-1, 1))
    order = np.argsort(peer.means_[:, 0])
    assert means == pytest.approx(peer.means_[order, 0], rel=2e-3)
    assert widths == pytest.approx(np.sqrt(peer.covariances_[order, 0, 0]), rel=1e-2)
    assert shares == pytest.approx(peer.weights_[order], abs=3e-3)


def test_neighbours_settle_what_noise_leaves_open() -> None:
    y, x = np.indices((80, 80))
    truth = (np.hypot(y - 40, x - 40) < 25) + 1
    noisy = truth * 100.0 + np.random.default_rng(1).normal(0, 60, truth.shape)
    image = Image(noisy.astype(np.float32), ("y", "x"), Geometry.regular(truth.shape, (1.0, 1.0)))
    alone = (np.asarray(Gmm(classes=2)(image).array) != truth).mean()
    together = (np.asarray(Gmm(classes=2, smoothing=1.5)(image).array) != truth).mean()
    assert alone > 0.2
    assert together < 0.02


def test_a_neighbourhood_in_mm_needs_a_pixel_size() -> None:
    image = Image(np.arange(16.0).reshape(4, 4), ("y", "x"), Geometry.pixels((4, 4)))
    Gmm(classes=2)(image)
    with pytest.raises(ContentError, match="pixel size"):
        Gmm(classes=2, smoothing=1.0)(image)
