"""The values a pipeline is made of: inputs, steps and the pipeline itself.

A pipeline holds names only: registered operations, slots of a study, plain parameters. It never holds import
paths, expressions, URLs, environment variables or file paths, so it can be read from anyone.

    name: ct-lung
    steps:
      - {op: denoise.median,   with: {radius: 1}}
      - {op: segment.lungs,    to: lungs}
      - {op: features.texture, from: [image, lungs], to: texture, with: {bin_width: 25}}
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from isocenter.core.provenance import digest_json
from isocenter.pipeline import yaml

__all__ = ["MASK", "Input", "Pipeline", "Step"]

#: Stands in `from` for the mask that a repeated step is at (written ``{mask}`` or ``each``).
MASK = "{mask}"


@dataclass(frozen=True)
class Input:
    """A slot that a pipeline needs the study to have.

    Attributes
    ----------
    name
        The slot's name inside the pipeline.
    kind
        ``image``, ``labels``, ``transform``, ``raw``, ``signal``, ``features``.
    modality, quantity, dims
        Accepted values; empty accepts all.
    optional
        Whether the pipeline also runs without it.
    title
        What it is, for people.
    mpp
        Of an input that is cut out of a whole slide: micrometres per sample; 0 for an image that is read whole.
    tile, halo
        Where the slide is seen tile by tile: samples along each side of a tile, and how many of its neighbours' it is given
        on each side.
    within
        Labels on another view of the slide: only tiles that hold some are visited.
    """

    name: str
    kind: str = "image"
    modality: tuple[str, ...] = ()
    quantity: tuple[str, ...] = ()
    dims: tuple[str, ...] = ()
    optional: bool = False
    title: str = ""
    mpp: float = 0.0
    tile: int = 0
    halo: int = 0
    within: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return what differs from the defaults, as in the YAML."""
        found: dict[str, Any] = {} if self.kind == "image" else {"kind": self.kind}
        for key in ("modality", "quantity", "dims"):
            values = getattr(self, key)
            if values:
                found[key] = list(values)
        if self.optional:
            found["optional"] = True
        for key in ("title", "mpp", "tile", "halo", "within"):
            if getattr(self, key):
                found[key] = getattr(self, key)
        return found


@dataclass(frozen=True)
class Step:
    """One step as written.

    Attributes
    ----------
    op
        Registered name of the operation.
    parameters
        ``with``: its parameters.
    inputs
        ``from``: slots in port order; empty for the previous image. `MASK` stands for the current mask.
    to
        Slot that the result fills.
    each
        ``masks``: the step is repeated for every mask that came along, and its slot is ``<to>_<mask>``.
    when
        ``masks``, ``no-masks``, ``slot:NAME`` or ``no-slot:NAME``: else the step is left out.
    optional
        Whether the step is left out, with the reason stated, where it does not fit.
    filtered
        The step measures values that a filter has changed, and means it.
    line
        Where it was written, None where it was not read from a text.
    """

    op: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    inputs: tuple[str, ...] = ()
    to: str = ""
    each: str | None = None
    when: str | None = None
    optional: bool = False
    filtered: bool = False
    line: int | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        if not self.to:
            object.__setattr__(self, "to", self.op.rsplit(".", 1)[-1])

    @property
    def place(self) -> str:
        """The step as messages name it: ``step 'lungs' (segment.lungs, line 4)``."""
        where = "" if self.line is None else f", line {self.line}"
        return f"step '{self.to}' ({self.op}{where})"

    def to_dict(self) -> dict[str, Any]:
        """Return the step as in the YAML, defaults left out."""
        found: dict[str, Any] = {"op": self.op}
        if self.inputs:
            found["from"] = list(self.inputs) if len(self.inputs) > 1 else self.inputs[0]
        if self.to != self.op.rsplit(".", 1)[-1]:
            found["to"] = self.to
        if self.each:
            found["each"] = self.each
        if self.when:
            found["when"] = self.when
        if self.optional:
            found["optional"] = True
        if self.filtered:
            found["filtered"] = True
        if self.parameters:
            found["with"] = dict(self.parameters)
        return found


@dataclass(frozen=True)
class Pipeline:
    """A checked pipeline.

    Attributes
    ----------
    name
        Lower-case words joined by hyphens.
    steps
        In order.
    title, description
        For people.
    applies
        What a study is chosen by: ``modality``, ``dims``, ``body_part``, ``content``, ``quantity`` (lists of text),
        ``priority`` (whole number).
    inputs
        The slots it needs, by name; empty stands for one ``image``.
    report
        Hints for the report: ``title``, ``columns``, ``figures``, ``notes``, ``references``, ``window``; ``image`` is the slot
        whose picture stands first, ``labels`` the slots drawn over it, ``key`` the features of the first screen,
        ``meshes`` the label slots that become surfaces, ``figures`` those that get a picture beside their file, ``count`` the label slots whose objects are counted; ``compare`` is
        the slot before and the slot after, ``reasons`` and ``considered`` a sentence for each step taken and not taken.
    source
        What it was read from, in messages.
    """

    name: str
    steps: tuple[Step, ...]
    title: str = ""
    description: str = ""
    applies: Mapping[str, Any] = field(default_factory=dict)
    inputs: Mapping[str, Input] = field(default_factory=dict)
    report: Mapping[str, Any] = field(default_factory=dict)
    source: str = field(default="", compare=False)

    @property
    def slots(self) -> dict[str, Input]:
        """The slots it needs: those declared, else one image where any step takes it."""
        if self.inputs:
            return dict(self.inputs)
        takes = any(not step.inputs or "image" in step.inputs for step in self.steps)
        return {"image": Input("image")} if takes else {}

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values in the canonical order."""
        found: dict[str, Any] = {"name": self.name}
        for key in ("title", "description"):
            if getattr(self, key):
                found[key] = getattr(self, key)
        if self.applies:
            found["applies"] = dict(self.applies)
        if self.inputs:
            found["inputs"] = {name: one.to_dict() for name, one in self.inputs.items()}
        if self.report:
            found["report"] = dict(self.report)
        found["steps"] = [step.to_dict() for step in self.steps]
        return found

    def to_yaml(self) -> str:
        """Return the canonical YAML, which `load` reads back equal."""
        return yaml.dump(self.to_dict())

    @cached_property
    def digest(self) -> str:
        """Digest of everything the pipeline says (not of how it was spelt)."""
        return digest_json(self.to_dict())

    def replace(self, **changes: Any) -> Pipeline:
        """Return a copy with fields replaced."""
        return replace(self, **changes)
