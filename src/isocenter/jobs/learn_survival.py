"""The main job with times to an event as labels: prove what can be told of them, and leave a risk model."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from isocenter.core.errors import ParameterError
from isocenter.jobs.learn import LearnOptions
from isocenter.jobs.learn_results import Learned, Made, Results, write_results
from isocenter.jobs.learn_rows import comparisons, scores_table, splits_and_findings, subgroup_tables
from isocenter.jobs.learn_start import start_of
from isocenter.jobs.learn_survival_report import (
    NAMES,
    survival_latex,
    survival_methods,
    survival_report,
    worst_risks,
)
from isocenter.learn.data.cohort import Cohort
from isocenter.learn.study import StudyOptions
from isocenter.learn.study_survival import PRIMARY, SurvivalStudy, study_survival

__all__ = ["learn_survival"]


def learn_survival(
    cohort: Cohort, out: Path, options: LearnOptions, started: float, progress: Callable[[str, int, int], None] | None
) -> Learned:
    """Learn the time to an event; what `isocenter.jobs.learn.learn` does for a cohort with a column ``event``.

    Parameters
    ----------
    cohort
        For survival.
    out
        Folder for the results.
    options
        What the user chose.
    started
        When the run began, as `time.monotonic` tells it.
    progress
        Told what is done.

    Raises
    ------
    ParameterError
        If another learner is asked for than the one there is.
    """
    if options.primary not in (None, PRIMARY):
        raise ParameterError(
            f"Learner '{options.primary}' of a time to an event: expected '{PRIMARY}', which is the one there is."
        )
    start_of(options, cohort, "")
    chosen = StudyOptions(
        folds=options.folds, seed=options.seed, harmonise=options.harmonise, accept_leak=options.accept_leak, primary=PRIMARY
    )
    found = study_survival(cohort, chosen, progress)
    if progress is not None:
        progress("writing", 0, 1)
    results = Results.of(
        found,
        options,
        tables=_tables(found),
        latex=survival_latex(found),
        methods=survival_methods(found),
        package=_package,
        report=survival_report,
    )
    return write_results(results, out, started)


def _tables(found: SurvivalStudy) -> list[Made]:
    proofs = [(NAMES.get(name, name), proof) for name, proof in found.proofs.items()]
    if found.away is not None:
        proofs.append((f"{found.primary}, sites held out", found.away))
    samples, proof = found.cohort.samples, found.proof
    predicted: list[tuple[Any, ...]] = [
        (
            samples[k].identifier, samples[k].patient, found.table.sites[k], int(proof.fold[j]) + 1, float(found.time[k]),
            int(found.event[k]), float(proof.risk[j]), "high" if proof.high[j] else "low", float(proof.chance[j]),
        )
        for j, k in enumerate(proof.tested)
    ]  # fmt: skip
    thirds: list[tuple[Any, ...]] = [(found.median, *row) for row in found.calibration]
    made: list[Made] = [
        scores_table(proofs),
        ("predictions.csv", "held-out risks", ("case", "patient", "site", "fold", "time", "event", "log_relative_hazard", "group",
         "chance_without_event_at_median"), predicted),
        comparisons(found, lambda name: NAMES[name]),
        ("calibration.csv", "calibration at the median time", ("time", "predicted", "observed", "low_95", "high_95", "n"), thirds),
        *splits_and_findings(found),
        ("worst_cases.csv", "events of the lowest risk", ("case", "time", "share_of_higher_risk"), list(worst_risks(found))),
    ]  # fmt: skip
    if found.hazards is not None:
        ratios: list[tuple[Any, ...]] = [(n, s.value, *(s.interval or (None, None)), s.n) for n, s in found.hazards.items()]
        made.append(("hazard_ratios.csv", "hazard ratios", ("column", "hazard_ratio", "low_95", "high_95", "n"), ratios))
    return [*made, *subgroup_tables(found)]


def _package(found: SurvivalStudy, path: Path) -> Path:
    """Write the risk model of all cases as a package, with what was proved in the folds."""
    from isocenter.jobs.learn_origin import accepted_leak, cases_of, origin
    from isocenter.learn.package.fingerprint import fingerprint_of
    from isocenter.learn.package.models import TableModel
    from isocenter.learn.package.reading import write_package

    table, of_images = found.table, not any(name != "event" for name in found.cohort.features)
    facts, digests = cases_of(found, of_images)
    final = found.final
    assert final.model is not None  # the primary is a Cox model
    write_package(
        path,
        TableModel((final.model,), table.names, "image" if of_images else "table", final.baseline),
        **origin(found, digests, "risk"),
        fingerprint=fingerprint_of(facts, table.values, table.names),
        plan={"learner": found.primary, "settings": dict(final.model.settings), "harmonise": final.model.fitted.recipe.harmonise},
        unit="log relative hazard",
        limits=[*found.size.sentences, *accepted_leak(found)],
    )
    return path
