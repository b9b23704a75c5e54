"""Features, Scores and Prediction."""

from __future__ import annotations

import math

import numpy as np
import pytest

from isocenter.core.errors import ParameterError, UnknownNameError
from isocenter.core.provenance import Provenance
from isocenter.core.results import Column, Features, Prediction, Score, Scores

COLUMNS = (Column("volume", "mm^3", "IBSI:RNU0"), Column("mean", "HU"))


def table() -> Features:
    return Features(COLUMNS, ((100.0, -50.0), (0.0, math.nan)), ("lung", "tumour"))


def test_values_are_found_by_region_and_name() -> None:
    made = table()
    assert made["lung", "volume"] == 100.0
    assert math.isnan(made["tumour", "mean"])
    assert Features(COLUMNS, ((1.0, 2.0),), ("lung",))["mean"] == 2.0


@pytest.mark.parametrize(
    ("key", "said"),
    [
        (("lungs", "mean"), "Did you mean 'lung'"),
        (("lung", "means"), "Did you mean 'mean'"),
        ("mean", r"expected features\[region, name\]"),
    ],
)
def test_a_misspelt_key_gets_a_suggestion(key: str | tuple[str, str], said: str) -> None:
    with pytest.raises(UnknownNameError, match=said):
        table()[key]


def test_records_carry_the_region_first() -> None:
    assert list(table().to_records()[0].items()) == [("region", "lung"), ("volume", 100.0), ("mean", -50.0)]


def test_tables_of_the_same_regions_stand_side_by_side() -> None:
    other = Features((Column("entropy"),), ((1.0,), (2.0,)), ("lung", "tumour"), Provenance.read("sha256:1", "x"))
    both = Features.joined([table(), other])
    assert both.names == ("volume", "mean", "entropy")
    assert both["tumour", "entropy"] == 2.0
    assert len(both.provenance.sources) == 1
    assert Features.joined([]).rows == ()
    with pytest.raises(ParameterError, match="same regions"):
        Features.joined([table(), Features((Column("entropy"),), ((1.0,),), ("lung",))])
    with pytest.raises(ParameterError, match="repeat"):
        Features.joined([table(), table()])


def test_a_ragged_table_is_refused() -> None:
    with pytest.raises(ParameterError, match="do not fit"):
        Features(COLUMNS, ((1.0,),), ("lung",))
    with pytest.raises(ParameterError, match="do not fit"):
        Features(COLUMNS, ((1.0, 2.0),), ("lung", "tumour"))


def test_the_digest_is_exact_and_holds_nan_and_infinity() -> None:
    made = table()
    assert made.digest == table().digest
    for value in (np.nextafter(100.0, 101.0), math.nan, math.inf, -math.inf):
        changed = Features(COLUMNS, ((float(value), -50.0), made.rows[1]), made.regions)
        assert changed.digest != made.digest


# -- scores --------------------------------------------------------------------------------------------------


def test_a_score_is_a_number_with_a_unit_an_interval_and_n() -> None:
    score = Score(1.5, "mm", (1.0, 2.0), 30)
    assert float(score) == 1.5
    assert str(score) == "1.5 mm (1 to 2), n = 30"
    assert str(Score(0.9)) == "0.9, n = 1"


def test_scores_are_a_mapping_in_order() -> None:
    scores = Scores({"dice": Score(0.9), "hausdorff_95": Score(3.0, "mm")})
    assert list(scores) == ["dice", "hausdorff_95"]
    assert len(scores) == 2
    assert "dice" in scores
    assert "jaccard" not in scores
    assert float(scores["dice"]) == 0.9
    with pytest.raises(UnknownNameError, match="Did you mean 'dice'"):
        scores["dise"]


def test_the_digest_of_scores_follows_value_unit_interval_and_n() -> None:
    base = Scores({"dice": Score(0.9)})
    assert base.digest == Scores({"dice": Score(0.9)}).digest
    for other in (Score(0.91), Score(0.9, "mm"), Score(0.9, "1", (0.8, 1.0)), Score(0.9, n=2), Score(math.nan), Score(math.inf)):
        assert Scores({"dice": other}).digest != base.digest


# -- predictions ---------------------------------------------------------------------------------------------


def test_the_label_is_the_most_probable_class() -> None:
    assert Prediction(("benign", "malignant"), (0.3, 0.7)).label == "malignant"
    assert Prediction(value=63.5, unit="a").label is None


@pytest.mark.parametrize(
    ("classes", "probabilities", "value", "said"),
    [
        (("a", "b"), (1.0,), None, "1 probabilities for 2 classes"),
        (("a", "b"), (0.5, 0.6), None, "sum to 1.1"),
        ((), (), None, "empty prediction"),
    ],
)
def test_an_impossible_prediction_is_refused(
    classes: tuple[str, ...], probabilities: tuple[float, ...], value: float | None, said: str
) -> None:
    with pytest.raises(ParameterError, match=said):
        Prediction(classes, probabilities, value)


def test_the_digest_of_a_prediction() -> None:
    assert Prediction(value=1.0).digest == Prediction(value=1.0).digest != Prediction(value=1.0, unit="a").digest
