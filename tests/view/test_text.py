"""Text that cannot do harm, numbers that can be read."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isocenter.view.text import clean, number, quantity_label, unit
from tests.view.samples import HOSTILE


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_becomes_plain(text: str) -> None:
    shown = clean(text)
    shown.encode("utf-8")
    assert not any(ord(c) < 32 and c not in "\n\t" for c in shown)
    assert not any(c in shown for c in "\x1b\u202e\u2066\u2028")
    assert len(shown) < 2100


@given(st.text(alphabet=st.characters(), max_size=300))
def test_any_text_can_be_written_and_is_cleaned_once(text: str) -> None:
    once = clean(text)
    once.encode("utf-8")
    assert clean(once) == once


@pytest.mark.parametrize("text", ["Läsion links, 12 µm²", "Опухоль", "腫瘍 3", "lésion — gauche"])
def test_honest_text_is_kept(text: str) -> None:
    assert clean(text) == text


def test_a_long_text_says_how_much_is_missing() -> None:
    assert clean("x" * 50, 10) == "xxxxxxxxxx \u2026 (40 more characters)"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (2310.4, "2310"), (13.1, "13.1"), (-849.96, "-850"), (0.7712345, "0.7712"), (0.0, "0"), (12, "12"), (123456, "123456"),
        (1e-7, "1.000e-07"), (3.2e9, "3.200e+09"), (9.99996, "10"), (float("nan"), "not defined"), (math.inf, "infinite"),
        (-math.inf, "minus infinite"), (None, "\u2013"), (True, "yes"), ("as it is", "as it is"),
    ],
)  # fmt: skip
def test_numbers(value: object, shown: str) -> None:
    assert number(value) == shown


def test_a_column_lines_up() -> None:
    assert [number(v, aligned=True) for v in (20.0, 20.12, 4.2)] == ["20.00", "20.12", "4.200"]


def test_units_are_written_as_people_do() -> None:
    assert unit("mm^3") == "mm\u00b3"
    assert unit("1") == ""
    assert quantity_label("HU") == "CT number (HU)"
    assert quantity_label(None, "MR") == "Signal (arbitrary units)"
