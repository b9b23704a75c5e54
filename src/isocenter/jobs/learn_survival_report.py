"""The report of a study of survival: what was found, the curves of the risk groups, and what speaks against it."""

from __future__ import annotations

import numpy as np

from isocenter._version import __version__
from isocenter.jobs.learn_blocks import case_blocks, difference_rows, leakage_blocks, learn_page, subgroup_section, with_interval
from isocenter.jobs.learn_words import cohort_answers, fill_checklist, latex_table
from isocenter.learn.evaluate.survival import kaplan_meier
from isocenter.learn.study_survival import CLINICAL, NOTHING, PRIMARY, SurvivalStudy
from isocenter.view import curves
from isocenter.view.report import Figure, KeyNumber, Notice, Paragraph, Report, Section, Table
from isocenter.view.survival import Curve, survival_picture

__all__ = ["NAMES", "survival_findings", "survival_latex", "survival_methods", "survival_report", "worst_risks"]

#: What the models are called.
NAMES = {NOTHING: "no information", CLINICAL: "Cox, clinical columns alone", PRIMARY: "Cox"}
_FIRST = ("c_index", "integrated_brier")


def _words(name: str) -> str:
    known = {"c_index": "C-index", "integrated_brier": "integrated Brier score"}
    return known.get(name) or name.replace("auc_at_", "area at time ").replace("_", " ")


def worst_risks(found: SurvivalStudy) -> tuple[tuple[str, float, float], ...]:
    """Return the events that the model was least prepared for: (case, time, share of its fold at risk then whose risk was higher)."""
    proof, rows = found.proof, []
    t, e = found.time[proof.tested], found.event[proof.tested]
    for j in np.flatnonzero(e):
        others = (proof.fold == proof.fold[j]) & (t > t[j])
        if others.any():
            share = float((proof.risk[others] > proof.risk[j]).mean())
            rows.append((found.cohort.samples[int(proof.tested[j])].identifier, float(t[j]), share))
    return tuple(sorted(rows, key=lambda row: (-row[2], row[0]))[:10])


def survival_findings(found: SurvivalStudy) -> tuple[str, ...]:
    """Return what a study found, the most important first."""
    score, proof = found.proof.scores["c_index"], found.proof
    patients, events = len(set(found.table.groups.tolist())), int(found.event.sum())
    lines = [
        f"{len(found.table)} cases of {patients} patients, {events} events; C-index of the {NAMES[PRIMARY]} model on cases that it never "
        f"saw: {with_interval(score)}, n = {score.n}."
    ]
    if proof.p is None:
        lines.append("All held-out cases fall into one risk group: there is nothing to test between groups.")
    else:
        apart = "differ" if proof.p < 0.05 else "do not differ beyond chance"
        lines.append(
            f"Held-out cases of high risk ({int(proof.high.sum())}) and low risk ({int((~proof.high).sum())}), cut at the median of the "
            f"training cases, {apart} in survival (log-rank p = {proof.p:.2g}; it takes no account of "
            "the overlap of training sets, as the interval of C does: believe the interval first)."
        )
    lines += [d.sentence(f"The {NAMES[PRIMARY]} model", f"'{NAMES[n]}'") for n, d in found.differences.items()]
    if found.away is not None:
        lines.append(f"At sites that it was not trained on its C-index is {with_interval(found.away.scores['c_index'])}.")
    lines += list(found.size.sentences)
    if found.aside:
        lines.append(f"{len(found.aside)} cases were set aside; the scores say nothing of them.")
    return tuple(lines)


