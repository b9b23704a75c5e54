"""The report as HTML and PDF: complete, self-contained, harmless, the same every time."""

from __future__ import annotations

import base64
import itertools
import re
import subprocess
import sys
import zlib
from html.parser import HTMLParser

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from isocenter.core.errors import ParameterError
from isocenter.core.provenance import Provenance, StepRecord
from isocenter.core.results import Column, Features, Prediction, Score, Scores
from isocenter.view.html import html
from isocenter.view.pdf import pdf
from isocenter.view.png import encode
from isocenter.view.report import (
    STATEMENT,
    Figure,
    Footer,
    KeyNumber,
    KeyValues,
    Lineage,
    LineageStep,
    Notice,
    Paragraph,
    Report,
    Section,
    Table,
)
from isocenter.view.tables import case_flow, feature_table, key_numbers, prediction_table, score_table
from tests.view.samples import HOSTILE

PNG = encode(np.repeat(np.arange(64, dtype=np.uint8).reshape(8, 8, 1) * 4, 3, axis=-1))
VOID = {"meta", "img", "br", "link", "input", "hr"}


def full(text: str = "plain") -> Report:
    """A report with every kind of block, one text in every place that takes one."""
    provenance = Provenance.read("sha256:" + "ab" * 32, "dicom").then(
        StepRecord("denoise.median", "1", {"radius": 1, "note": text}, (), 0, (text,))
    )
    blocks = (
        Paragraph(text),
        Notice(text, "problem"),
        Table((text, "Volume (ml)"), ((text, 1.5), (None, float("nan"))), text),
        KeyValues(((text, text), ("noise", 12.25))),
        Figure(PNG, text, text),
        Lineage.of(provenance, text),
        Lineage((text,), (LineageStep(text, text, text, (text,)),)),
    )
    return Report(
        text or "Report",
        text,
        (text, text),
        (KeyNumber(text, 13.1, text, text), KeyNumber("text", text)),
        (Notice(text, "warning"), Notice(text)),
        Figure(PNG, text),
        (Section(text, blocks), Section("Empty", ())),
        Footer((text,)),
    )


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def parsed(page: bytes) -> _Page:
    parser = _Page()
    parser.feed(page.decode("utf-8"))
    parser.close()
    assert parser.open == []
    return parser


def drawn(document: bytes, between: str = " ") -> str:
    """Return the text that the pages of a PDF draw in its standard fonts, in the order it is drawn."""
    pieces: list[bytes] = []
    for stream in re.findall(rb"stream\r?\n(.*?)endstream", document, re.S):
        try:
            content = zlib.decompress(base64.a85decode(b"<~" + stream.strip(), adobe=True))
        except (ValueError, zlib.error):
            continue  # a font or a picture
        pieces += re.findall(rb"\((.*?)(?<!\\)\) Tj", content, re.S)
    plain = [re.sub(rb"\\([()\\])", rb"\1", piece).decode("cp1252", "replace") for piece in pieces]
    return between.join(plain)


def test_html_says_everything() -> None:
    page = parsed(html(full("Findings")))
    assert page.text.count("Findings") >= 20
    for words in (
        STATEMENT,
        "Volume (ml)",
        "1.500",
        "not defined",
        "13.1",
        "denoise.median",
        "radius = 1",
        "seed = 0",
        "Take care",
        "Problem",
    ):
        assert words in page.text, words


def test_html_is_one_file_without_scripts() -> None:
    page = html(full())
    text = page.decode()
    assert re.search(r"default-src 'none'; img-src data:; style-src 'unsafe-inline'", text)
    assert not re.search(r"https?://|//[a-z]+\.|@import|url\(", text)
    tags = parsed(page).tags
    assert not {t for t, _ in tags} & {"script", "link", "iframe", "object", "form", "a", "base"}
    assert not [k for _, a in tags for k in a if k.startswith("on")]
    assert all((a["src"] or "").startswith("data:image/png;base64,") for t, a in tags if t == "img")


def test_html_is_accessible() -> None:
    tags = parsed(html(full("Findings"))).tags
    names = [t for t, _ in tags]
    assert dict(tags)["html"]["lang"] == "en"
    assert names.count("h1") == 1
    assert names.count("title") == 1
    assert names.count("main") == 1
    assert all(a.get("alt") for t, a in tags if t == "img")
    assert all(a.get("scope") in ("col", "row") for t, a in tags if t == "th")
    assert any(a.get("name") == "viewport" for t, a in tags if t == "meta")
    levels = [int(n[1]) for n in names if re.fullmatch(r"h[1-6]", n)]
    assert all(b - a <= 1 for a, b in itertools.pairwise(levels))


