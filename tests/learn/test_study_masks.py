"""The proof of a cohort with masks: folds by patient, baselines, what is refused and what is set aside."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

import isocenter as iso
from isocenter.core.errors import BudgetError, ContentError, ParameterError
from isocenter.core.labels import LabelMap, Segment
from isocenter.core.results import Score
from isocenter.learn.data.cohort import Cohort, Sample
from isocenter.learn.data.table import from_csv
from isocenter.learn.masks import cases as reading
from isocenter.learn.masks.atlas import fit_atlas
from isocenter.learn.masks.cases import load_cases
from isocenter.learn.masks.decide import best_threshold, resized, working_shape
from isocenter.learn.masks.judge import case_scores, mean_scores
from isocenter.learn.masks.pixels import fit_pixels
from isocenter.learn.masks.prove import prove_masks
from isocenter.learn.splits import Fold
from isocenter.learn.study_masks import MaskOptions, MaskStudy, study_masks
from tests.learn.make_masks import SIDE, disc, discs, read_table, write_table

QUICK = MaskOptions(folds=2, minutes=0.0, curve=False)


def cohort_of(folder: Path) -> Cohort:
    return from_csv(folder, folder / "labels.csv")


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> MaskStudy:
    folder = discs(tmp_path_factory.mktemp("masks") / "in", 18, sites="ab")
    return study_masks(cohort_of(folder), MaskOptions(folds=2, minutes=0.05, features=8, epochs=30))


def test_baselines_come_first_and_the_network_is_named_beforehand(found: MaskStudy) -> None:
    assert list(found.proofs) == ["atlas", "pixels", "network"] and found.primary == "network"
    assert set(found.differences) == {"atlas", "pixels"} and found.differences["atlas"].n == 18
    dice = {name: proof.scores["dice"].value for name, proof in found.proofs.items()}
    assert dice["pixels"] > dice["atlas"] + 0.1 and dice["network"] > 0.5
    for proof in found.proofs.values():
        score = proof.scores["dice"]
        assert score.n == 18 and score.interval is not None and score.interval[0] < score.value < score.interval[1] <= 1.0
        assert proof.tested.tolist() == list(range(18))


def test_no_patient_stands_on_both_sides_and_the_choice_is_made_inside(found: MaskStudy) -> None:
    groups = found.cohort.groups
    for fold in found.splits.folds:
        parts = [set(groups[list(part)]) for part in (fold.train, fold.validation, fold.test)]
        assert all(parts) and not (parts[0] & parts[1] or parts[0] & parts[2] or parts[1] & parts[2])
    found.splits.check(found.cohort)


def test_sites_are_left_out_with_what_the_budget_allows(found: MaskStudy) -> None:
    assert found.site_splits is not None and {f.name for f in found.site_splits.folds} == {"a", "b"}
    assert found.away is not None and found.away.name == "pixels"
    assert any("only the sample classifier" in note for note in found.notes)
    assert {(g.attribute, g.value) for g in found.subgroups} == {("site", "a"), ("site", "b")}
    assert [n for n, _ in found.curve] == sorted({n for n, _ in found.curve}) and len(found.curve) == 3


def test_enough_minutes_leave_sites_out_with_the_network_too() -> None:
    from isocenter.learn.study_masks import _budget

    folds = tuple(Fold((0,), (1,)) for _ in range(5))
    sites = tuple(Fold((0,), (1,), name=n) for n in "ab")
    splits: Any = type("Some", (), {"folds": folds})()
    away: Any = type("Some", (), {"folds": sites})()
    assert _budget(MaskOptions(minutes=10.0), splits, away) == (10.0, 75.0, True)
    assert _budget(MaskOptions(minutes=6.0), splits, away) == (6.0, 60.0, False)
    assert _budget(MaskOptions(minutes=0.0), splits, away) == (0.0, 0.0, False)


def test_a_duplicate_is_refused_and_may_be_accepted(tmp_path: Path) -> None:
    folder = discs(tmp_path / "in", 12)
    iso.write(disc(0)[0], folder / "p011.nii.gz")
    with pytest.raises(ContentError, match="copies"):
        study_masks(cohort_of(folder), QUICK)
    accepted = study_masks(cohort_of(folder), replace(QUICK, accept_leak="planted"))
    assert accepted.leakage.accepted == "planted"


def test_what_cannot_be_used_is_set_aside_with_its_reason(tmp_path: Path) -> None:
    folder = discs(tmp_path / "in", 13)
    image, mask = disc(3)
    elsewhere = iso.Geometry.regular((SIDE, SIDE), (2.0, 2.0))
    iso.write(LabelMap(mask.array, mask.dims, elsewhere, mask.segments), folder / "masks" / "p003.nii.gz")
    (folder / "p005.nii.gz").write_bytes(b"not an image at all")
    wrong = iso.Image(np.stack([image.array] * 3), ("z", "y", "x"), iso.Geometry.regular((3, SIDE, SIDE)))
    iso.write(wrong, folder / "p007.nii.gz")
    iso.write(
        LabelMap(np.stack([mask.array] * 3), ("z", "y", "x"), wrong.geometry, mask.segments), folder / "masks" / "p007.nii.gz"
    )
    known = load_cases(cohort_of(folder))
    reasons = dict(known.aside)
    assert set(reasons) == {"p003.nii.gz", "p005.nii.gz", "p007.nii.gz"} and len(known.images) == 10
    assert "another grid" in reasons["p003.nii.gz"] and "another kind" in reasons["p007.nii.gz"]
    assert all("\n" not in text for text in reasons.values())


def test_more_cases_than_memory_is_said_before_it_is_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(psutil, "virtual_memory", lambda: type("Free", (), {"available": 10_000}))
    with pytest.raises(BudgetError, match="The first 2 of 4 cases of 'in' would take"):
        load_cases(cohort_of(discs(tmp_path / "in", 4)))


def test_small_batches_where_few_steps_fit() -> None:
    from isocenter.learn.masks.network import STEPS, NetworkSettings, _smaller_batches
    from isocenter.learn.train.cost import nominal_seconds
    from isocenter.learn.train.fingerprint import fingerprint
    from isocenter.learn.train.plan import Budget, make_plan

    pairs = [disc(k) for k in range(16)]
    plan = make_plan(fingerprint([i for i, _ in pairs], [m for _, m in pairs]), Budget(features=8))
    step = nominal_seconds(plan.network, plan.parameters, (plan.batch, 1, *plan.patch))
    assert _smaller_batches(plan, 16, NetworkSettings(STEPS * step + 1.0)) == plan
    small = _smaller_batches(plan, 16, NetworkSettings(STEPS * step / 3))
    assert small.batch == plan.batch // 4 and small.steps == 8 and small.settings.epochs * small.steps >= STEPS


def test_empty_masks(tmp_path: Path) -> None:
    folder = discs(tmp_path / "in", 6)
    for path in (folder / "masks").glob("*.nii.gz"):
        mask = disc(0)[1]
        iso.write(mask.replace(array=np.zeros((SIDE, SIDE), np.uint8)), path)
    with pytest.raises(ContentError, match="All 6 masks of 'in' are empty"):
        study_masks(cohort_of(folder), QUICK)


def test_a_class_of_one_patient_is_refused(tmp_path: Path) -> None:
    folder = discs(tmp_path / "in", 8)
    _, mask = disc(2)
    two = np.array(mask.array)
    two[:4, :4] = 2
    rows = (Segment(1, "disc"), Segment(2, "corner"))
    iso.write(LabelMap(two, mask.dims, mask.geometry, rows), folder / "masks" / "p002.nii.gz")
    with pytest.raises(
        ContentError, match=r"No training mask shows 'corner' \(value 2\) in a fold of 'in', only p002.nii.gz of 8"
    ):
        study_masks(cohort_of(folder), QUICK)


def test_too_few_patients_and_unknown_learners_are_refused(tmp_path: Path) -> None:
    folder = discs(tmp_path / "in", 6)
    write_table(folder, [(image, mask, "one", *rest) for image, mask, _, *rest in read_table(folder)])
    with pytest.raises(ContentError, match="1 patient"):
        study_masks(cohort_of(folder), QUICK)
    other = discs(tmp_path / "other", 6)
    with pytest.raises(ParameterError, match="network and pixels"):
        study_masks(cohort_of(other), replace(QUICK, primary="svm"))
    with pytest.raises(ParameterError, match="minutes"):
        study_masks(cohort_of(other), replace(QUICK, primary="network"))


def test_a_test_on_training_data_is_refused(tmp_path: Path) -> None:
    known = load_cases(cohort_of(discs(tmp_path / "in", 4)))
    with pytest.raises(ContentError, match="Testing on training data"):
        prove_masks(known, [Fold((0, 1, 2), (2, 3))], "atlas", lambda c, f, n: fit_atlas(c.masks, c.segments))


@pytest.mark.parametrize(
    ("values", "names", "expected"),
    [
        ((255,), ("labels",), [(1, "object")]),
        ((3,), ("liver",), [(1, "liver")]),
        ((1, 2), ("liver", "spleen"), [(1, "liver"), (2, "spleen")]),
        (tuple(range(1, 40)), tuple(f"label {k}" for k in range(1, 40)), [(1, "object")]),
    ],
)
def test_classes_are_those_of_the_masks(
    values: tuple[int, ...], names: tuple[str, ...], expected: list[tuple[int, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    image = disc(0)[0]
    labels = np.zeros((SIDE, SIDE), np.uint8)
    labels.reshape(-1)[: len(values)] = values
    rows = tuple(Segment(v, n) for v, n in zip(values, names, strict=True))
    mask = LabelMap(labels, image.dims, image.geometry, rows)
    monkeypatch.setattr(reading, "_case", lambda cohort, k: (image, mask))
    cohort = Cohort((Sample("a", Path("a"), Path("b"), "a"),), "segmentation")
    known = load_cases(cohort)
    assert [(s.value, s.name) for s in known.segments] == expected
    assert set(known.masks[0].present) == {0, *(v for v, _ in expected)}
    with pytest.raises(ContentError, match="does not know"):
        load_cases(Cohort(cohort.samples, "segmentation"), None, (Segment(70, "other"), Segment(71, "more")))


def test_a_missed_object_and_an_empty_pair_count_as_they_should() -> None:
    _, truth = disc(0)
    nothing = truth.replace(array=np.zeros((SIDE, SIDE), np.uint8))
    rows = (Segment(1, "disc"),)
    same, missed, neither = (case_scores(*pair, rows)["disc"] for pair in ((truth, truth), (nothing, truth), (nothing, nothing)))
    assert same["dice"].value == 1.0 and same["hausdorff_95"].value == 0.0
    assert missed["dice"].value == 0.0 and missed["hausdorff_95"].value == pytest.approx(SIDE * 2**0.5)
    assert missed["lesion_sensitivity"] == Score(0.0, n=1)
    assert neither["dice"].value == 1.0 and neither["lesion_sensitivity"].n == 0
    scores = mean_scores([{"disc": same}, {"disc": missed}, {"disc": neither}], ["a", "b", "c"])
    assert scores["dice"].value == pytest.approx(2 / 3)
    assert scores["lesion_sensitivity"].value == 0.5 and scores["lesion_sensitivity"].n == 2


def test_distances_are_in_pixels_where_the_size_of_one_is_unknown() -> None:
    _, truth = disc(0)
    flat = LabelMap(truth.array, truth.dims, iso.Geometry.pixels((SIDE, SIDE)), truth.segments)
    moved = flat.replace(array=np.roll(np.asarray(truth.array), 2, axis=0))
    scores = case_scores(moved, flat, truth.segments)["disc"]
    assert scores["hausdorff_95"].unit == "px" and 1.0 <= scores["hausdorff_95"].value <= 2.0
    assert scores["volume_difference"].unit == "px^2"


def test_two_classes_have_scores_of_their_own() -> None:
    _, truth = disc(0)
    rows = (Segment(1, "disc"), Segment(2, "corner"))
    labels = np.array(truth.array)
    labels[:4, :4] = 2
    both = LabelMap(labels, truth.dims, truth.geometry, rows)
    found = [case_scores(truth, both, rows), case_scores(both, both, rows)]
    scores = mean_scores(found, ["a", "b"])
    assert scores["dice of disc"].value == 1.0 and scores["dice of corner"].value == 0.5 and scores["dice"].value == 0.75


def test_simple_models_repeat_themselves_and_label_other_sizes() -> None:
    pairs = [disc(k) for k in range(8)]
    images, masks = [i for i, _ in pairs], [m for _, m in pairs]
    rows = (Segment(1, "disc"),)
    one, two = (fit_pixels(images, masks, rows, held=(6, 7), seed=1) for _ in range(2))
    image = iso.Image(np.kron(images[0].array, np.ones((2, 2), np.uint8)), ("y", "x"), iso.Geometry.regular((64, 64), (0.5, 0.5)))
    assert np.array_equal(one.predict(image).array, two.predict(image).array)
    assert one.predict(image).geometry == image.geometry and one.threshold == two.threshold
    assert fit_atlas(masks, rows).predict(image).shape == (64, 64)
    with pytest.raises(ContentError, match="1 channels"):
        one.predict(iso.Image(np.zeros((3, SIDE, SIDE), np.uint8), ("c", "y", "x"), iso.Geometry.regular((SIDE, SIDE))))


def test_resizing_and_thresholds() -> None:
    ramp = np.broadcast_to(np.arange(32, dtype=np.float32), (16, 32))
    assert np.allclose(resized(ramp, (16, 64)).mean(), ramp.mean(), atol=0.05)
    assert resized(ramp, (7, 5)).shape == (7, 5) and abs(float(resized(ramp, (4, 8)).mean()) - 15.5) < 0.1
    assert working_shape((512, 512), 1 << 16) == (256, 256) or np.prod(working_shape((512, 512), 1 << 16)) <= 1 << 16
    assert working_shape((10, 400), 1000)[0] == 10
    truth = np.arange(100) >= 70
    chance = np.linspace(0, 1, 100, dtype=np.float32)
    assert 0.65 <= best_threshold([chance], [truth]) <= 0.75
