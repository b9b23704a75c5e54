"""edit.merge: values become one, and so do their rows."""

from __future__ import annotations

import numpy as np

from isocenter.ops.edit.merge import Merge
from tests.ops.edit.drawn import labels, replayed


def test_all_labels_or_some_of_them() -> None:
    before = np.asarray(labels().array)
    whole = Merge()(labels())
    assert np.array_equal(whole.array, (before > 0).astype(np.uint8))
    assert [(s.value, s.name) for s in whole.segments] == [(1, "liver")]
    moved = Merge(labels=(2,), into=7)(labels())
    assert np.array_equal(moved.array, np.where(before == 2, 7, before))
    assert [(s.value, s.name) for s in moved.segments] == [(1, "liver"), (7, "lesion")]
    assert replayed(labels(), moved).digest == moved.digest
