"""The whole proof of a labelled cohort: splits, leakage scan, baselines first, a model named beforehand, and what it is worth."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from isocenter.core.errors import ContentError, InputError, IsocenterError
from isocenter.core.extras import require
from isocenter.learn.data.cohort import Cohort
from isocenter.learn.evaluate.compare import Difference, compare_paired
from isocenter.learn.evaluate.ranking import auc_roc
from isocenter.learn.evaluate.sample_size import SampleSize, classification_size, regression_size
from isocenter.learn.evaluate.subgroups import Subgroup, by_subgroup
from isocenter.learn.leakage.report import LeakageReport
from isocenter.learn.package.start import Start, scanned
from isocenter.learn.prove import FoldModel, Proof, fit_inside, judged, learning_curve, prove, widening
from isocenter.learn.recipe import Recipe, Table
from isocenter.learn.represent import represent
from isocenter.learn.shortcut import Shortcut, shortcut
from isocenter.learn.splits import Splits, kfold, sites_apart
from isocenter.learn.standard import require_spread

if TYPE_CHECKING:  # a study of classical learners must not load torch
    from isocenter.learn.deep import Deep

__all__ = ["BASELINES", "NETWORK", "PRIMARY", "Study", "StudyOptions", "plan_folds", "study", "table_of"]

#: The model whose score is the result. It is named before any score is seen: the best of several would flatter.
PRIMARY = "ensemble"
#: What it must beat.
BASELINES = ("majority", "logistic", "forest", "svm")
#: Guessing, which looks at no feature.
FLOOR = "majority"
#: The small network of images, trained where the user gives it minutes.
NETWORK = "cnn"

Say = Callable[[str, int, int], None]


@dataclass(frozen=True)
class StudyOptions:
    """What the user may choose.

    Attributes
    ----------
    folds, seed
        Of the cross-validation.
    primary
        Learner whose score is the result.
    baselines
        Learners that it is compared with; the first is the floor.
    harmonise
        Take the effect of the site out of the features, inside the folds.
    accept_leak
        Why a finding that would refuse the study is accepted; None refuses.
    curve
        Whether to draw a learning curve.
    minutes
        Most minutes on the nominal machine for training a small network of images as well; 0 trains none.
    parts
        Networks of a fold, each trained without one of so many parts of its training patients.
    training
        Folder of the curves and checkpoints of networks; None keeps none.
    unit
        Of labels that are numbers.
    start
        A network that every training of the small network begins with; None begins with random weights.
    """

    folds: int = 5
    seed: int = 0
    primary: str = PRIMARY
    baselines: tuple[str, ...] = BASELINES
    harmonise: bool = False
    accept_leak: str | None = None
    curve: bool = True
    minutes: float = 0.0
    parts: int = 3
    training: Path | None = None
    unit: str = "1"
    start: Start | None = None


@dataclass(frozen=True)
class Study:
    """All that was found.

    Attributes
    ----------
    cohort, table
        The cases that could be used, and their features.
    aside
        (case, reason) of the others.
    splits, site_splits
        Folds, and those that leave one site out (None where there is one site).
    leakage
        What the scan found.
    size
        What a cohort of this size can show.
    proofs
        Learner -> proof: the baselines, then the primary.
    primary
        Name of the primary.
    differences
        Baseline -> the primary less it.
    shortcut, away
        The score beside what site and patient data give alone, and the proof at new sites.
    subgroups
        Scores of each.
    curve
        (training cases, scores).
    final
        The model of all cases, for the package: `FoldModel`, or `learn.deep.NetworkFold`.
    notes
        What was assumed, one sentence each.
    deep
        Learner -> the network less it, where a network was trained beside the primary; empty otherwise.
    network
        How the network was trained; None where there is none.
    start
        The network that its trainings began with; None where weights were random, or none was trained.
    """

    cohort: Cohort
    table: Table
    aside: tuple[tuple[str, str], ...]
    splits: Splits
    site_splits: Splits | None
    leakage: LeakageReport
    size: SampleSize
    proofs: Mapping[str, Proof]
    primary: str
    differences: Mapping[str, Difference]
    shortcut: Shortcut | None
    away: Proof | None
    subgroups: tuple[Subgroup, ...]
    curve: tuple[tuple[int, Any], ...]
    final: Any
    notes: tuple[str, ...] = field(default=())
    deep: Mapping[str, Difference] = field(default_factory=dict)
    network: Any = None
    start: Start | None = None

    @property
    def proof(self) -> Proof:
        """The proof of the primary."""
        return self.proofs[self.primary]

    @property
    def score_name(self) -> str:
        """The score that stands first: ``auc_roc``, ``macro_auc_roc`` or ``mae``."""
        return "mae" if not self.table.classes else "auc_roc" if len(self.table.classes) == 2 else "macro_auc_roc"


def table_of(
    cohort: Cohort, say: Say | None = None, unit: str = "1"
) -> tuple[Table, tuple[int, ...], tuple[tuple[str, str], ...]]:
    """Return the features of a cohort: its columns where it has any, else what its images look like.

    Parameters
    ----------
    cohort
        For classification or regression.
    say
        Told what is done.
    unit
        Of labels that are numbers.

    Returns
    -------
    table, used, aside
        Features, the indices of the cases in it, and (case, reason) of those that could not be read or have no label.

    Raises
    ------
    ContentError
        If none can be used.
    """
    used: list[int] = []
    rows: list[npt.NDArray[np.float64]] = []
    aside: list[tuple[str, str]] = []
    names: tuple[str, ...] = ()
    columns = cohort.matrix() if cohort.features else None
    for k, sample in enumerate(cohort.samples):
        if say is not None:
            say("describing", k, len(cohort))
        if sample.label is None:
            aside.append((sample.identifier, "it has no label"))
            continue
        if columns is not None:
            rows.append(columns[k])
            used.append(k)
            continue
        try:
            found = represent(cohort.image(k))
            if names and found.names != names:
                raise ContentError(
                    "It is of another kind (dimensions, colour) than the cases before it: expected one kind of image."
                )
        except (InputError, IsocenterError) as error:
            aside.append((sample.identifier, str(error)))
            continue
        names = found.names
        rows.append(found.values)
        used.append(k)
    if not used:
        first = f": {aside[0][0]}: {aside[0][1]}" if aside else ""
        raise ContentError(f"No case of '{cohort.name}' can be used{first}")
    kept = cohort.take(used)
    target = kept.targets if cohort.task == "classification" else kept.labels.astype(np.float64)
    sites = np.array([s or "" for s in kept.sites])
    table = Table(
        np.stack(rows),
        target,
        kept.groups,
        sites,
        names or tuple(cohort.features),
        kept.classes if cohort.task == "classification" else (),
        unit,
    )
    return table, tuple(used), tuple(aside)


def plan_folds(cohort: Cohort, options: StudyOptions) -> tuple[Splits, Splits | None]:
    """Return the folds of a cohort, and those that leave one site out where there are two sites or more.

    Parameters
    ----------
    cohort
        The cases.
    options
        Folds and seed.
    """
    stratify: tuple[Any, ...] = ("label", "site") if cohort.task == "classification" else ("site",)
    return kfold(cohort, options.folds, options.seed, stratify), sites_apart(cohort)


def study(cohort: Cohort, options: StudyOptions | None = None, say: Say | None = None) -> Study:
    """Prove what can be predicted in a cohort, without flattering.

    Parameters
    ----------
    cohort
        For classification or regression, of images or of columns.
    options
        What the user chose.
    say
        Told what is done: (what, done, total).

    Raises
    ------
    ContentError
        If nothing can be learned (one class, one number, too few patients), or the leakage scan found what makes every score meaningless.
    """
    options = options or StudyOptions()
    if cohort.task not in ("classification", "regression"):
        raise ContentError(
            f"'{cohort.name}' is a cohort for {cohort.task}: `run --labels` learns classes and numbers; expected a column 'label' of them."
        )
    table, used, aside = table_of(cohort, say, options.unit)
    if not table.classes:
        require_spread(table.target, f"'{cohort.name}'")
    kept = cohort.take(used)
    splits, sites = plan_folds(kept, options)
    report = scanned(kept, splits, kept.image, options.start, accept=options.accept_leak, say=say)
    folds, sites_out = splits.pairs, [] if sites is None else sites.pairs
    recipes, proofs = _classical(table, folds, options, say)
    deep, untrained = _deep(kept, table, folds, sites_out, options, say)
    if deep is not None:
        proofs[NETWORK] = deep.proof
    primary = proofs[options.primary]
    differences = {n: _difference(table, primary, p) for n, p in proofs.items() if n != options.primary}
    beside = {}
    if deep is not None and options.primary != NETWORK:
        beside = {n: _difference(table, deep.proof, p) for n, p in proofs.items() if n != NETWORK}
    if say is not None:
        say("shortcuts", 0, 1)
    subgroups = {k: np.array([v or "" for v in values]) for k, values in kept.subgroups.items()}
    found = shortcut(table, primary, folds, subgroups, sites_out, away=None if deep is None else deep.away)
    attributes = {**({"site": table.sites} if np.unique(table.sites).size > 1 else {}), **subgroups}
    apart = by_subgroup(attributes, table.groups, lambda i: _of(table, primary, i)) if attributes else ()
    curve = learning_curve(table, folds, Recipe("logistic", seed=options.seed)) if options.curve else ()
    return Study(
        kept,
        table,
        aside,
        splits,
        sites,
        report,
        _size(table, options.primary, deep),
        proofs,
        options.primary,
        differences,
        None if found is None else found[0],
        None if found is None else found[1],
        apart,
        curve,
        _final(table, recipes[options.primary], primary) if deep is None or deep.final is None else deep.final,
        (*cohort.notes, *untrained),
        beside,
        None if deep is None else deep.plan,
        None if deep is None else options.start,
    )


def _classical(table: Table, folds: Any, options: StudyOptions, say: Say | None) -> tuple[dict[str, Recipe], dict[str, Proof]]:
    """Return the recipes of the classical learners and their proofs, the baselines first."""
    names = dict.fromkeys(n for n in (*options.baselines, options.primary) if n != NETWORK)
    recipes = {name: Recipe(name, harmonise=options.harmonise and name != "majority", seed=options.seed) for name in names}
    proofs: dict[str, Proof] = {}
    for k, (name, recipe) in enumerate(recipes.items()):
        if say is not None:
            say(f"proving {name}", k, len(recipes))
        proofs[name] = prove(table, folds, recipe)
    return recipes, proofs


def _deep(
    kept: Cohort, table: Table, folds: Any, sites: Any, options: StudyOptions, say: Say | None
) -> tuple[Deep | None, tuple[str, ...]]:
    """Return the network beside the classical learners, None where none is wanted or can be trained; and why it cannot."""
    wanted = options.primary == NETWORK
    of_images = not kept.features
    if wanted and not (of_images and options.minutes > 0):
        raise ContentError(
            f"Learner '{NETWORK}' on '{kept.name}' with {options.minutes:g} minutes: a network learns from images, and takes its time; "
            "expected images, and more than 0 --minutes."
        )
    if not of_images or options.minutes <= 0:
        return None, ()
    require("torch", "Training a network")
    require("monai", "Training a network")
    from isocenter.learn.deep import plan_deep, prove_deep

    away = sites if wanted else ()
    try:
        plan = plan_deep(
            kept.image, table, folds, options.minutes, sites=away, whole=wanted, parts=options.parts, seed=options.seed,
            start=options.start,
        )  # fmt: skip
    except ContentError as error:
        if wanted or options.start is not None:
            raise
        return None, (str(error),)  # the others are proved all the same
    return prove_deep(
        kept.image, table, folds, options.minutes, sites=away, whole=wanted, parts=options.parts, seed=options.seed,
        folder=options.training, names=kept.identifiers, say=say, plan=plan, start=options.start,
    ), ()  # fmt: skip


def _final(table: Table, recipe: Recipe, proof: Proof) -> FoldModel:
    """Return the model of all cases, at the operating point that the folds were judged at (their mean)."""
    made = fit_inside(table, recipe)
    return replace(made, threshold=float(np.mean([m.threshold for m in proof.models]))) if len(table.classes) == 2 else made


def _of(table: Table, proof: Proof, indices: npt.NDArray[np.int64]) -> Any:
    """Return the scores of some cases."""
    place = {int(k): j for j, k in enumerate(proof.tested)}
    rows = np.array([place[int(k)] for k in indices if int(k) in place], np.int64)
    called = proof.called[rows] if table.classes else proof.called
    return judged(table.take(proof.tested[rows]), proof.predicted[rows], called, proof.fold[rows], draws=500)


def _size(table: Table, primary: str, deep: Deep | None) -> SampleSize:
    """Return what the cohort can show of the primary: a network fits its weights, the others the features they are offered."""
    weights = deep.weights if deep is not None and primary == NETWORK else None
    offered = table.values.shape[1] if weights is None and primary != FLOOR else None
    if table.classes:
        counts = {name: int(np.unique(table.groups[table.target == k]).size) for k, name in enumerate(table.classes)}
        return classification_size(counts, offered, weights=weights)
    spread = float(np.abs(table.target - np.median(table.target)).std())
    return regression_size(int(np.unique(table.groups).size), offered, spread, weights=weights)


def _difference(table: Table, first: Proof, second: Proof) -> Difference:
    """Return how much better the first is, in the score that stands first, on the cases that both predicted."""
    inside = table.take(first.tested)
    widen = widening(np.unique(first.fold).size)
    if not table.classes:
        error = np.stack([np.abs(p.predicted - inside.target) for p in (first, second)])
        # Less error is better: the sign is turned, so that above 0 means the first is better.
        name = "mean absolute error (reduction)"
        return compare_paired(name, lambda w, k: -(w @ error[k]) / w.sum(axis=1), inside.groups, widen=widen)
    predicted = (first.predicted, second.predicted)

    def area(w: npt.NDArray[np.float64], k: int) -> npt.NDArray[np.float64]:
        if len(table.classes) == 2:
            return auc_roc(inside.target == 1, predicted[k][:, 1], w, strata=first.fold)
        each = [auc_roc(inside.target == c, predicted[k][:, c], w, strata=first.fold) for c in range(len(table.classes))]
        return np.asarray(np.mean(each, axis=0))

    return compare_paired("AUC", area, inside.groups, widen=widen, most=1.0)
