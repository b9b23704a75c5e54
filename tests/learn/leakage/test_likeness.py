"""Likeness of pictures: sizes by areas, spectra that a shift leaves as they are, and copies found among few."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import ndimage

from isocenter.learn.leakage.likeness import aligned_likeness, candidates, descriptor, picture_of, resized, thumbnail, turned
from isocenter.testing.phantoms.brain_slices import brain_slice


def test_resizing_takes_means_over_areas() -> None:
    rng = np.random.default_rng(0)
    picture = rng.normal(size=(60, 90))
    assert np.allclose(resized(picture, (20, 30)), picture.reshape(20, 3, 30, 3).mean(axis=(1, 3)), atol=1e-5)
    assert np.isclose(resized(picture, (17, 23)).mean(), picture.mean(), atol=0.02)
    assert np.allclose(resized(np.full((7, 5), 3.0), (128, 128)), 3.0)


@pytest.mark.parametrize("turn", [(t, r, c) for t in (False, True) for r in (False, True) for c in (False, True)])
def test_a_shifted_and_turned_copy_is_found_among_few(turn: Any) -> None:
    pictures = [brain_slice("none", seed=k, size=96).astype(np.float32) for k in range(6)]
    copy = ndimage.shift(np.ascontiguousarray(turned(pictures[2], turn)), (2.5, -1.5), order=1, mode="nearest")
    pictures.append(copy * 0.8 + 10)
    thumbnails = [thumbnail(p) for p in pictures]
    spectra = np.stack([descriptor(p) for p in pictures])
    found = set()
    for i, j, turns in candidates(spectra, flips=True):
        if max(aligned_likeness(np.ascontiguousarray(turned(thumbnails[i], t)), thumbnails[j]) for t in turns) > 0.96:
            found.add((i, j))
    assert found == {(2, 6)}


def test_a_shifted_and_turned_copy_is_found_among_many() -> None:
    pictures = [brain_slice("none", seed=k, size=64).astype(np.float32) for k in range(60)]
    turns = [(t, r, c) for t in (False, True) for r in (False, True) for c in (False, True)]
    copies = [np.ascontiguousarray(turned(pictures[7 * k], turn)) for k, turn in enumerate(turns)]
    pictures = copies[:4] + pictures + copies[4:]  # some before their originals, some behind
    thumbnails = [thumbnail(p) for p in pictures]
    spectra = np.stack([descriptor(p) for p in pictures])
    found = set()
    for i, j, hows in candidates(spectra, flips=True):
        assert i < j
        if max(aligned_likeness(np.ascontiguousarray(turned(thumbnails[i], t)), thumbnails[j]) for t in hows) > 0.96:
            found.add((i, j))
    assert found == {(k, 4 + 7 * k) for k in range(4)} | {(4 + 7 * k, 60 + k) for k in range(4, 8)}


def test_pictures_of_volumes_and_series() -> None:
    rng = np.random.default_rng(0)
    assert picture_of(rng.normal(size=(20, 30, 40)), ("z", "y", "x")).shape == (128, 128)
    assert picture_of(rng.normal(size=(3, 30, 40)), ("c", "y", "x")).shape == (30, 40)
    assert picture_of(rng.normal(size=(5, 3, 30, 40)), ("t", "c", "y", "x")).shape == (30, 40)
    assert np.isfinite(picture_of(np.full((9, 9), np.nan), ("y", "x"))).all()
    assert not thumbnail(np.ones((40, 40), np.float32)).any()
