"""filter.wavelet: the reference maps 5.a to 7.a, the features 6.A and 7.A, and rotations."""

from __future__ import annotations

import numpy as np
import pytest

from isocenter.core.errors import ParameterError
from isocenter.ops.filter.wavelet import Wavelet
from tests.ops.filter.maps import (
    PLANE,
    Shared,
    require_continued,
    require_features,
    require_map,
    require_slicewise,
    require_turning,
    volume,
)


@pytest.mark.parametrize(
    "name, phantom, operation",
    [
        ("5_a_1", "impulse", Wavelet(wavelet="db2", band="LHL", boundary="zero")),
        ("6_a_1", "sphere", Wavelet(wavelet="coif1", band="HHL", boundary="periodic")),
        ("7_a_1", "checkerboard", Wavelet(wavelet="haar", band="LLL", level=2, rotation_invariant=True)),
    ],
)
def test_reference_map(shared: Shared, name: str, phantom: str, operation: Wavelet) -> None:
    require_map(shared, name, phantom, operation, 0.001)


def test_reference_features(shared: Shared) -> None:
    require_features(shared, "6.A", Wavelet(wavelet="db3", band="LH", rotation_invariant=True, axes=PLANE))
    require_features(shared, "7.A", Wavelet(wavelet="db3", band="HH", level=2, rotation_invariant=True, axes=PLANE))


def test_edges_slices_and_turns() -> None:
    require_continued(lambda b: Wavelet(wavelet="db3", band="LHH", level=2, boundary=b), 8)
    require_slicewise(Wavelet(band="LH", axes=PLANE))
    require_turning(Wavelet(wavelet="db3", band="LLH", rotation_invariant=True))
    require_turning(Wavelet(wavelet="db2", band="LHH", level=2, rotation_invariant=True, pooling="max"))
    require_turning(Wavelet(wavelet="haar", band="HHH", level=2, rotation_invariant=True, pooling="min"))


def test_refusals() -> None:
    with pytest.raises(ParameterError, match="expected one of haar"):
        Wavelet(wavelet="db99")
    with pytest.raises(ParameterError, match="3 parts for 2 filtered axes: expected"):
        Wavelet(axes=("y", "x"))(volume(np.zeros((3, 3, 3))))
