"""The dtype policy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from isocenter.core.dtype import is_integral, working_array, working_dtype
from isocenter.core.errors import ContentError


@pytest.mark.parametrize("dtype", ["?", "u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f2", "f4"])
def test_everything_real_is_computed_in_float32(dtype: str) -> None:
    assert working_dtype(dtype) == np.float32
    assert is_integral(dtype) == (np.dtype(dtype).kind != "f")


def test_float64_stays() -> None:
    assert working_dtype("f8") == np.float64
    assert working_dtype(">f8") == np.float64


@pytest.mark.parametrize("dtype", ["c8", "c16", "O", "U3", np.dtype([("a", "f4")])])
def test_what_holds_no_real_value_is_refused(dtype: Any) -> None:
    with pytest.raises(ContentError, match="no single real value"):
        working_dtype(dtype)


def test_no_copy_where_none_is_needed() -> None:
    array = np.zeros(3, np.float32)
    assert working_array(array) is array
    assert working_array(np.zeros(3, np.int16)).dtype == np.float32
