"""What every operation promises, whatever its family: its form, its lineage and its manners."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any

import numpy as np

from isocenter.core.errors import IsocenterError, ParameterError
from isocenter.core.geometry import Geometry
from isocenter.core.image import Image
from isocenter.core.labels import LabelMap
from isocenter.core.operation import Operation, Spec
from isocenter.core.provenance import Provenance
from isocenter.core.registry import operations
from isocenter.core.transform import Transform
from isocenter.testing.contracts.base import ContractViolation, check, expect, require_one_sentence
from isocenter.testing.contracts.documentation import documented, unit_of
from isocenter.testing.contracts.inputs import dtypes_for, inputs_for, labels
from isocenter.testing.contracts.running import attempt, cast, describe, run, uncalibrated

_NUMBERS = ("int", "float")


@check()
def documented_whole(operation: Operation) -> None:
    """The docstring has a summary, every parameter with its unit, and references."""
    doc = documented(type(operation))
    expect(doc.summary.endswith("."), f"the summary reads {doc.summary!r}: expected one sentence that ends with a full stop")
    expect(len(doc.summary) <= 120, f"the summary has {len(doc.summary)} characters: expected at most 120")
    for name, field in type(operation).model_fields.items():
        text = doc.parameters.get(name, "")
        expect(text, f"parameter '{name}' is not described under Parameters")
        numeric = any(kind in str(field.annotation) for kind in _NUMBERS) and "bool" not in str(field.annotation)
        expect(
            not numeric or unit_of(text) is not None,
            f"parameter '{name}' is described as {text!r}: expected its unit (mm, samples, HU, degrees, iterations, a fraction ...)",
        )
    unknown = sorted(set(doc.parameters) - set(type(operation).model_fields))
    expect(not unknown, f"the docstring describes {unknown}, which are no parameters")
    expect(doc.references, "the docstring has no References section: expected the paper or standard it follows")


@check(when=lambda operation: operation.name in operations())
def listed_whole(operation: Operation) -> None:
    """The registry, which imports nothing, lists the same summary, family and parameters as the class has."""
    entry = operations().entry(operation.name)
    expect(entry.load() is type(operation), f"the registry loads {entry.load()} under this name")
    fields = list(type(operation).model_fields)
    if entry.path is None:  # a plug-in whose file is not known is listed by name alone
        return
    listed = [p.name for p in entry.parameters]
    expect(
        sorted(listed) == sorted(fields),
        f"the source lists the parameters {listed}, the class has {fields}: declare inherited ones again in its own file",
    )
    expect(entry.summary == documented(type(operation)).summary, f"the registry's summary is {entry.summary!r}")


@check()
def frozen(operation: Operation) -> None:
    """Parameters cannot be changed after construction, and equal ones make equal, hashable operations."""
    again = type(operation)(**operation.parameters())
    expect(again == operation, "an operation made of the same parameters is not equal to it")
    try:
        expect(hash(again) == hash(operation), "equal operations have different hashes")
    except TypeError as problem:
        raise ContractViolation(f"it cannot be hashed: {problem}; use tuples instead of lists for parameters") from problem
    for name in type(operation).model_fields:
        try:
            setattr(operation, name, getattr(operation, name))
        except (ValueError, TypeError):  # pydantic's ValidationError is a ValueError
            continue
        raise ContractViolation(f"parameter '{name}' can be assigned to")


@check()
def refuses_unknown_parameters(operation: Operation) -> None:
    """A misspelt parameter is refused in one sentence."""
    try:
        type(operation)(**operation.parameters(), no_such_parameter=1)
    except ParameterError as refusal:
        require_one_sentence(refusal, "an unknown parameter")
        return
    raise ContractViolation("it took the unknown parameter 'no_such_parameter'")


@check()
def pickles(operation: Operation) -> None:
    """It survives a pickle round trip."""
    copy = pickle.loads(pickle.dumps(operation))  # noqa: S301 - its own bytes, made in this line
    expect(copy == operation and type(copy) is type(operation), "the unpickled operation is not equal to it")


@check()
def yaml_round_trip(operation: Operation) -> None:
    """Its YAML step, read back and looked up by name, is the same operation."""
    import yaml

    step: dict[str, Any] = yaml.safe_load(yaml.safe_dump(operation.to_dict()))
    expect(set(step) == {"op", "with"} and step["op"] == operation.name, f"its step reads {step}")
    owner = operations().load(step["op"]) if step["op"] in operations() else type(operation)
    again = owner(**step["with"])
    expect(again == operation, f"its step {step} loads as {again!r}")
    one, two = operation.record(("sha256:0",), 0), again.record(("sha256:0",), 0)
    expect(one.key == two.key, "the cache keys before and after the round trip differ")


@check()
def input_untouched(operation: Operation) -> None:
    """The inputs' samples, flags and lineage are the same before and after."""
    for optional in (False, True):
        inputs = inputs_for(operation, optional=optional)
        for dtype in ("float32", "float64", "int16"):
            _untouched(operation, cast(inputs, dtype), attempt if optional else run)


def _untouched(operation: Operation, inputs: tuple[Any, ...], call: Callable[..., Any]) -> None:
    watched = []
    for value in inputs:
        array = getattr(value, "array", None)
        if isinstance(array, np.ndarray):
            base = array.base if isinstance(array.base, np.ndarray) else array
            watched.append((value, array, base, base.tobytes(), array.flags.writeable, value.provenance))
    try:
        call(operation, inputs)
    except ContractViolation as violation:
        if "read-only" in str(violation):
            raise ContractViolation(f"it writes to its input: {violation}") from violation
        raise
    for value, array, base, before, writeable, provenance in watched:
        expect(base.tobytes() == before, f"the samples of its input changed ({describe((value,))})")
        expect(array.flags.writeable == writeable, f"its input became {'writable' if array.flags.writeable else 'read-only'}")
        expect(value.provenance is provenance, "the provenance of its input changed")


