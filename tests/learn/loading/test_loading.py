"""Loading: prepared once, cut exactly, the same batches from any number of workers, and what will not fit is said before."""

from __future__ import annotations

import os
import signal
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from isocenter.core.errors import BudgetError, ContentError, FormatError, GridMismatchError, ParameterError
from isocenter.learn.data.cohort import Cohort, Sample
from isocenter.learn.loading import artefacts, intensity
from isocenter.learn.loading.augment import MR, NONE, PHOTO, USUAL, Augment, Placement
from isocenter.learn.loading.cache import file_digest, hold, prepare, store
from isocenter.learn.loading.estimate import cost
from isocenter.learn.loading.loader import Loader, Recipe
from isocenter.learn.loading.mixing import cut_mix, mix_up
from isocenter.learn.loading.patches import choose, class_places, cut, take
from isocenter.learn.loading.spatial import about, turned, warp


def arrays(seed: Any, shape: Any = (20, 18, 16), channels: Any = 2) -> Any:
    rng = np.random.default_rng(seed)
    truth = np.zeros(shape, np.uint8)
    truth[5:9, 6:9, 7:12] = 1
    return rng.normal(size=(channels, *shape)).astype(np.float32), truth


@pytest.fixture
def stored(tmp_path: Path) -> Any:
    return [store(tmp_path / "cache", f"case{k}", f"key{k}", partial(arrays, k)) for k in range(5)]


def test_cases_are_prepared_once_and_after_a_change(tmp_path: Path) -> None:
    made = []

    def make(cohort: Any, k: Any) -> Any:
        made.append(k)
        return arrays(k)[0], None

    samples = []
    for k in range(3):
        path = tmp_path / f"{k}.raw"
        path.write_bytes(bytes([k]) * 10)
        samples.append(Sample(f"case{k}", path, "a", f"p{k}"))
    cohort = Cohort(tuple(samples), "classification")
    first = list(prepare(cohort, tmp_path / "cache", "recipe", make))
    assert list(prepare(cohort, tmp_path / "cache", "recipe", make)) == first
    assert made == [0, 1, 2]
    cohort.file(1).write_bytes(b"changed")
    first[2].image.unlink()  # as after an interruption
    list(prepare(cohort, tmp_path / "cache", "recipe", make))
    assert made == [0, 1, 2, 1, 2]
    list(prepare(cohort, tmp_path / "cache", "another", make, [0]))
    assert made[-1] == 0
    assert np.array_equal(first[0].open()[0], arrays(0)[0])
    assert first[0].open()[1] is None


def test_folders_have_digests_of_names_and_bytes(tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / name).mkdir()
        (tmp_path / name / "1").write_bytes(b"x")
        (tmp_path / name / "2").write_bytes(b"y")
    before = file_digest(tmp_path / "a")
    (tmp_path / "a" / "1").write_bytes(b"y")
    assert file_digest(tmp_path / "a") != before


def test_unusable_cases_are_one_sentence(tmp_path: Path) -> None:
    image, truth = arrays(0)
    with pytest.raises(ContentError, match="'x': holds values that are not finite"):
        store(tmp_path, "x", "k1", lambda: (image * np.nan, truth))
    with pytest.raises(GridMismatchError, match="expected one grid"):
        store(tmp_path, "x", "k2", lambda: (image, truth[1:]))
    case = store(tmp_path, "x", "k3", lambda: (image, truth))
    case.image.write_bytes(case.image.read_bytes()[:100])
    with pytest.raises(FormatError, match="is damaged"):
        store(tmp_path, "x", "k3", lambda: (image, truth))


def test_patches_are_exact_copies_and_small_cases_are_extended() -> None:
    image, _ = arrays(1)
    out = np.empty((2, 8, 8, 8), np.float32)
    cut(image, (3, 4, 5), (8, 8, 8), out)
    assert np.array_equal(out, image[:, 3:11, 4:12, 5:13])
    wide = np.empty((2, 24, 18, 20), np.float32)
    cut(image, (-2, 0, -2), (24, 18, 20), wide)
    assert np.array_equal(wide, np.pad(image, [(0, 0), (2, 2), (0, 0), (2, 2)], mode="edge"))


