"""Survival curves as a picture: one to four groups, the same bytes every time."""

from __future__ import annotations

import numpy as np
import pytest

from isocenter.core.errors import ParameterError
from isocenter.view.survival import Curve, survival_picture


def curve(name: str) -> Curve:
    share = np.array([0.9, 0.6])
    return name, np.array([1.0, 4.0]), share, share - 0.1, share + 0.1, [(0.0, 10), (5.0, 3)], 5.0


def test_groups_are_drawn_and_counted() -> None:
    picture = survival_picture([curve("low"), curve("high")], "By risk", words="log-rank p = 0.01")
    assert picture.startswith(b"\x89PNG") and picture == survival_picture(
        [curve("low"), curve("high")], "By risk", words="log-rank p = 0.01"
    )
    empty = np.zeros(0)
    assert survival_picture([("none", empty, empty, empty, empty, [(0.0, 4), (2.0, 4)], 2.0)], "Nobody").startswith(b"\x89PNG")
    with pytest.raises(ParameterError, match="0 survival curves"):
        survival_picture([], "Nothing")
