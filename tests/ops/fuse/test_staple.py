"""fuse.staple: equal to SimpleITK's estimate for masks, and a poor reader is outvoted by a good one."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk

from isocenter.core.geometry import Geometry
from isocenter.core.labels import LabelMap, Segment
from isocenter.kernels.agreement import staple
from isocenter.ops.fuse.staple import Staple


def panel(seed: int, flips: tuple[float, ...], shape: tuple[int, ...] = (12, 14, 16)) -> tuple[np.ndarray, np.ndarray]:
    """Return a truth and readers that each err at random at their own rate."""
    rng = np.random.default_rng(seed)
    mesh = np.indices(shape) - (np.array(shape)[:, None, None, None] - 1) / 2
    truth = (mesh**2).sum(axis=0) < 25
    return truth, np.stack([truth ^ (rng.random(shape) < rate) for rate in flips]).astype(np.uint8)


@pytest.mark.parametrize("seed", range(3))
def test_equals_a_peer(seed: int) -> None:
    _, readers = panel(seed, (0.02, 0.1, 0.2, 0.3))
    peer = sitk.STAPLEImageFilter()
    peer.SetForegroundValue(1)
    posterior = sitk.GetArrayFromImage(peer.Execute([sitk.GetImageFromArray(r) for r in readers]))
    ours = staple(readers, 500, 1e-10)
    assert ours.confusion is not None
    assert np.array_equal(ours.labels > 0, posterior > 0.5)
    assert ours.confusion[:, 1, 1] == pytest.approx(peer.GetSensitivity(), abs=1e-4)
    assert ours.confusion[:, 0, 0] == pytest.approx(peer.GetSpecificity(), abs=1e-4)


def test_rates_come_out_and_the_good_reader_wins() -> None:
    truth, readers = panel(7, (0.02, 0.1, 0.2, 0.3))
    geometry = Geometry.regular(truth.shape, (1.0, 1.0, 1.0))
    maps = [LabelMap(r, ("z", "y", "x"), geometry, (Segment(1, "lesion"),)) for r in readers]
    fused = Staple()(*maps)
    votes = (readers.sum(axis=0) >= 2) != truth
    assert ((np.asarray(fused.array) > 0) != truth).sum() < 0.6 * votes.sum()
    notes = fused.provenance.steps[-1].notes
    assert len(notes) == 4
    assert "reader 1 has specificity 0.98" in notes[0]


def test_several_labels_and_nothing_at_all() -> None:
    rng = np.random.default_rng(2)
    truth = np.repeat([0, 1, 2, 3], 500)
    readers = np.stack([np.where(rng.random(truth.size) < 0.1, rng.integers(0, 4, truth.size), truth) for _ in range(5)])
    found = staple(readers)
    assert (found.labels != truth).mean() < 0.005
    assert found.values == (0, 1, 2, 3)
    assert not staple(np.zeros((3, 4, 4), np.uint8)).labels.any()
