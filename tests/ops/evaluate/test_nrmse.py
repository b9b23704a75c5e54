"""evaluate.nrmse against scikit-image."""

from __future__ import annotations

import numpy as np
import pytest
from skimage.metrics import normalized_root_mse

from isocenter.core.errors import ContentError, ParameterError
from isocenter.core.geometry import Geometry
from isocenter.core.image import Image
from isocenter.ops.evaluate.nrmse import Nrmse
from tests.ops.evaluate._pairs import pair


@pytest.mark.parametrize("by, theirs", [("range", "min-max"), ("mean", "mean"), ("norm", "euclidean")])
def test_equals_scikit_image(by: str, theirs: str) -> None:
    one, two = pair()
    expected = normalized_root_mse(np.asarray(two.array, float), np.asarray(one.array, float), normalization=theirs)
    assert float(Nrmse(by=by)(one, two)["nrmse"]) == pytest.approx(abs(expected), rel=1e-6)


def test_nothing_to_divide_by() -> None:
    grid = Geometry.pixels((2, 2))
    zero, one = (Image(np.full((2, 2), v), ("y", "x"), grid) for v in (0.0, 1.0))
    for by in ("range", "mean", "norm"):
        with pytest.raises(ContentError, match=by):
            Nrmse(by=by)(one, zero)
        assert float(Nrmse(by=by)(zero, zero)["nrmse"]) == 0.0
    with pytest.raises(ParameterError, match="by"):
        Nrmse(by="guess")
