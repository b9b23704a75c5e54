"""The whole proof of a survival cohort: nothing known, clinical columns alone, and the image or table, in the same folds."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.core.errors import ContentError, IsocenterError
from isocenter.core.results import Scores
from isocenter.learn.data.cohort import Cohort
from isocenter.learn.evaluate.compare import Difference, compare_paired
from isocenter.learn.evaluate.sample_size import SampleSize, survival_size
from isocenter.learn.evaluate.subgroups import Subgroup, by_subgroup
from isocenter.learn.evaluate.survival import fit_cox, kaplan_meier, log_rank
from isocenter.learn.evaluate.survival_scores import brier_parts, judge_survival, pair_score
from isocenter.learn.hazard import RiskModel, fit_risk_inside
from isocenter.learn.leakage.report import LeakageReport
from isocenter.learn.leakage.scan import scan
from isocenter.learn.prove import widening
from isocenter.learn.recipe import Table, filled
from isocenter.learn.represent import represent
from isocenter.learn.shortcut import blind_table
from isocenter.learn.splits import Splits, kfold, sites_apart
from isocenter.learn.study import StudyOptions

__all__ = ["CLINICAL", "NOTHING", "PRIMARY", "SurvivalProof", "SurvivalStudy", "prove_risk", "study_survival"]

FloatArray = npt.NDArray[np.float64]
Say = Callable[[str, int, int], None]
Parts = Sequence[tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]]

#: The same risk for every case; Cox on what is known of the patients; Cox on the image or the table, whose score is the result.
NOTHING, CLINICAL, PRIMARY = "none", "clinical", "cox"
#: Times between which the Brier score is integrated, as quantiles of the event times.
_GRID = np.linspace(0.1, 0.9, 17)


@dataclass(frozen=True)
class SurvivalProof:
    """Risks of every case by models that never saw it, nor its patient.

    Attributes
    ----------
    tested
        Indices of the cases that were predicted, rising.
    risk
        Log relative hazard, by the model of its fold.
    high
        Whether it lies above the median risk of that fold's training cases.
    chance
        Predicted share without the event at the median time, shape (n,).
    fold
        Which fold predicted it.
    models
        Of the folds.
    scores
        With intervals over patients.
    p
        Of the log-rank test between high and low; None where one group is empty.
    """

    tested: npt.NDArray[np.int64]
    risk: FloatArray
    high: npt.NDArray[np.bool_]
    chance: FloatArray
    fold: npt.NDArray[np.int64]
    models: tuple[RiskModel, ...]
    scores: Scores
    p: float | None


@dataclass(frozen=True)
class SurvivalStudy:
    """All that was found.

    Attributes
    ----------
    cohort, table, time, event
        The cases that could be used, their features, time under observation, and whether it ended with the event.
    aside
        (case, reason) of the others.
    splits, site_splits, leakage, size
        As of `learn.study.Study`.
    median
        Time at which calibration is judged: the median of the event times.
    proofs
        Name -> proof, the baselines first.
    primary
        Name of the result.
    differences
        Baseline -> C of the primary less it.
    away
        The proof at sites that were left out; None where there is one site.
    subgroups
        Scores of each.
    final
        The model of all cases.
    hazards
        Hazard ratio of each column, of a model of all cases without penalty; None where there are too few events for that.
    calibration
        (predicted, observed, low, high, cases) of thirds of the predicted chance at the median time.
    """

    cohort: Cohort
    table: Table
    time: FloatArray
    event: npt.NDArray[np.bool_]
    aside: tuple[tuple[str, str], ...]
    splits: Splits
    site_splits: Splits | None
    leakage: LeakageReport
    size: SampleSize
    median: float
    proofs: Mapping[str, SurvivalProof]
    primary: str
    differences: Mapping[str, Difference]
    away: SurvivalProof | None
    subgroups: tuple[Subgroup, ...]
    final: RiskModel
    hazards: Scores | None
    calibration: tuple[tuple[float, float, float, float, int], ...]
    notes: tuple[str, ...] = field(default=())

    @property
    def proof(self) -> SurvivalProof:
        """The proof of the primary."""
        return self.proofs[self.primary]


def _table(cohort: Cohort, say: Say | None) -> tuple[Table, Table | None, tuple[int, ...], tuple[tuple[str, str], ...]]:
    """Return features, clinical columns where images have any beside them, the cases used, and (case, reason) of the others."""
    names: tuple[str, ...] = tuple(n for n in cohort.features if n != "event")
    columns = cohort.matrix(names) if names else None
    used, rows, aside = [], [], []
    for k, sample in enumerate(cohort.samples):
        if say is not None:
            say("describing", k, len(cohort))
        try:
            if sample.label is None or float(str(sample.label)) <= 0:
                raise ContentError("its time under observation is missing or not above 0")
            found = None if columns is not None else represent(cohort.image(k))
            if found is not None and names and found.names != names:
                raise ContentError(
                    "It is of another kind (dimensions, colour) than the cases before it: expected one kind of image."
                )
        except IsocenterError as error:
            aside.append((sample.identifier, str(error)))
            continue
        names = names if found is None else found.names
        rows.append(columns[k] if columns is not None else found.values if found is not None else np.zeros(0))
        used.append(k)
    if not used or not names:
        first = f": {aside[0][0]}: {aside[0][1]}" if aside else ": it has neither images nor columns of numbers"
        raise ContentError(f"No case of '{cohort.name}' can be used{first}")
    kept = cohort.take(used)
    table = Table(np.stack(rows), kept.labels, kept.groups, kept.sites, names)
    if columns is not None or not kept.subgroups:
        return table, None, tuple(used), tuple(aside)
    blind = blind_table(table, kept.subgroups)
    own = [k for k, name in enumerate(blind.names) if not name.startswith("site=")]
    clinical = Table(blind.values[:, own], kept.labels, kept.groups, kept.sites, tuple(blind.names[k] for k in own))
    varies = bool((np.ptp(filled(clinical.values)[1], axis=0) > 0).any())
    return table, clinical if varies else None, tuple(used), tuple(aside)


def prove_risk(
    table: Table,
    time: FloatArray,
    event: npt.NDArray[np.bool_],
    folds: Parts,
    moments: tuple[float, ...],
    median: float,
    *,
    learner: str = PRIMARY,
    harmonise: bool = False,
    seed: int = 0,
    draws: int = 1000,
) -> SurvivalProof:
    """Predict the risk of every case from a model that was made without its patient, and judge the risks.

    Parameters
    ----------
    table, time, event
        All cases.
    folds
        (train, test) indices.
    moments, median
        Times for areas, and for calibration.
    learner
        ``none`` or ``cox``.
    harmonise, seed, draws
        As for `study_survival`.

    Raises
    ------
    ContentError
        If a fold tests a patient that it trained on.
    """
    n = len(table)
    risk, chance, fold = np.full(n, np.nan), np.full(n, np.nan), np.full(n, -1)
    high, grid = np.zeros(n, bool), np.unique(np.quantile(time[event], _GRID))
    there, models = np.full((n, grid.size), np.nan), []
    for number, (inside, outside) in enumerate(folds):
        both = np.intersect1d(table.groups[inside], table.groups[outside])
        if both.size:
            raise ContentError(
                f"Fold {number + 1} tests patient '{both[0]}' whom it was trained on: a test on training data proves nothing."
            )
        made = fit_risk_inside(
            table.take(inside), time[inside], event[inside], moments, learner=learner, harmonise=harmonise, seed=seed
        )
        risk[outside] = made.risk(table.take(outside))
        high[outside] = risk[outside] > made.baseline.cut
        chance[outside] = made.baseline.survival(risk[outside], [median])[:, 0]
        there[outside] = made.baseline.survival(risk[outside], grid)
        fold[outside] = number
        models.append(made)
    tested = np.flatnonzero(fold >= 0)
    t, e, groups = time[tested], event[tested], table.groups[tested]
    brier = brier_parts(t, e, there[tested], grid)
    widen = widening(np.unique(fold[tested]).size)
    scores = judge_survival(t, e, risk[tested], groups, fold[tested], moments, brier=brier, widen=widen, draws=draws, seed=seed)
    p = log_rank(t, e, high[tested])[1] if np.unique(high[tested]).size == 2 else None
    return SurvivalProof(tested, risk[tested], high[tested], chance[tested], fold[tested], tuple(models), scores, p)


def study_survival(
    cohort: Cohort, options: StudyOptions | None = None, say: Say | None = None, draws: int = 1000
) -> SurvivalStudy:
    """Prove what can be predicted of the time to an event, without flattering.

    Parameters
    ----------
    cohort
        For survival: times as labels, ``event`` among the values.
    options
        Folds, seed, harmonisation and accepted leaks are looked at.
    say
        Told what is done: (what, done, total).
    draws
        Bootstrap resamples.

    Raises
    ------
    ContentError
        If there are too few events, or the leakage scan found what makes every score meaningless.
    """
    options = options or StudyOptions()
    table, clinical, used, aside = _table(cohort, say)
    kept = cohort.take(used)
    time, event = kept.labels.astype(np.float64), kept.matrix(["event"])[:, 0] > 0
    if event.sum() < 2 * options.folds:
        raise ContentError(
            f"'{cohort.name}' has {int(event.sum())} events among {len(kept)} cases: expected two for each of {options.folds} folds or "
            "more; follow longer, or ask for fewer folds."
        )
    splits = kfold(kept, options.folds, options.seed, ("label", "site"))
    sites = sites_apart(kept)
    report = scan(kept, splits, accept=options.accept_leak, progress=None if say is None else lambda k, n: say("scanning", k, n))
    report.require()
    moments = tuple(float(q) for q in np.unique(np.quantile(time[event], [0.25, 0.5, 0.75])))
    median, folds = float(np.median(time[event])), splits.pairs
    shared: dict[str, Any] = {"seed": options.seed, "draws": draws}
    proofs: dict[str, SurvivalProof] = {}
    for k, (name, own) in enumerate(((NOTHING, table), (CLINICAL, clinical), (PRIMARY, table))):
        if own is None:
            continue
        if say is not None:
            say(f"proving {name}", k, 3)
        harmonise = options.harmonise and name == PRIMARY
        proofs[name] = prove_risk(own, time, event, folds, moments, median, learner=name, harmonise=harmonise, **shared)
    away = None
    if sites is not None and all(event[np.asarray(f.train)].sum() >= 4 for f in sites.folds):
        away = prove_risk(table, time, event, sites.pairs, moments, median, harmonise=options.harmonise, **shared)
    primary = proofs[PRIMARY]
    attributes = {**({"site": table.sites} if np.unique(table.sites).size > 1 else {}), **kept.subgroups}
    apart = by_subgroup(attributes, table.groups, lambda i: _of(primary, time, event, table, i)) if attributes else ()
    patients = int(np.unique(table.groups).size)
    return SurvivalStudy(
        kept, table, time, event, aside, splits, sites, report, survival_size(patients, int(event.sum()), table.values.shape[1]), median,
        proofs, PRIMARY, {n: _difference(proofs, n, time, event, table) for n in proofs if n != PRIMARY}, away, apart,
        fit_risk_inside(table, time, event, moments, harmonise=options.harmonise, seed=options.seed),
        _hazards(table if clinical is None else clinical, time, event), _calibrated(primary, time, event), cohort.notes,
    )  # fmt: skip


def _of(proof: SurvivalProof, time: FloatArray, event: Any, table: Table, indices: npt.NDArray[np.int64]) -> Scores:
    rows = np.flatnonzero(np.isin(proof.tested, indices))
    k = proof.tested[rows]
    return judge_survival(time[k], event[k], proof.risk[rows], table.groups[k], proof.fold[rows], (), draws=300)


def _difference(proofs: Mapping[str, SurvivalProof], other: str, time: FloatArray, event: Any, table: Table) -> Difference:
    first, second = proofs[PRIMARY], proofs[other]
    k = first.tested
    scores = [pair_score(time[k], event[k], p.risk, p.fold) for p in (first, second)]
    return compare_paired(
        "C-index", lambda w, m: scores[m](w), table.groups[k], widen=widening(np.unique(first.fold).size), draws=1000, most=1.0
    )


def _hazards(table: Table, time: FloatArray, event: npt.NDArray[np.bool_]) -> Scores | None:
    """Return hazard ratios of all cases for one unit of each column, where there are ten events for each."""
    x = filled(table.values)[1]
    varies = _independent(x)
    if not varies.size or event.sum() < 10 * varies.size:
        return None
    try:
        return fit_cox(time, event, x[:, varies], tuple(table.names[int(k)] for k in varies), ridge=1e-6).hazard_ratios()
    except ContentError:
        return None  # a column separates the events: it has no finite ratio to show


def _independent(x: FloatArray) -> npt.NDArray[np.int64]:
    """Return the columns that vary and are no sum of those before them: the last of several categories says nothing new."""
    z = x - x.mean(axis=0)
    z = z / np.maximum(np.sqrt((z**2).sum(axis=0)), 1e-12)
    taken: list[int] = []
    for k in range(min(z.shape[1], 64)):
        rest = z[:, k] - z[:, taken] @ np.linalg.lstsq(z[:, taken], z[:, k], rcond=None)[0] if taken else z[:, k]
        if float(rest @ rest) > 1e-6:
            taken.append(k)
    return np.array(taken, np.int64)


def _calibrated(proof: SurvivalProof, time: FloatArray, event: Any) -> tuple[tuple[float, float, float, float, int], ...]:
    """Return (predicted, observed, low, high, cases) at the median time, of thirds of the predicted chance."""
    t, e = time[proof.tested], event[proof.tested]
    third = np.searchsorted(np.quantile(proof.chance, [1 / 3, 2 / 3]), proof.chance, side="right")
    moment = float(np.median(time[event]))
    rows = []
    for k in np.unique(third):
        own = third == k
        if not e[own].any():
            continue
        curve = kaplan_meier(t[own], e[own])
        at = int(np.searchsorted(curve.times, moment, side="right")) - 1
        low, high = (1.0, 1.0) if at < 0 else (float(curve.lower[at]), float(curve.upper[at]))
        rows.append((float(proof.chance[own].mean()), curve.at(moment), low, high, int(own.sum())))
    return tuple(rows)
