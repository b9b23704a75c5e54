"""A made-up case of the size and values of the training, and what a model says of it: no patient's data travel."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.core.errors import ParameterError
from isocenter.core.geometry import Geometry
from isocenter.core.image import Image
from isocenter.core.labels import LabelMap
from isocenter.core.points import Boxes, Points
from isocenter.core.results import Prediction

__all__ = ["SelfTest", "compared", "described", "made_up_image", "made_up_row", "rebuilt"]

Result = Prediction | LabelMap | Points | Boxes

#: Boxes (low x, y, z, high x, y, z), their probabilities and names.
_Scored = tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], list[str]]

_QUANTILES = (0.01, 0.25, 0.5, 0.75, 0.99)
#: Samples along each side of a made-up picture and volume, at most.
_SIDE = {1: 256, 2: 128, 3: 48}


@dataclass(frozen=True)
class SelfTest:
    """What a self-test gave.

    Attributes
    ----------
    passed
        Whether the difference is within the tolerance.
    difference
        The largest difference of probabilities, relative difference of numbers, or share of samples with another label.
    tolerance
        What is allowed.
    sentence
        The same in words.
    """

    passed: bool
    difference: float
    tolerance: float
    sentence: str


def made_up_image(known: Mapping[str, Any], seed: int = 0) -> Image:
    """Return an image of smooth random shapes with the middle spacing and values of the training.

    Parameters
    ----------
    known
        A fingerprint of images.
    seed
        Of the shapes.
    """
    if "size" not in known:
        raise ParameterError("A fingerprint without images: expected that of the training images, to make up a self-test case.")
    dims = tuple(known["dims"][0].split())
    ndim = sum(d in "zyx" for d in dims)
    shape = [max(int(min(n, _SIDE[ndim])), 8 if ndim == 2 else 4) for n in known["size"]["middle"]]
    generator = np.random.default_rng(seed)
    channels = [_shapes(shape, generator) for _ in range(known["channels"][0])]
    levels = [float(v) for v in known["quantiles"]["middle"]]
    array = np.stack([np.interp(c, _QUANTILES, levels) for c in channels]).astype(np.float32)
    if "c" not in dims:
        array = array[0]
    if "t" in dims:
        array = array[None]
    unit = known["unit"][0]
    geometry = Geometry.pixels(shape) if unit == "px" else Geometry.regular(shape, known["spacing"]["middle"])
    if unit == "mm" and known.get("directions"):  # samples keep their order: the axes alone are named as those of the training
        geometry = Geometry.regular(shape, known["spacing"]["middle"], direction=_towards(known["directions"][0][-ndim:]))
    modality, quantity = (next(iter(known[key]), None) for key in ("modality", "quantity"))
    return Image(array, dims, geometry, modality=modality, quantity=quantity)


def _towards(letters: str) -> npt.NDArray[np.float64]:
    """Return unit vectors (L, P, S) as columns, one for each letter of an orientation."""
    signs = [[(letter == up) - (letter == down) for letter in letters] for down, up in ("RL", "AP", "IS")]
    return np.array(signs, np.float64)


def _shapes(shape: list[int], generator: np.random.Generator) -> npt.NDArray[np.float64]:
    """Return smooth shapes as ranks, evenly between 0 and 1."""
    axes = np.meshgrid(*[np.linspace(0.0, 1.0, n) for n in shape], indexing="ij")
    total = np.zeros(shape)
    for k in range(1, 9):
        waves, phase = generator.integers(-k, k + 1, len(shape)), generator.uniform(0.0, 2.0 * np.pi)
        total += np.cos(2.0 * np.pi * sum(w * a for w, a in zip(waves, axes, strict=True)) + phase) / k
    # Rounded before they are ranked: the last digit of a cosine differs between machines, and ranks would follow it.
    order = np.argsort(np.round(total, 9).ravel(), kind="stable")
    ranks = np.empty(order.size)
    ranks[order] = (np.arange(order.size) + 0.5) / order.size
    return ranks.reshape(shape)


def made_up_row(known: Mapping[str, Any], seed: int = 0) -> npt.NDArray[np.float64]:
    """Return features drawn between the least and the greatest of the training, each by itself."""
    table = known.get("features")
    if not table:
        raise ParameterError("A fingerprint without features: expected that of the training table, to make up a self-test case.")
    low = np.array([0.0 if v is None else v for v in table["low"]])
    high = np.array([0.0 if v is None else v for v in table["high"]])
    return low + (high - low) * np.random.default_rng(seed).uniform(0.2, 0.8, low.size)


def described(
    value: Image | npt.NDArray[np.float64], result: Result, tolerance: float, spread: float = 1.0
) -> tuple[dict[str, Any], dict[str, npt.NDArray[Any]], dict[str, npt.NDArray[Any]]]:
    """Return a test as plain values, the arrays of its input, and those of what is expected.

    Parameters
    ----------
    value, result
        The input, and what the model says of it.
    tolerance
        How far it may be off.
    spread
        Of numbers, in their unit: a number near 0 is compared by it, not by its own size.
    """
    plain: dict[str, Any] = {"tolerance": tolerance}
    expected: dict[str, npt.NDArray[Any]] = {}
    if isinstance(value, Image):
        plain["input"] = {
            "kind": "image", "dims": list(value.dims), "geometry": value.geometry.to_dict(), "modality": value.modality,
            "quantity": value.quantity,
        }  # fmt: skip
    else:
        plain["input"] = {"kind": "row"}
    if isinstance(result, LabelMap):
        plain["expected"] = {"kind": "labels"}
        expected["labels"] = np.ascontiguousarray(result.array)
    elif isinstance(result, Points):
        plain["expected"] = {"kind": "points", "names": list(result.names or ())}
        expected["places"] = np.ascontiguousarray(result.positions)
    elif isinstance(result, Boxes):
        plain["expected"] = {"kind": "boxes", "names": list(result.names or ())}
        expected["places"] = np.ascontiguousarray(result.bounds.reshape(-1, 6))
        expected["scores"] = np.zeros(len(result)) if result.scores is None else np.ascontiguousarray(result.scores)
    elif result.classes:
        plain["expected"] = {"kind": "classes", "classes": list(result.classes), "probabilities": list(result.probabilities)}
    else:
        plain["expected"] = {"kind": "number", "value": result.value, "unit": result.unit, "spread": spread}
    array = np.ascontiguousarray(value.array if isinstance(value, Image) else value)
    return plain, {"array": array}, expected


def rebuilt(plain: Mapping[str, Any], arrays: Mapping[str, npt.NDArray[Any]]) -> Image | npt.NDArray[np.float64]:
    """Return the input that `described` took apart."""
    made = plain["input"]
    if made["kind"] == "row":
        return np.asarray(arrays["array"], np.float64)
    geometry = Geometry.from_dict(made["geometry"])
    return Image(arrays["array"], tuple(made["dims"]), geometry, modality=made["modality"], quantity=made["quantity"])


def compared(plain: Mapping[str, Any], expected: Mapping[str, npt.NDArray[Any]], result: Result) -> SelfTest:
    """Return how far a result lies from the expected one."""
    wanted, tolerance = plain["expected"], float(plain["tolerance"])
    if isinstance(result, LabelMap):
        labels = expected["labels"]
        same_shape = labels.shape == result.array.shape
        difference = float((np.asarray(result.array) != labels).mean()) if same_shape else 1.0
        words = f"{100 * difference:.3g} % of the samples have another label than when the package was made"
    elif isinstance(result, Points | Boxes):
        difference, words = _places_apart(wanted, expected, result)
    elif wanted["kind"] == "classes":
        same = list(result.classes) == list(wanted["classes"])
        pairs = zip(result.probabilities, wanted["probabilities"], strict=same)
        difference = max((abs(a - b) for a, b in pairs), default=0.0) if same else 1.0
        words = f"probabilities differ by {difference:.2g} from those when the package was made"
    else:
        size = max(abs(wanted["value"]), float(wanted.get("spread", 1.0)))
        difference = abs(float(result.value or 0.0) - wanted["value"]) / max(size, 1e-300)
        words = f"the number differs by {difference:.2g} of itself from that when the package was made"
    passed = bool(difference <= tolerance)
    return SelfTest(passed, difference, tolerance, f"{words[0].upper()}{words[1:]}; at most {tolerance:g} is allowed.")


def _places_apart(
    wanted: Mapping[str, Any], expected: Mapping[str, npt.NDArray[Any]], result: Points | Boxes
) -> tuple[float, str]:
    """Return how far points, or the ten surest boxes, lie from where they were, and the same in words."""
    places, names = np.asarray(expected["places"], np.float64), list(wanted["names"])
    if isinstance(result, Points):
        same = names == list(result.names or ()) and places.shape == result.positions.shape
        away = float(np.linalg.norm(result.positions - places, axis=1).max(initial=0.0)) if same else float("inf")
        return away, f"points lie up to {away:.2g} mm from where they lay when the package was made"
    then = (places, np.asarray(expected["scores"], np.float64), names)
    scores = np.zeros(len(result)) if result.scores is None else np.asarray(result.scores, np.float64)
    now = (result.bounds.reshape(-1, 6), scores, list(result.names or ()))
    # Both ways: a box that is there no more tells as much as one that was not there before.
    away = max(_farthest(then, now), _farthest(now, then))
    return away, f"boxes and their probabilities lie up to {away:.2g} from those when the package was made"


def _farthest(some: _Scored, others: _Scored) -> float:
    """Return how far the ten surest of some boxes lie from the nearest of others of their name, in place or probability."""
    away = 0.0
    for k in np.argsort(-some[1], kind="stable")[:10]:
        own = np.maximum(np.abs(others[0] - some[0][k]).max(axis=1, initial=0.0), np.abs(others[1] - some[1][k]))
        own = own[np.array([name == some[2][int(k)] for name in others[2]], bool)]
        away = max(away, float(own.min(initial=np.inf)))
    return away
