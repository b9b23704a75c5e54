"""Run an operation inside a check, and compare what comes out."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.core.errors import IsocenterError
from isocenter.core.geometry import Geometry
from isocenter.core.image import Image
from isocenter.core.labels import LabelMap, MaskStack
from isocenter.core.operation import Operation
from isocenter.core.points import Boxes, Mesh, Points
from isocenter.core.results import Features, Prediction, Scores
from isocenter.core.signal import Signal
from isocenter.core.transform import Transform
from isocenter.testing.contracts.base import ContractViolation, require_one_sentence

__all__ = ["attempt", "cast", "describe", "difference", "respaced", "run", "same", "uncalibrated", "values"]


def run(operation: Operation, inputs: tuple[Any, ...], *, seed: int = 0, threads: int = 1) -> Any:
    """Return the operation's result; every error is a violation that names the inputs."""
    try:
        return _call(operation, inputs, seed, threads)
    except ContractViolation:
        raise
    except Exception as problem:  # the border of somebody else's code: whatever it raises is reported
        raise ContractViolation(f"{type(problem).__name__} on {describe(inputs)}: {problem}") from problem


def attempt(operation: Operation, inputs: tuple[Any, ...], *, seed: int = 0, threads: int = 1) -> Any | None:
    """Return the result, or None where the operation refuses the inputs in one sentence; else it is a violation."""
    try:
        return _call(operation, inputs, seed, threads)
    except IsocenterError as refusal:
        require_one_sentence(refusal, describe(inputs))
        return None
    except ContractViolation:
        raise
    except Exception as problem:  # the border of somebody else's code: whatever it raises is reported
        raise ContractViolation(f"{type(problem).__name__} instead of a sentence on {describe(inputs)}: {problem}") from problem


def _call(operation: Operation, inputs: tuple[Any, ...], seed: int, threads: int) -> Any:
    if operation.family == "Fittable":
        return operation.fit(*inputs, seed=seed)  # type: ignore[attr-defined]  # the family has fit
    return operation(*inputs, seed=seed, threads=threads)  # type: ignore[operator]  # every other family is callable


def describe(inputs: tuple[Any, ...]) -> str:
    """Return a few words on inputs."""
    words = []
    for value in inputs:
        if isinstance(value, Image):
            words.append(f"{type(value).__name__} {''.join(value.dims)} {value.shape} {value.dtype}")
        elif isinstance(value, np.ndarray):
            words.append(f"ndarray {value.shape}")
        else:
            words.append(type(value).__name__)
    return " and ".join(words)


def values(result: Any) -> dict[str, npt.NDArray[Any]]:
    """Return the numbers in a result by name."""
    if isinstance(result, Image | MaskStack | Signal):
        return {"samples": np.asarray(result.array)}
    if isinstance(result, Mesh):
        return {"vertices": result.vertices, "faces": result.faces}
    if isinstance(result, Points):
        return {"positions": result.positions} | ({} if result.values is None else {"values": result.values})
    if isinstance(result, Boxes):
        return {"bounds": result.bounds} | ({} if result.scores is None else {"scores": result.scores})
    if isinstance(result, Scores):
        return {name: np.asarray(float(score)) for name, score in result.items()}
    if isinstance(result, Features):
        return {name: np.asarray([row[k] for row in result.rows]) for k, name in enumerate(result.names)}
    if isinstance(result, Prediction):
        return {"probabilities": np.asarray(result.probabilities), "value": np.asarray(result.value, dtype=np.float64)}
    if isinstance(result, Transform):
        probe = np.random.default_rng(3).uniform(-100.0, 100.0, (50, 3))
        return {"points": result(probe)}
    raise ContractViolation(f"the result is {type(result).__name__}: expected one of the nouns")


def difference(first: Any, second: Any) -> float:
    """Return the largest difference between the numbers of two results; infinite where their form differs."""
    if type(first) is not type(second):
        return float("inf")
    one, two = values(first), values(second)
    if one.keys() != two.keys():
        return float("inf")
    largest = 0.0
    for name, a in one.items():
        b = two[name]
        if a.shape != b.shape or a.dtype != b.dtype:
            return float("inf")
        if a.dtype.kind not in "fiubc":
            if not np.array_equal(a, b):
                return float("inf")
            continue
        nan_a, nan_b = np.isnan(a), np.isnan(b)
        if not np.array_equal(nan_a, nan_b):
            return float("inf")
        known = ~nan_a
        equal = a[known] == b[known]  # infinities that agree have no difference
        apart = np.abs(a[known][~equal].astype(np.float64) - b[known][~equal].astype(np.float64))
        largest = max(largest, float(apart.max(initial=0.0)))
    return largest


def same(first: Any, second: Any, within: float = 0.0) -> bool:
    """Return whether two results are bit-equal in content (`within` 0) or differ by at most that much."""
    if within == 0.0 and hasattr(first, "digest") and hasattr(second, "digest"):
        return bool(first.digest == second.digest)
    return difference(first, second) <= within


def cast(inputs: tuple[Any, ...], dtype: str) -> tuple[Any, ...]:
    """Return inputs with their images in another sample type (values rounded and clipped to what it holds)."""

    def one(value: Any) -> Any:
        if not isinstance(value, Image) or isinstance(value, LabelMap):
            return value
        array = np.asarray(value.array)
        if np.dtype(dtype).kind in "iu":
            limits = np.iinfo(dtype)
            array = np.clip(np.rint(array.astype(np.float64)), limits.min, limits.max)
        return value.replace(array=array.astype(dtype))

    return tuple(one(v) for v in inputs)


def _on_grids(inputs: tuple[Any, ...], change: Any) -> tuple[Any, ...]:
    found = []
    for value in inputs:
        if isinstance(value, Geometry):
            found.append(change(value))
        elif isinstance(value, Image | MaskStack):
            found.append(_moved(value, change(value.geometry)))
        else:
            found.append(value)
    return tuple(found)


def _moved(value: Any, geometry: Geometry) -> Any:
    import dataclasses

    return dataclasses.replace(value, geometry=geometry)


def respaced(inputs: tuple[Any, ...], factor: float) -> tuple[Any, ...]:
    """Return inputs in a world that is `factor` times as large: every affine is multiplied, samples stay."""

    def change(geometry: Geometry) -> Geometry:
        affine = np.array(geometry.affine)
        affine[:3] *= factor
        return Geometry(geometry.shape, affine, geometry.frame, geometry.unit)

    return _on_grids(inputs, change)


def uncalibrated(inputs: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return inputs on grids of unit ``px``."""
    return _on_grids(inputs, lambda geometry: Geometry.pixels(geometry.shape))
