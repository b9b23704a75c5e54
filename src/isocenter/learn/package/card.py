"""The model card: what the model is for, what it was made from, what it proved, and what it must not be used for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from isocenter.core.text import plain

__all__ = ["card_of"]

_NOT_A_DEVICE = (
    "This model is not a medical device and has not been cleared or certified for clinical use. Research and quality-controlled use "
    "only: no decision about a patient may rest on it alone."
)


def card_of(manifest: Mapping[str, Any], scores: Mapping[str, Any], held: Sequence[str]) -> str:
    """Return the card as Markdown.

    Parameters
    ----------
    manifest
        Of the package.
    scores
        Name -> value, unit, interval and n.
    held
        What of the training cases the model holds as it is, in words.
    """
    training, inputs = manifest["training"], manifest["inputs"]
    lines = [f"# {plain(manifest['name'], 200)}", "", _NOT_A_DEVICE, "", "## Intended use", ""]
    lines += [
        plain(manifest["intended_use"], 2000) or "Not stated by its maker: none beyond repeating the study it was made in.",
        "",
    ]
    lines += ["## What it does", "", *_task(manifest), ""]
    lines += [
        "## What it takes",
        "",
        *[f"- {key.replace('_', ' ')}: {_shown(value)}" for key, value in inputs.items() if value],
        "",
    ]
    lines += ["## What it was made from", ""]
    for key in ("name", "cases", "patients", "sites", "cohort", "splits", "seed"):
        if training.get(key) not in (None, "", []):
            lines.append(f"- {key}: {_shown(training[key])}")
    lines += _began(training)
    lines += ["", "## What it proved", "", *_scores(scores), ""]
    lines += ["## Limits", "", *[f"- {plain(text, 1000)}" for text in manifest["limits"]]]
    lines += [
        "- The figures above come from cases of the same cohort; another hospital's may differ. Measure them there first: "
        "`isocenter model validate`.",
        "- Inputs outside the range of the training are computed all the same, with a warning; the warning is to be taken seriously.",
        "", "## Privacy", "",
    ]  # fmt: skip
    if held:
        lines.append(f"This model holds {'; and '.join(held)}. Treat the file as you treat the training data.")
    else:
        lines.append(
            "No feature row of a training case stands in this model as it is. What a model learnt may still tell of single cases; "
            "quantiles and ranges of the training data stand in fingerprint.json."
        )
    lines += ["The self-test case is made up; no patient's image is in this file.", ""]
    return "\n".join(lines)


def _task(manifest: Mapping[str, Any]) -> list[str]:
    names = [plain(c["name"], 100) for c in manifest["classes"]]
    if manifest["task"] == "classification":
        lines = [f"Classification into {', '.join(names)}. {plain(manifest['model'], 300)}"]
        if len(names) == 2 and manifest.get("threshold") is not None:
            lines.append(f"A case is called '{names[1]}' from a probability of {manifest['threshold']:.4g} on.")
        return lines
    if manifest["task"] in ("detection", "landmarks"):
        lines = [
            f"{'Boxes around' if manifest['task'] == 'detection' else 'Places of'} {', '.join(names)}. {plain(manifest['model'], 300)}"
        ]
        if manifest.get("threshold") is not None:
            lines.append(f"A candidate is called an object from a probability of {manifest['threshold']:.4g} on.")
        return lines
    if manifest["task"] == "segmentation":
        return [f"Segmentation of {', '.join(names)}. {plain(manifest['model'], 300)}"]
    if manifest["task"] == "survival":
        return [
            f"Risk of an event: the log relative hazard of a case, 0 for one like the mean of the training. {plain(manifest['model'], 300)}",
            "The higher it is the earlier the event is expected; it is no time and no probability.",
        ]
    return [f"Prediction of a number (unit {plain(manifest['unit'], 40)}). {plain(manifest['model'], 300)}"]


def _began(training: Mapping[str, Any]) -> list[str]:
    """Return what the weights began with, and whether its cases are known."""
    lines = []
    for k, ancestor in enumerate(training.get("ancestors", [])):
        seen = (
            f"{ancestor['cases']} cases of '{_shown(ancestor['cohort'])}'" if ancestor["digests"] else "cases that are not known"
        )
        head = "Its weights began with those of" if k == 0 else "which began with those of"
        licence = f", licence: {_shown(ancestor['licence'])}" if ancestor["licence"] else ""
        lines.append(f"- {head} '{_shown(ancestor['name'])}' ({_shown(ancestor['sha256'])}{licence}), trained on {seen}")
    return lines


def _scores(scores: Mapping[str, Any]) -> list[str]:
    if not scores:
        return ["Nothing: no scores came with it."]
    lines = ["| score | value | 95 % interval | n |", "| --- | --- | --- | --- |"]
    for name, score in scores.items():
        between = "\u2013" if score["interval"] is None else f"{score['interval'][0]:.4g} to {score['interval'][1]:.4g}"
        unit = "" if score["unit"] == "1" else f" {score['unit']}"
        lines.append(f"| {plain(name, 80).replace('_', ' ')} | {score['value']:.4g}{unit} | {between} | {score['n']} |")
    return lines


def _shown(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{k} {_shown(v)}" for k, v in value.items())
    if isinstance(value, list | tuple):
        few = [_shown(v) for v in value[:12]]
        return ", ".join(few) + (f" and {len(value) - 12} more" if len(value) > 12 else "")
    if isinstance(value, float):
        return f"{value:.4g}"
    return plain(value, 300)
