"""The model that a learning run leaves behind: made of all cases by the recipe that was proved, with what was proved of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

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
    from isocenter.jobs.learn_origin import accepted_leak, cases_of, origin
    from isocenter.learn.package.fingerprint import fingerprint_of
    from isocenter.learn.package.models import TableModel
    from isocenter.learn.package.reading import write_package
    from isocenter.learn.study import NETWORK

    table, of_images = found.table, not found.cohort.features
    facts, digests = cases_of(found, of_images)
    limits = [*found.size.sentences]
    if found.shortcut is not None:
        limits.append(found.shortcut.sentence)
    limits += accepted_leak(found)
    network = found.primary == NETWORK
    write_package(
        path,
        _network(found) if network else TableModel((found.final,), table.names, "image" if of_images else "table"),
        **origin(found, digests),
        fingerprint=fingerprint_of(facts) if network else fingerprint_of(facts, table.values, table.names),
        plan=found.network.to_dict()
        if network
        else {"learner": found.primary, "settings": dict(found.final.settings), "harmonise": found.proof.recipe.harmonise},
        unit=table.unit,
        limits=limits,
    )
    return path


def _network(found: Any) -> Any:
    from isocenter.learn.package.networks import NetworkPredictor

    final = found.final
    trained = final.trained
    return NetworkPredictor(trained, trained.network, trained.parameters, final.calibrator, final.threshold)
