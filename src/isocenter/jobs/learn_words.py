"""What a learning run says in words: findings, a methods paragraph, a table for a paper, and the checklists of the field."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from isocenter._version import __version__
from isocenter.jobs.learn_blocks import with_interval
from isocenter.jobs.learn_deep import deep_sentence, network_words
from isocenter.jobs.learn_start import start_methods
from isocenter.learn.estimators.catalogue import LEARNERS
from isocenter.learn.study import NETWORK

__all__ = [
    "checklist",
    "cohort_answers",
    "fill_checklist",
    "findings",
    "latex",
    "latex_table",
    "methods",
    "score_words",
    "spread_words",
]

_TITLES = {
    "auc_roc": "AUC-ROC",
    "macro_auc_roc": "mean AUC-ROC",
    "auc_pr": "AUC-PR",
    "ece": "expected calibration error",
    "npv": "negative predictive value",
    "mae": "mean absolute error",
    "rmse": "root mean square error",
    "r2": "R2",
    "mae_of_median": "error of guessing the median",
}


def score_words(name: str) -> str:
    """Return a score's name as a reader knows it."""
    return _TITLES.get(name, name.replace("_", " "))


def spread_words(score: Any, digits: int = 3) -> str:
    """Return a score with its interval and the cases behind it, for a sentence."""
    unit = "" if score.unit == "1" else f" {score.unit}"
    if score.interval is None:
        return f"{score.value:.{digits}f}{unit} (n = {score.n})"
    low, high = score.interval
    return f"{score.value:.{digits}f}{unit} (95 % interval {low:.{digits}f} to {high:.{digits}f}, n = {score.n})"


def findings(found: Any) -> tuple[str, ...]:
    """Return what a study found, the most important first.

    Parameters
    ----------
    found
        The study.
    """
    name = found.score_name
    patients = len(set(found.table.groups.tolist()))
    lines = [
        f"{len(found.table)} cases of {patients} patients; {score_words(name)} of the {found.primary} on cases that it never saw: "
        f"{spread_words(found.proof.scores[name])}."
    ]
    first = next(iter(found.proofs))
    lines += [
        found.differences[other].sentence(f"The {found.primary}", f"the {other}" if other != first else "guessing")
        for other in found.proofs
        if other in found.differences
    ]
    lines += [deep_sentence(found)] if found.deep else []
    if found.shortcut is not None:
        lines.append(found.shortcut.sentence)
    lines += list(found.size.sentences)
    if found.aside:
        lines.append(f"{len(found.aside)} cases were set aside; the scores say nothing of them.")
    return tuple(lines)


def methods(found: Any) -> str:
    """Return a methods paragraph for a paper.

    Parameters
    ----------
    found
        The study.
    """
    table, folds = found.table, len(found.splits.folds)
    patients = len(set(table.groups.tolist()))
    what = f"{len(table.classes)} classes ({', '.join(table.classes)})" if table.classes else "a number"
    kind = (
        "tabular features"
        if found.cohort.features
        else "features of the images (oriented gradients, local patterns, brightness by place)"
    )
    others = ", ".join(n for n in found.proofs if n != found.primary)
    spread, fitted, areas = "site", "choice of settings and the standard units of the number", ""
    if table.classes:
        spread, areas = "class and site", " Areas under the ROC curve compare cases of one fold."
        fitted = "choice of settings, calibration (temperature) and the operating point (at the share of positives)"
    offered = f"{table.values.shape[1]} {kind}"
    if found.primary == NETWORK:
        offered = f"the images themselves (by the {NETWORK}; the other models from {offered})"
    text = (
        f"{len(table)} cases of {patients} patients were used to predict {what} from {offered}. Patients were divided "
        f"into {folds} folds, stratified by {spread} as far as whole patients allow (seed {found.splits.seed}); no patient stood in two "
        f"parts. Before training, the cohort was scanned for duplicates, shared patients and facts around the images that tell the label. "
        f"The {found.primary} was named as the model to report before any score was seen; {others} were proved in the same folds. Filling "
        f"of gaps, scaling, {fitted} were fitted in the training part of each fold, on predictions held out there. Scores are of "
        "held-out predictions; intervals are bootstrap percentile intervals "
        f"over patients (2,000 resamples), widened by the factor {(1 + folds / (folds - 1)) ** 0.5:.2f} for the overlap of training sets "
        f"(Nadeau and Bengio, 2003).{areas}"
    )
    if found.network is not None:
        text += f" {network_words(found.network)}{start_methods(found)}"
    if found.site_splits is not None:
        text += f" The model was also tested on each of {len(found.site_splits.folds)} sites after training on the others."
    return text + f" Software: isocenter {__version__}."


def latex(found: Any) -> str:
    """Return the scores of all models as a LaTeX table.

    Parameters
    ----------
    found
        The study.
    """
    if found.table.classes:
        names = ["auc_roc", "macro_auc_roc", "accuracy", "balanced_accuracy", "sensitivity", "specificity", "brier", "ece"]
    else:
        names = ["mae", "rmse", "r2", "bias"]
    names = [n for n in names if n in found.proof.scores]
    rows = [(learner, *(with_interval(proof.scores[n]) for n in names)) for learner, proof in found.proofs.items()]
    return latex_table([score_words(n) for n in names], rows)


