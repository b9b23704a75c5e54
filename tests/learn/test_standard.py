"""Numbers in standard units: there and back, with and without logarithms, and what cannot be told apart."""

from __future__ import annotations

import numpy as np
import pytest

from isocenter.core.errors import ContentError
from isocenter.learn.standard import Standard, require_spread, standard_of


@pytest.mark.parametrize("skewed", [False, True])
def test_numbers_come_back_as_they_were(skewed: bool) -> None:
    drawn = np.random.default_rng(0).normal(5.0, 1.0, 200)
    numbers = np.exp(drawn) if skewed else drawn
    standard = standard_of(numbers)
    inside = standard.into(numbers)
    assert standard.logarithm is skewed
    assert inside.mean() == pytest.approx(0.0, abs=1e-12) and inside.std() == pytest.approx(1.0)
    np.testing.assert_allclose(standard.back(inside), numbers, rtol=1e-12)


def test_one_number_has_no_units_to_learn_in() -> None:
    assert standard_of([2.5, 2.5]) == Standard(2.5, 1e-12, False)
    with pytest.raises(ContentError, match=r"All 3 labels of 'x' are the number 2\.5"):
        require_spread([2.5] * 3, "'x'")
    require_spread([2.5, 2.6], "'x'")
