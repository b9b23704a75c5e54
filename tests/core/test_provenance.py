"""Provenance: sources and steps, merged without loss and without doubles."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isocenter.core.provenance import (
    Provenance,
    Source,
    StepRecord,
    canonical_json,
    digest_array,
    digest_bytes,
    digest_json,
)

SOURCES = st.builds(Source, st.sampled_from(("sha256:a", "sha256:b", "sha256:c")), st.sampled_from(("dicom", "nifti")))
STEPS = st.builds(
    StepRecord,
    st.sampled_from(("denoise.median", "segment.lungs")),
    st.sampled_from(("1", "2")),
    st.fixed_dictionaries({"radius": st.integers(0, 2)}),
    st.tuples(st.sampled_from(("sha256:a", "sha256:b"))),
    st.sampled_from((None, 0, 7)),
)
PASTS = st.builds(
    Provenance,
    st.lists(SOURCES, max_size=3, unique=True).map(tuple),
    st.lists(STEPS, max_size=3, unique_by=lambda s: s.key).map(tuple),
)


@given(PASTS, PASTS, PASTS)
def test_merging_is_associative_and_idempotent(a: Provenance, b: Provenance, c: Provenance) -> None:
    merge = Provenance.merged
    assert merge([a]) == a
    assert merge([a, a]) == a
    assert merge([merge([a, b]), c]) == merge([a, merge([b, c])]) == merge([a, b, c])
    both = merge([a, b])
    assert set(both.sources) == {*a.sources, *b.sources}
    assert {s.key for s in both.steps} == {s.key for s in (*a.steps, *b.steps)}


@given(PASTS)
def test_json_and_back(past: Provenance) -> None:
    assert Provenance.from_dict(json.loads(json.dumps(past.to_dict()))) == past


def test_steps_follow_in_order() -> None:
    one, two = StepRecord("a.a", "1"), StepRecord("b.b", "1", seed=3)
    past = Provenance.read("sha256:0", "dicom", ["3 slices were interpolated."]).then(one).then(two)
    assert [s.operation for s in past.steps] == ["a.a", "b.b"]
    assert past.sources[0].notes == past.notes == ("3 slices were interpolated.",)


def test_the_key_covers_what_decides_the_result() -> None:
    base = StepRecord("a.a", "1", {"x": 1}, ("sha256:0",), 0)
    assert base.key == StepRecord("a.a", "1", {"x": 1}, ("sha256:0",), 0, ("a note",)).key
    others = [
        StepRecord("a.b", "1", {"x": 1}, ("sha256:0",), 0),
        StepRecord("a.a", "2", {"x": 1}, ("sha256:0",), 0),
        StepRecord("a.a", "1", {"x": 2}, ("sha256:0",), 0),
        StepRecord("a.a", "1", {"x": 1}, ("sha256:1",), 0),
        StepRecord("a.a", "1", {"x": 1}, ("sha256:0",), 1),
    ]
    assert len({base.key, *[o.key for o in others]}) == 6


def test_notes_are_added_to_the_last_entry() -> None:
    read = Provenance.read("sha256:0", "dicom")
    assert read.noted("a").noted("b").sources[0].notes == ("a", "b")
    stepped = read.then(StepRecord("a.a", "1")).noted("c")
    assert stepped.steps[-1].notes == ("c",)
    assert stepped.sources[0].notes == ()
    assert Provenance().noted("d") == Provenance()
    assert read.noted() is read


def test_notes_are_listed_once() -> None:
    step = StepRecord("a.a", "1", notes=("x", "y"))
    assert Provenance.read("sha256:0", "dicom", ["x"]).then(step).notes == ("x", "y")


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_json_has_no_nan(value: float) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        canonical_json({"x": value})


def test_one_spelling_of_equal_values() -> None:
    assert canonical_json({"b": 1, "a": [1, "é"]}) == '{"a":[1,"é"],"b":1}'
    assert digest_json({"b": 1, "a": 2}) == digest_json({"a": 2, "b": 1})
    assert digest_bytes(b"") == "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


@pytest.mark.parametrize("array", [np.zeros(0), np.zeros((0, 3)), np.zeros((3, 0)), np.float64(1.0), np.zeros(3)])
def test_shape_and_dtype_are_part_of_the_digest(array: Any) -> None:
    assert digest_array(array) == digest_array(array)
    assert digest_array(array) != digest_array(array, "context")
    assert digest_array(np.zeros((2, 3))) != digest_array(np.zeros((3, 2)))
    assert digest_array(np.zeros(3, np.int32)) != digest_array(np.zeros(3, np.float32))
