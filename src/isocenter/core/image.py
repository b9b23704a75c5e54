"""Image: samples, the names of their axes, where they lie and what they mean."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Self

import numpy as np

from isocenter.core.errors import ContentError, GeometryError, ParameterError
from isocenter.core.geometry import Geometry
from isocenter.core.provenance import Provenance, digest_array

__all__ = ["DIMS", "SPATIAL", "Image", "spatial_axes"]

#: The axis names, in the only order they are stored in: time, channel, then the spatial storage axes.
DIMS = ("t", "c", "z", "y", "x")
SPATIAL = ("z", "y", "x")


def spatial_axes(dims: Sequence[str]) -> tuple[int, ...]:
    """Return the positions of the spatial axes in `dims`."""
    return tuple(k for k, name in enumerate(dims) if name in SPATIAL)


def _frozen(array: Any) -> Any:
    """Return a read-only view of a numpy array; leave lazy arrays as they are."""
    if not isinstance(array, np.ndarray):
        return array
    view = array.view()
    view.setflags(write=False)
    return view


@dataclass(frozen=True, eq=False)
class Image:
    """Samples on a grid.

    Parameters
    ----------
    array
        The samples; anything with shape, dtype and slicing. Seen through a read-only view.
    dims
        Name of each array axis, a subset of ``t c z y x`` in that order. ``z y x`` name storage order;
        which way they run in the patient is what `geometry` says.
    geometry
        The grid of the spatial axes.
    modality
        DICOM Defined Term: CT MR PT US XA DX CR MG NM OP OPT SM XC ...; None where unknown.
    quantity
        What a value is: ``HU``, ``SUVbw``, ``Bq/ml``, ``probability``, ``optical density`` ...; None where unknown.
    channels
        Names of the channels, one for each sample along ``c``.
    times
        Seconds of each sample along ``t``.
    provenance
        Where the samples came from.

    Raises
    ------
    ParameterError
        If dims are not a subset of ``t c z y x`` in that order, or the numbers of names and samples differ.
    GeometryError
        If the geometry's shape is not that of the spatial axes.
    """

    array: Any
    dims: tuple[str, ...]
    geometry: Geometry
    modality: str | None = field(default=None, kw_only=True)
    quantity: str | None = field(default=None, kw_only=True)
    channels: tuple[str, ...] | None = field(default=None, kw_only=True)
    times: tuple[float, ...] | None = field(default=None, kw_only=True)
    provenance: Provenance = field(default_factory=Provenance, kw_only=True)

    def __post_init__(self) -> None:
        dims = tuple(self.dims)
        known = [d for d in DIMS if d in dims]
        if list(dims) != known:
            raise ParameterError(
                f"Dims {dims}: expected a subset of ('t', 'c', 'z', 'y', 'x') in that order; reorder the array's axes to match."
            )
        shape = tuple(self.array.shape)
        if len(shape) != len(dims):
            raise ParameterError(f"Array of shape {shape} with dims {dims}: expected one name per axis.")
        spatial = tuple(shape[k] for k in spatial_axes(dims))
        if spatial != self.geometry.shape:
            raise GeometryError(
                f"Array of shape {shape} with dims {dims} on a grid of {self.geometry.shape}: "
                "expected the spatial axes to have the grid's shape."
            )
        object.__setattr__(self, "array", _frozen(self.array))
        object.__setattr__(self, "dims", dims)
        for name, axis in (("channels", "c"), ("times", "t")):
            labels = getattr(self, name)
            if labels is None:
                continue
            count = shape[dims.index(axis)] if axis in dims else 0
            if len(labels) != count:
                raise ParameterError(f"{len(labels)} {name} for {count} samples along '{axis}': expected one each.")
            object.__setattr__(self, name, tuple(labels))

    @property
    def shape(self) -> tuple[int, ...]:
        """Samples along each array axis."""
        return tuple(self.array.shape)

    @property
    def dtype(self) -> np.dtype[Any]:
        """The stored sample type."""
        return np.dtype(self.array.dtype)

    @property
    def spatial_axes(self) -> tuple[int, ...]:
        """Positions of the spatial axes in the array."""
        return spatial_axes(self.dims)

    @property
    def nbytes(self) -> int:
        """Bytes that the samples take in memory."""
        return int(np.prod(self.shape, dtype=np.int64)) * self.dtype.itemsize

    @cached_property
    def digest(self) -> str:
        """Digest of samples, dims, geometry and meaning (computed once, when first asked for)."""
        return digest_array(self.array, *self._digest_context())

    def _digest_context(self) -> list[Any]:
        times = None if self.times is None else [float(t) for t in self.times]
        channels = None if self.channels is None else list(self.channels)
        return [type(self).__name__, list(self.dims), self.geometry.to_dict(), self.modality, self.quantity, channels, times]

    def load(self) -> Self:
        """Return the same image with its samples in memory (itself where they are)."""
        if isinstance(self.array, np.ndarray):
            return self
        return self.replace(array=np.asarray(self.array))

    def replace(self, **changes: Any) -> Self:
        """Return a copy with fields replaced, for instance ``image.replace(modality="CT")``."""
        return dataclasses.replace(self, **changes)

    def with_array(self, array: Any, **changes: Any) -> Self:
        """Return an image of the same kind with other samples on the same axes."""
        return self.replace(array=array, **changes)

    def at(self, *, t: int | None = None, c: int | None = None) -> Self:
        """Return one time point and/or channel, with that axis dropped.

        Parameters
        ----------
        t, c
            Index of the time point and of the channel; None keeps the axis.
        """
        array, dims = self.array, list(self.dims)
        changes: dict[str, Any] = {}
        for axis, index, labels in (("t", t, "times"), ("c", c, "channels")):
            if index is None:
                continue
            if axis not in dims:
                raise ParameterError(f"Image of dims {self.dims} has no axis '{axis}' to take sample {index} of.")
            where = dims.index(axis)
            array = array[(slice(None),) * where + (index,)]
            dims.pop(where)
            changes[labels] = None
        return self.replace(array=array, dims=tuple(dims), **changes)

    def require_quantity(self, *quantities: str, who: str = "This operation") -> None:
        """Raise `ContentError` unless values are one of `quantities`."""
        if self.quantity not in quantities:
            raise ContentError(
                f"{who} works on {' or '.join(quantities)}, but the image holds {self.quantity or 'an unknown quantity'}: "
                "expected calibrated values; state the quantity if you know it (image.replace(quantity=...))."
            )

    def __setstate__(self, state: dict[str, Any]) -> None:
        # numpy forgets in a pickle that an array was read-only.
        self.__dict__.update(state)
        object.__setattr__(self, "array", _frozen(self.array))

    def __repr__(self) -> str:
        meaning = " ".join(v for v in (self.modality, self.quantity) if v)
        return f"<{type(self).__name__} {' '.join(self.dims)} {self.shape} {self.dtype} {meaning} {self.geometry!r}>"
