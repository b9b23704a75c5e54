"""Operation: a frozen, validated set of parameters that computes one thing.

The fields of an operation are at once its YAML, its cache key, its command-line settings and its web form.
It holds one pure ``compute(array, context)``; the families in `isocenter.core.families` give it its ports
(the annotations of ``__call__``), loop it over time and channels, and keep grid, meaning and lineage.

To add an operation is to write one file: ``ops/denoise/median.py`` holds ``class Median``, which is then
registered as ``denoise.median``.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, ValidationError

from isocenter.core.errors import ContentError, ParameterError, did_you_mean
from isocenter.core.geometry import Geometry
from isocenter.core.image import DIMS, Image
from isocenter.core.provenance import Provenance, StepRecord
from isocenter.core.registry import operation_name

__all__ = ["Context", "Cost", "Operation", "Spec", "default_threads", "describe_validation"]


def default_threads() -> int:
    """Return how many threads an operation may use unless told: the cores this process may run on."""
    try:
        return max(1, len(os.sched_getaffinity(0)))
    except AttributeError:  # not every system has it
        return max(1, os.cpu_count() or 1)


@dataclass(frozen=True)
class Spec:
    """What a value will be, before it exists: enough to check and cost a plan without reading a voxel.

    Attributes
    ----------
    kind
        Name of the noun: ``Image``, ``LabelMap``, ``Features``, ``Scores``, ``Mesh`` ...
    dims, dtype, geometry, modality, quantity
        As of `Image`; None where the kind has none.
    samples
        Number of samples in all (all axes), 0 where the kind has none.
    """

    kind: str
    dims: tuple[str, ...] = ()
    dtype: str | None = None
    geometry: Geometry | None = None
    modality: str | None = None
    quantity: str | None = None
    samples: int = 0

    @classmethod
    def of(cls, value: Any) -> Spec:
        """Return the spec of a value that exists."""
        if isinstance(value, Image):
            samples = int(np.prod(value.shape, dtype=np.int64))
            return cls(type(value).__name__, value.dims, value.dtype.str, value.geometry, value.modality, value.quantity, samples)
        geometry = getattr(value, "geometry", None)
        array = getattr(value, "array", None)
        samples = 0 if array is None else int(np.prod(array.shape, dtype=np.int64))
        return cls(type(value).__name__, tuple(getattr(value, "dims", ())), geometry=geometry, samples=samples)

    @property
    def nbytes(self) -> int:
        """Bytes of the samples."""
        return self.samples * (np.dtype(self.dtype).itemsize if self.dtype else 0)

    def replace(self, **changes: Any) -> Spec:
        """Return a copy with fields replaced."""
        return replace(self, **changes)


@dataclass(frozen=True)
class Cost:
    """An estimate: seconds on one core, and bytes above the inputs at the peak."""

    seconds: float = 0.0
    bytes: int = 0

    def __add__(self, other: Cost) -> Cost:
        return Cost(self.seconds + other.seconds, max(self.bytes, other.bytes))


@dataclass(frozen=True)
class Context:
    """What `compute` may know besides its array.

    Attributes
    ----------
    geometry
        Grid of the spatial axes of the array.
    dims
        Names of the array's axes.
    seed
        Seed of any randomness; use `rng`.
    threads
        Threads that may run at once.
    modality, quantity
        Of the image.
    times
        Seconds of each sample along ``t``, where the image says; None where not.
    region
        Bool array on the same grid that restricts or is measured, or None.
    box
        Where an extractor is handed its region cropped: the part of the grid that `region` covers; None: all of it.
    reference
        The second array of a reference filter or metric (on the same grid), or None.
    target, transform, labels
        Of a resampler: the grid to sample on, the map from target to source points, and whether the array
        holds labels.
    notes
        Quality flags; add to them with `note`.
    """

    geometry: Geometry
    dims: tuple[str, ...]
    seed: int = 0
    threads: int = 1
    modality: str | None = None
    quantity: str | None = None
    times: tuple[float, ...] | None = None
    region: npt.NDArray[np.bool_] | None = None
    box: tuple[slice, ...] | None = None
    reference: npt.NDArray[Any] | None = None
    target: Geometry | None = None
    transform: Any = None
    labels: bool = False
    name: str = ""
    notes: list[str] = field(default_factory=list)

    @property
    def spacing(self) -> tuple[float, ...]:
        """mm (or px) per sample along each spatial axis, in array order."""
        return self.geometry.spacing

    def rng(self) -> np.random.Generator:
        """Return a random generator that depends on seed and operation only."""
        return np.random.default_rng([self.seed, zlib.crc32(self.name.encode())])

    def note(self, text: str) -> None:
        """Record a quality flag: one sentence that the report shows and the lineage keeps."""
        if text not in self.notes:
            self.notes.append(text)


def describe_validation(error: ValidationError, owner: str, fields: list[str]) -> list[str]:
    """Return one sentence for each problem pydantic found in the parameters of `owner`."""
    sentences = []
    for problem in error.errors():
        where = ".".join(str(part) for part in problem["loc"]) or "parameters"
        if problem["type"] == "extra_forbidden":
            known = ", ".join(fields) or "none"
            sentences.append(f"{owner} has no parameter '{where}': it has {known}.{did_you_mean(where, fields)}")
        elif problem["type"] == "missing":
            sentences.append(f"{owner} needs the parameter '{where}': expected a value; give it under 'with' or --set.")
        else:
            given = repr(problem.get("input"))
            given = given if len(given) <= 60 else given[:57] + "..."
            expected = problem["msg"][0].lower() + problem["msg"][1:]
            sentences.append(f"Parameter '{where}' of {owner} is {given}: {expected}.")
    return sentences


class Operation(BaseModel):
    """Base of every operation; concrete ones derive from a family, not from this.

    Class attributes that an operation may set:

    ``version``
        Version of the algorithm: raise it when results change, and caches are recomputed.
    ``dims``
        The axis sets that `compute` takes, as strings (``"yx"``, ``"zyx"``, ``"cyx"`` ...). Other axes among
        ``t`` and ``c`` are looped over by the family.
    ``needs_mm``
        Refuse images without a pixel size.
    ``quantities``
        Accepted quantities; None accepts all.
    ``human_scale``
        Sizes of the human body are built in (a lung has a plausible volume): lengths are absolute even where no
        parameter names one.
    ``reproducible_within``
        Largest difference between runs on different thread counts; 0 means bit-equal.
    ``ns_per_sample``, ``bytes_per_sample``
        Measured cost of one sample on one core, and working memory per sample above input and output.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, validate_default=True)

    version: ClassVar[str] = "1"
    name: ClassVar[str] = ""
    family: ClassVar[str] = "Operation"
    dims: ClassVar[tuple[str, ...]] = ("x", "yx", "zyx")
    needs_mm: ClassVar[bool] = False
    quantities: ClassVar[tuple[str, ...] | None] = None
    human_scale: ClassVar[bool] = False
    reproducible_within: ClassVar[float] = 0.0
    ns_per_sample: ClassVar[float] = 50.0
    bytes_per_sample: ClassVar[float] = 8.0

    def __init__(self, **parameters: Any) -> None:
        try:
            super().__init__(**parameters)
        except ValidationError as error:
            owner = self.name or type(self).__name__
            raise ParameterError(" ".join(describe_validation(error, owner, list(type(self).model_fields)))) from error

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        if "name" not in cls.__dict__:
            cls.name = operation_name(cls.__module__, cls.__name__)

    # -- to be given by the operation -----------------------------------------------------------------

    def compute(self, array: Any, context: Context) -> Any:
        """Compute the result of one spatial block; pure: neither reads nor changes anything else."""
        raise TypeError(f"{type(self).__name__} has no compute: an operation must define it.")

    def halo(self, geometry: Geometry) -> tuple[int, ...] | None:
        """Return how many neighbouring samples per spatial axis a result depends on.

        Returns
        -------
        tuple of int, or None
            None: on the whole image, so that it cannot be tiled.
        """
        return None

    def resolve(self, *specs: Spec) -> Spec:
        """Return what the result will be for inputs that are as `specs` say; raises where they do not fit."""
        return specs[0]

    def cost(self, *specs: Spec) -> Cost:
        """Return an estimate of time and working memory for inputs that are as `specs` say."""
        samples = max((s.samples for s in specs), default=0)
        return Cost(samples * self.ns_per_sample * 1e-9, int(samples * self.bytes_per_sample))

    # -- common ---------------------------------------------------------------------------------------

    def parameters(self) -> dict[str, Any]:
        """Return every parameter as plain JSON values, defaults included."""
        return self.model_dump(mode="json")

    def to_dict(self) -> dict[str, Any]:
        """Return the operation as its YAML step: ``{"op": name, "with": {...}}``."""
        return {"op": self.name, "with": self.parameters()}

    def record(self, inputs: tuple[str, ...], seed: int | None = None, notes: Iterable[str] = ()) -> StepRecord:
        """Return the lineage entry of running this operation on inputs with these digests."""
        return StepRecord(self.name, self.version, self.parameters(), inputs, seed, tuple(notes))

    def traced(self, inputs: tuple[Any, ...], seed: int | None, notes: list[str]) -> Provenance:
        """Return the provenance of a result computed from `inputs` (values with digest and provenance)."""
        digests = tuple(value.digest for value in inputs if value is not None)
        past = Provenance.merged(value.provenance for value in inputs if value is not None)
        return past.then(self.record(digests, seed, notes))

    def check_image(self, spec: Spec) -> None:
        """Raise the error that says why this operation refuses an image, if it does."""
        who = self.name
        planned = spec.kind in ("Image", "LabelMap") and bool(spec.dims)  # a grid that only voxels decide is not known yet
        if spec.geometry is None and not planned:
            raise ContentError(f"{who} needs an image, but was given {spec.kind}: expected samples on a grid.")
        if self.needs_mm and spec.geometry is not None:
            spec.geometry.require_mm(who)
        if self.quantities is not None and spec.quantity not in self.quantities:
            raise ContentError(
                f"{who} works on {' or '.join(self.quantities)}, but the image holds "
                f"{spec.quantity or 'an unknown quantity'}: expected calibrated values; choose another operation, "
                "or state the quantity if you know it."
            )
        if self.core_dims(spec.dims) is None:
            expected = ", ".join(" ".join(d) for d in self.dims)
            raise ContentError(
                f"{who} takes images with axes {expected}, but was given {' '.join(spec.dims)}: "
                "take one time point or channel first, or convert the image."
            )

    def core_dims(self, dims: tuple[str, ...]) -> tuple[str, ...] | None:
        """Return which of an image's axes `compute` sees (the others are looped over), None if it takes none."""
        text = "".join(dims)
        # The richest declared set first: an operation that takes "cyx" sees the channels itself.
        for wanted in sorted(self.dims, key=len, reverse=True):
            looped = [d for d in dims if d not in wanted]
            if all(d in text for d in wanted) and all(d in ("t", "c") for d in looped):
                return tuple(d for d in DIMS if d in wanted)
        return None
