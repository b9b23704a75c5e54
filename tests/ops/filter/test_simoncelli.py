"""filter.simoncelli: the reference maps 8.a, the features 8.A and 9.A, and which sizes pass."""

from __future__ import annotations

import numpy as np
import pytest

from isocenter.core.errors import ContentError
from isocenter.ops.filter.simoncelli import Simoncelli
from tests.ops.filter.maps import PLANE, Shared, require_features, require_map, require_slicewise, require_turning, volume


@pytest.mark.parametrize("name, level, measured", [("8_a_1", 1, 0.4), ("8_a_2", 2, 0.001)])
def test_reference_map(shared: Shared, name: str, level: int, measured: float) -> None:
    require_map(shared, name, "checkerboard", Simoncelli(level=level, boundary="periodic"), measured)


def test_reference_features(shared: Shared) -> None:
    require_features(shared, "8.A", Simoncelli(level=1, axes=PLANE))
    require_features(shared, "9.A", Simoncelli(level=2, axes=PLANE))


def test_slices_and_turns() -> None:
    require_slicewise(Simoncelli(axes=PLANE))
    require_turning(Simoncelli(level=2))


def test_each_level_passes_its_own_size() -> None:
    n = 65
    x = np.arange(n)
    for bins, level in ((16, 1), (8, 2), (4, 3)):
        wave = np.broadcast_to(np.cos(2 * np.pi * bins * x / n), (n, n))[None].repeat(3, axis=0)
        for other in (1, 2, 3):
            answer = np.asarray(Simoncelli(level=other, axes=PLANE, boundary="periodic")(volume(wave)).array)
            expected = np.cos(np.pi / 2 * (other - level))  # at the peak of its level, at the zero of the next
            np.testing.assert_allclose(answer, wave * max(0.0, expected), atol=1e-6)


def test_refuses_what_is_not_finite() -> None:
    values = np.zeros((4, 5, 6))
    values[0, 0, 0] = np.nan
    with pytest.raises(ContentError, match="1 samples that are not finite"):
        Simoncelli()(volume(values))
