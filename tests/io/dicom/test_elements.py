"""The structure of a dataset: sound ones walked, broken ones refused without trusting a length."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest

from isocenter.core.errors import BudgetError, FormatError, MissingInputError, UnsupportedError
from isocenter.io.budget import Budget
from isocenter.io.dicom import values
from isocenter.io.dicom.dataset import looks_like_dicom, open_file
from isocenter.io.dicom.elements import Dataset, View, walk
from isocenter.io.dicom.words import clean
from tests.io.dicom.samples import ct_slice

PATH = Path("x.dcm")


def explicit(tag: int, vr: bytes, value: bytes, length: int | None = None) -> bytes:
    size = len(value) if length is None else length
    head = struct.pack("<HH", tag >> 16, tag & 0xFFFF) + vr
    return head + (b"\0\0" + struct.pack("<I", size) if vr in (b"SQ", b"OB", b"OW", b"UN") else struct.pack("<H", size)) + value


def item(content: bytes, length: int | None = None) -> bytes:
    return struct.pack("<HHI", 0xFFFE, 0xE000, len(content) if length is None else length) + content


ITEM_END, SEQUENCE_END = struct.pack("<HHI", 0xFFFE, 0xE00D, 0), struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)
UNDEFINED = 0xFFFFFFFF


def walked(data: bytes, *, implicit: bool = False, big: bool = False, nesting: int = 100, first: int = 16384) -> Dataset:
    dataset = Dataset(View(lambda a, n: data[a : a + n], len(data), first), PATH, big, implicit)
    walk(dataset, nesting=nesting)
    return dataset


def test_values_are_found_by_keyword() -> None:
    data = walked(
        explicit(0x00100020, b"LO", b"P1")
        + explicit(0x00280010, b"US", struct.pack("<H", 512))
        + explicit(0x00280030, b"DS", b"0.5\\1.5 ")
    )
    assert values.text(data, "PatientID") == "P1" and values.integer(data, "Rows") == 512
    assert values.numbers(data, "PixelSpacing", 2) == [0.5, 1.5] and values.number(data, "SliceThickness") is None


@pytest.mark.parametrize("first", [16, 64, 16384])
def test_small_windows_change_nothing(first: int) -> None:
    parts = b"".join(explicit(0x00091000 + k, b"LO", b"value %03d" % k) for k in range(200))
    sequence = explicit(0x0040A730, b"SQ", item(explicit(0x00080100, b"SH", b"A")) * 50)
    data = walked(parts + sequence + explicit(0x7FE00010, b"OW", bytes(5000)), first=first)
    assert len(data.elements) == 202 and len(values.items(data, "ContentSequence")) == 50
    assert values.text(data, 0x00091000 + 150) == "value 150"


@pytest.mark.parametrize("delimited", [False, True])
def test_sequences_of_both_forms(delimited: bool) -> None:
    inner = explicit(0x00080100, b"SH", b"ABC ")
    one = item(inner + ITEM_END, UNDEFINED) if delimited else item(inner)
    data = walked(
        explicit(0x0040A730, b"SQ", one + (SEQUENCE_END if delimited else b""), UNDEFINED if delimited else None)
        + explicit(0x00280010, b"US", b"\1\0")
    )
    assert values.text(values.items(data, "ContentSequence")[0], "CodeValue") == "ABC" and values.integer(data, "Rows") == 1


def test_unknown_representation_of_undefined_length_is_implicit_inside() -> None:
    inner = struct.pack("<HHI", 0x0008, 0x0100, 2) + b"AB"
    data = walked(explicit(0x00291010, b"UN", item(inner) + SEQUENCE_END, UNDEFINED))
    assert values.text(values.items(data, 0x00291010)[0], "CodeValue") == "AB"


@pytest.mark.parametrize(("depth", "accepted"), [(64, True), (100, True), (101, False), (20000, False)])
def test_nesting_is_counted_not_recursed(depth: int, accepted: bool) -> None:
    opening = explicit(0x0040A730, b"SQ", b"", UNDEFINED) + item(b"", UNDEFINED)
    data = opening * depth + (ITEM_END + SEQUENCE_END) * depth
    if accepted:
        walked(data)
    else:
        with pytest.raises(BudgetError, match="100 deep"):
            walked(data)


BROKEN = {
    "value beyond the end": (explicit(0x00100020, b"LO", b"P1", 500), "claims 500 bytes"),
    "huge value": (explicit(0x7FE00010, b"OW", b"", 0xFFFFFFF0), "claims 4294967280 bytes"),
    "item beyond its sequence": (explicit(0x0040A730, b"SQ", item(b"", 1000)), "claims 1000 bytes"),
    "element beyond its item": (explicit(0x0040A730, b"SQ", item(explicit(0x00100020, b"LO", b"", 50))), "claims 50 bytes"),
    "no item delimiter": (explicit(0x0040A730, b"SQ", item(b"", UNDEFINED), UNDEFINED), "without its delimiter"),
    "no sequence delimiter": (explicit(0x0040A730, b"SQ", item(b""), UNDEFINED), "an item of ContentSequence"),
    "no item in a sequence": (explicit(0x0040A730, b"SQ", explicit(0x00100020, b"LO", b"AB")), "where an item was expected"),
    "twice": (explicit(0x00280010, b"US", b"\1\0") * 2, "occurs twice"),
    "stray delimiter": (ITEM_END, "stray"),
    "cut header": (explicit(0x00100020, b"LO", b"P1") + b"\x10\0\x20", "an element header"),
    "no representation": (explicit(0x00100020, b"\0\0", b"P1"), "no value representation"),
    "fragment beyond the end": (explicit(0x7FE00010, b"OB", item(b"", 0) + item(b"abc", 900), UNDEFINED), "fragment 1"),
    "no fragment delimiter": (explicit(0x7FE00010, b"OB", item(b"", 0) + item(b"abcd"), UNDEFINED), "sequence delimiter"),
}


@pytest.mark.parametrize("name", list(BROKEN))
def test_broken_structures_are_refused(name: str) -> None:
    data, says = BROKEN[name]
    with pytest.raises(FormatError, match=says) as caught:
        walked(data)
    assert "x.dcm" in str(caught.value)


def test_zeros_after_the_pixels_are_padding() -> None:
    data = walked(explicit(0x7FE00010, b"OW", bytes(8)) + bytes(100))
    assert list(data.elements) == [0x7FE00010]


NOT_NUMBERS = [(b"nan ", "nan"), (b"1e400 ", "inf"), (b"abc ", "'abc'"), (b"1_000 ", "'1_000'"), (b"1\\x ", "'x'")]


@pytest.mark.parametrize(("text", "says"), NOT_NUMBERS)
def test_what_is_no_finite_number_is_refused(text: bytes, says: str) -> None:
    with pytest.raises(FormatError, match=says):
        values.numbers(walked(explicit(0x00280030, b"DS", text)), "PixelSpacing")


@pytest.mark.parametrize(
    ("charset", "raw", "text", "complaint"),
    [
        (b"ISO_IR 100", "Jäger^A".encode("latin-1"), "Jäger^A", False),
        (b"ISO_IR 192", "Ünal".encode(), "Ünal", False),
        (b"ISO_IR 144", "Иван".encode("iso8859-5"), "Иван", False),
        (b"ISO_IR 999", b"Plain", "Plain", True),
        (b"ISO_IR 192", b"J\xe4ger", None, True),
        (b"ISO-IR 192", "Ünal".encode(), "Ünal", True),
        (b"idna", b"xn--a", "xn--a", True),
        (b"\\ISO 2022 IR 87", b"Yamada^Tarou=\x1b$B;3ED\x1b(B", "Yamada^Tarou=山田", False),
    ],
)
def test_names_in_their_character_set(charset: bytes, raw: bytes, text: str | None, complaint: bool) -> None:
    padded = charset + b" " * (len(charset) % 2)
    data = walked(explicit(0x00080005, b"CS", padded) + explicit(0x00100010, b"PN", raw))
    found, problem = values.person(data, "PatientName")
    assert bool(problem) == complaint and (text is None or found == text)


def part10(body: bytes, syntax: str = "1.2.840.10008.1.2.1", preamble: bytes = bytes(128)) -> bytes:
    raw = syntax.encode() + b"\0" * (len(syntax) % 2)
    meta = explicit(0x00020010, b"UI", raw)
    return preamble + b"DICM" + explicit(0x00020000, b"UL", struct.pack("<I", len(meta))) + meta + body


BODY = explicit(0x00080060, b"CS", b"CT") + explicit(0x00100020, b"LO", b"P1")


def saved(tmp_path: Path, data: bytes) -> Path:
    path = tmp_path / "f.dcm"
    path.write_bytes(data)
    return path


def test_deflated_datasets_are_inflated_within_the_budget(tmp_path: Path) -> None:
    engine = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = engine.compress(BODY) + engine.flush()
    file = open_file(saved(tmp_path, part10(packed, "1.2.840.10008.1.2.1.99")), Budget())
    assert values.text(file.data, "PatientID") == "P1"
    engine = zlib.compressobj(9, zlib.DEFLATED, -15)
    bomb = engine.compress(explicit(0x00091010, b"UN", bytes(200 << 20))) + engine.flush()
    with pytest.raises(BudgetError, match="bomb"):
        open_file(saved(tmp_path, part10(bomb, "1.2.840.10008.1.2.1.99")), Budget())
    with pytest.raises(FormatError, match="too early"):
        open_file(saved(tmp_path, part10(packed[:-4], "1.2.840.10008.1.2.1.99")), Budget())


FILES = {
    "empty": (b"", FormatError, "empty file"),
    "no magic": (bytes(200), FormatError, "not a DICOM file"),
    "no meta": (bytes(128) + b"DICM", FormatError, "no file meta information"),
    "no syntax": (bytes(128) + b"DICM" + explicit(0x00020002, b"UI", b"1.2\0") + BODY, FormatError, "TransferSyntaxUID"),
    "unknown syntax": (part10(BODY, "1.2.3"), FormatError, "no known transfer syntax"),
    "unread syntax": (part10(BODY, "1.2.840.10008.1.2.4.94"), UnsupportedError, "JPIP Referenced"),
    "no dataset": (part10(b""), FormatError, "no dataset"),
    "byte order": (part10(BODY, "1.2.840.10008.1.2.2"), FormatError, "little endian"),
}


@pytest.mark.parametrize("name", list(FILES))
def test_files_that_cannot_be_opened_say_why(tmp_path: Path, name: str) -> None:
    data, error, says = FILES[name]
    with pytest.raises(error, match=says):
        open_file(saved(tmp_path, data), Budget())


def test_missing_and_irregular_files(tmp_path: Path) -> None:
    with pytest.raises(MissingInputError):
        open_file(tmp_path / "none.dcm", Budget())
    with pytest.raises(FormatError, match="regular"):
        open_file(tmp_path, Budget())


def test_a_wrong_implicit_claim_is_bridged_and_mentioned(tmp_path: Path) -> None:
    file = open_file(saved(tmp_path, part10(BODY, "1.2.840.10008.1.2")), Budget())
    assert values.text(file.data, "PatientID") == "P1" and "as it is written" in file.warnings[0]


@pytest.mark.parametrize(
    ("start", "flagged"), [(b"MZ", True), (b"\x7fELF", True), (b"#!/bin/sh", True), (b"II*\0", False), (b"", False)]
)
def test_preambles_that_are_programs_are_flagged(tmp_path: Path, start: bytes, flagged: bool) -> None:
    file = open_file(saved(tmp_path, part10(BODY, preamble=start.ljust(128, b"\0"))), Budget())
    assert bool(file.warnings) == flagged


def test_recognition() -> None:
    assert looks_like_dicom(part10(BODY)) and looks_like_dicom(BODY)
    assert (
        not looks_like_dicom(b"\x89PNG\r\n\x1a\n" + bytes(200))
        and not looks_like_dicom(b"\x08\0")
        and not looks_like_dicom(bytes(300))
    )


def test_messages_hold_no_control_characters() -> None:
    shown = clean("a\x1b[31m\r\n\u202eb" + "x" * 500)
    assert shown.isprintable() and len(shown) <= 80 and shown.startswith("a?[31m  ?b")
    assert clean(Path("/secret/folder/name.dcm")) == "name.dcm"


def test_a_whole_file_costs_a_fraction_of_its_size(tmp_path: Path) -> None:
    data = ct_slice(0.0, np.zeros((2048, 2048), np.uint16))
    data.save_as(tmp_path / "big.dcm", enforce_file_format=True)
    file = open_file(tmp_path / "big.dcm", Budget())
    assert len(file.data.view.data) < 100_000 < file.size
