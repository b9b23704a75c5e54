"""edit.erase: a brush in mm that spares what is not meant."""

from __future__ import annotations

import numpy as np

from isocenter.ops.edit.erase import Erase
from tests.ops.edit.drawn import GRID, at, labels, replayed


def test_erases_within_the_radius_and_one_label_alone() -> None:
    middle = at(5, 7, 8)
    far = np.linalg.norm(GRID.to_world(np.argwhere(np.ones(GRID.shape, bool))) - middle, axis=1).reshape(GRID.shape)
    before = np.asarray(labels().array)
    gone = Erase(strokes=((middle,),), radius=3.0)(labels())
    assert np.array_equal(gone.array, np.where(far <= 3.0 + 1e-6, 0, before))
    lesion = np.asarray(Erase(strokes=((middle,),), radius=3.0, label=2)(labels()).array)
    assert np.array_equal(lesion, np.where((far <= 3.0 + 1e-6) & (before == 2), 0, before))


def test_it_replays_and_says_how_much_it_took() -> None:
    erased = Erase(strokes=((at(5, 7, 8),),))(labels())
    assert erased.provenance.steps[-1].notes == ("edit.erase: 1 samples were erased by hand.",)
    assert replayed(labels(), erased).digest == erased.digest
