"""The model that a learning run leaves behind: made of all cases by the recipe that was proved, with what was proved of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from isocenter.core.provenance import digest_json

__all__ = ["package_of"]


def package_of(found: Any, path: Path) -> Path:
    """Write the model of a study as a package.

    The model is fitted on all cases with settings, calibrator and threshold chosen as in the folds; its scores are those of the
    folds, since there is no case left to judge it by.

    Parameters
    ----------
    found
        The study.
    path
        The file.
    """
    from isocenter.learn.package.fingerprint import case_digest, fingerprint_of, image_facts
    from isocenter.learn.package.models import TableModel
    from isocenter.learn.package.reading import Training, write_package
    from isocenter.learn.study import NETWORK

    table, cohort = found.table, found.cohort
    of_images = not cohort.features
    facts, digests = [], []
    for k in range(len(cohort)):
        value: Any = cohort.image(k) if of_images else table.values[k]
        digests.append(case_digest(value))
        if of_images:
            facts.append(image_facts(value))
    training = Training(
        cohort.name,
        len(table),
        len(set(table.groups.tolist())),
        tuple(sorted({s for s in table.sites.tolist() if s})),
        cohort.digest,
        digest_json(found.splits.to_json()),
        found.splits.seed,
        tuple(digests),
    )
    limits = [*found.size.sentences]
    if found.shortcut is not None:
        limits.append(found.shortcut.sentence)
    if found.leakage.accepted is not None:
        limits.append(f"A leakage finding was accepted: {found.leakage.accepted}")
    network = found.primary == NETWORK
    name = "model-" + cohort.digest.removeprefix("sha256:")[:8]
    write_package(
        path,
        _network(found) if network else TableModel((found.final,), table.names, "image" if of_images else "table"),
        name=name,
        fingerprint=fingerprint_of(facts) if network else fingerprint_of(facts, table.values, table.names),
        training=training,
        scores=dict(found.proof.scores),
        plan=found.network.to_dict()
        if network
        else {"learner": found.primary, "settings": dict(found.final.settings), "harmonise": found.proof.recipe.harmonise},
        limits=limits,
    )
    return path


def _network(found: Any) -> Any:
    from isocenter.learn.package.networks import NetworkClassifier

    final = found.final
    return NetworkClassifier(final.trained, "resnet", found.network.parameters, final.calibrator, final.threshold)
