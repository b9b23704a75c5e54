"""The range of the training data, and a sentence for whatever lies outside it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.core.image import Image

__all__ = ["case_digest", "check_fingerprint", "fingerprint_of", "image_facts", "known_again", "unlike_image", "unlike_row"]

#: Quantiles of the samples of an image that are compared.
_QUANTILES = (0.01, 0.25, 0.5, 0.75, 0.99)
#: How far beyond the training range is still called like it, in widths of that range.
_SLACK = 0.25
#: Types that the same samples may be stored as.
_STORED = ("u1", "i2", "u2", "i4", "f4", "f8")
#: With more features than this, single ones lie outside by chance: their share is judged instead.
_MANY = 64


def case_digest(value: Image | npt.ArrayLike) -> str:
    """Return a digest of the samples alone of an image, or of a row of features, so that a training case is known again."""
    from isocenter.core.provenance import digest_array

    if isinstance(value, Image):
        return digest_array(np.ascontiguousarray(value.array), list(value.dims))
    return digest_array(np.ascontiguousarray(np.asarray(value, np.float64).ravel()), ["row"])


def known_again(value: Image | npt.ArrayLike, known: Collection[str]) -> bool:
    """Return whether a case is among those of some digests, whatever type its samples are stored as.

    Parameters
    ----------
    value
        An image, or a row of features.
    known
        Digests as `case_digest` gives them.
    """
    if not known:
        return False
    if case_digest(value) in known:
        return True
    if not isinstance(value, Image):
        return False
    samples = np.asarray(value.array)
    for kind in _STORED:
        with np.errstate(invalid="ignore", over="ignore"):
            other = samples.astype(kind)
        if other.dtype != samples.dtype and np.array_equal(other, samples) and case_digest(value.with_array(other)) in known:
            return True
    return False


def image_facts(image: Image) -> dict[str, Any]:
    """Return what is compared of one image, as plain values."""
    samples = np.asarray(image.array)
    finite = samples[np.isfinite(samples)] if samples.dtype.kind in "fc" else samples
    quantiles = np.quantile(finite, _QUANTILES) if finite.size else np.zeros(len(_QUANTILES))
    return {
        "modality": image.modality,
        "quantity": image.quantity,
        "dims": list(image.dims),
        "channels": image.shape[image.dims.index("c")] if "c" in image.dims else 1,
        "unit": image.geometry.unit,
        "directions": image.geometry.directions,
        "spacing": [float(s) for s in image.geometry.spacing],
        "size": [int(n) for n in image.geometry.shape],
        "quantiles": [float(q) for q in quantiles],
    }


def fingerprint_of(
    facts: Sequence[Mapping[str, Any]], values: npt.ArrayLike | None = None, names: Sequence[str] = ()
) -> dict[str, Any]:
    """Return the range of training cases.

    Parameters
    ----------
    facts
        Of each image (`image_facts`); none for a table.
    values, names
        Features of shape (n, names), NaN where missing.
    """
    found: dict[str, Any] = {"cases": len(facts)}
    if facts:
        for key in ("modality", "quantity", "unit", "directions"):
            found[key] = sorted({str(f[key]) for f in facts if f[key] is not None})
        found["dims"] = sorted({" ".join(f["dims"]) for f in facts})
        found["channels"] = sorted({int(f["channels"]) for f in facts})
        usual = [f for f in facts if len(f["size"]) == len(facts[0]["size"])]
        for key in ("spacing", "size", "quantiles"):
            rows = np.array([f[key] for f in usual], np.float64)
            found[key] = {
                "low": rows.min(axis=0).tolist(), "middle": np.median(rows, axis=0).tolist(), "high": rows.max(axis=0).tolist(),
            }  # fmt: skip
    if values is not None:
        x = np.asarray(values, np.float64)
        found["cases"] = len(x)
        columns = [c[np.isfinite(c)] for c in x.T]
        found["features"] = {
            "names": list(names),
            "low": [float(c.min()) if c.size else None for c in columns],
            "middle": [float(np.median(c)) if c.size else None for c in columns],
            "high": [float(c.max()) if c.size else None for c in columns],
        }
    return found


def unlike_image(known: Mapping[str, Any], image: Image) -> list[str]:
    """Return a sentence for each way in which an image is unlike those of the training."""
    facts = image_facts(image)
    found = []
    for key, words in (
        ("modality", "modality"),
        ("quantity", "values"),
        ("unit", "unit of its grid"),
        ("directions", "order of axes"),
    ):
        seen = known.get(key) or []
        if seen and facts[key] is not None and str(facts[key]) not in seen:
            found.append(f"Its {words}, {facts[key]}, is none of those of the training ({', '.join(seen)}).")
    if known.get("dims") and " ".join(facts["dims"]) not in known["dims"]:
        found.append(f"Its axes, {' '.join(facts['dims'])}, are none of those of the training ({', '.join(known['dims'])}).")
    elif known.get("channels") and facts["channels"] not in known["channels"]:
        found.append(f"It has {facts['channels']} channels; the training had {', '.join(map(str, known['channels']))}.")
    for key, words in (("spacing", "spacing"), ("size", "size")):
        low, high = known.get(key, {}).get("low", []), known.get(key, {}).get("high", [])
        if len(low) == len(facts[key]) and any(
            v < a / (1 + _SLACK) or v > b * (1 + _SLACK) for v, a, b in zip(facts[key], low, high, strict=True)
        ):
            shown = " x ".join(f"{v:.4g}" for v in facts[key])
            between = " x ".join(f"{a:.4g} to {b:.4g}" for a, b in zip(low, high, strict=True))
            unit = f" {facts['unit']}" if key == "spacing" else " samples"
            found.append(f"Its {words} of {shown}{unit} lies outside the range of the training ({between}{unit}).")
    return found + _unlike_values(known, facts)


def _unlike_values(known: Mapping[str, Any], facts: Mapping[str, Any]) -> list[str]:
    low, high = known.get("quantiles", {}).get("low", []), known.get("quantiles", {}).get("high", [])
    if len(low) != len(facts["quantiles"]):
        return []
    # One width for all: where all training images reach the same white, the width of that quantile alone is nothing.
    width = max(high[-1] - low[0], 1e-12)
    for q, value, a, b in zip(_QUANTILES, facts["quantiles"], low, high, strict=True):
        if value < a - _SLACK * width or value > b + _SLACK * width:
            return [
                f"Its values differ: {100 * q:g} % of its samples lie below {value:.4g}; in the training that was {a:.4g} to {b:.4g}."
            ]
    return []


def unlike_row(known: Mapping[str, Any], row: npt.ArrayLike) -> list[str]:
    """Return a sentence for each way in which features are unlike those of the training."""
    table = known.get("features")
    if not table:
        return []
    x = np.asarray(row, np.float64).ravel()
    low = np.array([np.nan if v is None else v for v in table["low"]], np.float64)
    high = np.array([np.nan if v is None else v for v in table["high"]], np.float64)
    found = []
    gone = ~np.isfinite(x) & np.isfinite(low)
    if gone.any():
        shown = ", ".join(np.asarray(table["names"], object)[gone][:3])
        found.append(
            f"{int(gone.sum())} of {x.size} features are missing ({shown}); the median of the training stands in for them."
        )
    with np.errstate(invalid="ignore"):
        width = np.maximum(high - low, 1e-12)
        beyond = np.fmax(np.fmax(low - x, x - high) / width, 0.0)
    outside = beyond > _SLACK
    if not outside.any() or (x.size > _MANY and outside.mean() <= 0.02):
        return found
    worst = np.argsort(-np.where(np.isfinite(beyond), beyond, 0.0), kind="stable")[:3]
    shown = ", ".join(f"{table['names'][k]} = {x[k]:.4g} (training {low[k]:.4g} to {high[k]:.4g})" for k in worst if outside[k])
    found.append(f"{int(outside.sum())} of {x.size} features lie outside the range of the training: {shown}.")
    return found


def check_fingerprint(known: Mapping[str, Any]) -> None:
    """Raise ValueError unless a fingerprint that was read says what `fingerprint_of` says, so that nothing fails later."""
    for key in ("modality", "quantity", "unit", "directions", "dims"):
        if not all(isinstance(v, str) for v in _listed(known.get(key, []), key)):
            raise ValueError(f"fingerprint: '{key}' is no list of text")
    if not all(isinstance(v, int) for v in _listed(known.get("channels", []), "channels")):
        raise ValueError("fingerprint: 'channels' is no list of whole numbers")
    for key in ("spacing", "size", "quantiles", "features"):
        if key not in known:
            continue
        held = known[key]
        if not isinstance(held, Mapping):
            raise ValueError(f"fingerprint: '{key}' is no range")
        columns = [_listed(held.get(end), key) for end in ("low", "middle", "high")]
        if len({len(c) for c in columns}) != 1 or (key == "features" and len(_listed(held.get("names"), key)) != len(columns[0])):
            raise ValueError(f"fingerprint: '{key}' has ends of different lengths")
        gap = (int, float, type(None)) if key == "features" else (int, float)
        if not all(isinstance(v, gap) for c in columns for v in c):
            raise ValueError(f"fingerprint: '{key}' holds something else than numbers")


def _listed(value: Any, key: str) -> list[Any]:
    if not isinstance(value, list):
        raise ValueError(f"fingerprint: '{key}' is no list")
    return value
