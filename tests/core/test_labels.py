"""LabelMap, MaskStack, Segment and the known structures."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from isocenter.core.codes import STRUCTURES, structure
from isocenter.core.errors import ContentError, ParameterError, UnknownNameError
from isocenter.core.geometry import Geometry
from isocenter.core.labels import LabelMap, MaskStack, Segment, default_color

GRID = Geometry.regular((2, 3, 4))
DIMS = ("z", "y", "x")


def labels(values: Any = None, segments: Any = None, dtype: Any = np.uint8) -> LabelMap:
    array = np.zeros((2, 3, 4), dtype)
    array.reshape(-1)[: len(values or (1, 2, 2))] = values or (1, 2, 2)
    return LabelMap(array, DIMS, GRID, segments)


def test_rows_are_made_for_the_values_that_occur() -> None:
    made = labels((3, 1, 3))
    assert [(s.value, s.name) for s in made.segments] == [(1, "label 1"), (3, "label 3")]
    assert made.present == (0, 1, 3)
    assert made.mask().sum() == 3
    assert made.mask(3).sum() == 2
    assert made.mask("label 1").sum() == 1


def test_a_table_may_name_what_was_not_found() -> None:
    made = labels((1,), (Segment(1, "right lung"), Segment(2, "left lung")))
    assert made.mask("left lung").sum() == 0
    assert made.segment("right lung").laterality is not None
    with pytest.raises(UnknownNameError, match="Did you mean 'left lung'"):
        made.segment("lefd lung")
    with pytest.raises(UnknownNameError, match="No segment 5"):
        made.mask(5)


@pytest.mark.parametrize(
    ("build", "kind", "said"),
    [
        (lambda: labels(dtype=np.float32), ContentError, "expected integers"),
        (lambda: labels((-1, 2), dtype=np.int16), ContentError, "Label values from -1"),
        (lambda: labels((1, 2), (Segment(1, "a"),)), ContentError, r"values \[2\] have no row"),
        (lambda: labels((1,), (Segment(1, "a"), Segment(1, "b"))), ParameterError, "repeat"),
        (lambda: Segment(0, "background"), ParameterError, "expected 1 or more"),
    ],
)
def test_a_table_that_does_not_fit_is_refused(build: Any, kind: type[Exception], said: str) -> None:
    with pytest.raises(kind, match=said):
        build()


def test_a_bool_mask_becomes_label_one() -> None:
    made = LabelMap(np.ones((2, 3, 4), bool), DIMS, GRID)
    assert made.dtype == np.uint8
    assert made.present == (1,)
    assert not made.array.flags.writeable


@given(arrays(np.int32, (2, 3, 4), elements=st.sampled_from((0, 1, 7, 300, 1 << 21))))
def test_present_is_what_unique_finds(array: np.ndarray) -> None:
    assert LabelMap(array, DIMS, GRID).present == tuple(np.unique(array).tolist())


def test_large_values_and_an_empty_map() -> None:
    assert labels((1 << 24, 5), dtype=np.int32).present == (0, 5, 1 << 24)
    assert LabelMap(np.zeros((2, 3, 4), np.uint8), DIMS, GRID).segments == ()


def test_from_masks_numbers_in_order_and_refuses_overlap() -> None:
    one, two = np.zeros((2, 3, 4), bool), np.zeros((2, 3, 4), bool)
    one[0], two[1, 0] = True, True
    made = LabelMap.from_masks({"right lung": one, "tumour": two}, GRID, DIMS, modality="CT")
    assert [(s.value, s.name) for s in made.segments] == [(1, "right lung"), (2, "tumour")]
    assert made.modality == "CT"
    np.testing.assert_array_equal(made.mask("tumour"), two)
    two[0, 0, 0] = True
    with pytest.raises(ContentError, match="'right lung' and 'tumour' overlap in 1 samples"):
        LabelMap.from_masks({"right lung": one, "tumour": two}, GRID, DIMS)
    with pytest.raises(ParameterError, match="No masks"):
        LabelMap.from_masks({}, GRID, DIMS)


def test_the_digest_covers_the_table() -> None:
    base = labels((1,), (Segment(1, "tumour"),))
    assert base.digest == labels((1,), (Segment(1, "tumour"),)).digest
    assert base.digest != labels((1,), (Segment(1, "lesion"),)).digest


# -- segments and codes --------------------------------------------------------------------------------------


@given(st.integers(1, 10_000))
def test_colours_are_fixed_and_valid(value: int) -> None:
    assert default_color(value) == default_color(value)
    assert all(0 <= c <= 255 for c in default_color(value))


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("right lung", "right lung"),
        ("Lung_Right", "right lung"),
        ("nodule candidate 3", "nodule candidate"),
        ("GTV-1", "gtv"),
        ("gtv mass", "gtv"),
        ("tumor", "tumour"),
        ("spleen-like thing", None),
        ("", None),
        ("12", None),
    ],
)
def test_a_name_is_found_however_it_is_spelt(name: str, known: str | None) -> None:
    assert structure(name) is (None if known is None else STRUCTURES[known])


def test_a_known_name_brings_code_category_side_and_colour() -> None:
    row = Segment(1, "Left Lung")
    known = STRUCTURES["left lung"]
    assert (row.code, row.category, row.laterality, row.color) == (known.code, known.category, known.laterality, known.color)
    unknown = Segment(4, "thing")
    assert unknown.code is not None
    assert unknown.code.meaning == "Tissue"
    assert unknown.color == default_color(4)


@pytest.mark.parametrize("name", ["left lung", "thing", "GTV"])
def test_a_segment_survives_json(name: str) -> None:
    row = Segment(3, name)
    assert Segment.from_dict(row.to_dict()) == row


# -- mask stacks ---------------------------------------------------------------------------------------------


def stack(overlap: bool) -> MaskStack:
    array = np.zeros((2, 2, 3, 4), bool)
    array[0, 0] = True
    array[1, 0 if overlap else 1, 0] = True
    return MaskStack(array, DIMS, GRID, (Segment(5, "lung"), Segment(9, "tumour")))


def test_a_stack_gives_its_masks_one_by_one() -> None:
    made = stack(overlap=True)
    assert len(made) == 2
    assert made.overlaps
    assert [(one.segments[0].name, one.present) for one in made] == [("lung", (0, 5)), ("tumour", (0, 9))]
    assert made.one(9).mask().sum() == 4
    with pytest.raises(UnknownNameError, match="Did you mean 'tumour'"):
        made.one("tumor")
    with pytest.raises(ContentError, match="overlap"):
        made.to_labels()


def test_a_stack_without_overlap_becomes_a_label_map() -> None:
    made = stack(overlap=False)
    merged = made.to_labels()
    assert merged.present == (0, 5, 9)
    for row, mask in zip(made.segments, made.array, strict=True):
        np.testing.assert_array_equal(merged.mask(row.name), mask)
    assert made.digest == stack(overlap=False).digest != stack(overlap=True).digest


def test_values_beyond_a_byte_keep_their_value() -> None:
    array = np.zeros((1, 2, 3, 4), bool)
    array[0, 0, 0, 0] = True
    made = MaskStack(array, DIMS, GRID, (Segment(300, "far"),))
    assert made.one("far").present == (0, 300)
    assert made.to_labels().present == (0, 300)


def test_a_stack_that_does_not_fit_is_refused() -> None:
    with pytest.raises(ContentError, match="expected bool"):
        MaskStack(np.zeros((1, 2, 3, 4)), DIMS, GRID, (Segment(1, "a"),))
    with pytest.raises(ParameterError, match="one mask per segment"):
        MaskStack(np.zeros((2, 2, 3, 4), bool), DIMS, GRID, (Segment(1, "a"),))
    with pytest.raises(ValueError, match="read-only"):
        stack(overlap=False).array[0, 0, 0, 0] = True
