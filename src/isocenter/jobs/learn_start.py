"""What a learning run says of the network that it began with: whether there is one to train, words, a section, facts."""

from __future__ import annotations

import importlib.util
from typing import Any

from isocenter.core.errors import ParameterError
from isocenter.core.text import plain
from isocenter.view.report import Paragraph, Section, Table

__all__ = ["start_facts", "start_methods", "start_of", "start_section", "start_sentence"]


def start_of(options: Any, cohort: Any, network: str) -> Any:
    """Return the network that the trainings of a run begin with, None where none is asked for.

    Parameters
    ----------
    options
        What the user chose (`LearnOptions`).
    cohort
        The labels.
    network
        What the network among the learners of the task is called; empty where there is none.

    Raises
    ------
    ParameterError
        If no network would be trained, or that of the package does not fit the labels.
    """
    if options.start is None:
        return None
    if not network or (cohort.features and cohort.task != "survival"):
        what = "columns of numbers" if network else "a time to an event"
        raise ParameterError(f"A package to begin with (--start), but {what} to learn from: no network is trained; leave it out.")
    if options.minutes is not None and options.minutes <= 0:
        raise ParameterError("A package to begin with (--start) and 0 minutes: no network is trained; give --minutes above 0.")
    if cohort.task == "segmentation" and options.primary == "pixels":
        raise ParameterError(
            "A package to begin with (--start) and learner 'pixels': no network is trained; leave one of them out."
        )
    missing = [name for name in ("torch", "monai") if importlib.util.find_spec(name) is None]
    if missing:
        raise ParameterError(
            f'A package to begin with (--start) without {missing[0]}: install it by: pip install "isocenter[deep]"'
        )
    from isocenter.learn.package.start import read_start

    return read_start(options.start, cohort.task)


def start_sentence(found: Any) -> str:
    """Return what the networks of a study began with, and whether their cases were seen before; empty where weights were random.

    Parameters
    ----------
    found
        The study.
    """
    start = getattr(found, "start", None)
    if start is None:
        return ""
    known = [f for f in found.leakage.findings if f.kind == "start"]
    text = f"The network began with the weights of model '{plain(start.name, 80)}' ({start.digest[:23]}), not with random ones"
    if not known:
        cases = sum(len(a["digests"]) for a in start.ancestors)
        return (
            f"{text}; none of the {cases} cases that it was trained on is among these, sample by sample (altered copies and other images of "
            "the same patients are not recognised)."
        )
    seen = next((len(f.evidence) for f in known if f.severity == "refuse"), 0)
    if seen:
        return f"{text}; it was trained on {seen} of these cases or more, so the scores say nothing of new ones."
    return f"{text}; whether it was trained on some of these cases cannot be known."


def start_methods(found: Any) -> str:
    """Return a sentence for the methods; empty where weights were random.

    Parameters
    ----------
    found
        The study.
    """
    start = getattr(found, "start", None)
    if start is None:
        return ""
    return (
        f" Every training began with the weights of model '{plain(start.name, 80)}' ({start.digest}; {plain(start.package.manifest['model'], 200)}), "
        "whose architecture and preparation of images were kept; layers that depend on the classes began at random where the classes differ."
    )


def start_section(found: Any) -> list[Section]:
    """Return the section on the network that was begun with; none where weights were random.

    Parameters
    ----------
    found
        The study.
    """
    start = getattr(found, "start", None)
    if start is None:
        return []
    rows = tuple(
        (
            plain(a["name"], 80),
            plain(a["sha256"], 80),
            plain(a["model"], 200),
            plain(a["licence"], 200) or "none stated",
            f"{a['cases']} of '{plain(a['cohort'], 80)}', known again by their samples" if a["digests"] else "not known",
        )
        for a in start.ancestors
    )
    table = Table(("Model", "Digest", "What it is", "Licence", "Cases it was trained on"), rows, "The latest first")
    texts = (start_sentence(found), *start.notes(), "The terms of its licence go on: the new package repeats them.")
    return [Section("What the network began with", (*(Paragraph(t) for t in texts), table))]


def start_facts(found: Any) -> dict[str, Any]:
    """Return plain values for the lineage; none where weights were random.

    Parameters
    ----------
    found
        The study.
    """
    start = getattr(found, "start", None)
    return {} if start is None else {"start": start.to_dict()}