def test_foreground_patches_lie_around_each_class_as_often() -> None:
    _, truth = arrays(0)
    truth[15, 3, 2] = 2  # one sample against 60
    rng = np.random.default_rng(0)
    seen = []
    for _ in range(200):
        start = choose(truth.shape, (5, 5, 5), rng, class_places(truth), 1.0)
        part = truth[tuple(slice(int(a), int(a) + 5) for a in start)]
        assert part.shape == (5, 5, 5) and part.any()
        seen.append((part == 2).any())
    assert 0.4 < np.mean(seen) < 0.6


def test_every_start_is_as_likely() -> None:
    rng = np.random.default_rng(0)
    starts = [int(np.floor(choose((12,), (8,), rng)[0] + 0.5)) for _ in range(2000)]
    assert np.bincount(starts).min() > 340 and set(starts) == set(range(5))


def test_a_turned_patch_loses_no_corner_and_equals_the_turned_case() -> None:
    z, y, x = np.mgrid[:24, :26, :28].astype(np.float32)
    case = (z + 2 * y + 3 * x)[None]  # linear, so that one interpolation is exact
    labels = (case[0] > 60).astype(np.uint8)
    rng = np.random.default_rng(0)
    linear = turned(3, rng, 20.0) * 0.9
    out, found = np.empty((1, 8, 8, 8), np.float32), np.empty((8, 8, 8), np.uint8)
    take(case, labels, (8.0, 9.0, 10.0), Placement(linear, (1,), 0.0), rng, out, found)
    grid = np.stack(np.meshgrid(*[np.arange(8) - 3.5] * 3, indexing="ij"), axis=-1) * [1.0, -1.0, 1.0]
    places = grid @ linear.T + np.array([8.0, 9.0, 10.0]) + 3.5
    assert np.allclose(out[0], places @ [1.0, 2.0, 3.0], atol=1e-3)
    assert ((out[0] > 60) == found).mean() > 0.95
    take(case, labels, (8.0, 9.0, 10.0), Placement(None, (0,), 0.0), rng, out, found)
    assert np.array_equal(out[0], case[0, 15:7:-1, 9:17, 10:18]), "what is only mirrored is copied"
    assert np.array_equal(found, labels[15:7:-1, 9:17, 10:18])


def test_the_usual_augmentation_is_drawn_as_stated() -> None:
    rng = np.random.default_rng(0)
    recipe = Augment(**{**USUAL.to_dict(), "mirror": (1,)})
    placements = [recipe.placed(2, rng) for _ in range(4000)]
    matrices = np.stack([np.eye(2) if p.linear is None else p.linear for p in placements])
    sizes = np.sqrt(np.linalg.det(matrices))
    angles = np.rad2deg(np.arctan2(matrices[:, 1, 0], matrices[:, 0, 0]))
    still = np.mean([p.copied for p in placements])
    assert abs(still - 0.25) < 0.03 and abs(np.mean([p.mirror == (1,) for p in placements]) - 0.5) < 0.03
    turned_ones, scaled = angles[abs(angles) > 1e-9], sizes[abs(sizes - 1) > 1e-9]
    assert abs(turned_ones.size / 4000 - 0.5) < 0.03 and abs(scaled.size / 4000 - 0.5) < 0.03
    assert 29 < abs(turned_ones).max() <= 30 and abs(turned_ones.std() - 30 / np.sqrt(3)) < 0.7
    assert 0.75 <= scaled.min() < 0.76 and 1.24 < scaled.max() <= 1.25
    flat = np.linspace(0, 1, 16, dtype=np.float32).reshape(1, 4, 4)
    changed = np.mean([not np.array_equal(USUAL.changed(flat, rng), flat) for _ in range(2000)])
    assert abs(changed - (1 - 0.7**3 * 0.85)) < 0.04
    assert not Augment(turn=1.0, noise=1.0, strength=0.0).active and not NONE.active


@pytest.mark.parametrize("mixing", ["", "cut-mix", "mix-up"])
def test_any_number_of_workers_gives_equal_batches(stored: Any, mixing: Any) -> None:
    recipe = Recipe((8, 8, 8), batch=2, per_case=2, foreground=0.5, augment=MR, mixing=mixing, seed=7)
    counts = (0, 2) if mixing == "cut-mix" else (0,)
    results = []
    for workers in counts:
        with Loader(stored, recipe, workers) as loader:
            results.append([batch for epoch in (0, 1) for batch in loader.epoch(epoch)])
            assert len(results[-1]) == 2 * len(loader)
    with Loader(stored, recipe) as loader:
        list(loader.epoch(5))
        later = list(loader.epoch(1))  # does not depend on what was drawn before
    for other in results[1:]:
        for a, b in zip(results[0], other, strict=True):
            assert np.array_equal(a.image, b.image)
            assert a.truth is not None and b.truth is not None and np.array_equal(a.truth, b.truth)
            assert (a.cases, a.starts) == (b.cases, b.starts)
    for a, b in zip(results[0][len(later) :], later, strict=True):
        assert np.array_equal(a.image, b.image)
    assert not np.array_equal(results[0][0].image, later[0].image)
    seen = [case for batch in results[0][: len(later)] for case in batch.cases]
    assert sorted(seen) == sorted([0, 1, 2, 3, 4] * 2)


