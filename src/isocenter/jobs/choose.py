"""Choose a study for images by modality, body part and content, and say why."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from isocenter import studies
from isocenter.core.image import Image
from isocenter.core.operation import Spec
from isocenter.jobs.words import describe_modality
from isocenter.pipeline.spec import Pipeline, load

__all__ = ["Candidate", "Choice", "choose", "load_study"]


@dataclass(frozen=True)
class Candidate:
    """An image that a study may take.

    Attributes
    ----------
    spec
        What it will be.
    body_part
        The body part its header names, upper case; empty where it names none.
    load
        Reads it; called only if content has to decide.
    """

    spec: Spec
    body_part: str
    load: Callable[[], Image]


@dataclass(frozen=True)
class Choice:
    """A study, and the reason for it in words."""

    name: str
    why: str


@lru_cache(maxsize=64)
def load_study(name: str) -> Pipeline:
    """Return a shipped study as a pipeline."""
    return load(studies.path(name))


def choose(candidate: Candidate) -> Choice:
    """Return the study for one image.

    A study names the modalities, body parts and contents it is for; of those that fit, the one with the highest
    priority is taken. Content (read from the voxels) decides only where the header names no body part.
    """
    modality = candidate.spec.modality or ""
    best: tuple[int, Choice] | None = None
    look = _Look(candidate)
    for name in studies.names():
        applies: Mapping[str, Any] = load_study(name).applies
        if load_study(name).inputs:
            continue  # takes several images: see `isocenter.jobs.analyses`
        reason = _fits(applies, modality, candidate.body_part, look)
        priority = int(applies.get("priority", 0))
        if reason is not None and (best is None or priority > best[0]):
            best = (priority, Choice(name, reason))
    assert best is not None  # the study "generic" fits everything
    return best[1]


def _fits(applies: Mapping[str, Any], modality: str, body_part: str, look: _Look) -> str | None:
    """Return why a study fits, None where it does not."""
    wanted: Sequence[str] = applies.get("modality", ())
    shown = describe_modality(modality)
    if wanted and modality not in wanted and not (not modality and applies.get("content")):
        return None
    if applies.get("dims") and "".join(look.candidate.spec.dims) not in applies["dims"]:
        return None
    parts: Sequence[str] = applies.get("body_part", ())
    contents: Sequence[str] = applies.get("content", ())
    if not parts and not contents:
        return f"the images are {shown}" if wanted else f"no other study knows {shown}"
    if body_part and parts:
        if any(part in body_part for part in parts):
            return f"the images are {shown} and their header names the body part {body_part}"
        return None
    for content in contents:
        finding = look(content)
        if finding is not None:
            header = "" if body_part else " (the header names no body part)"
            return f"the images are {shown} and show {finding}{header}"
    return None


class _Look:
    """Looks at the voxels of a candidate, once, when first asked."""

    def __init__(self, candidate: Candidate) -> None:
        self.candidate = candidate
        self.seen: dict[str, str | None] = {}
        self.image: Image | None = None

    def __call__(self, content: str) -> str | None:
        """Return what was found, in words, None where the content is not there."""
        if content not in self.seen:
            if self.image is None:
                self.image = self.candidate.load()
            self.seen[content] = _CONTENTS[content](self.image) if content in _CONTENTS else None
        return self.seen[content]


def _lungs(image: Image) -> str | None:
    from isocenter.kernels.content import lung_share

    if image.dims != ("z", "y", "x") or image.quantity != "HU" or image.geometry.unit != "mm":
        return None
    axial = _axial(image)
    if axial is None:
        return None
    share, volume = lung_share(*axial)
    if share < 0.04 or volume < 200.0:
        return None
    return f"about {volume / 1000.0:.1f} l of aerated lung, {share * 100.0:.0f} % of the tissue"


def _axial(image: Image) -> tuple[Any, tuple[float, ...]] | None:
    """Return array and spacing with the axis nearest to the patient's long axis first."""
    letters = image.geometry.orientation
    first = next((k for k, letter in enumerate(letters) if letter in "SI"), None)
    if first is None:
        return None
    order = [first, *[k for k in range(3) if k != first]]
    return np.asarray(image.array).transpose(order), tuple(image.geometry.spacing[k] for k in order)


def _chest_xray(image: Image) -> str | None:
    from isocenter.kernels.content import nucleus_like, xray_chest_like

    if image.dims != ("y", "x") or min(image.shape) < 64:
        return None
    array = np.asarray(image.array)
    likeness = xray_chest_like(array)
    # Cells may look symmetric by chance, but then there are many of them.
    found = likeness > 0.45 or (likeness > 0.3 and nucleus_like(array) < 10)
    return "two lung fields beside a mediastinum" if found else None


def _nuclei(image: Image) -> str | None:
    from isocenter.kernels.content import nucleus_like

    if image.dims not in (("y", "x"), ("c", "y", "x")) or min(image.geometry.shape) < 32:
        return None
    count = nucleus_like(np.asarray(image.array))
    return f"about {count} compact objects of similar size" if count >= 10 else None


_CONTENTS: dict[str, Callable[[Image], str | None]] = {"lungs": _lungs, "chest-xray": _chest_xray, "nuclei": _nuclei}
