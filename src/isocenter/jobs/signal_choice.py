"""Signals in a run: which study a recording is for."""

from __future__ import annotations

import re

from isocenter.core.signal import Signal
from isocenter.io.door import Case
from isocenter.io.inventory import Item
from isocenter.pipeline.spec import Pipeline

__all__ = ["STUDY", "looks_like_eeg", "of_signals", "wants_signal"]

#: The study of recordings that look like EEG.
STUDY = "eeg"
#: Electrodes of the 10-20 system and its extensions, alone or against a reference: ``Fp1``, ``EEG C3-A2``, ``T7-P7``.
_ELECTRODE = re.compile(
    r"(?:EEG[ _]*)?(?:Fp|AF|F|FC|FT|C|CP|T|TP|P|PO|O|A|M)(?:z|[1-9]|10)(?:[ _-]*(?:REF|LE|AVG|[A-Z]{1,2}(?:z|[1-9]|10)))?",
    re.IGNORECASE,
)


def looks_like_eeg(signal: Signal) -> str | None:
    """Return what shows that a signal is an EEG, None where its channels are not named as electrodes are."""
    named = [name for name in signal.channels if _ELECTRODE.fullmatch(name.strip().rstrip("."))]
    if len(named) < 2 or 2 * len(named) < len(signal.channels):
        return None
    return f"{len(named)} of {len(signal.channels)} channels are named as electrodes of an EEG ({', '.join(named[:4])} ...)"


def wants_signal(pipeline: Pipeline) -> bool:
    """Return whether a study takes signals."""
    return any(one.kind == "signal" for one in pipeline.inputs.values())


def of_signals(case: Case, study: str | None, asked: bool) -> tuple[list[tuple[Item, str, str]], list[str]]:
    """Return (item, study, why) of every signal of a case that a study takes, and a sentence for each of the others.

    Parameters
    ----------
    case
        The case.
    study
        A study for signals that the user named; None chooses.
    asked
        Whether the user named a study at all: one for images leaves signals alone.
    """
    found: list[tuple[Item, str, str]] = []
    left: list[str] = []
    for item in case.items:
        if item.kind != "signal":
            continue
        if study is not None:
            found.append((item, study, "you asked for it"))
            continue
        why = None if asked else looks_like_eeg(item.load())
        if asked:
            left.append(f"{item.name} ({item.format}, signal) was not analysed: the study is for other inputs.")
        elif why is None:
            left.append(
                f"{item.name} ({item.format}, signal) was not analysed: its channels are not named as electrodes are; "
                f"if it is an EEG, say --study {STUDY}."
            )
        else:
            found.append((item, STUDY, why))
    return found, left