def test_held_and_stored_cases_give_equal_batches_and_parts_are_those_of_the_whole(stored: Any) -> None:
    held = [hold(f"case{k}", *arrays(k)) for k in range(5)]
    recipe = Recipe((8, 8, 8), batch=4, steps=3, foreground=0.5, augment=USUAL, seed=3)
    mapped, memory = list(Loader(stored, recipe).epoch(2)), list(Loader(held, recipe).epoch(2))
    halves = [list(Loader(held, recipe, part=(rank, 2)).epoch(2)) for rank in (0, 1)]
    assert len(mapped) == 3 and mapped[0].image.shape == (4, 2, 8, 8, 8)
    for whole, other, one, two in zip(mapped, memory, *halves, strict=True):
        assert np.array_equal(whole.image, other.image)
        assert np.array_equal(whole.image, np.concatenate([one.image, two.image]))
        assert whole.truth is not None and one.truth is not None and two.truth is not None
        assert np.array_equal(whole.truth, np.concatenate([one.truth, two.truth]))
    counts = np.bincount([c for batch in mapped for c in batch.cases])
    assert set(counts) <= {2, 3}, "12 patches of 5 cases"


def test_classes_are_drawn_equally_often() -> None:
    held = [hold(str(k), arrays(k)[0], None) for k in range(5)]
    strata = [0, 0, 0, 0, 1]
    with Loader(held, Recipe((20, 18, 16), batch=4, steps=5, seed=1), strata=strata) as loader:
        cases = [c for batch in loader.epoch(0) for c in batch.cases]
    assert cases.count(4) == 10 and all(cases.count(k) in (2, 3) for k in range(4))


def test_what_does_not_fit_is_said_before(stored: Any) -> None:
    recipe = Recipe((8, 8, 8), batch=2)
    with pytest.raises(BudgetError, match="use 1 workers, or a smaller batch"):
        Loader(stored, recipe, 8, available=400 << 20)
    assert "in flight each" in Loader(stored, recipe).cost.sentence()
    assert cost((96, 96, 96), 1, 4, 2, augment=True).peak > cost((96, 96, 96), 1, 4, 0, augment=False).peak


def test_a_worker_that_dies_is_one_sentence(stored: Any) -> None:
    with Loader(stored, Recipe((8, 8, 8), batch=1, per_case=4), 1) as loader:
        batches = loader.epoch(0)
        next(batches)
        assert loader._pool is not None
        for process in list(loader._pool._processes.values()):
            assert process.pid is not None
            os.kill(process.pid, signal.SIGKILL)
        with pytest.raises(BudgetError, match="A loading worker was ended"):
            list(batches)
        assert loader._pool is None


