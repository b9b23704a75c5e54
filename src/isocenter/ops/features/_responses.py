"""Image types that `features.radiomics` measures beside the image: filter responses and functions of the intensities."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from isocenter.kernels.radiomics.responses import Response, gradient, log, pointwise, wavelet
from isocenter.kernels.responses.wavelets import WAVELETS

__all__ = ["Responses"]


class Responses(BaseModel):
    """Which image types are measured.

    Parameters
    ----------
    original
        Whether the intensities of the image itself are; its form always is.
    log
        Standard deviations in mm of Laplacians of Gaussians.
    log_kernel
        ``sampled``: the Gaussian of the IBSI, derivatives per sample; ``recursive``: as ITK and PyRadiomics filter, derivatives
        per mm times sigma^2, so that bins of one width suit every size. Sizes below one sample need the latter.
    wavelet
        All bands of the first level of this wavelet, undecimated: ``coif1``, ``haar``, ``db2`` ...; None for none.
    in_plane
        Whether filters act in the slice only.
    others
        ``gradient`` (its magnitude per mm), ``square``, ``squareroot``, ``logarithm``, ``exponential`` of the intensities, each
        brought back to the range of the image by the largest magnitude in it.
    boundary
        What lies beyond the edges of the image.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    original: bool = True
    log: tuple[Annotated[float, Field(gt=0, le=1000)], ...] = ()
    log_kernel: Literal["sampled", "recursive"] = "sampled"
    wavelet: str | None = None
    in_plane: bool = False
    others: tuple[Literal["gradient", "square", "squareroot", "logarithm", "exponential"], ...] = ()
    boundary: Literal["mirror", "nearest", "zero"] = "mirror"

    @field_validator("wavelet")
    @classmethod
    def _known(cls, value: str | None) -> str | None:
        if value is not None and value not in WAVELETS:
            raise ValueError(f"expected one of {', '.join(WAVELETS)}")
        return value

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if len(set(self.log)) < len(self.log) or len(set(self.others)) < len(self.others):
            raise ValueError("log and others: expected each once")
        if not (self.original or self.log or self.wavelet or self.others):
            raise ValueError("expected at least one image type")
        return self

    def on(self, spacing: Sequence[float], flat: bool) -> tuple[Response, ...]:
        """Return the image types beside the image itself, on a grid of three axes.

        Parameters
        ----------
        spacing
            mm per sample along z, y, x.
        flat
            Whether the image is one slice.
        """
        axes = (1, 2) if flat or self.in_plane else (0, 1, 2)
        found = [log(sigma, spacing, axes, recursive=self.log_kernel == "recursive") for sigma in self.log]
        found += wavelet(self.wavelet, axes) if self.wavelet else ()
        found += (gradient(spacing, axes) if name == "gradient" else pointwise(name) for name in self.others)
        return tuple(found)

    def too_thin(self, spacing: Sequence[float]) -> str:
        """Return which Laplacians of Gaussians are smaller than a sample along some filtered axis, or nothing."""
        if self.log_kernel != "sampled" or not self.log:
            return ""
        widest = max(spacing[-2:] if self.in_plane else spacing)
        small = ", ".join(f"{sigma:g} mm" for sigma in self.log if sigma < widest)
        return f"Laplacian of Gaussian of {small} on samples {widest:g} mm apart" if small else ""

    @property
    def needs_top(self) -> bool:
        """Whether the largest magnitude in the image is needed."""
        return bool(set(self.others) - {"gradient"})