@check(when=lambda operation: operation.family not in ("Fittable", "SignalFilter"))
def resolve_is_true(operation: Operation) -> None:
    """`resolve` says before the run what comes out: kind, dims, dtype, geometry, modality, quantity and samples."""
    base = inputs_for(operation)
    full = inputs_for(operation, optional=True)
    for inputs in (*_kinds_of(operation, base), full):
        result = attempt(operation, inputs) if inputs is full else run(operation, inputs)
        if result is None:
            continue  # an example may not go with an optional input
        actual = _spec(result)
        promised = operation.resolve(*[_spec(v) for v in inputs if v is not None])
        expect(promised.kind == actual.kind, f"resolve promises {promised.kind}, {actual.kind} came out")
        if promised.kind not in ("Image", "LabelMap"):
            continue
        for name in ("dims", "dtype", "modality", "quantity", "samples", "geometry"):
            told, seen = getattr(promised, name), getattr(actual, name)
            unknown = promised.geometry is None and name in ("geometry", "samples")
            if unknown or (operation.family == "Reconstructor" and not told):
                continue  # where only the voxels, or the raw data, decide on the grid, resolve says that it does not know
            told, seen = (np.dtype(told), np.dtype(seen)) if name == "dtype" and told is not None else (told, seen)
            expect(told == seen, f"resolve promises {name} {told} for {describe(inputs)}, but {seen} came out")


def _kinds_of(operation: Operation, base: tuple[Any, ...]) -> list[tuple[Any, ...]]:
    found = [cast(base, dtype) for dtype in dtypes_for(operation)]
    if operation.family == "Resampler":  # labels travel through resamplers too
        found.append((_as_labels(base[0]), *base[1:]))
    return found


def _as_labels(value: Image) -> LabelMap:
    shape = value.geometry.shape
    return labels(value.dims, shape=shape).replace(geometry=value.geometry)


def _spec(value: Any) -> Spec:
    if isinstance(value, Transform):
        return Spec("Transform")
    return Spec("Geometry", geometry=value) if isinstance(value, Geometry) else Spec.of(value)


@check(when=lambda operation: operation.family != "Fittable")
def lineage_recorded(operation: Operation) -> None:
    """The result's last step names operation, version, parameters, seed and the digests of the inputs, and keeps their past."""
    inputs = inputs_for(operation)
    result = run(operation, inputs, seed=11)
    provenance = result.provenance
    expect(isinstance(provenance, Provenance) and provenance.steps, "the result has no step in its provenance")
    last = provenance.steps[-1]
    expect(last.operation == operation.name, f"the last step is '{last.operation}'")
    expect(last.version == operation.version, f"the last step has version {last.version}, the operation {operation.version}")
    expect(dict(last.parameters) == operation.parameters(), f"the last step has the parameters {dict(last.parameters)}")
    expect(last.seed in (11, None), f"the last step has seed {last.seed}, 11 was given")
    digests = [v.digest for v in inputs if hasattr(v, "digest")]
    missing = [d for d in digests if d not in last.inputs]
    expect(
        not missing,
        f"the last step lists {len(last.inputs)} inputs, {len(missing)} of {len(digests)} given ones are not among them",
    )
    for value in inputs:
        for source in getattr(getattr(value, "provenance", None), "sources", ()):
            expect(source in provenance.sources, "the source of an input is missing from the result's lineage")


@check(when=lambda operation: operation.family not in ("Fittable", "Reconstructor", "SignalFilter", "Predictor"))
def refuses_wrong_kinds(operation: Operation) -> None:
    """What is no image (text, nothing, a bare array, the wrong noun) is refused in one sentence, by resolve too."""
    inputs = inputs_for(operation)
    first = inputs[0]
    wrong: list[Any] = ["a path", np.zeros((3, 3)), 5]
    if isinstance(first, LabelMap) and operation.family in ("Editor", "Surfacer"):
        wrong.append(Image(np.asarray(first.array, dtype=np.float32), first.dims, first.geometry))
    elif isinstance(first, Image) and operation.family in ("Filter", "Segmenter", "ReferenceFilter", "Extractor"):
        wrong.append(_as_labels(first))
    for value in wrong:
        what = type(value).__name__
        if attempt(operation, (value, *inputs[1:])) is not None:
            raise ContractViolation(f"it took {what} as its first input")
    if isinstance(wrong[-1], Image):
        try:
            operation.resolve(Spec.of(wrong[-1]), *[_spec(v) for v in inputs[1:] if v is not None])
        except IsocenterError as refusal:
            require_one_sentence(refusal, "the wrong kind of input")
        else:
            raise ContractViolation(f"resolve took {type(wrong[-1]).__name__} as its first input")


@check(when=lambda operation: operation.needs_mm)
def refuses_px(operation: Operation) -> None:
    """An image without a pixel size is refused, by the run and by the plan."""
    inputs = uncalibrated(inputs_for(operation))
    expect(attempt(operation, inputs) is None, "it took an image without a pixel size though it measures in mm")
    try:
        operation.resolve(*[_spec(v) for v in inputs if v is not None])
    except IsocenterError as refusal:
        require_one_sentence(refusal, "an image without a pixel size")
        return
    raise ContractViolation("resolve took an image without a pixel size though the operation measures in mm")
