from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isocenter.core.errors import SpecError
from isocenter.pipeline import json as strict_json


@pytest.mark.parametrize(
    "text",
    [
        '{"a": 1,}',
        '{"a" 1}',
        "[1, 2",
        '"a',
        "nul",
        "01",
        "1.",
        "{'a': 1}",
        "[1] 2",
        '["\t"]',
        '"\\x"',
        '"\\ud800"',
        "1e999",
        "-Infinity",
        "9" * 30,
        "[1,,2]",
        "{,}",
        "\ufeff\ufeff1",
    ],
)
def test_what_is_not_json_is_refused(text: str) -> None:
    with pytest.raises(SpecError, match=r"line 1: "):
        strict_json.load(text)


@settings(max_examples=150, deadline=None)
@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers(-(2**53), 2**53)
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.text(
            st.characters(
                exclude_categories=["Cs", "Cc"],
                exclude_characters="\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\0",
            )
        ),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("abc_\"'é", max_size=5), inner, max_size=4),
        max_leaves=12,
    )
)
def test_json_reads_what_the_standard_library_writes(value: Any) -> None:
    text = json.dumps(value, indent=2)
    assert strict_json.load(text) == json.loads(text)
