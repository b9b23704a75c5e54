"""One band of a separable wavelet transform on the image's own grid."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import Field, field_validator

from isocenter.core.families import Filter
from isocenter.core.geometry import Geometry
from isocenter.core.image import Image
from isocenter.core.operation import Context, Spec
from isocenter.kernels.responses.boundary import Boundary
from isocenter.kernels.responses.separable import Pooling
from isocenter.kernels.responses.wavelets import WAVELETS, band_taps, wavelet_band
from isocenter.ops.filter._shared import AxisName, axes_of, example_volume, names_of, require_parts

__all__ = ["Wavelet"]


class Wavelet(Filter):
    """Take one band of the undecimated separable wavelet transform.

    The image is continued beyond its edges once; further levels spread the kernels (a trous), so that every band lies
    on the image's grid.

    Parameters
    ----------
    wavelet
        ``haar``, ``db1`` to ``db10``, ``sym4``, ``coif1`` or ``coif2``.
    band
        L (low-pass) or H (high-pass) for each filtered axis, for x, y, z in this order: ``LHL`` is high-pass along y.
    level
        Which level, 1 being the finest; level j is low-pass at every level before.
    axes
        Axes it acts along, by name (``[y, x]`` filters slice by slice and takes a band of two letters); null means all.
    rotation_invariant
        Whether the responses of all right-angle rotations (24 in space, 4 in the plane) are pooled.
    pooling
        ``mean``, ``max`` or ``min`` of the rotations.
    boundary
        What lies beyond the edges: ``zero``, ``nearest``, ``periodic`` or ``mirror``.

    References
    ----------
    IBSI 2 reference manual, arXiv:2006.05470, section 3.6 (25BO). Daubechies, Ten Lectures on Wavelets (SIAM 1992).
    """

    dims: ClassVar[tuple[str, ...]] = ("yx", "zyx")
    gives_quantity: ClassVar[str | None] = "filter response"
    ns_per_sample: ClassVar[float] = 40.0
    bytes_per_sample: ClassVar[float] = 16.0

    wavelet: str = "coif1"
    band: str = Field("LLH", pattern="^[LHlh]{1,3}$")
    level: int = Field(1, ge=1, le=8)
    axes: tuple[AxisName, ...] | None = None
    rotation_invariant: bool = False
    pooling: Pooling = "mean"
    boundary: Boundary = "mirror"

    @field_validator("wavelet")
    @classmethod
    def _known(cls, value: str) -> str:
        if value not in WAVELETS:
            raise ValueError(f"expected one of {', '.join(WAVELETS)}")
        return value

    @classmethod
    def examples(cls) -> tuple[Wavelet, ...]:
        """Return the variants that the contract suite runs."""
        return (
            cls(),
            cls(wavelet="db2", band="LHL", rotation_invariant=True, boundary="zero"),
            cls(wavelet="haar", band="LH", level=2, axes=("y", "x"), rotation_invariant=True, pooling="max"),
            cls(wavelet="db3", band="HH", axes=("y", "x"), boundary="periodic"),
        )

    def example_inputs(self) -> tuple[tuple[Image, ...], ...]:
        """Return a volume: a band of three letters takes no plane."""
        return ((example_volume(),),)

    def check_image(self, spec: Spec) -> None:
        """Refuse a band that does not fit the filtered axes."""
        super().check_image(spec)
        self._used(self.core_dims(spec.dims) or ())

    def _used(self, dims: tuple[str, ...]) -> tuple[int, ...]:
        used = axes_of(self.name, dims, self.axes)
        require_parts(self.name, "band", len(self.band), len(used), names_of(self.axes, dims))
        return used

    def halo(self, geometry: Geometry) -> tuple[int, ...] | None:
        """Return how far the chained kernels reach along each axis they act along."""
        if self.boundary == "periodic":
            return None
        used = self._used(("z", "y", "x")[3 - geometry.ndim :])
        reaches = [band_taps(self.wavelet, letter, self.level).reach for letter in reversed(self.band.upper())]
        if self.rotation_invariant:
            reaches = [max(reaches)] * len(reaches)
        near = dict(zip(used, reaches, strict=True))
        return tuple(near.get(k, 0) for k in range(geometry.ndim))

    def compute(self, array: Any, context: Context) -> Any:
        """Return the band."""
        return wavelet_band(
            array,
            self.wavelet,
            self.band.upper(),
            self._used(context.dims),
            level=self.level,
            boundary=self.boundary,
            pooling=self.pooling if self.rotation_invariant else None,
            threads=context.threads,
        )
