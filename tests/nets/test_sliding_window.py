"""Sliding windows give what the network gives on the whole, whatever the slabs, and hold no volume of probabilities."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from torch import Tensor

from isocenter.core.errors import ContentError, ParameterError
from isocenter.nets.sliding_window import accumulator_bytes, importance, predict_labels, predict_slabs, starts


def pointwise(batch: Tensor) -> Tensor:
    """A network without surroundings: three classes of the value itself."""
    return torch.cat([0.3 - batch, batch * 0.0, batch - 0.6], dim=1)


@pytest.mark.parametrize("shape", [(40,), (17, 40), (33, 21, 18), (5, 6, 7)], ids=str)
@pytest.mark.parametrize("overlap", [0.0, 0.25, 0.6])
def test_a_pointwise_network_gives_its_own_labels(shape: tuple[int, ...], overlap: float) -> None:
    data = np.random.default_rng(0).random((1, *shape)).astype(np.float32)
    expected = np.where(data[0] < 0.3, 0, np.where(data[0] < 0.6, 1, 2))
    found = predict_labels(data, pointwise, (8,) * len(shape), overlap=overlap, batch=3)
    assert found.dtype == np.uint8
    assert np.array_equal(found, expected)


def test_slabs_are_the_blend_of_all_windows() -> None:
    data = np.random.default_rng(1).normal(size=(2, 13, 22)).astype(np.float32)

    def network(batch: Tensor) -> Tensor:
        return batch.cumsum(-1) + batch.cumsum(-2).flip(1)  # depends on where in its window a sample lies

    window, overlap = (6, 8), 0.5
    total, weights = np.zeros((2, 13, 22)), np.zeros((13, 22))
    weight = importance(window).numpy()
    for a, b in itertools.product(starts(13, 6, overlap), starts(22, 8, overlap)):
        part = (slice(None), slice(a, a + 6), slice(b, b + 8))
        total[part] += network(torch.from_numpy(data[part][None]))[0].numpy() * weight
        weights[part[1:]] += weight
    found = np.zeros_like(total)
    seen = []
    for axis, first, scores in predict_slabs(data, network, window, overlap=overlap):
        assert axis == 1
        found[:, :, first : first + scores.shape[2]] = scores
        seen.append((first, scores.shape[2]))
    assert np.allclose(found, total / weights, atol=1e-5)
    assert [f for f, _ in seen] == list(np.cumsum([0] + [n for _, n in seen[:-1]])), "every row comes once, in order"


def test_only_a_slab_is_held() -> None:
    assert accumulator_bytes((256, 256, 256), (96, 96, 96), 2) == 4 * 2 * 96 * 256 * 256
    assert accumulator_bytes((64, 300, 64), (96, 96, 96), 2) == 4 * 2 * 96 * 96 * 96

    class Lazy:
        """Gives windows only, and remembers the largest."""

        shape = (1, 60, 20, 20)
        largest = 0

        def __getitem__(self, key: tuple[slice, ...]) -> np.ndarray:
            size = tuple(s.stop - s.start for s in key[1:])
            self.largest = max(self.largest, int(np.prod(size)))
            return np.full((1, *size), 0.9, np.float32)

    lazy = Lazy()
    assert (predict_labels(lazy, pointwise, (16, 16, 16)) == 2).all()
    assert lazy.largest == 16**3, "an array on disk is read a window at a time"


def test_the_input_is_not_touched_and_the_result_is_the_same_twice() -> None:
    data = np.random.default_rng(2).random((1, 20, 30)).astype(np.float32)
    data.setflags(write=False)
    assert np.array_equal(predict_labels(data, pointwise, (8, 8)), predict_labels(data, pointwise, (8, 8), batch=4))


@pytest.mark.parametrize(
    ("length", "window", "overlap"), [(10, 10, 0.5), (11, 10, 0.5), (256, 96, 0.25), (7, 9, 0.0), (100, 1, 0.9)]
)
def test_windows_cover_everything_within_bounds(length: int, window: int, overlap: float) -> None:
    found = starts(length, window, overlap)
    covered = np.zeros(length, bool)
    for s in found:
        covered[s : s + window] = True
        assert s == 0 or s + window <= length
    assert covered.all()
    assert found == sorted(set(found))


def test_foreground_is_decided_before_its_classes() -> None:
    chances = np.array([[0.45, 0.3, 0.25], [0.6, 0.3, 0.1], [0.5, 0.2, 0.3], [0.1, 0.2, 0.7]], np.float32)
    data = chances.T[:, :, None].repeat(2, axis=2)
    for decide, expected in (("greatest", [0, 0, 0, 2]), ("foreground", [1, 0, 2, 2])):
        found = predict_labels(data, lambda batch: batch, (4, 2), decide=decide)  # type: ignore[arg-type]  # a list of literals
        assert found[:, 0].tolist() == expected, decide
    with pytest.raises(ParameterError, match="expected one of greatest, foreground"):
        predict_labels(data, lambda batch: batch, (4, 2), decide="first")  # type: ignore[arg-type]  # that is the point


def test_what_is_wrong_is_said() -> None:
    data = np.zeros((1, 8, 8), np.float32)
    with pytest.raises(ParameterError, match="one size per axis"):
        predict_labels(data, pointwise, (4,))
    with pytest.raises(ParameterError, match="less than 1"):
        predict_labels(data, pointwise, (4, 4), overlap=1.0)
    with pytest.raises(ContentError, match="not finite"):
        predict_labels(data, lambda batch: batch / 0.0, (4, 4))
