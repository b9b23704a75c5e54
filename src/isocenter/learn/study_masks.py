"""The whole proof of a cohort with masks: splits, leakage scan, simple outlines first, the planned network, and what it is worth."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from isocenter.core.errors import ContentError, ParameterError
from isocenter.core.labels import Segment
from isocenter.learn.data.cohort import Cohort
from isocenter.learn.evaluate.compare import Difference, compare_paired
from isocenter.learn.evaluate.sample_size import SampleSize, segmentation_size
from isocenter.learn.evaluate.subgroups import Subgroup, by_subgroup
from isocenter.learn.leakage.report import LeakageReport
from isocenter.learn.masks.atlas import fit_atlas
from isocenter.learn.masks.cases import MaskCases, load_cases, strata_of
from isocenter.learn.masks.judge import mean_scores
from isocenter.learn.masks.network import NetworkSettings, can_train, train_network
from isocenter.learn.masks.pixels import fit_pixels
from isocenter.learn.masks.prove import MaskProof, Predictor, Trainer, prove_masks, with_validation
from isocenter.learn.package.start import Start, scanned
from isocenter.learn.prove import widening
from isocenter.learn.splits import Fold, Splits, kfold, sites_apart

__all__ = ["MINUTES", "MaskOptions", "MaskStudy", "study_masks"]

#: Minutes on the nominal machine for all networks of a run, unless the user says otherwise.
MINUTES = 10.0
#: Sites are left out with the network too where each training is left this many seconds, and there are not more of them.
LEAST_SECONDS, MOST_SITES = 60.0, 5
#: Samples of a cohort up to which the simple model is trained on parts of it, to see whether more data would help.
CURVE_SAMPLES = 1 << 25

Say = Callable[[str, int, int], None]


@dataclass(frozen=True)
class MaskOptions:
    """What the user may choose.

    Attributes
    ----------
    folds, seed
        Of the cross-validation.
    primary
        ``network`` or ``pixels``: whose score is the result. None takes the network where one is trained.
    accept_leak
        Why a finding that would refuse the study is accepted; None refuses.
    minutes
        Of all networks together, on the nominal machine; 0 trains none, None takes `MINUTES`.
    features, epochs
        Of a network, at most.
    curve
        Whether to draw a learning curve.
    tolerance
        mm (or pixels) up to which two outlines count as the same, for the surface Dice.
    start
        A network that every training begins with; None begins with random weights.
    """

    folds: int = 5
    seed: int = 0
    primary: str | None = None
    accept_leak: str | None = None
    minutes: float | None = None
    features: int = 32
    epochs: int = 200
    curve: bool = True
    tolerance: float = 1.0
    start: Start | None = None


@dataclass(frozen=True, eq=False)
class MaskStudy:
    """All that was found.

    Attributes
    ----------
    cases
        Those that could be used, with images and masks.
    splits, site_splits
        Folds, and those that leave one site out (None where there is one site, or one that alone shows a class).
    leakage
        What the scan found.
    size
        What a cohort of this size can show.
    proofs
        Model -> proof: ``atlas``, ``pixels``, and ``network`` where one was trained.
    primary
        The model that was named beforehand.
    differences
        Baseline -> the primary less it, in mean Dice.
    away
        At sites held out; the network where the budget allows, else the simple model (its name says which).
    subgroups
        Scores of each.
    curve
        (training cases, scores) of the simple model.
    final
        The model of all cases, for the package.
    minutes, seconds
        Of all networks, and of one; both 0 where none was trained.
    notes
        What was concluded on the way, one sentence each.
    start
        The network that every training began with; None where weights were random.
    """

    cases: MaskCases
    splits: Splits
    site_splits: Splits | None
    leakage: LeakageReport
    size: SampleSize
    proofs: Mapping[str, MaskProof]
    primary: str
    differences: Mapping[str, Difference]
    away: MaskProof | None
    subgroups: tuple[Subgroup, ...]
    curve: tuple[tuple[int, object], ...]
    final: Predictor
    minutes: float
    seconds: float
    notes: tuple[str, ...]
    start: Start | None = None

    @property
    def proof(self) -> MaskProof:
        """The proof of the primary."""
        return self.proofs[self.primary]

    @property
    def cohort(self) -> Cohort:
        """The cases that could be used."""
        return self.cases.cohort

    @property
    def aside(self) -> tuple[tuple[str, str], ...]:
        """(case, reason) of those that could not."""
        return self.cases.aside

    @property
    def segments(self) -> tuple[Segment, ...]:
        """The classes."""
        return self.cases.segments


def study_masks(cohort: Cohort, options: MaskOptions | None = None, say: Say | None = None) -> MaskStudy:
    """Prove how well the structures of a cohort can be outlined, without flattering.

    Parameters
    ----------
    cohort
        For segmentation.
    options
        What the user chose.
    say
        Told what is done: (what, done, total).

    Raises
    ------
    ContentError
        If nothing can be learned (no mask, too few patients, a class that a training part lacks), or the leakage scan found what makes
        every score meaningless.
    """
    options = options or MaskOptions()
    say = say or (lambda what, done, total: None)
    primary = _primary(options)
    cases = load_cases(cohort, say)
    start = options.start
    numbers = strata_of(cases)
    splits, sites = _plan(cases, numbers, options)
    report = scanned(cases.cohort, splits, cases.images.__getitem__, start, accept=options.accept_leak, say=say)
    minutes, seconds, afar = _budget(options, splits, sites)
    trainers = _trainers(cases, options, seconds, say)
    proofs = {}
    for k, name in enumerate(trainers):
        say(f"proving {name}", k, len(trainers))
        proofs[name] = _proved(cases, splits, name, trainers[name], options, keep=name == primary)
    chosen = proofs[primary]
    away = None
    if sites is not None:
        say("at sites held out", 0, 1)
        name = "network" if afar and primary == "network" else "pixels"
        away = _proved(cases, sites, name, trainers[name], options)
    say("making the model of all cases", 0, 1)
    everything = with_validation(numbers, Fold(tuple(range(len(numbers))), ()), options.seed + 997)
    groups = cases.cohort.groups
    return MaskStudy(
        cases,
        splits,
        sites,
        report,
        segmentation_size(np.unique(groups).size, float(chosen.dice.std(ddof=1))),
        proofs,
        primary,
        {n: _difference(cases, chosen, p) for n, p in proofs.items() if n != primary},
        away,
        _subgroups(cases, chosen, options),
        _curve(cases, splits, options, say) if options.curve else (),
        trainers[primary](cases, everything, len(splits.folds)),
        minutes,
        seconds,
        (*cohort.notes, *cases.notes, *splits.notes, *_network_notes(options, minutes, primary, away)),
        start,
    )


def _plan(cases: MaskCases, numbers: Cohort, options: MaskOptions) -> tuple[Splits, Splits | None]:
    """Return the folds, spread by the share of samples that is labelled and by site, and those that leave a site out."""
    drawn = kfold(numbers, options.folds, options.seed)
    folds = tuple(with_validation(numbers, fold, options.seed + 1 + k) for k, fold in enumerate(drawn.folds))
    for fold in folds:
        lacking = _lacking(cases, fold)
        if lacking is not None:
            have = [s.identifier for s, m in zip(cases.cohort.samples, cases.masks, strict=True) if lacking.value in m.present]
            raise ContentError(
                f"No training mask shows '{lacking.name}' (value {lacking.value}) in a fold of '{cases.cohort.name}', only "
                f"{', '.join(have[:3])}{f' and {len(have) - 3} more' if len(have) > 3 else ''} of {len(cases.masks)}: expected every class in "
                "every training part; ask for another division (--seed, --folds), add cases that show it, or leave it out of the masks."
            )
    splits = replace(drawn, folds=folds, digest=cases.cohort.digest)
    away = sites_apart(cases.cohort)
    if away is None:
        return splits, None
    ends = tuple(with_validation(numbers, fold, options.seed + 101 + k) for k, fold in enumerate(away.folds))
    if any(_lacking(cases, fold) or len({cases.cohort.samples[k].patient for k in fold.train}) < 2 for fold in ends):
        return splits, None
    return splits, replace(away, folds=ends)


def _lacking(cases: MaskCases, fold: Fold) -> Segment | None:
    """Return a class that no mask of a training part shows."""
    shown = {v for k in fold.train for v in cases.masks[k].present}
    return next((s for s in cases.segments if s.value not in shown), None)


def _budget(options: MaskOptions, splits: Splits, sites: Splits | None) -> tuple[float, float, bool]:
    """Return the minutes of all networks, the seconds of each, and whether there is enough for one without each site."""
    minutes = _minutes(options)
    if not minutes:
        return 0.0, 0.0, False
    trainings = len(splits.folds) + 1
    more = 0 if sites is None else len(sites.folds)
    enough = 0 < more <= MOST_SITES and 60.0 * minutes / (trainings + more) >= LEAST_SECONDS
    return minutes, 60.0 * minutes / (trainings + more if enough else trainings), enough


def _minutes(options: MaskOptions) -> float:
    """Return the minutes of all networks, 0 where none is trained."""
    minutes = MINUTES if options.minutes is None else float(options.minutes)
    return 0.0 if minutes <= 0 or not can_train() or options.primary == "pixels" else minutes


def _primary(options: MaskOptions) -> str:
    if options.primary not in (None, "network", "pixels"):
        raise ParameterError(f"Learner '{options.primary}': for masks there are network and pixels.")
    minutes = _minutes(options)
    if options.primary == "network" and not minutes:
        raise ParameterError(
            "A network without minutes to train it, or without torch: expected --minutes above 0 and the extra 'deep'."
        )
    return "network" if minutes else "pixels"


def _trainers(cases: MaskCases, options: MaskOptions, seconds: float, say: Say) -> dict[str, Trainer]:
    """Return what makes each model from a fold, the floor first; every one sees the training and the validation part alone."""

    def atlas(cases: MaskCases, fold: Fold, number: int) -> Predictor:
        return fit_atlas(cases.take((*fold.train, *fold.validation))[1], cases.segments)

    def pixels(cases: MaskCases, fold: Fold, number: int) -> Predictor:
        images, masks, _ = cases.take((*fold.train, *fold.validation))
        held = range(len(fold.train), len(images))
        return fit_pixels(images, masks, cases.segments, held=held, seed=options.seed)

    def network(cases: MaskCases, fold: Fold, number: int) -> Predictor:
        images, masks, names = cases.take((*fold.train, *fold.validation))
        held = range(len(fold.train), len(images))
        settings = NetworkSettings(seconds, options.features, options.epochs)
        what = f"training network {fold.name or number + 1}"
        start = None if options.start is None else options.start.trained
        return train_network(
            images, masks, names, held, settings, start=start, seed=options.seed, say=lambda k, n: say(what, k, n)
        )

    made: dict[str, Trainer] = {"atlas": atlas, "pixels": pixels}
    return {**made, "network": network} if seconds else made


def _proved(cases: MaskCases, splits: Splits, name: str, train: Trainer, options: MaskOptions, keep: bool = False) -> MaskProof:
    return prove_masks(cases, splits.folds, name, train, keep=keep, tolerance=options.tolerance, seed=options.seed)


def _difference(cases: MaskCases, first: MaskProof, second: MaskProof) -> Difference:
    """Return how much higher the first's mean Dice is, on the same cases."""
    dice = np.stack([first.dice, second.dice])
    widen = widening(np.unique(first.fold).size)
    groups = cases.cohort.groups[first.tested]
    return compare_paired("mean Dice", lambda w, k: (w @ dice[k]) / w.sum(axis=1), groups, widen=widen, most=1.0)


