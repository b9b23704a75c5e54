"""evaluate.dice: against its definition, with every empty case."""

from __future__ import annotations

import numpy as np
import pytest

from isocenter.core.errors import ContentError, GridMismatchError
from isocenter.core.labels import LabelMap, Segment
from isocenter.ops.evaluate.dice import Dice
from isocenter.testing.contracts.inputs import grid


def labels(values: list[int], names: tuple[str, ...] = ("liver", "lesion")) -> LabelMap:
    rows = tuple(Segment(k, name) for k, name in enumerate(names, start=1))
    return LabelMap(np.asarray(values, np.uint8), ("x",), grid((len(values),)), rows)


def test_definition() -> None:
    prediction, truth = labels([1, 1, 1, 0, 0, 0, 2, 0]), labels([0, 1, 1, 1, 1, 0, 0, 0])
    scores = Dice()(prediction, truth)
    assert {k: float(v) for k, v in scores.items()} == pytest.approx(
        {"dice": 4 / 8, "jaccard": 2 / 6, "sensitivity": 2 / 4, "precision": 2 / 4, "volume_similarity": 1.0}
    )
    assert float(Dice(label="liver")(prediction, truth)["dice"]) == pytest.approx(4 / 7)
    assert float(Dice(label=1)(prediction, truth)["precision"]) == pytest.approx(2 / 3)


@pytest.mark.parametrize(
    "prediction, truth, value", [([0, 0], [0, 0], 1.0), ([1, 0], [0, 0], 0.0), ([0, 0], [1, 0], 0.0), ([1, 0], [1, 0], 1.0)]
)
def test_empty_masks(prediction: list[int], truth: list[int], value: float) -> None:
    assert {float(s) for s in Dice()(labels(prediction), labels(truth)).values()} == {value}


def test_a_label_that_the_prediction_lacks_is_a_miss() -> None:
    prediction = labels([1, 1, 0], names=("liver",))
    assert float(Dice(label="lesion")(prediction, labels([1, 2, 0]))["dice"]) == 0.0


def test_refusals() -> None:
    with pytest.raises(GridMismatchError, match="shapes differ"):
        Dice()(labels([1, 0]), labels([1, 0, 0]))
    with pytest.raises(ContentError, match="two label maps"):
        Dice()(labels([1, 0]), "truth")  # type: ignore[arg-type]  # the wrong kind on purpose
