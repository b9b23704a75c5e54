from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isocenter.core.errors import SpecError
from isocenter.pipeline import document, yaml
from isocenter.pipeline import json as strict_json


@pytest.mark.parametrize(
    "value",
    [
        "yes",
        "No",
        "ON",
        "off",
        "0x1F",
        "0o17",
        "012",
        "1_000",
        "1:30",
        "2026-01-31",
        ".inf",
        "-.INF",
        "NaN",
        "infinity",
        "<<",
        "1e400",
    ],
)
def test_what_yaml_versions_read_differently_is_refused(value: str) -> None:
    with pytest.raises(SpecError, match="line 1"):
        yaml.load(f"a: {value}\n")
    assert yaml.load(f"a: '{value}'\n") == {"a": value}


@pytest.mark.parametrize(
    "text, value",
    [
        ("a: 1", 1), ("a: -0.5", -0.5), ("a: 1e3", 1000.0), ("a: 1.5e-3", 0.0015), ("a: .5", 0.5), ("a: true", True), ("a: null", None), ("a:", None),
        ("a: Yes sir", "Yes sir"), ("a: v1.2", "v1.2"), ("a: '5'", "5"), ("a: [y, x]", ["y", "x"]), ("a: 1.2.840", "1.2.840"), ("a: é", "é"),
        ("a: |\n  two\n  lines\n", "two\nlines\n"),
    ],
)  # fmt: skip
def test_plain_values(text: str, value: Any) -> None:
    assert yaml.load(text) == {"a": value}
    assert yaml.load(yaml.dump({"a": value})) == {"a": value}


@pytest.mark.parametrize(
    "text",
    [
        "{1: a}",
        "{true: a}",
        "{null: a}",
        "{[a]: b}",
        "{? {a: b} : c}",
        "&a b: *a",
        "a: *b",
        "%YAML 1.1\n---\na: 1",
        "a: \u202eabc",
        "a: !x 1",
        "a: !!str 1",
        "{a: 1",
        "a: b: c",
        "a: '\\",
        "@",
        'a: "\\ud800"',
    ],
)
def test_odd_yaml_is_refused_with_its_line(text: str) -> None:
    with pytest.raises(SpecError, match=r"line \d+: "):
        yaml.load(text + "\n")


def test_limits_count_what_aliases_stand_for() -> None:
    tight = document.Limits(nodes=30)
    with pytest.raises(SpecError, match="more than 30 values"):
        yaml.load("a: &a [1, 2, 3, 4, 5, 6, 7, 8]\nb: [*a, *a, *a]\n", limits=tight)
    assert yaml.load("a: &a [1, 2]\nb: [*a, *a]\n", limits=tight) == {"a": [1, 2], "b": [[1, 2], [1, 2]]}


@settings(max_examples=100, deadline=None)
@given(st.text() | st.binary())
def test_any_text_is_read_or_refused(text: str | bytes) -> None:
    for reader in (yaml.load, strict_json.load):
        with contextlib.suppress(SpecError):
            reader(text)
