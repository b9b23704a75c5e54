"""Text from files becomes one printable line."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isocenter.core.text import ESCAPE, plain


@pytest.mark.parametrize(
    ("given_text", "shown"),
    [
        ("CHEST 5.0 B70f", "CHEST 5.0 B70f"),
        ("Müller 漢字 ±3°", "Müller 漢字 ±3°"),
        ("a\tb\nc\rd", "a b c d"),
        ("\x1b[31mred\x1b[0m", "?[31mred?[0m"),
        ("abc\u202edcba", "abc?dcba"),  # right-to-left override
        ("line\u2028separator\u2029paragraph", "line?separator?paragraph"),
        ("zero\u200bwidth", "zero?width"),
        ("\x00\x07\x7f\x9b", "????"),
        (12.5, "12.5"),
        ("", ""),
    ],
)
def test_what_could_hide_or_move_becomes_visible(given_text: object, shown: str) -> None:
    assert plain(given_text) == shown


@given(st.text(max_size=60), st.integers(3, 40))
def test_the_result_is_one_printable_line_of_bounded_length(text: str, limit: int) -> None:
    shown = plain(text, limit)
    assert len(shown) <= limit
    assert len(shown.splitlines()) <= 1
    assert all(c.isprintable() for c in shown.replace("\u3000", " ").replace("\xa0", " ") if not c.isspace())


def test_long_text_is_cut_and_says_so() -> None:
    assert plain("x" * 50, 10) == "xxxxxxx..."
    assert plain("x" * 10, 10) == "x" * 10


@pytest.mark.parametrize(
    ("given_text", "escaped", "page"),
    [
        ("a\tb\nc", "a\\tb\\nc", "a\tb\nc"),
        ("\x1b[31m", "\\x1b[31m", "\ufffd[31m"),
        ("abc\u202edcba", "abc\\u202edcba", "abc\ufffddcba"),
        ("zero\u200bwidth", "zero\\u200bwidth", "zerowidth"),
        ("j\u200doin", "j\\u200doin", "j\u200doin"),
        ("e" + "\u0301" * 9, "e" + "\u0301" * 9, "e" + "\u0301" * 4),
        ("one\n\n\n\n\ntwo", "one" + "\\n" * 5 + "two", "one\n\ntwo"),
        ("\xa0", "\\xa0", "\xa0"),
        ("\ud800", "\\ud800", "\ufffd"),
    ],
)
def test_each_sink_has_its_mark(given_text: str, escaped: str, page: str) -> None:
    assert plain(given_text, mark=ESCAPE) == escaped
    assert plain(given_text, mark="\ufffd", lines=True) == page
