"""The whole proof of a cohort of boxes or points: splits, leakage scan, baselines first, a network named beforehand where there is time."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.core.errors import ContentError, InputError, IsocenterError, ParameterError, SpecError
from isocenter.core.image import Image
from isocenter.core.results import Scores
from isocenter.learn.data.cohort import Cohort
from isocenter.learn.data.turned import places_in
from isocenter.learn.evaluate.compare import Difference
from isocenter.learn.evaluate.subgroups import Subgroup, by_subgroup
from isocenter.learn.leakage.report import LeakageReport
from isocenter.learn.package.start import Start, scanned
from isocenter.learn.places.baselines import fit_blobs, fit_mean_place, fit_template
from isocenter.learn.places.model import PlaceModel, fitted_around
from isocenter.learn.places.places import Places
from isocenter.learn.places.scores import PlaceProof, difference, proof_of, scored
from isocenter.learn.splits import Splits, check_disjoint, kfold, sites_apart
from isocenter.learn.train.frames import check_alike

__all__ = ["FINDERS", "PlaceOptions", "PlaceStudy", "study_places"]

#: Task -> finders, the floor first and the network last.
FINDERS = {"landmarks": ("mean place", "template match", "landmark net"), "detection": ("blob detector", "detection net")}
#: Seconds of the nominal machine that a training takes at least to be worth its place; sites are held out where each has as many.
_LEAST_SECONDS = 20.0

Say = Callable[[str, int, int], None]


@dataclass(frozen=True)
class PlaceOptions:
    """What the user may choose.

    Attributes
    ----------
    folds, seed
        Of the cross-validation.
    minutes
        Most minutes on the nominal machine that all networks of the study are trained together; 0 trains none.
    primary
        Finder whose score is the result; None takes the network where there is time for it, else the last baseline.
    accept_leak
        Why a finding that would refuse the study is accepted; None refuses.
    start
        A network that every training begins with; None begins with random weights.
    """

    folds: int = 5
    seed: int = 0
    minutes: float = 0.0
    primary: str | None = None
    accept_leak: str | None = None
    start: Start | None = None


@dataclass(frozen=True)
class PlaceStudy:
    """All that was found.

    Attributes
    ----------
    cohort, truth
        The cases that could be used, and their places.
    names
        Landmarks, or classes of objects.
    aside
        (case, reason) of the others.
    splits, site_splits
        Folds, and those that leave one site out (None where there is one site).
    leakage
        What the scan found.
    proofs
        Finder -> proof: the baselines, then the network.
    primary
        Name of the primary.
    differences
        Baseline -> the primary less it.
    away
        The proof at new sites, and of which finder.
    subgroups
        Scores of each.
    final
        The model of all cases, for the package.
    plan
        How the final model was made, as plain values.
    notes
        What was assumed or left out, one sentence each.
    start
        The network that every training began with; None where weights were random.
    """

    cohort: Cohort
    truth: tuple[Places, ...]
    names: tuple[str, ...]
    aside: tuple[tuple[str, str], ...]
    splits: Splits
    site_splits: Splits | None
    leakage: LeakageReport
    proofs: Mapping[str, PlaceProof]
    primary: str
    differences: Mapping[str, Difference]
    away: tuple[str, PlaceProof] | None
    subgroups: tuple[Subgroup, ...]
    final: PlaceModel
    plan: Mapping[str, Any]
    notes: tuple[str, ...] = field(default=())
    start: Start | None = None

    @property
    def proof(self) -> PlaceProof:
        """The proof of the primary."""
        return self.proofs[self.primary]

    @property
    def score_name(self) -> str:
        """The score that stands first."""
        return "median_error" if self.cohort.task == "landmarks" else "sensitivity_at_1"


@dataclass(frozen=True, eq=False)
class _Data:
    """Images and places of the cohort, and what every training needs to know."""

    cohort: Cohort
    images: tuple[Image, ...]
    truth: tuple[Places, ...]
    names: tuple[str, ...]
    seed: int
    seconds: float
    start: Start | None = None


def study_places(cohort: Cohort, options: PlaceOptions | None = None, say: Say | None = None) -> PlaceStudy:
    """Prove how well places can be found in a cohort, without flattering.

    Parameters
    ----------
    cohort
        For detection or landmarks.
    options
        What the user chose.
    say
        Told what is done: (what, done, total).

    Raises
    ------
    ContentError
        If nothing can be learned, or the leakage scan found what makes every score meaningless.
    SpecError
        With one sentence for each bad row of a table of places.
    """
    options = options or PlaceOptions()
    finders = _finders(cohort, options)
    kept, images, truth, aside = _loaded(cohort, say)
    names = tuple(dict.fromkeys(n for t in truth for n in t.names))
    if cohort.task == "detection":
        names = tuple(sorted(names))
    if not names:
        raise ContentError(f"No {truth[0].kind} in any of the {len(kept)} cases of '{kept.name}': expected some to learn.")
    splits = kfold(kept, options.folds, options.seed, ("site",))
    sites = sites_apart(kept)
    report = scanned(kept, splits, images.__getitem__, options.start, accept=options.accept_leak, say=say)
    trainings = len(splits.folds) + 1
    away_too = 0 if sites is None else len(sites.folds)
    budget = options.minutes * 60.0
    notes = [*kept.notes, *splits.notes]
    network_away = budget / max(trainings + away_too, 1) >= _LEAST_SECONDS and finders[-1] == FINDERS[cohort.task][-1]
    each = budget / (trainings + (away_too if network_away else 0))
    data = _Data(kept, images, truth, names, options.seed, each, options.start)
    proofs = {name: _proved(data, splits, name, say) for name in finders}
    primary = options.primary or finders[-1]
    away = None
    if sites is not None:
        who = primary if network_away or primary != FINDERS[cohort.task][-1] else finders[-2]
        if who != primary:
            notes.append(f"Sites were held out with the {who} alone: the time does not suffice to train a {primary} for each.")
        away = (who, _proved(data, sites, who, say))
    if say is not None:
        say(f"making the {primary} of all cases", 0, 1)
    final = _fit(data, tuple(range(len(kept))), primary)
    plan = {"finder": primary, "threshold": final.threshold, "seed": options.seed}
    if hasattr(final.finder, "plan"):
        plan |= final.finder.plan.to_dict()
    differences = {
        n: difference(proofs[primary], p, truth, kept.groups, names) for n, p in proofs.items() if n != primary
    }  # fmt: skip
    return PlaceStudy(
        kept, truth, names, aside, splits, sites, report, proofs, primary, differences, away,
        _apart(data, proofs[primary]), final, plan, tuple(notes), options.start,
    )  # fmt: skip


def _finders(cohort: Cohort, options: PlaceOptions) -> tuple[str, ...]:
    """Return the finders that are proved, in order."""
    if cohort.task not in FINDERS:
        raise ContentError(f"'{cohort.name}' is a cohort for {cohort.task}: expected tables of boxes or of points.")
    known = FINDERS[cohort.task]
    if options.primary is not None and options.primary not in known:
        raise ParameterError(f"Learner '{options.primary}' for {cohort.task}: expected one of {', '.join(known)}.")
    if options.minutes > 0:
        return known
    if options.primary == known[-1]:
        raise ParameterError(f"The {known[-1]} is a network: say how long it may be trained (--minutes).")
    return known[:-1]


def _loaded(cohort: Cohort, say: Say | None) -> tuple[Cohort, tuple[Image, ...], tuple[Places, ...], tuple[tuple[str, str], ...]]:
    """Return the cases that can be used with images and places, and why the others cannot; bad rows of tables are all told at once."""
    used: list[int] = []
    images: list[Image] = []
    truth: list[Places] = []
    aside: list[tuple[str, str]] = []
    problems: list[str] = []
    for k, sample in enumerate(cohort.samples):
        if say is not None:
            say("reading", k, len(cohort))
        try:
            if sample.label is None:
                raise ContentError("it has no table of places.")
            image = cohort.image(k)
            check_alike([*images[:1], image], [sample.identifier] * (1 + bool(images)))
            if not np.isfinite(np.asarray(image.array)).all():
                raise ContentError("it holds values that are not finite; repair it.")
            places = places_in(cohort, k, image, "boxes" if cohort.task == "detection" else "points")
        except SpecError as error:
            problems += [f"{error.source}: {text}" if error.source else text for text in error.problems]
            continue
        except (InputError, IsocenterError) as error:
            aside.append((sample.identifier, str(error)))
            continue
        used.append(k)
        images.append(image)
        truth.append(places)
    if problems:
        raise SpecError(problems, cohort.name)
    if not used:
        first = f": {aside[0][0]}: {aside[0][1]}" if aside else ""
        raise ContentError(f"No case of '{cohort.name}' can be used{first}")
    return cohort.take(used), tuple(images), tuple(truth), tuple(aside)


def _proved(data: _Data, splits: Splits, name: str, say: Say | None) -> PlaceProof:
    """Return the proof of a finder: every fold fitted on its training part, asked of its test part."""
    tested: list[int] = []
    fold: list[int] = []
    found: list[tuple[Places, PlaceModel]] = []
    for j, one in enumerate(splits.folds):
        if say is not None:
            say(f"proving {name}", j, len(splits.folds))
        check_disjoint(data.cohort, one)
        model = _fit(data, one.train, name)
        for k in one.test:
            found.append((model.predict(data.images[k]), model))
            tested.append(int(k))
            fold.append(j)
    return proof_of(tested, found, fold, data.truth, data.cohort.groups, data.names)


def _fit(data: _Data, train: Sequence[int], name: str) -> PlaceModel:
    """Return a finder of some cases, with calibration and operating point."""
    images, truth = [data.images[k] for k in train], [data.truth[k] for k in train]
    if not any(len(t) for t in truth):
        raise ContentError(
            f"A training part of '{data.cohort.name}' holds no {truth[0].kind}: expected some; ask for fewer folds."
        )
    if name == "mean place":
        return PlaceModel(fit_mean_place(truth))
    if name == "template match":
        return PlaceModel(fit_template(images, truth))
    if name == "blob detector":
        return fitted_around(fit_blobs(images, truth), images, truth)
    from isocenter.learn.train.detection import train_detector
    from isocenter.learn.train.landmarks import train_landmarks

    held = _validation(data, train)
    train_one: Any = train_landmarks if name == "landmark net" else train_detector
    cases = [data.cohort.samples[k].identifier for k in train]
    start = None if data.start is None else data.start.trained
    network = train_one(images, truth, names=cases, validation=held or 0.0, seconds=data.seconds, start=start, seed=data.seed)
    chosen = held or list(range(len(train)))
    return fitted_around(network, [images[k] for k in chosen], [truth[k] for k in chosen])


def _validation(data: _Data, train: Sequence[int]) -> list[int]:
    """Return which training cases choose the best epoch: whole patients, about a sixth of them."""
    owners = [str(data.cohort.groups[k]) for k in train]
    patients = sorted(set(owners))
    if len(patients) < 4:
        return []
    count = max(1, math.ceil(len(patients) / 6))
    drawn = np.random.default_rng([data.seed, 5]).permutation(len(patients))[:count]
    held = {patients[int(k)] for k in drawn}
    return [j for j, owner in enumerate(owners) if owner in held]


def _apart(data: _Data, proof: PlaceProof) -> tuple[Subgroup, ...]:
    cohort = data.cohort.take(proof.tested)
    attributes: dict[str, npt.NDArray[np.str_]] = {} if np.unique(cohort.sites).size < 2 else {"site": cohort.sites}
    attributes |= {name: values for name, values in cohort.subgroups.items() if len(set(values.tolist())) > 1}
    true = [data.truth[k] for k in proof.tested]

    def judge(indices: npt.NDArray[np.int64]) -> Scores:
        at = [int(k) for k in indices]
        parts = [[rows[k] for k in at] for rows in (proof.found, proof.called, true)]
        return scored(parts[0], parts[1], parts[2], cohort.groups[indices], data.names, draws=500)

    return by_subgroup(attributes, cohort.groups, judge) if attributes else ()