def latex_table(scores: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return scores of models as a LaTeX table.

    Parameters
    ----------
    scores
        What they are called.
    rows
        A model with its scores, as texts; intervals go from ``low to high``.
    """
    lines = [" & ".join([model, *(cell.replace(" to ", "--") for cell in cells)]) + r" \\" for model, *cells in rows]
    head = " & ".join(["Model", *scores]) + r" \\"
    body = "\n".join(lines)
    return f"\\begin{{tabular}}{{l{'r' * len(scores)}}}\n\\hline\n{head}\n\\hline\n{body}\n\\hline\n\\end{{tabular}}\n"


#: Items of the checklists in our own words: key, item, where it stands, and what is said where a run does not know.
_OPEN = "open: only the authors know"
_BOTH = "CLAIM, TRIPOD+AI"
_ITEMS = (
    ("design", "Study design: retrospective or prospective", _BOTH, _OPEN),
    ("aim", "Aim and intended use", _BOTH, _OPEN),
    ("ethics", "Ethics approval, consent, registration", _BOTH, _OPEN),
    ("sites", "Data sources and sites", _BOTH, "open: no site was given"),
    ("eligibility", "Eligibility of patients", _BOTH, _OPEN),
    ("identity", "De-identification", "CLAIM", "reports carry identifiers of the table; open: how the images were de-identified"),
    ("reference", "Reference standard and who set it", _BOTH, _OPEN),
    ("cases", "Cases, patients, exclusions", _BOTH, _OPEN),
    ("outcome", "Distribution of the outcome", "TRIPOD+AI", _OPEN),
    ("size", "Sample size", "TRIPOD+AI", _OPEN),
    ("missing", "Missing data", _BOTH, "cases without an image or a label are set aside"),
    ("division", "Division of the data, at which level", "CLAIM", _OPEN),
    ("leakage", "Leakage and duplicates", "CLAIM", _OPEN),
    ("model", "Model, inputs, outputs", _BOTH, _OPEN),
    ("training", "Training, settings and how they were chosen", _BOTH, "inside the folds (methods.txt)"),
    ("baselines", "Baselines", "CLAIM", _OPEN),
    ("performance", "Performance with intervals", _BOTH, "tables/scores.csv"),
    ("calibration", "Calibration", _BOTH, "agreement in this report"),
    ("subgroups", "Fairness: performance in subgroups", "TRIPOD+AI", "open: no subgroup column was given"),
    ("failures", "Failure analysis", "CLAIM", "the ten worst cases in this report"),
    ("external", "External validation", _BOTH, "open: isocenter model validate"),
    ("code", "Code and model availability", _BOTH, f"isocenter {__version__}; the model package of this run"),
    ("public", "Patient and public involvement, funding", "TRIPOD+AI", _OPEN),
)


def fill_checklist(answers: Mapping[str, str]) -> tuple[tuple[str, str, str], ...]:
    """Return the field's checklists, filled in as far as a run knows: (item, where it stands, what the run says or that it is open).

    Parameters
    ----------
    answers
        Key of an item -> what the run says; the others say what they say of every run, or that they are open.

    References
    ----------
    Tejani et al. Checklist for Artificial Intelligence in Medical Imaging (CLAIM): 2024 update. Radiology: AI 6 (2024) e240300;
    Collins et al. TRIPOD+AI statement. BMJ 385 (2024) e078378. Items are named in our own words.
    """
    return tuple((item, where, answers.get(key) or otherwise) for key, item, where, otherwise in _ITEMS)


def cohort_answers(cases: int, groups: Iterable[str], sites: Iterable[str], found: Any) -> dict[str, str]:
    """Return what every task's run knows of the checklists' items: sites, cases, division, leakage, subgroups, other sites.

    Parameters
    ----------
    cases, groups, sites
        Cases used, their patients and their sites.
    found
        What a study gave: ``aside``, ``splits``, ``leakage``, ``subgroups``, ``away``.
    """
    names = sorted({s for s in sites if s})
    away = "sites held out (not a substitute for a new cohort)" if found.away is not None else ""
    return {
        "sites": f"{len(names)} sites: {', '.join(names[:12])}" if names else "",
        "cases": f"{cases} cases of {len(set(groups))} patients used, {len(found.aside)} set aside with reasons "
        "(tables/set_aside.csv)",
        "division": f"{len(found.splits.folds)} folds by patient (tables/splits.csv)",
        "leakage": f"{len(found.leakage.findings)} findings (tables/leakage.csv)",
        "subgroups": "tables/subgroups.csv" if found.subgroups else "",
        "external": away,
    }


def checklist(found: Any) -> tuple[tuple[str, str, str], ...]:
    """Return what the run knows of the field's checklists: (item, where it stands, what the run says or that it is open).

    Parameters
    ----------
    found
        The study.
    """
    table = found.table
    answers = cohort_answers(len(table), table.groups.tolist(), table.sites.tolist(), found)
    if table.classes:
        answers["outcome"] = "; ".join(f"{c}: {int((table.target == k).sum())}" for k, c in enumerate(table.classes))
        answers["calibration"] = "in this report"
    else:
        answers["outcome"] = f"{table.target.min():.4g} to {table.target.max():.4g}"
    answers["size"] = found.size.sentences[0]
    answers["missing"] = "features that are not defined take the median of the training part"
    answers["model"] = (
        f"{found.primary}: {network_words(found.network) if found.primary == NETWORK else LEARNERS[found.primary].summary}"
    )
    answers["baselines"] = ", ".join(n for n in found.proofs if n != found.primary)
    return fill_checklist(answers)
