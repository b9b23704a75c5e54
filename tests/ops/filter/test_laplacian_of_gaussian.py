"""filter.laplacian_of_gaussian: the reference map 2.a, the features 3.A, blobs, and voxels that are no cubes."""

from __future__ import annotations

import numpy as np
import pytest

from isocenter.core.geometry import Geometry
from isocenter.core.image import Image
from isocenter.ops.filter.laplacian_of_gaussian import LaplacianOfGaussian
from tests.ops.filter.maps import (
    PLANE,
    Shared,
    require_continued,
    require_features,
    require_map,
    require_slicewise,
    require_turning,
)


def test_reference_map(shared: Shared) -> None:
    require_map(shared, "2_a", "impulse", LaplacianOfGaussian(sigma=3.0, truncate=4.0, boundary="zero"), 0.01)


def test_reference_features(shared: Shared) -> None:
    require_features(shared, "3.A", LaplacianOfGaussian(sigma=1.5, truncate=4.0, axes=PLANE))


def test_edges_slices_and_turns() -> None:
    require_continued(lambda b: LaplacianOfGaussian(sigma=2.5, boundary=b), 5)
    require_slicewise(LaplacianOfGaussian(sigma=2.0, axes=PLANE))
    require_turning(LaplacianOfGaussian(sigma=3.0))


def test_a_ball_answers_most_at_its_own_size_on_any_voxels() -> None:
    radius = 6.0
    for spacing in ((1.0, 1.0, 1.0), (2.0, 1.0, 0.5)):
        shape = tuple(int(40 / s) | 1 for s in spacing)
        mesh = np.meshgrid(*[(np.arange(n) - n // 2) * s for n, s in zip(shape, spacing, strict=True)], indexing="ij")
        ball = (sum(m**2 for m in mesh) <= radius**2).astype(np.float32)
        image = Image(ball, ("z", "y", "x"), Geometry.regular(shape, spacing))
        middle = tuple(n // 2 for n in shape)
        sizes = (2.0, 2.75, radius / np.sqrt(3.0), 4.5, 6.0)
        unit = min(spacing)
        answers = [-float(LaplacianOfGaussian(sigma=s)(image).array[middle]) * s * s / unit**2 for s in sizes]
        assert int(np.argmax(answers)) == 2
        # The exact response of a ball of radius sqrt(3) sigma: (2/pi)^(1/2) 3^(3/2) e^(-3/2) in units of 1 / sigma^2.
        assert answers[2] == pytest.approx(np.sqrt(2 / np.pi) * 3**1.5 * np.exp(-1.5), rel=0.03)