def survival_methods(found: SurvivalStudy) -> str:
    """Return a methods paragraph for a paper."""
    n, folds, features = len(found.table), len(found.splits.folds), found.table.values.shape[1]
    of_images = not any(name != "event" for name in found.cohort.features)
    what = "features of the images (oriented gradients, local patterns, brightness by place)" if of_images else "tabular features"
    text = (
        f"{n} cases of {len(set(found.table.groups.tolist()))} patients, {int(found.event.sum())} of them with the event, were used to "
        f"predict the time to it from {features} {what} by Cox's proportional hazards. Patients were divided into {folds} folds, stratified "
        f"by event and site as far as whole patients allow (seed {found.splits.seed}); no patient stood in two parts. Filling of gaps, "
        "scaling, harmonisation where asked for, the choice of features (each by its own score statistic; or all), the ridge "
        "penalty, the baseline hazard (Breslow) and the risk cut (median) were fitted in the training part of each fold; features and "
        "penalty were chosen by the C-index of cases held out there. Harrell's C, cumulative/dynamic areas at the quartiles of the event "
        "times (weighted for censoring; Uno, 2007) and the integrated Brier score between the 10th and 90th percentile of event times "
        "(Graf, 1999) are of held-out cases; C and areas compare cases of one fold. Intervals are bootstrap percentile intervals over "
        f"patients (1,000 resamples), widened by {(1 + folds / (folds - 1)) ** 0.5:.2f} for the overlap of training sets (Nadeau and "
        "Bengio, 2003). The log-rank test compares held-out cases above and below the risk cut as if one model had "
        "been made without them all."
    )
    return text + f" Software: isocenter {__version__}."


def survival_latex(found: SurvivalStudy) -> str:
    """Return the scores of all models as a LaTeX table."""
    names = [n for n in found.proof.scores if n != "events"]
    rows = [(NAMES[model], *(with_interval(proof.scores[n]) for n in names)) for model, proof in found.proofs.items()]
    return latex_table([_words(n) for n in names], rows)


def survival_report(found: SurvivalStudy, package: str) -> Report:
    """Compose the report of a study.

    Parameters
    ----------
    found
        The study.
    package
        Name of the package's file.
    """
    scores = found.proof.scores
    numbers = [
        KeyNumber(
            _words(n),
            scores[n].value,
            "",
            f"95 % interval {with_interval(scores[n]).partition('(')[2].rstrip(')')}, n = {scores[n].n}",
        )
        for n in _FIRST
    ]
    numbers.append(KeyNumber("events", float(found.event.sum()), "", f"of {len(found.table)} cases"))
    if found.away is not None:
        away = found.away.scores["c_index"]
        numbers.append(KeyNumber("C-index at sites held out", away.value, "", f"n = {away.n}"))
    use = f"Risk model of all cases: {package}. Use it: isocenter run NEW --model {package}; prove it after an upgrade: isocenter model test {package}."
    if any(name != "event" for name in found.cohort.features):
        use = f"Risk model of all cases: {package}. Judge it elsewhere: isocenter model validate {package} --on COHORT; prove it after an upgrade: isocenter model test {package}."
    sections = [
        Section("Models", _models(found)),
        Section("Calibration", _calibration(found)),
        *_hazards(found),
        Section("Leakage scan", leakage_blocks(found)),
        *subgroup_section(found, "c_index", "C-index"),
        Section("Events that it was least prepared for", (Table(("Case", "Time", "Share at risk with a higher risk"), worst_risks(found)),)),
        Section("Cases", _cases(found)),
        Section("Methods", (Paragraph(survival_methods(found)), Paragraph(use))),
    ]  # fmt: skip
    return learn_page(
        found,
        "Learning the time to an event",
        lines=survival_findings(found),
        numbers=numbers,
        notices=_notices(found),
        picture=_picture(found),
        sections=sections,
        checklist=_checklist(found),
    )


def _notices(found: SurvivalStudy) -> list[Notice]:
    notices = []
    if not found.differences[NOTHING].better:
        notices.append(Notice("The C-index interval does not lie above 0.5: nothing was shown to be learned.", "problem"))
    elif CLINICAL in found.differences and not found.differences[CLINICAL].better:
        notices.append(
            Notice(
                "The images do not beat the clinical columns alone beyond the interval: the simpler model would do.", "warning"
            )
        )
    if found.size.events_per_parameter < 10:
        notices.append(Notice(found.size.sentences[-1], "warning"))
    return notices