def _subgroups(cases: MaskCases, proof: MaskProof, options: MaskOptions) -> tuple[Subgroup, ...]:
    attributes: dict[str, npt.ArrayLike] = {}
    if len({s for s in cases.cohort.sites.tolist() if s}) > 1:
        attributes["site"] = cases.cohort.sites[proof.tested]
    attributes.update({name: values[proof.tested] for name, values in cases.cohort.subgroups.items()})
    groups, widen = cases.cohort.groups[proof.tested], widening(np.unique(proof.fold).size)
    return by_subgroup(
        attributes,
        groups,
        lambda i: mean_scores([proof.rows[int(k)] for k in i], groups[i], widen=widen, draws=500, seed=options.seed),
    )


def _curve(cases: MaskCases, splits: Splits, options: MaskOptions, say: Say) -> tuple[tuple[int, object], ...]:
    """Prove the simple model on parts of the training patients; left out where that would take long."""
    if sum(int(np.prod(image.shape)) for image in cases.images) > CURVE_SAMPLES:
        return ()
    found = []
    for share in (0.25, 0.5, 1.0):
        say("learning curve", int(100 * share), 100)
        folds = [_part_of(cases, fold, share, options.seed, k) for k, fold in enumerate(splits.folds)]
        if any(_lacking(cases, fold) or not fold.train for fold in folds):
            continue

        def simple(cases: MaskCases, fold: Fold, number: int) -> Predictor:
            images, masks, _ = cases.take(fold.train)
            return fit_pixels(images, masks, cases.segments, seed=options.seed)

        proof = prove_masks(cases, folds, "pixels", simple, tolerance=options.tolerance, draws=500, seed=options.seed)
        found.append((round(float(np.mean([len(f.train) for f in folds]))), proof.scores))
    return tuple(found)


def _part_of(cases: MaskCases, fold: Fold, share: float, seed: int, number: int) -> Fold:
    """Return a fold that learns from a share of its training patients; the tested cases stay the same."""
    inside = np.asarray((*fold.train, *fold.validation), np.int64)
    groups = cases.cohort.groups[inside]
    patients = np.random.default_rng([seed, number]).permutation(np.unique(groups))
    taken = patients[: max(1, round(share * patients.size))]
    return Fold(tuple(inside[np.isin(groups, taken)]), fold.test)


def _network_notes(options: MaskOptions, minutes: float, primary: str, away: MaskProof | None) -> Sequence[str]:
    notes = []
    if not minutes:
        why = "no minutes were given to it" if can_train() else "the extra 'deep' is not installed"
        why = "another model was named" if options.primary == "pixels" else why
        notes.append(f"No network was trained, because {why}: the model is the sample classifier.")
    if away is not None and away.name != primary:
        notes.append(
            "At sites held out only the sample classifier was tested: the minutes leave too little for a network without each site."
        )
    return notes
