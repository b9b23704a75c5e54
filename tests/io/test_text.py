"""Text from files at each sink: terminal, table, page, file name, slot name."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isocenter.core.study import SLOT_NAME
from isocenter.io import text

NASTY = ["\x1b[31mred\x1b[0m", "a\r\nb", "\u202egpj.exe", "=1+1", "@SUM(A1)", "+49 30", "-rf", "<script>alert(1)</script>", "../../etc/passwd",
         "a\x00b", "\ud800", "${jndi:x}", "{{7*7}}", "'; DROP TABLE x; --", "COM1", "\uff1d1+1", "\t=1+1", " =1+1", "\u2028x", "\x9b31m", ""]  # fmt: skip


@pytest.mark.parametrize("raw", NASTY)
def test_terminal(raw: str) -> None:
    shown = text.terminal(raw)
    assert shown.isprintable()
    shown.encode("utf-8")
    assert text.one_line(raw).isprintable()


@pytest.mark.parametrize("raw", NASTY)
def test_html(raw: str) -> None:
    shown = text.html(raw)
    assert not set("<>\"'") & set(shown)
    assert "\u202e" not in shown


@pytest.mark.parametrize("raw", NASTY)
def test_csv(raw: str) -> None:
    cell = text.csv_cell(raw)
    assert not cell.lstrip().startswith(("=", "+", "-", "@", "\uff1d"))
    assert "\n" not in cell


@pytest.mark.parametrize("value", [-1, -1.5, 0, None, True, float("nan")])
def test_numbers_are_no_formulas(value: object) -> None:
    assert text.csv_cell(value) is value


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("../../etc/passwd", "etc_passwd"), ("GTV 1/2", "GTV_1_2"), ("", "file"), ("...", "file"), ("CON", "_CON"), ("com1.txt", "_com1.txt"),
        ("-rf", "rf"), ("Größe", "Groe"), ("a\x00b", "a_b"), ("x" * 300, "x" * 80), (".hidden", "hidden"), ("a..b", "a.b"),
    ],
)  # fmt: skip
def test_file_names(raw: str, expected: str) -> None:
    assert text.file_name(raw) == expected


@given(st.text(max_size=200))
def test_any_text_becomes_a_name(raw: str) -> None:
    name = text.file_name(raw)
    assert name
    assert Path(name).name == name
    assert len(name) <= 81
    assert name.isascii()
    assert name[0] not in ".-"
    assert SLOT_NAME.fullmatch(text.slot_name(raw))
    assert SLOT_NAME.fullmatch(text.slot_name(raw, "mask"))
    text.terminal(raw).encode()


def test_slots() -> None:
    assert text.slot_name("GTV-1 (left)") == "gtv_1_left"
    assert text.slot_name("3D T1", "image") == "image_3d_t1"
    taken: set[str] = set()
    assert [text.unique("gtv", taken) for _ in range(3)] == ["gtv", "gtv_2", "gtv_3"]
    assert all(SLOT_NAME.fullmatch(text.unique("x" * 63, taken)) for _ in range(12))


def test_pseudonyms() -> None:
    assert text.pseudonym("a") == text.pseudonym(b"a") != text.pseudonym("b")
    assert len(text.pseudonym("x")) == len("case-12345678")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.nii.gz", "a"),
        ("a.b.nii", "a.b"),
        ("x.seg.nrrd", "x"),
        ("x.ome.tif", "x"),
        ("x.DCM", "x"),
        ("x", "x"),
        ("x.tar.gz", "x"),
        (".nii", ".nii"),
    ],
)
def test_stems(name: str, expected: str) -> None:
    assert text.stem(Path(name)) == expected
