"""What the response maps share: which axes they act along, and what they refuse."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from isocenter.core.errors import ContentError, ParameterError
from isocenter.core.geometry import Geometry
from isocenter.core.image import SPATIAL, Image
from isocenter.core.provenance import Provenance

__all__ = ["AxisName", "axes_of", "example_volume", "names_of", "note_shear", "require_finite", "require_parts"]

AxisName = Literal["z", "y", "x"]


def axes_of(name: str, dims: tuple[str, ...], wanted: tuple[AxisName, ...] | None) -> tuple[int, ...]:
    """Return the positions, among the spatial axes of `dims`, that a filter acts along, ascending.

    Raises
    ------
    ParameterError
        If an axis is named twice, or one that the image does not have.
    """
    spatial = [d for d in dims if d in SPATIAL]
    if wanted is None:
        return tuple(range(len(spatial)))
    missing = [d for d in wanted if d not in spatial]
    if missing or len(set(wanted)) != len(wanted) or not wanted:
        raise ParameterError(
            f"Parameter 'axes' of {name} is {' '.join(wanted) or 'empty'} for an image with spatial axes {' '.join(spatial)}: "
            "expected some of these, each once, or null for all."
        )
    return tuple(k for k, d in enumerate(spatial) if d in wanted)


def names_of(axes: tuple[AxisName, ...] | None, dims: tuple[str, ...]) -> str:
    """Return the filtered axes in the order in which the parts of a kernel name them: x first."""
    spatial = [d for d in dims if d in SPATIAL]
    return " ".join(d for d in reversed(spatial) if axes is None or d in axes)


def require_parts(name: str, parameter: str, parts: int, axes: int, order: str) -> None:
    """Raise unless a kernel has one part per filtered axis."""
    if parts != axes:
        raise ParameterError(
            f"Parameter '{parameter}' of {name} has {parts} parts for {axes} filtered axes: expected one per axis, for "
            f"{order} in this order; to filter slice by slice give two parts and axes: [y, x]."
        )


def require_finite(name: str, array: Any) -> None:
    """Raise where a filter that sees the whole image would spread a NaN or an infinity all over it."""
    if not np.isfinite(array).all():
        raise ContentError(
            f"{name} works on spatial frequencies of the whole image, which holds "
            f"{int((~np.isfinite(array)).sum())} samples that are not finite: expected numbers; fill or crop them first."
        )


def note_shear(context: Any) -> None:
    """Note that lengths were taken along the axes of a sheared grid."""
    if not context.geometry.is_orthogonal:
        context.note(
            f"{context.name}: the grid is sheared by {context.geometry.shear:.2f} degrees; lengths were taken along its axes."
        )


def example_volume() -> Image:
    """Return a small volume of blobs and noise, for the contract checks of filters that need three axes."""
    shape, spacing = (9, 12, 11), (2.5, 1.25, 0.75)
    mesh = np.meshgrid(*[np.linspace(-1.0, 1.0, n) for n in shape], indexing="ij")
    values = 600.0 * np.exp(-8.0 * sum((m - 0.2) ** 2 for m in mesh)) + 200.0 * (mesh[2] > 0.3)
    values = values + 50.0 * np.random.default_rng(21).standard_normal(shape)
    image = Image(values.astype(np.float32), ("z", "y", "x"), Geometry.regular(shape, spacing), modality="MR")
    return image.replace(provenance=Provenance.read(image.digest, "example"))
