"""Diffuse within regions and not across edges."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field

from isocenter.core.families import Filter
from isocenter.core.geometry import Geometry
from isocenter.core.operation import Context
from isocenter.kernels.diffusion import curvature_motion, perona_malik
from isocenter.kernels.finite import require_finite
from isocenter.kernels.local_moments import keep_local_mean
from isocenter.kernels.noise import noise_level

__all__ = ["Anisotropic"]

#: Samples to each side over which motion by curvature keeps the mean.
_GIVEN_BACK = 2
#: Contrast in standard deviations of the noise where it is not given.
_CONTRAST = {"rational": 1.2, "exponential": 2.0}


class Anisotropic(Filter):
    """Diffuse within regions and not across edges (Perona-Malik), or move contours by their curvature.

    For noise before segmentation of regions with clear edges. The exponential conductance keeps strong edges sharpest, the
    rational one prefers wide regions, `curvature` rounds contours whatever their contrast and takes thin vessels away.
    Not before measuring texture. With Gaussian noise of 5 % of the range the default wins 7.8 dB on the head phantom and
    6.1 dB on a real T1 head, the exponential conductance 7.1 and 5.2 dB, curvature 1.1 and 3.3 dB. Nothing flows over the
    edge of the image, and what curvature takes off on average over five samples is given back, so the mean stays.

    Parameters
    ----------
    conductance
        ``rational`` 1 / (1 + (g / contrast)^2), ``exponential`` exp(-(g / contrast)^2), or ``curvature``.
    contrast
        Difference of neighbours, in the unit of the image, that is taken for an edge (along axes of larger spacing in
        proportion); None takes 1.2 (rational) or 2 (exponential) times the noise that is measured. Curvature needs none.
    iterations
        Number of steps; more smooth more and reach farther.
    step
        Length of a step as a fraction of the largest stable one.
    along
        ``mm``: weaker over larger spacing, as physical diffusion is; ``samples``: as if all axes were sampled alike, which
        takes images without a pixel size too.

    References
    ----------
    Perona, Malik. Scale-space and edge detection using anisotropic diffusion. IEEE Trans. PAMI 12 (1990) 629-639.
    Gerig, Kubler, Kikinis, Jolesz. Nonlinear anisotropic filtering of MRI data. IEEE Trans. Med. Imaging 11 (1992) 221-232.
    Alvarez, Guichard, Lions, Morel. Axioms and fundamental equations of image processing. Arch. Rational Mech. Anal. 123
    (1993) 199-257.
    """

    version: ClassVar[str] = "2"
    ns_per_sample: ClassVar[float] = 15.0

    conductance: Literal["rational", "exponential", "curvature"] = "rational"
    contrast: float | None = Field(None, gt=0)
    iterations: int = Field(5, ge=1, le=1000)
    step: float = Field(1.0, gt=0, le=1)
    along: Literal["mm", "samples"] = "mm"

    @classmethod
    def examples(cls) -> tuple[Anisotropic, ...]:
        """Return the variants that the contract suite runs."""
        return (
            cls(),
            cls(contrast=60.0, iterations=3),
            cls(conductance="exponential", contrast=80.0, iterations=2, along="samples"),
            cls(conductance="curvature", iterations=2, step=0.5),
        )

    @property
    def needs_mm(self) -> bool:  # type: ignore[override]  # of the class elsewhere; here it follows a parameter
        """Whether images without a pixel size are refused."""
        return self.along == "mm"

    def halo(self, geometry: Geometry) -> tuple[int, ...] | None:
        """Return the number of iterations; the whole image where its noise is measured."""
        if self.contrast is None and self.conductance != "curvature":
            return None
        return (self.iterations + (_GIVEN_BACK if self.conductance == "curvature" else 0),) * geometry.ndim

    def compute(self, array: Any, context: Context) -> Any:
        """Return the diffused block."""
        require_finite(array, self.name)
        spacing = context.spacing if self.along == "mm" else (1.0,) * array.ndim
        steps = [s / min(spacing) for s in spacing]
        time = self.step / (2.0 * sum(1.0 / h**2 for h in steps))
        if self.conductance == "curvature":
            moved = curvature_motion(array, self.iterations, time, steps, threads=context.threads)
            return keep_local_mean(array, moved, (_GIVEN_BACK,) * array.ndim)
        contrast = self.contrast
        if contrast is None:
            contrast = _CONTRAST[self.conductance] * noise_level(None, array, context, self.name)
            if contrast == 0.0:
                return array.copy()
        exponential = self.conductance == "exponential"
        return perona_malik(array, contrast, self.iterations, time, exponential, steps, context.threads)
