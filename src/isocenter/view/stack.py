"""A slice stack as a few lines of text, for a terminal."""

from __future__ import annotations

import math

import numpy as np

from isocenter.core.geometry import Geometry

__all__ = ["stack_picture"]

_NAMES = {"R": "right", "L": "left", "A": "anterior", "P": "posterior", "I": "inferior", "S": "superior"}
_OPPOSITE = dict(zip("RLAPIS", "LRPASI", strict=True))
_BAR = 30
_SLICE = "\u2501" * _BAR
_ROWS = 7


def stack_picture(geometry: Geometry) -> str:
    """Return a small picture of where the samples lie.

    Parameters
    ----------
    geometry
        The grid. Of a volume the slices along its first axis are drawn from the side, the uppermost first,
        with their positions in mm and the lean of a tilted gantry.

    Returns
    -------
    str
        A few lines of text, each at most 78 characters wide.
    """
    if geometry.ndim == 3 and geometry.unit == "mm":
        return "\n".join(_volume(geometry))
    unit = geometry.unit
    size = " x ".join(str(n) for n in geometry.shape)
    steps = " x ".join(f"{s:.4g}" for s in geometry.spacing)
    if unit == "px":
        return f"{size} samples, no pixel size: lengths can be stated in pixels only"
    extent = " x ".join(f"{e:.4g}" for e in geometry.extent)
    return f"{size} samples of {steps} {unit}, {extent} {unit} in all"


def _volume(geometry: Geometry) -> list[str]:
    count = geometry.shape[0]
    letter = geometry.orientation[0]
    world = "RLAPIS".index(letter) // 2
    ends = [geometry.to_world(((geometry.shape[0] - 1) * e, *[(n - 1) / 2 for n in geometry.shape[1:]])) for e in (0, 1)]
    # Superior, anterior and right are drawn on top, wherever the first slice lies.
    upper_letter = letter if letter in "SAR" else _OPPOSITE[letter]
    order = list(range(count)) if letter not in "SAR" else list(range(count - 1, -1, -1))
    step = (ends[1] - ends[0]) / max(1, count - 1)
    picked = order if count <= _ROWS else [*order[:3], -1, *order[-3:]]
    lean = _lean(geometry)
    lines = [f"{'':>13}  {_NAMES[upper_letter]}"]
    for row, k in enumerate(picked):
        shift = " " * (max(0, round(lean * row)) if lean >= 0 else round(-lean * (len(picked) - 1 - row)))
        if k < 0:
            lines.append(f"{'':>13}  {shift}{'.' * 3:^{_BAR}}  {count - 6} more, {_gap(geometry):.4g} mm apart")
            continue
        at = float((ends[0] + step * k)[world])
        side = ("RL", "AP", "IS")[world][int(round(at, 6) >= 0)]
        place = f"{side} {abs(at):.1f} mm"
        lines.append(f"{place:>13}  {shift}{_SLICE}  slice {k + 1}")
    lines.append(f"{'':>13}  {_NAMES[_OPPOSITE[upper_letter]]}")
    inner = " x ".join(str(n) for n in geometry.shape[1:])
    steps = " x ".join(f"{s:.4g}" for s in geometry.spacing[1:])
    extent = " x ".join(f"{e:.4g}" for e in geometry.extent)
    lines.append(f"{count} slices of {inner} samples ({steps} mm), {_gap(geometry):.4g} mm apart")
    lines.append(f"{extent} mm in all; axes run to {', '.join(_NAMES[c] for c in geometry.orientation)}")
    if not geometry.is_orthogonal:
        lines.append(f"sheared by {geometry.shear:.2f} degrees (tilted gantry), kept as it is")
    oblique = _oblique(geometry)
    if oblique > 1.0 and geometry.is_orthogonal:
        lines.append(f"turned by up to {oblique:.1f} degrees against the patient's axes")
    return lines


def _gap(geometry: Geometry) -> float:
    """Return the distance between neighbouring slices along their normal."""
    normal = np.cross(geometry.direction[:, 1], geometry.direction[:, 2])
    return float(abs(normal @ geometry.affine[:3, 0]) / np.linalg.norm(normal))


def _lean(geometry: Geometry) -> float:
    """Return how many characters each drawn row is shifted by; the sign says which way the stack leans."""
    if geometry.is_orthogonal:
        return 0.0
    along = geometry.direction[:, 0]
    amounts = [float(along @ geometry.direction[:, k]) for k in (1, 2)]
    strongest = max(amounts, key=abs)
    return math.copysign(min(3.0, max(1.0, abs(math.tan(math.asin(strongest))) * 6)), strongest)


def _oblique(geometry: Geometry) -> float:
    strength = np.abs(geometry.direction).max(axis=0)
    return float(np.degrees(np.arccos(np.clip(strength.min(), -1.0, 1.0))))
