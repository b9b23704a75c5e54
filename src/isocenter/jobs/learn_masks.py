"""The main job with masks as labels: prove how well structures can be outlined, and leave a segmenter and what speaks for it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from isocenter.jobs.learn import LearnOptions
from isocenter.jobs.learn_masks_package import package_of_masks
from isocenter.jobs.learn_masks_report import mask_report
from isocenter.jobs.learn_masks_tables import mask_tables
from isocenter.jobs.learn_masks_words import mask_latex, mask_methods
from isocenter.jobs.learn_results import Learned, Results, write_results
from isocenter.jobs.learn_start import start_of
from isocenter.jobs.predicted_masks import write_predicted
from isocenter.learn.data.cohort import Cohort
from isocenter.learn.study_masks import MaskOptions, study_masks

__all__ = ["learn_masks"]


def learn_masks(
    cohort: Cohort, out: Path, options: LearnOptions, started: float, progress: Callable[[str, int, int], None] | None
) -> Learned:
    """Learn to outline what the masks of a cohort show; what `isocenter.jobs.learn.learn` does for a cohort with masks.

    Parameters
    ----------
    cohort
        For segmentation.
    out
        Folder for the results.
    options
        What the user chose.
    started
        When the run began, as `time.monotonic` tells it.
    progress
        Told what is done.
    """
    start = start_of(options, cohort, "network")
    cohort = cohort if start is None else start.turned(cohort)
    chosen = MaskOptions(
        folds=options.folds,
        seed=options.seed,
        primary=options.primary,
        accept_leak=options.accept_leak,
        minutes=options.minutes,
        start=start,
    )
    found = study_masks(cohort, chosen, progress)
    if progress is not None:
        progress("writing", 0, 1)
    judged = zip(found.proof.tested, found.proof.predicted, strict=True)
    files = write_predicted(out, ((found.cohort.samples[int(k)].identifier, outline) for k, outline in judged))
    results = Results.of(
        found,
        options,
        tables=mask_tables(found, files),
        latex=mask_latex(found),
        methods=mask_methods(found),
        package=package_of_masks,
        report=mask_report,
        facts={"minutes": found.minutes},
        written=dict.fromkeys(files.values(), "predicted outline of a held-out case"),
    )
    return write_results(results, out, started)
