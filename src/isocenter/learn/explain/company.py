"""The training cases that an explained case resembles, found in a cohort, as a package holds none of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from isocenter.core.errors import ContentError, IsocenterError
from isocenter.core.image import Image
from isocenter.learn.data.cohort import Cohort
from isocenter.learn.explain.nearest import Resemblance, nearest_cases, network_features
from isocenter.learn.explain.package_case import kind_of
from isocenter.learn.package.fingerprint import case_digest
from isocenter.learn.package.model import Package

__all__ = ["Company", "company_of", "rows_of_cohort"]

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Company:
    """What a case resembles.

    Attributes
    ----------
    found
        The nearest cases.
    of_training
        Whether they are cases that the model was made from.
    warnings
        One sentence each.
    """

    found: Resemblance
    of_training: bool
    warnings: tuple[str, ...]


def company_of(package: Package, case: Image | FloatArray, cohort: Cohort, *, name: str = "this case", count: int = 5) -> Company:
    """Find the cases of a cohort that a case resembles in the features of a model.

    Parameters
    ----------
    package
        A classifier, or a model of features.
    case
        An image, or a row of features.
    cohort
        That the model was made from: its cases are known by their digests. Of another cohort all cases are compared, with a warning.
    name
        Of the case.
    count
        Nearest cases.

    Raises
    ------
    ContentError
        If the package segments or finds places, or fewer than two cases can be compared.
    """
    if package.manifest["task"] in ("segmentation", "detection", "landmarks"):
        what = "segments" if package.manifest["task"] == "segmentation" else "finds places"
        raise ContentError(
            f"Model '{package.manifest['name']}' {what}: nearest cases are those of a classifier or of a model of features; leave the "
            "cohort out."
        )
    own = case_digest(case)
    known = set(package.manifest["training"]["digests"])
    rows, at, trained, same, lost = [], [], [], 0, 0
    for k in range(len(cohort)):
        try:
            value = cohort.image(k) if isinstance(case, Image) else rows_of_cohort(package, cohort.take([k]))[0]
            digest = case_digest(value)
            if digest == own:
                same += 1
                continue
            rows.append(_described(package, value))
        except IsocenterError:
            lost += 1
            continue
        at.append(k)
        trained.append(digest in known)
    warnings = []
    if same:
        warnings.append(
            "Warning: this very case is in the cohort" + (" and was trained on" if own in known else "") + "; it was left out."
        )
    if lost:
        warnings.append(f"{lost} cases of the cohort could not be read or described, and were not compared.")
    of_training = sum(trained) >= 2
    chosen = [j for j in range(len(rows)) if trained[j] or not of_training]
    if not of_training:
        warnings.append(
            "Warning: the cohort does not hold the cases that the model was made from: these are only others like them."
        )
    if len(chosen) < 2:
        raise ContentError(
            f"Cohort '{cohort.name}' has {len(chosen)} cases that can be compared with this one: expected two or more of the same kind."
        )
    samples = [cohort.samples[at[j]] for j in chosen]
    (found,) = nearest_cases(
        np.stack([rows[j] for j in chosen]),
        _described(package, case)[None],
        training_cases=[s.identifier for s in samples],
        held_out_cases=[name],
        training_patients=[f"cohort {s.patient}" for s in samples],
        labels=[str(s.label) if s.label is not None else "" for s in samples],
        count=count,
    )
    return Company(found, of_training, tuple(warnings))


def rows_of_cohort(package: Package, cohort: Cohort) -> FloatArray:
    """Return the features of a cohort of rows, in the order of a package.

    Raises
    ------
    ContentError
        If a column is missing.
    """
    names = package.model.names
    missing = [n for n in names if n not in cohort.features]
    if missing:
        raise ContentError(
            f"Column '{missing[0]}' is missing from '{cohort.name}' ({len(missing)} in all): model '{package.manifest['name']}' takes "
            f"{', '.join(names[:6])}{' ...' if len(names) > 6 else ''}."
        )
    return cohort.matrix(names)


def _described(package: Package, value: Image | FloatArray) -> FloatArray:
    """Return what is compared: the features that a model uses, or those of a network."""
    if kind_of(package) == "network":
        assert isinstance(value, Image)  # networks take images
        package.refuse_axes(value)
        return network_features(package.model.trained, [package.prepared(value)])[0]
    row = package.features(value) if isinstance(value, Image) else value
    kept = np.unique(np.concatenate([m.fitted.kept for m in package.model.members]))
    middle = np.array([0.0 if v is None else v for v in package.fingerprint["features"]["middle"]])
    return np.where(np.isfinite(row), row, middle)[kept]
