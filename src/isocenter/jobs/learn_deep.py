"""What a learning run says of the small network that was trained beside the classical learners: words, tables, and where it looked."""

from __future__ import annotations

import importlib.util
from typing import Any

import numpy as np

from isocenter.core.errors import InputError
from isocenter.learn.study import NETWORK
from isocenter.learn.train.scale import steps
from isocenter.view.attribution import attribution_picture
from isocenter.view.report import Figure, Paragraph, Section, Table

__all__ = ["DEFAULT_MINUTES", "deep_rows", "deep_section", "deep_sentence", "minutes_of", "network_words"]

#: For all networks of a run together: 200 small pictures stay a matter of minutes.
DEFAULT_MINUTES = 2.0
_SHOWN = 5
#: Grad-CAM looks at the last stage that still has so many places along the shortest side.
_PLACES = 5
_STAGES = (("body.layer4", 32), ("body.layer3", 16), ("body.layer2", 8), ("body.layer1", 4))


def minutes_of(asked: float | None, task: str, of_images: bool) -> tuple[float, tuple[str, ...]]:
    """Return the minutes that networks may be trained, and what is to be told of it.

    Parameters
    ----------
    asked
        By the user; None leaves it to the task.
    task, of_images
        What is learned, and whether from images.
    """
    if task not in ("classification", "regression") or not of_images:
        return 0.0, ()
    if asked is not None:
        return asked, ()
    if any(importlib.util.find_spec(name) is None for name in ("torch", "monai")):
        return 0.0, (
            'No network was trained, as none is installed: pip install "isocenter[deep]" adds a small one to the comparison.',
        )
    return DEFAULT_MINUTES, ()


def _drawn(numbers: bool, measured: bool) -> tuple[str, str]:
    """Return how images were drawn and changed in training, and what the parts that were held out gave."""
    changes = ["turned", *([] if numbers else ["scaled"])]
    if not measured:
        changes.append("shifted in brightness" if numbers else "changed in brightness")
    changed = f"images {', '.join([*changes, 'made noisier'] if numbers or measured else changes)}"
    if numbers:
        held = "The number that is reported is that of the networks; nothing was fitted to it afterwards. Images are not scaled, as a size "
        return f"Huber's loss on the number in standard units of the training part, {changed}", held + "may be the number."
    return (
        f"each class drawn equally often, {changed}",
        "What the networks said of these parts gave calibration and operating point.",
    )


def network_words(plan: Any) -> str:
    """Return how the network was made, for the methods.

    Parameters
    ----------
    plan
        A `NetworkPlan`.
    """
    numbers = plan.task == "regression"
    drawn, held = _drawn(numbers, plan.quantity is not None)
    if plan.quantity is not None:
        held += f" All images were shown on one scale: {steps(plan.quantity)}."
    elif numbers:
        held += " Images are brought to mean 0 and spread 1 each, so that their absolute brightness is not seen."
    size = " x ".join(str(n) for n in plan.size)
    made, began = f"a ResNet-{plan.depth} of {plan.width:g} times the usual width", "from random weights "
    if plan.start is not None:
        made, began = f"the network '{plan.network}' of the package that it began with", ""
    return (
        f"The {NETWORK} is {made} on images of {size} samples, trained {began}"
        f"for {plan.epochs} epochs (AdamW, cosine schedule, {drawn} by chance). A fold holds up to {plan.parts} networks, whose "
        f"{'numbers' if numbers else 'probabilities'} are averaged: each was trained without one part of the fold's training patients, who "
        f"chose its best epoch{' (the least mean absolute error)' if numbers else ''}. {held}"
    )