def _picture(found: SurvivalStudy) -> Figure:
    proof = found.proof
    t, e = found.time[proof.tested], found.event[proof.tested]
    ticks = [float(v) for v in np.linspace(0.0, float(np.quantile(t, 0.98)), 5)]
    made: list[Curve] = []
    for name, own in (("low risk", ~proof.high), ("high risk", proof.high)):
        if own.any() and e[own].any():
            curve = kaplan_meier(t[own], e[own])
            at_risk = [(tick, int((t[own] >= tick).sum())) for tick in ticks]
            made.append((name, curve.times, curve.survival, curve.lower, curve.upper, at_risk, float(t[own].max())))
    if not made:
        curve = kaplan_meier(t, e)
        at_risk = [(tick, int((t >= tick).sum())) for tick in ticks]
        made = [("all", curve.times, curve.survival, curve.lower, curve.upper, at_risk, float(t.max()))]
    words = "one risk group only" if proof.p is None else f"log-rank p = {proof.p:.2g}; bands are pointwise 95 % intervals"
    picture = survival_picture(made, "Held-out cases by predicted risk", "time, as in the labels", words)
    return Figure(
        picture, f"Kaplan-Meier curves of held-out cases; the risk cut comes from the training part of each fold ({words})."
    )


def _models(found: SurvivalStudy) -> tuple[Table, ...]:
    names = [n for n in found.proof.scores if n != "events"]
    rows = tuple(
        (NAMES[m] + (" (named beforehand)" if m == found.primary else ""), *(with_interval(p.scores[n]) for n in names))
        for m, p in found.proofs.items()
    )
    if found.away is not None:
        rows = (*rows, (f"{NAMES[PRIMARY]}, at sites held out", *(with_interval(found.away.scores[n]) for n in names)))
    return (
        Table(("Model", *(_words(n) for n in names)), rows, "Held-out cases in the same folds; 95 % intervals over patients"),
        Table(
            ("Against", "Difference in C", "95 % interval", "p", "n"),
            difference_rows(found.differences, NAMES.__getitem__),
            "Cox less each baseline, paired by patient",
        ),
    )


def _calibration(found: SurvivalStudy) -> tuple[Figure | Table | Paragraph, ...]:
    rows = found.calibration
    if not rows:
        return (Paragraph("There are too few events in each third of the predicted chances to compare."),)
    cells = tuple((p, o, f"{low:.3f} to {high:.3f}", n) for p, o, low, high, n in rows)
    words = f"Chance of no event by time {found.median:.4g}, the median of the event times: predicted against Kaplan-Meier."
    caption = "In thirds of the predicted chance; each case by the model of a fold that it was not in"
    table = Table(("Predicted", "Observed", "95 % interval", "n"), cells, caption)
    return (Figure(curves.reliability(rows), words), table)


def _hazards(found: SurvivalStudy) -> list[Section]:
    if found.hazards is None:
        return []
    rows = tuple(
        (n, s.value, None if s.interval is None else f"{s.interval[0]:.3g} to {s.interval[1]:.3g}")
        for n, s in found.hazards.items()
    )
    caption = "For one unit more, all cases, without penalty: a description of this cohort, not a proof"
    return [Section("Hazard ratios", (Table(("Column", "Hazard ratio", "95 % interval"), rows, caption),))]


def _cases(found: SurvivalStudy) -> tuple[Table | Paragraph, ...]:
    curve = kaplan_meier(found.time, found.event)
    counts = [
        ("cases used", len(found.table)), ("patients", len(set(found.table.groups.tolist()))), ("events", int(found.event.sum())),
        ("censored", int((~found.event).sum())), ("set aside", len(found.aside)),
        ("median time under observation", float(np.median(found.time))),
        ("median survival", curve.median if np.isfinite(curve.median) else "not reached"),
    ]  # fmt: skip
    return case_blocks(found, counts, (*found.notes, *found.splits.notes, *found.size.sentences))


def _checklist(found: SurvivalStudy) -> tuple[tuple[str, str, str], ...]:
    answers = cohort_answers(len(found.table), found.table.groups.tolist(), found.table.sites.tolist(), found)
    answers["outcome"] = f"{int(found.event.sum())} events, {int((~found.event).sum())} censored"
    answers["size"] = " ".join(found.size.sentences)
    answers["missing"] = "features that are not defined take the median of the training part"
    answers["model"] = "Cox's proportional hazards with a ridge penalty on chosen features; gives the log relative hazard"
    answers["baselines"] = ", ".join(NAMES[n] for n in found.proofs if n != found.primary)
    answers["calibration"] = "at the median of the event times, in this report"
    answers["failures"] = "events of the lowest risk, in this report"
    return fill_checklist(answers)
