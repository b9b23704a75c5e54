from __future__ import annotations

import csv
import io
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isocenter.core.results import Column, Features, Prediction, Score, Scores
from isocenter.pipeline import numbers as n

FEATURES = Features(
    (Column("volume", "mm^3", "IBSI:RNU0"), Column("mean", "HU")), ((1.5, float("nan")), (2, -3.25)), ("=gtv", "node")
)
SCORES = Scores({"dice": Score(0.1 + 0.2), "hd95": Score(float("inf"), "mm")})


def rows(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text)))


def test_numbers_of_every_result() -> None:
    assert [(x.region, x.name) for x in n.numbers(FEATURES)] == [
        ("=gtv", "volume"),
        ("=gtv", "mean"),
        ("node", "volume"),
        ("node", "mean"),
    ]
    assert n.numbers(FEATURES)[0].standard == "IBSI:RNU0"
    assert [x.value for x in n.numbers(SCORES)] == [0.1 + 0.2, math.inf]
    assert [x.name for x in n.numbers(Prediction(("a", "b"), (0.25, 0.75)))] == ["a", "b"]
    assert n.numbers(Prediction(value=3.0, unit="y"))[0].unit == "y"
    assert n.numbers("text") == []


@given(st.floats() | st.integers() | st.text(max_size=8))
def test_what_is_written_reads_as_the_same(value: Any) -> None:
    assert n.same(n.text_of(value), n.as_json(value))


@given(st.floats(-1e300, 1e300))
def test_the_smallest_change_of_a_number_is_seen(value: float) -> None:
    assert not n.same(repr(float(np.nextafter(value, math.inf))), value)
    assert not n.same(str(2**60 + 1), 2**60) and not n.same("", value) and not n.same("lots", value)


def test_a_text_is_no_formula() -> None:
    assert n.text_of("=1+1") == "'=1+1" and n.text_of(-1.5) == "-1.5"


@pytest.mark.parametrize(
    "text",
    [
        n.csv_wide(FEATURES),
        n.csv_wide(FEATURES, {"case": "c1"}),
        n.csv_long({"other": SCORES, "a": FEATURES}, {"case": "c1"}),
        "segment,volume (mm^3),mean [HU]\n=gtv,1.5,\nnode,2,-3.25\n",
    ],
)
def test_every_number_is_found_in_its_cell(text: str) -> None:
    table = rows(text)
    wanted = n.numbers(FEATURES)
    found = n.locate(table, "a", wanted, "c1")
    assert len(found) == 4
    for number in wanted:
        row, column = found[number.region, number.name]
        assert n.same(table[row][column], n.as_json(number.value))


def test_numbers_of_other_cases_and_slots_are_not_taken() -> None:
    wanted = n.numbers(FEATURES)
    assert n.locate(rows(n.csv_wide(FEATURES, {"case": "c2"})), "a", wanted, "c1") == {}
    assert n.locate(rows(n.csv_long({"b": FEATURES})), "a", wanted) == {}
    assert n.locate([], "a", wanted) == {}


def test_scores_without_regions() -> None:
    table = rows("score,value,unit\ndice,0.30000000000000004,1\nhd95,inf,mm\n")
    assert n.locate(table, "s", n.numbers(SCORES)) == {("", "dice"): (1, 1), ("", "hd95"): (2, 1)}
