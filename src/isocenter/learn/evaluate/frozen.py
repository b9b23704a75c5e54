"""A frozen test set: which cases it holds, and every look at it; a set that was looked at often is no test any more."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from isocenter.core.errors import ContentError, FormatError
from isocenter.core.provenance import digest_json

__all__ = ["FrozenTest", "Look"]


@dataclass(frozen=True)
class Look:
    """One time that a model was judged on the set.

    Attributes
    ----------
    model
        Digest of the model.
    purpose
        Why, in words.
    scores
        What came out.
    previous
        Digest of the record before this one, so that none can be taken out unseen.
    """

    model: str
    purpose: str
    scores: Mapping[str, float]
    previous: str

    @property
    def digest(self) -> str:
        """Digest of this record and, through `previous`, of all before it."""
        scores = {k: repr(float(v)) for k, v in sorted(self.scores.items())}
        return digest_json(["Look", self.model, self.purpose, scores, self.previous])


@dataclass(frozen=True)
class FrozenTest:
    """A test set and its looks.

    Attributes
    ----------
    name
        What it is called.
    cases
        Digests of its cases, sorted.
    looks
        In order.
    """

    name: str
    cases: tuple[str, ...]
    looks: tuple[Look, ...] = field(default=())

    def __post_init__(self) -> None:
        object.__setattr__(self, "cases", tuple(sorted(self.cases)))
        if not self.cases or len(set(self.cases)) != len(self.cases):
            raise ContentError(f"The frozen test set '{self.name}' is empty or names a case twice: expected different cases.")
        previous = self.digest
        for number, look in enumerate(self.looks, 1):
            if look.previous != previous:
                raise ContentError(f"Look {number} at '{self.name}' does not follow from the one before: its record was changed.")
            previous = look.digest

    @property
    def digest(self) -> str:
        """Digest of name and cases, whatever looks there were."""
        return digest_json(["FrozenTest", self.name, list(self.cases)])

    def looked(self, model: str, purpose: str, scores: Mapping[str, float]) -> FrozenTest:
        """Return the set with one more look recorded.

        Parameters
        ----------
        model
            Digest of the model.
        purpose
            Why it was judged.
        scores
            What came out.
        """
        previous = self.looks[-1].digest if self.looks else self.digest
        return FrozenTest(self.name, self.cases, (*self.looks, Look(model, purpose, dict(scores), previous)))

    def refuse_training(self, cases: Sequence[str]) -> None:
        """Refuse cases of this set as training data.

        Raises
        ------
        ContentError
            If one is among them.
        """
        both = sorted(set(self.cases) & set(cases))
        if both:
            raise ContentError(
                f"{len(both)} cases of the frozen test set '{self.name}' are among the training cases: expected none; leave them out, or "
                "judge the model on another set."
            )

    def sentence(self) -> str:
        """Return what the record means, in words."""
        models = len({look.model for look in self.looks})
        if len(self.looks) <= 1:
            return (
                f"The frozen test set '{self.name}' ({len(self.cases)} cases) was looked at {'once' if self.looks else 'never'}."
            )
        text = (
            f"The frozen test set '{self.name}' ({len(self.cases)} cases) was looked at {len(self.looks)} times "
            f"with {models} model{'s' if models > 1 else ''}"
        )
        if models > 1:
            return text + ": the best of them is flattered by having been chosen on it."
        return text + "."

    def to_json(self) -> str:
        """Return the set with its looks as text."""
        looks = [
            {"model": k.model, "purpose": k.purpose, "scores": dict(k.scores), "previous": k.previous, "digest": k.digest}
            for k in self.looks
        ]
        return json.dumps({"name": self.name, "digest": self.digest, "cases": list(self.cases), "looks": looks}, indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str) -> FrozenTest:
        """Read what `to_json` gave.

        Raises
        ------
        FormatError
            If it is no such text.
        ContentError
            If it was changed.
        """
        try:
            data = json.loads(text)
            looks = tuple(Look(k["model"], k["purpose"], k["scores"], k["previous"]) for k in data["looks"])
            name, cases, ends = data["name"], tuple(data["cases"]), [k["digest"] for k in data["looks"]]
            said = data["digest"]
        except (ValueError, KeyError, TypeError) as error:
            raise FormatError(
                f"The record of a frozen test set cannot be read ({type(error).__name__}): expected what was written."
            ) from None
        found = cls(name, cases, looks)
        if found.digest != said or [k.digest for k in found.looks] != ends:
            raise ContentError(f"The record of the frozen test set '{name}' was changed: its digests do not fit.")
        return found
