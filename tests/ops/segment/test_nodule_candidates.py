"""segment.nodule_candidates on phantoms with nodules of known place and size."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from isocenter.core.errors import ParameterError
from isocenter.core.labels import LabelMap
from isocenter.ops.segment.nodule_candidates import NoduleCandidates
from isocenter.testing.phantoms.chest_ct import ChestCT, Nodule, chest_ct
from tests.ops.segment.test_body import dice

#: Isolated and at the wall, right (L < 0) and left, 6 to 30 mm.
PLACED = (
    Nodule((-95.0, -20.0, 40.0), 16.0),
    Nodule((-88.0, 35.0, -50.0), 24.0),
    Nodule((-112.0, -12.0, 0.0), 9.0),
    Nodule((-132.0, 0.0, 20.0), 14.0),
    Nodule((-80.0, -40.0, -30.0), 7.0),
    Nodule((-75.0, 20.0, 70.0), 11.0),
    Nodule((96.0, 10.0, 30.0), 12.0),
    Nodule((92.0, 40.0, -30.0), 20.0),
    Nodule((118.0, 20.0, -5.0), 6.0),
    Nodule((70.0, -10.0, 70.0), 30.0),
)


def score(phantom: ChestCT, labels: LabelMap) -> tuple[list[float], int]:
    """Return the Dice of each nodule with the candidate that overlaps it most, and the number of other candidates."""
    found, truth = np.asarray(labels.array), np.asarray(phantom.truth.array)
    hits, used = [], set()
    for k in range(len(phantom.nodules.positions)):
        mask: npt.NDArray[Any] = truth == phantom.truth.segment(f"nodule {k + 1}").value
        counts = np.bincount(found[mask], minlength=2)
        counts[0] = 0
        best = int(counts.argmax()) if counts.any() else 0
        hits.append(dice(found == best, mask) if best else 0.0)
        used |= {best} - {0}
    return hits, int(found.max()) - len(used)


@pytest.mark.parametrize("options", [{}, {"noise": 40.0, "contrast": True, "seed": 2}], ids=["plain", "noise and contrast"])
def test_nodules_of_6_to_30_mm(options: dict[str, Any]) -> None:
    phantom = chest_ct((120, 200, 200), (2.0, 1.6, 1.6), nodules=PLACED, **options)
    result = NoduleCandidates()(phantom.image)
    hits, others = score(phantom, result)
    assert sum(h > 0.3 for h in hits) >= 9, hits
    assert others <= 7
    assert np.median(hits) >= 0.85
    assert result.segments[0].name == "nodule candidate 1"


def test_thick_slices_say_what_they_cannot_show() -> None:
    phantom = chest_ct((60, 110, 110), (5.0, 3.2, 3.2))
    result = NoduleCandidates()(phantom.image)
    hits, others = score(phantom, result)
    assert all(h > 0.5 for h in hits) and others <= 8
    assert any("Slices of 5 mm" in note for note in result.provenance.steps[-1].notes)


def test_only_inside_the_region_it_is_given() -> None:
    phantom = chest_ct((60, 110, 110), (5.0, 3.2, 3.2))
    right = LabelMap(phantom.region("right lung").astype(np.uint8), ("z", "y", "x"), phantom.image.geometry)
    found = np.asarray(NoduleCandidates()(phantom.image, right).array)
    assert found.any() and not found[~phantom.region("right lung")].any()
    assert np.array_equal(np.unique(found), np.arange(int(found.max()) + 1))


def test_sizes_in_the_wrong_order_are_refused() -> None:
    with pytest.raises(ParameterError, match="smallest"):
        NoduleCandidates(smallest=20.0, largest=10.0)
