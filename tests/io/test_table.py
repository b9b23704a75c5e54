"""Tables: exact numbers, safe text, empty cells where nothing is defined."""

from __future__ import annotations

import csv
import math
from pathlib import Path

import numpy as np
import pytest

from isocenter.core.errors import MissingExtraError, ParameterError, UnsupportedError
from isocenter.core.results import Column, Features, Score, Scores
from isocenter.io import table

FEATURES = Features(
    (Column("volume", "mm^3", "IBSI:RNU0", "how much", "morph_volume"), Column("kind", ""), Column("n")),
    ((0.1 + 0.2, "=cmd()", 3), (math.nan, "a, b", np.int64(4))),
    ("gtv", "@lung"),
)


def rows(path: Path) -> list[list[str]]:
    with path.open(newline="", encoding="utf-8") as handle:
        return list(csv.reader(handle))


def test_features(tmp_path: Path) -> None:
    written = table.write_features(FEATURES, tmp_path / "a.csv")
    assert [p.name for p in written] == ["a.csv", "a.columns.csv"]
    assert rows(written[0]) == [
        ["region", "volume", "kind", "n"],
        ["gtv", "0.30000000000000004", "'=cmd()", "3"],
        ["'@lung", "", "a, b", "4"],
    ]
    assert rows(written[1])[1] == ["volume", "morph_volume", "mm^3", "IBSI:RNU0", "how much"]


def test_scores(tmp_path: Path) -> None:
    table.write_scores(Scores({"dice": Score(0.9, "1", (0.8, 0.95), 12), "hd": Score(math.inf, "mm")}), tmp_path / "a.csv")
    assert rows(tmp_path / "a.csv") == [
        ["region", "name", "value", "unit", "low", "high", "n"],
        ["", "dice", "0.9", "1", "0.8", "0.95", "12"],
        ["", "hd", "inf", "mm", "", "", "1"],
    ]


def test_negative_numbers_stay_numbers(tmp_path: Path) -> None:
    table.write_rows(["a", "b", "c"], [[-1.5, "-1.5", True], [None, -3, np.float32(0.5)]], tmp_path / "a.csv")
    assert rows(tmp_path / "a.csv")[1:] == [["-1.5", "'-1.5", "true"], ["", "-3", "0.5"]]


def test_rows_that_do_not_fit(tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match="row 2 has 1 values"):
        table.write_rows(["a", "b"], [[1, 2], [3]], tmp_path / "a.csv")
    with pytest.raises(UnsupportedError):
        table.write_rows(["a"], [[1]], tmp_path / "a.xlsx")
    assert list(tmp_path.iterdir()) == []


def test_parquet_or_the_sentence_how_to_get_it(tmp_path: Path) -> None:
    try:
        import pyarrow.parquet as parquet
    except ImportError:
        with pytest.raises(MissingExtraError, match=r"isocenter\[parquet\]"):
            table.write_features(FEATURES, tmp_path / "a.parquet")
        return
    table.write_features(FEATURES, tmp_path / "a.parquet")
    read = parquet.read_table(tmp_path / "a.parquet").to_pydict()
    assert read["region"] == ["gtv", "@lung"]
    assert read["volume"][0] == 0.1 + 0.2
    assert read["n"] == [3, 4]
