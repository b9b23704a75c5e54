"""Raw: what the scanner measured before there was an image."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

import numpy as np

from isocenter.core.errors import ParameterError
from isocenter.core.geometry import Geometry
from isocenter.core.provenance import Provenance, digest_array

__all__ = ["RAW_KINDS", "Raw", "RawKind"]

RawKind = Literal["kspace", "sinogram", "rf", "spectrum"]

#: What each kind must state about its acquisition.
RAW_KINDS: dict[str, tuple[str, ...]] = {
    "kspace": ("trajectory",),
    "sinogram": ("angles", "detector_spacing"),
    "rf": ("sampling_rate", "sound_speed"),
    "spectrum": ("bandwidth",),
}


@dataclass(frozen=True, eq=False)
class Raw:
    """Measured data and the geometry of its acquisition.

    Parameters
    ----------
    array
        The samples, often complex.
    kind
        ``kspace``, ``sinogram``, ``rf`` (ultrasound lines) or ``spectrum``.
    axes
        Name of each array axis: ``coil``, ``line``, ``readout``, ``angle``, ``detector``, ``slice`` ...
    acquisition
        How it was measured. Required keys: kspace ``trajectory`` (``cartesian`` or samples in 1/mm),
        sinogram ``angles`` (degrees) and ``detector_spacing`` (mm), rf ``sampling_rate`` (Hz) and
        ``sound_speed`` (m/s), spectrum ``bandwidth`` (Hz).
    geometry
        The grid of the image to be reconstructed, where it is known.
    """

    array: Any
    kind: RawKind
    axes: tuple[str, ...]
    acquisition: Mapping[str, Any] = field(default_factory=dict)
    geometry: Geometry | None = None
    modality: str | None = None
    provenance: Provenance = Provenance()

    def __post_init__(self) -> None:
        if self.kind not in RAW_KINDS:
            raise ParameterError(f"Raw data of kind {self.kind!r}: expected one of {list(RAW_KINDS)}.")
        array = np.asarray(self.array)
        if array.ndim != len(self.axes):
            raise ParameterError(f"Raw array of shape {array.shape} with axes {self.axes}: expected one name per axis.")
        missing = [key for key in RAW_KINDS[self.kind] if key not in self.acquisition]
        if missing:
            raise ParameterError(f"Raw data of kind {self.kind} without {missing}: expected the acquisition to state them.")
        view = array.view()
        view.setflags(write=False)
        object.__setattr__(self, "array", view)
        object.__setattr__(self, "axes", tuple(self.axes))
        object.__setattr__(self, "acquisition", dict(self.acquisition))

    @cached_property
    def digest(self) -> str:
        """Digest of samples and acquisition."""
        plain = {k: digest_array(v) if isinstance(v, np.ndarray) else v for k, v in self.acquisition.items()}
        grid = None if self.geometry is None else self.geometry.to_dict()
        return digest_array(self.array, "Raw", self.kind, list(self.axes), plain, grid)
