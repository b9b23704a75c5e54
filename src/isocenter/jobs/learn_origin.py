"""What the model packages of all learning runs say alike: name, origin, scores, and that a leak was accepted."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from isocenter.learn.package.fingerprint import case_digest, image_facts
from isocenter.learn.package.reading import UNSTATED, Training

__all__ = ["accepted_leak", "began", "cases_of", "origin"]


def origin(found: Any, digests: Iterable[str], kind: str = "model") -> dict[str, Any]:
    """Return the arguments of `write_package` that say which model it is, what it was made of and what it proved.

    Parameters
    ----------
    found
        A study of any task; its scores are those of the folds.
    digests
        Of each case (`fingerprint.case_digest`).
    kind
        First word of the name.
    """
    start = getattr(found, "start", None) if began(found) else None
    return {
        "name": f"{kind}-{found.cohort.digest.removeprefix('sha256:')[:8]}",
        "training": Training.of(found.cohort, found.splits, digests, () if start is None else start.ancestors),
        "scores": dict(found.proof.scores),
        "licence": "" if start is None else f"{UNSTATED}\n{start.terms}",
    }


def began(found: Any) -> bool:
    """Return whether the model of a study is the network that began with another one, and not a learner beside it."""
    model = getattr(found.final, "finder", found.final)
    return hasattr(model, "trained") or hasattr(model, "plan")


def accepted_leak(found: Any) -> list[str]:
    """Return the sentence that limits a model whose study went on in spite of a leak; empty where there was none."""
    accepted = found.leakage.accepted
    return [] if accepted is None else [f"A leakage finding was accepted: {accepted}"]


def cases_of(found: Any, of_images: bool) -> tuple[list[Any], list[str]]:
    """Return the facts of the images (empty for a table of numbers) and the digest of each case of a study.

    Parameters
    ----------
    found
        A study with a table of features.
    of_images
        Whether the model takes images, and not the rows of the table.
    """
    facts, digests = [], []
    for k in range(len(found.cohort)):
        value: Any = found.cohort.image(k) if of_images else found.table.values[k]
        digests.append(case_digest(value))
        if of_images:
            facts.append(image_facts(value))
    return facts, digests