def _luminance(colour: str) -> float:
    parts = [int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("mode", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize(
    ("ink", "ground"),
    [("ink", "paper"), ("muted", "paper"), ("muted", "page"), ("accent", "paper"), ("info-ink", "info"), ("warning-ink", "warning"),
     ("warning-ink", "paper"), ("problem-ink", "problem")],
)  # fmt: skip
def test_contrast(mode: int, ink: str, ground: str) -> None:
    style = html(full()).decode()
    first, second = (_luminance(re.findall(rf"--{name}: (#[0-9a-f]{{6}});", style)[mode]) for name in (ink, ground))
    ratio = (max(first, second) + 0.05) / (min(first, second) + 0.05)
    assert ratio >= 4.5, f"{ink} on {ground}: {ratio:.2f}"


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_harmless_in_html(text: str) -> None:
    page = html(full(text))
    expected = [t for t, _ in parsed(html(full("plain"))).tags]
    mine = parsed(page)
    # An empty text leaves its element out; no text may add one.
    assert [t for t, _ in mine.tags] == expected or not text
    assert not [k for _, a in mine.tags for k in a if k.startswith("on")]
    assert not any(ord(c) < 32 and c not in "\n\t" for c in page.decode())
    assert "\u202e" not in page.decode()
    assert "49" not in mine.text.split("7 * 7")[0][:50]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_harmless_in_pdf(text: str) -> None:
    document = pdf(full(text))
    assert document.startswith(b"%PDF-")
    assert document.rstrip().endswith(b"%%EOF")
    for danger in (b"/JavaScript", b"/JS", b"/Launch", b"/URI", b"/EmbeddedFile", b"/OpenAction"):
        assert danger not in document


def test_markup_is_shown_in_pdf_as_it_is() -> None:
    words = drawn(pdf(full("<b>bold</b> & {x}")), between="")
    assert "<b>bold</b> & {x}" in words


def test_pdf_says_everything() -> None:
    words = drawn(pdf(full("Findings")))
    assert words.count("Findings") >= 20
    for part in (STATEMENT, "Page 1 of", "Volume (ml)", "1.500", "not defined", "13.1", "radius = 1"):
        assert part in words, part


def test_every_page_of_a_pdf_carries_number_and_pseudonym() -> None:
    rows = tuple((f"case {k}", k, "a reason that takes a few words to say") for k in range(150))
    words = drawn(pdf(Report("Cohort", "COHORT-7", sections=(Section("Cases", (Table(("Case", "n", "Why"), rows),)),))))
    pages = int(re.findall(r"Page 1 of (\d+)", words)[0])
    assert pages >= 3
    for k in range(1, pages + 1):
        assert f"Page {k} of {pages}" in words
    assert words.count("COHORT-7") >= pages
    assert words.count("Why") == pages, "the headings are repeated"


def test_characters_beyond_latin_are_embedded() -> None:
    document = pdf(full("Опухоль \u2264 5 mm"))
    assert b"DejaVuSans" in document
    assert b"/FontFile2" in document
    assert b"DejaVuSans" not in pdf(full("plain"))


def test_wide_and_long_tables_fit() -> None:
    wide = Table(
        ("Region", *(f"feature number {k} (mm)" for k in range(60))), tuple((f"region {r}", *range(60)) for r in range(5))
    )
    long = Table(("a", "b"), tuple((k, "word " * 70) for k in range(900)))
    words = drawn(pdf(Report("T", "P", sections=(Section("S", (wide, long)),))))
    assert words.count("region 3") == 10
    assert "500 more rows are not shown here." in words
    text = html(Report("T", "P", sections=(Section("S", (Table(("n",), tuple((k,) for k in range(2500))),)),))).decode()
    assert "500 more rows are not shown here." in text


def test_equal_reports_give_equal_bytes_in_another_process() -> None:
    code = (
        "import hashlib, sys; sys.path.insert(0, '.')\n"
        "from tests.view.test_report import full; from isocenter.view.html import html; from isocenter.view.pdf import pdf\n"
        "r = full('Größe \u2264 5'); print(hashlib.sha256(html(r) + pdf(r)).hexdigest())"
    )
    found = {subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout for _ in range(2)}
    assert len(found) == 1
    document = pdf(full())
    assert document == pdf(full())
    assert b"D:2000" in document or b"CreationDate" not in document, "no date of today"


def test_view_needs_no_display_state_and_no_other_wing() -> None:
    code = (
        "import sys, importlib, pkgutil, isocenter.view as v\n"
        "[importlib.import_module(m.name) for m in pkgutil.iter_modules(v.__path__, 'isocenter.view.')]\n"
        "print([m for m in sys.modules if m == 'matplotlib.pyplot' or m.startswith(('isocenter.io', 'isocenter.ops', 'isocenter.secure'))])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.strip() == "[]"


def test_blocks_check_themselves() -> None:
    with pytest.raises(ParameterError, match="Row 2"):
        Table(("a", "b"), ((1, 2), (1,)))
    with pytest.raises(ParameterError, match="PNG"):
        Figure(b"GIF89a")
    with pytest.raises(ParameterError, match="level"):
        Notice("x", "danger")  # type: ignore[arg-type]  # the point of the test
    with pytest.raises(ParameterError, match="block of a report"):
        Section("S", ("text",))  # type: ignore[arg-type]  # the point of the test
    assert Table(("a", "b"), (("x", 1), ("y", None))).align == ("text", "number")
    assert Figure(PNG, "caption").alt == "caption"
    assert Figure(PNG).size == (8, 8)


FEATURES = Features(
    (Column("volume", "mm^3"), Column("intensity_mean", "HU", "IBSI:Q4LE"), *(Column(f"f{k}") for k in range(6))),
    ((1000.0, 30.5, *range(6)), (20.0, float("nan"), *range(6))),
    ("lung", "tumour"),
)


def test_feature_tables_stand_or_lie() -> None:
    lying = feature_table(FEATURES, ["volume", "intensity_mean"])
    assert lying.columns == ("Region", "Volume (mm\u00b3)", "Intensity mean (HU)")
    standing = feature_table(FEATURES)
    assert standing.columns == ("Feature", "Unit", "Standard", "lung", "tumour")
    assert standing.rows[1][:4] == ("Intensity mean", "HU", "IBSI:Q4LE", 30.5)
    numbers = key_numbers(FEATURES, {"volume": "volume", "missing": "nothing"})
    assert [(n.label, n.value, n.unit) for n in numbers] == [("lung: volume", 1000.0, "mm^3"), ("tumour: volume", 20.0, "mm^3")]


def test_score_and_prediction_tables() -> None:
    table = score_table(Scores({"dice": Score(0.91, "1", (0.88, 0.94), 40), "hausdorff_95": Score(3.2, "mm")}))
    assert table.rows == (("Dice", 0.91, "\u2013", "0.88 to 0.94", 40), ("Hausdorff 95", 3.2, "mm", "\u2013", 1))
    assert prediction_table(Prediction(("no", "yes"), (0.2, 0.8))).rows == (("yes", 0.8), ("no", 0.2))
    assert prediction_table(Prediction(value=51.5, unit="years")).rows == ((51.5, "years"),)


def test_the_case_flow_counts_every_case() -> None:
    flow, reasons = case_flow(["a", "b", "c"], [("x", "3 of 20 slices are missing.")], [("d", "segment.lungs found no lung.")])
    assert isinstance(flow, Table)
    assert isinstance(reasons, Table)
    assert [row[1] for row in flow.rows] == [5, 1, 1, 3]
    assert flow.rows[3][2] == "60 %"
    assert reasons.rows == (("x", "refused", "3 of 20 slices are missing."), ("d", "set aside", "segment.lungs found no lung."))
    none = case_flow([], [("x", "bad")])
    assert any(isinstance(b, Notice) and b.level == "problem" for b in none)
    assert len(case_flow([])) == 1


_PIECES = st.sampled_from([*"aW \n<&>\"'-=\t", "\x00", "\u202e", "\u0301", "\u4e2d", "\u05d0"])


@settings(max_examples=15, deadline=None, phases=(Phase.explicit, Phase.reuse, Phase.generate))
@given(st.lists(_PIECES, max_size=60).map("".join), st.integers(1, 60), st.integers(1, 9))
def test_any_text_fits_into_both(text: str, times: int, columns: int) -> None:
    long = text * times
    table = Table((long,) * columns, ((long,) * columns,) * 4, long)
    numbers = (KeyNumber(long, long, long, long),) * columns
    blocks = (table, KeyValues(((long, long),)), *full(long).sections[0].blocks)
    report = Report(long, long, (long,), numbers, (Notice(long),), None, (Section(long, blocks),), Footer((long,)))
    assert pdf(report).startswith(b"%PDF-")
    parsed(html(report))
