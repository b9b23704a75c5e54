"""A frozen test set remembers every look, and a changed record is refused."""

from __future__ import annotations

import json

import pytest

from isocenter.core.errors import ContentError, FormatError
from isocenter.learn.evaluate.frozen import FrozenTest


def looked() -> FrozenTest:
    return FrozenTest("hold-out", ("c2", "c1")).looked("m1", "first", {"auc": 0.8}).looked("m2", "second", {"auc": 0.83})


def test_looks_are_counted_and_read_back() -> None:
    test = looked()
    assert "never" in FrozenTest("x", ("a",)).sentence()
    assert "2 times with 2 models" in test.sentence() and "flattered" in test.sentence()
    assert FrozenTest.from_json(test.to_json()) == test


@pytest.mark.parametrize("change", ["score", "case", "drop", "name"])
def test_a_changed_record_is_refused(change: str) -> None:
    data = json.loads(looked().to_json())
    if change == "score":
        data["looks"][0]["scores"]["auc"] = 0.9
    elif change == "case":
        data["cases"].append("c3")
    elif change == "drop":
        data["looks"].pop(0)
    else:
        data["name"] = "other"
    with pytest.raises(ContentError):
        FrozenTest.from_json(json.dumps(data))


def test_training_on_it_is_refused() -> None:
    with pytest.raises(ContentError, match="1 cases of the frozen test set"):
        looked().refuse_training(["c9", "c1"])
    looked().refuse_training(["c9"])


def test_no_record_is_no_record() -> None:
    for text in ("", "[]", '{"name": "x"}'):
        with pytest.raises(FormatError):
            FrozenTest.from_json(text)
    with pytest.raises(ContentError):
        FrozenTest("x", ("a", "a"))