def test_a_script_that_starts_itself_anew_is_told_so(stored: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> Any:
        raise BrokenProcessPool("as where a script has no main guard")

    with Loader(stored, Recipe((8, 8, 8)), 1) as loader:
        monkeypatch.setattr(ProcessPoolExecutor, "submit", broken)
        with pytest.raises(BudgetError, match="if __name__ == '__main__'"):
            next(loader.epoch(0))


def test_shapes_that_do_not_fit_are_refused(stored: Any) -> None:
    with pytest.raises(ParameterError, match="2 spatial axes"):
        Loader(stored, Recipe((8, 8)))
    with pytest.raises(ParameterError, match="one positive size"):
        Recipe((8, 0))
    with pytest.raises(ParameterError, match="share evenly"):
        Loader(stored, Recipe((8, 8, 8), batch=3, steps=2), part=(0, 2))
    with pytest.raises(ParameterError, match="one for each"):
        Loader(stored, Recipe((8, 8, 8)), strata=[0, 1])
    with pytest.raises(ParameterError, match="chance between 0 and 1"):
        Augment(noise=2.0)


def test_warping_by_nothing_changes_nothing_and_bends_with_labels() -> None:
    image, truth = arrays(3)
    rng = np.random.default_rng(0)
    still = about(np.eye(3), (0, 0, 0), truth.shape)
    same, labels = warp(image, truth, still, truth.shape, rng)
    assert np.array_equal(same, image)
    assert labels is not None and np.array_equal(labels, truth)
    smooth = np.stack([truth.astype(np.float32)] * 2)
    turn = about(turned(3, rng, 15.0), (0, 0, 0), truth.shape)
    bent, labels = warp(smooth, truth, turn, truth.shape, rng, bend=1.0)
    assert labels is not None
    assert np.array_equal(bent[0] > 0.5, labels.astype(bool)), "the outline is that of the samples, not of the nearest ones"
    assert labels is not None and not np.array_equal(labels, truth)


def test_a_rotation_keeps_angles_on_uneven_grids() -> None:
    spacing = np.array([3.0, 1.0, 0.5])
    matrix = turned(3, np.random.default_rng(1), 15.0, spacing.tolist())
    turn = np.diag(spacing) @ matrix @ np.diag(1 / spacing)  # in mm
    assert np.allclose(turn @ turn.T, np.eye(3))


def test_intensity_steps_do_what_they_say() -> None:
    image, _ = arrays(2)
    rng = np.random.default_rng(0)
    assert np.allclose(intensity.gamma_changed(image, 1.0), image, atol=1e-5)
    assert np.allclose(intensity.gained(image, 2.0).std(), 2 * image.std(), rtol=1e-3)
    offsets = (intensity.shifted(image, 0.5, rng) - image).mean(axis=(1, 2, 3))
    assert abs(offsets).min() > 0 and offsets[0] != offsets[1], "each channel has its own"
    assert np.isclose(intensity.noised(image, 0.5, rng).std(), np.sqrt(1.25), rtol=0.03)
    assert intensity.blurred(image, 1.0).std() < 0.6 * image.std()


def test_artefacts_are_those_of_mr() -> None:
    plane = np.zeros((1, 64, 64), np.float32)
    plane[0, 26:38, 26:38] = 1.0
    ghost = artefacts.ghosted(plane, 0.5, 2, 0)
    assert abs(ghost[0, 60:, 28:36]).max() > 0.1  # half the field of view away from the square
    assert abs(ghost[0, :, :20]).max() < 1e-5  # and along the chosen axis only
    shift = np.array([[1.0, 0.0, 2.0], [0.0, 1.0, 0.0]])
    assert np.allclose(artefacts.moved(plane, shift, 0.0, 0), plane, atol=1e-5)
    moved = artefacts.moved(plane, shift, 0.4, 0)
    assert abs(moved - plane).max() > 0.05
    assert np.isclose(moved.mean(), plane.mean(), atol=1e-4)
    spike = artefacts.spiked(plane, 1.0, np.random.default_rng(0)) - plane
    spectrum = abs(np.fft.fft2(spike[0]))
    assert np.sort(spectrum.ravel())[-3] < 1e-3 * spectrum.max()  # one frequency and its mirror
    field = artefacts.biased(plane + 1, 0.2, np.random.default_rng(0))
    assert field[0, 26:38, 26:38].std() > 0


def test_mixing_keeps_its_shares() -> None:
    images = np.stack([np.full((1, 16, 16), float(k), np.float32) for k in range(6)])
    truths = np.stack([np.full((16, 16), k, np.uint8) for k in range(6)])
    mixed, partner, share = mix_up(images, 0.4, np.random.default_rng(0))
    assert np.allclose(mixed[:, 0, 0, 0], share * np.arange(6) + (1 - share) * partner)
    mixed, labels, partner, share = cut_mix(images, truths, 1.0, np.random.default_rng(0))
    assert labels is not None and np.array_equal(mixed[:, 0], labels)
    for k in range(6):
        assert np.isclose((labels[k] == k).mean(), share[k]) or partner[k] == k


def test_presets_change_pictures_and_keep_them_finite() -> None:
    image, truth = arrays(4, (12, 12, 12), 1)
    for preset in (MR, PHOTO, USUAL):
        with Loader([hold("one", image, truth)], Recipe((12, 12, 12), batch=1, per_case=30, augment=preset)) as loader:
            for batch in loader.epoch(0):
                assert np.isfinite(batch.image).all()
                assert batch.image.dtype == np.float32
                assert batch.truth is not None and set(np.unique(batch.truth)) <= {0, 1}