def deep_sentence(found: Any) -> str:
    """Return what the network is worth beside the others; empty where none stands beside the primary."""
    if not found.deep:
        return ""
    beaten = [n for n, d in found.deep.items() if d.better]
    others = [n for n, d in found.deep.items() if not d.better]
    score = found.proofs[NETWORK].scores[found.score_name]
    spread = "" if score.interval is None else f" (95 % interval {score.interval[0]:.3f} to {score.interval[1]:.3f})"
    unit = "" if score.unit == "1" else f" {score.unit}"
    what = "a mean absolute error of " if found.score_name == "mae" else ""
    text = f"The network trained on the images themselves ({NETWORK}) reaches {what}{score.value:.3f}{unit}{spread}"
    text += f"; it beats {_listed(beaten)} beyond its interval" if beaten else ""
    if others:
        text += f"{', and' if beaten else ';'} {'' if beaten else 'it '}does not beat {_listed(others)} beyond its interval"
        text += ": nothing here shows that a deep model is worth its cost."
    else:
        text += "."
    return text


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def deep_rows(found: Any) -> list[tuple[Any, ...]]:
    """Return a row for each difference of the network from another learner, as `jobs.learn_tables` writes them."""
    return [
        (NETWORK, name, d.name, d.difference, *(d.interval or (None, None)), d.p, d.n, d.method) for name, d in found.deep.items()
    ]


def deep_section(found: Any) -> list[Section]:
    """Return the section on the network; none where none was trained."""
    if found.network is None:
        return []
    from isocenter.learn.deep import training_rows

    blocks: list[Any] = [Paragraph(deep_sentence(found))] if found.deep else []
    blocks.append(Paragraph(network_words(found.network)))
    rows = tuple(
        (name, d.difference, None if d.interval is None else f"{d.interval[0]:+.3f} to {d.interval[1]:+.3f}", d.p, d.n)
        for name, d in found.deep.items()
    )
    words = "less each" if found.table.classes else "against each: by how much its mean absolute error is less"
    if rows:
        blocks.append(
            Table(("Against", "Difference", "95 % interval", "p", "n"), rows, f"The {NETWORK} {words}, paired by patient")
        )
    trained = tuple(
        (fold, part, epochs, best, next(iter(scores.values()), None), list(scores.values())[1] if len(scores) > 1 else None)
        for fold, part, epochs, best, scores in training_rows(found.proofs[NETWORK])
    )
    judged = ("Log likelihood", "Balanced accuracy") if found.table.classes else ("Error in standard deviations, times -1,", "R2")
    head = ("Fold", "Network", "Epochs", "Best epoch", *(f"{name} there" for name in judged))
    blocks.append(Table(head, trained, "Each training, judged on the part of the training patients that it did not learn from"))
    return [Section("Small network", (*blocks, *_looked(found)))]


def _looked(found: Any) -> list[Any]:
    """Return where the network looked in the cases that it got most wrong, each by networks that never saw the case."""
    from isocenter.learn.explain.case import explain_case

    proof, table = found.proofs[NETWORK], found.table
    truth, numbers = table.target[proof.tested], not table.classes
    loss = np.abs(proof.predicted - truth) if numbers else 1.0 - proof.predicted[np.arange(truth.size), truth]
    side = min(found.network.size)
    layer: str | None = next((name for name, step in _STAGES if side // step >= _PLACES), _STAGES[-1][0])
    if found.network.network != "resnet":
        layer = None  # the last that has places, whatever it is called
    of_what = "of what raises the number" if numbers else "for the class that it called"
    blocks: list[Any] = [
        Paragraph(
            f"Where it looked in the held-out cases that it got most wrong (Grad-CAM {of_what}; the networks are those of the fold "
            "that never saw the case). Each map is repeated with random weights: where it stays, it shows the image and not "
            "what the network learnt."
        )
    ]
    for j in np.argsort(-loss, kind="stable")[:_SHOWN]:
        k = int(proof.tested[j])
        called = None if numbers else table.classes[int(proof.called[j])]
        try:
            image = found.cohort.image(k)
        except InputError:
            continue  # it could be read when it was described; a picture is not worth failing for
        made = explain_case(proof.models[int(proof.fold[j])].trained, image, "grad_cam", target=called, layer=layer)
        notes = list(made.warnings)
        if made.sanity is not None and made.sanity.passed:
            notes.append(made.sanity.sentence)
        case = found.cohort.samples[k].identifier
        if called is None:
            words = f"{case}: {table.target[k]:.4g}, predicted {proof.predicted[j]:.4g}"
        else:
            words = f"{case}: {table.classes[int(table.target[k])]}, called {called}"
        picture = attribution_picture(image, made.map, title=words, notes=notes)
        blocks.append(Figure(picture, f"{words}. {' '.join(notes)}"))
    return blocks
