"""What a package says of the models that it began with, and of every case that its weights have seen."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["ancestors_of", "check_ancestors", "known_digests", "terms_of"]

#: Plain values of each ancestor that are texts.
_TEXTS = ("name", "sha256", "model", "licence", "cohort")


def ancestors_of(package: Any) -> list[dict[str, Any]]:
    """Return what a model that begins with a package records: the package itself, then the models that it began with.

    Parameters
    ----------
    package
        A `Package`.
    """
    training = package.manifest["training"]
    own = {
        "name": str(package.manifest["name"]),
        "sha256": package.digest,
        "model": str(package.manifest["model"]),
        "licence": _first_line(package.licence),
        "cohort": str(training["name"]),
        "cases": int(training["cases"]),
        "digests": sorted(training["digests"]),
    }
    return [own, *(dict(a) for a in training.get("ancestors", []))]


def known_digests(training: Mapping[str, Any]) -> tuple[frozenset[str], tuple[str, ...]]:
    """Return the digests of all cases that a model has seen, and the names of the models among its ancestors that keep none.

    Parameters
    ----------
    training
        Of a manifest: digests of its own cases, and its ancestors.
    """
    found = set(training["digests"])
    silent = []
    for ancestor in training.get("ancestors", []):
        found |= set(ancestor["digests"])
        if not ancestor["digests"]:
            silent.append(str(ancestor["name"]))
    return frozenset(found), tuple(silent)


def terms_of(ancestors: list[dict[str, Any]], licence: str) -> str:
    """Return what a licence says of the model that the weights began with: its terms go on.

    Parameters
    ----------
    ancestors
        The latest first.
    licence
        Of the latest one, whole.
    """
    first = ancestors[0]
    return f"Its weights began with those of model '{first['name']}' ({first['sha256']}), whose terms are:\n\n{licence.strip()}\n"


def check_ancestors(training: Mapping[str, Any]) -> None:
    """Raise ValueError unless the ancestors of a manifest that was read say what `ancestors_of` says."""
    listed = training.get("ancestors", [])
    if not isinstance(listed, list):
        raise ValueError("its ancestors are no list")
    for ancestor in listed:
        sound = isinstance(ancestor, Mapping) and all(isinstance(ancestor.get(key), str) for key in _TEXTS)
        if not sound or not isinstance(ancestor.get("digests"), list) or not isinstance(ancestor.get("cases"), int):
            raise ValueError("an ancestor does not say which model it is and what it was made from")
        if not all(isinstance(d, str) for d in ancestor["digests"]):
            raise ValueError("an ancestor's digests are no texts")


def _first_line(text: str) -> str:
    return next((line.strip() for line in text.splitlines() if line.strip()), "")[:200]
