"""evaluate.agreement: kappa, generalised Dice and intraclass correlation against published values and peers."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score

from isocenter.core.errors import ParameterError
from isocenter.core.geometry import Geometry
from isocenter.core.labels import LabelMap, Segment
from isocenter.kernels.agreement import cohen_kappa, fleiss_kappa, generalised_dice, intraclass
from isocenter.ops.evaluate.agreement import Agreement

#: Six subjects, four raters (Shrout and Fleiss 1979, table 2).
TABLE = np.array([[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]])

#: Ten subjects, fourteen raters, five categories (Fleiss 1971): votes per category.
VOTES = np.array(
    [
        [0, 0, 0, 0, 14], [0, 2, 6, 4, 2], [0, 0, 3, 5, 6], [0, 3, 9, 2, 0], [2, 2, 8, 1, 1],
        [7, 7, 0, 0, 0], [3, 2, 6, 3, 0], [2, 5, 3, 2, 2], [6, 5, 2, 1, 0], [0, 2, 2, 3, 7],
    ]
)  # fmt: skip


@pytest.mark.parametrize(
    "kind, mean, expected",
    [("1", False, 0.166), ("A", False, 0.290), ("C", False, 0.715), ("1", True, 0.443), ("A", True, 0.620), ("C", True, 0.909)],
)
def test_intraclass_correlation_of_the_published_table(kind: str, mean: bool, expected: float) -> None:
    value, low, high = intraclass(TABLE, kind, mean)  # type: ignore[arg-type]  # parametrised text
    assert value == pytest.approx(expected, abs=0.001)
    assert low < value < high


@pytest.mark.parametrize("kind, low, high", [("1", -0.133, 0.723), ("A", 0.019, 0.761), ("C", 0.342, 0.946)])
def test_intervals_of_the_published_table(kind: str, low: float, high: float) -> None:
    assert intraclass(TABLE, kind)[1:] == pytest.approx((low, high), abs=0.002)  # type: ignore[arg-type]  # parametrised text


def test_intraclass_of_equal_raters_and_of_wrong_shapes() -> None:
    assert intraclass(np.array([[1.0, 1.0], [5.0, 5.0], [7.0, 7.0]])) == (1.0, 1.0, 1.0)
    with pytest.raises(ParameterError, match="two subjects and two raters"):
        intraclass([[1.0, 2.0]])


def test_fleiss_kappa_of_the_published_table() -> None:
    ratings = np.array([np.repeat(np.arange(5), row) for row in VOTES]).T
    assert fleiss_kappa(ratings) == pytest.approx(0.210, abs=0.001)
    assert fleiss_kappa(np.ones((3, 8))) == 1.0


@pytest.mark.parametrize("weights", ["none", "linear", "quadratic"])
def test_cohen_kappa_equals_a_peer(weights: str) -> None:
    one, two = np.random.default_rng(3).integers(0, 4, (2, 500))
    two[:300] = one[:300]
    theirs = cohen_kappa_score(one, two, weights=None if weights == "none" else weights)
    assert cohen_kappa(one, two, weights) == pytest.approx(theirs)  # type: ignore[arg-type]  # parametrised text


def test_generalised_dice_of_two_is_dice_and_weights_small_structures_up() -> None:
    one, two = np.random.default_rng(1).random((2, 400)) < 0.4
    dice = 2 * (one & two).sum() / (one.sum() + two.sum())
    assert generalised_dice([one, two]) == pytest.approx(dice)
    large, small = np.zeros(100, int), np.zeros(100, int)
    large[:90], small[:90] = 1, 1
    large[95:97], small[97:99] = 2, 2  # they disagree on the small one
    assert generalised_dice([large, small]) == pytest.approx(90 / 92)
    assert generalised_dice([large, small], "volume") == pytest.approx(0.5)


def test_readers_of_several_labels() -> None:
    geometry = Geometry.regular((6, 8), (1.0, 1.0))
    rows = (Segment(1, "liver"), Segment(2, "lesion"))
    one = np.zeros((6, 8), np.uint8)
    one[1:4, 1:4], one[4:6, 5:8] = 1, 2
    swapped = np.array([0, 2, 1], np.uint8)[one]
    a, b = (LabelMap(v, ("y", "x"), geometry, rows) for v in (one, swapped))
    assert float(Agreement()(a, a)["kappa"]) == 1.0
    scores = Agreement()(a, b)
    assert float(scores["generalised_dice"]) == 0.0, "the same outline under another label does not agree"
    assert float(Agreement(label="lesion")(a, b)["generalised_dice"]) == 0.0
