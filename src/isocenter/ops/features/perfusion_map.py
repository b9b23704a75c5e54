"""features.perfusion_map: kinetics of a contrast agent in each voxel, as maps."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import Field, model_validator

from isocenter.core.errors import ContentError, ParameterError
from isocenter.core.families import Fuser
from isocenter.core.image import Image
from isocenter.core.operation import Context, Spec
from isocenter.ops.features.perfusion import Perfusion

__all__ = ["PerfusionMap"]

#: What is mapped, in the order of the channels.
_MAPS: dict[str, tuple[str, ...]] = {
    "tofts": ("ktrans", "ve", "kep", "residual"),
    "extended_tofts": ("ktrans", "ve", "vp", "kep", "residual"),
    "patlak": ("ps", "vp", "residual"),
    "dsc": ("cbv", "cbf", "mtt"),
}


class PerfusionMap(Fuser):
    """Map kinetic parameters of a contrast agent: every voxel of the labels is fitted, one channel for each parameter.

    Takes a time series and labels on its grid: the segment named as `artery`, and the segments to map (the artery is left out
    unless it is the only one). The series holds concentrations (quantity ``mM``), or signals where `flip_angle` (DCE) or
    `echo_time` (DSC) says how to convert them. Channels: ``ktrans`` (1/min), ``ve``, ``vp``, ``kep`` (1/min) and ``residual``
    (mM) of the Tofts models; ``ps`` (1/min), ``vp``, ``residual`` of Patlak's; ``cbv`` (ml/100 ml), ``cbf`` (ml/100 ml/min),
    ``mtt`` (s) of DSC. 0 where nothing was fitted. ``features.perfusion`` gives the medians of the segments.

    Parameters
    ----------
    model
        ``tofts``, ``extended_tofts`` or ``patlak`` for DCE, ``dsc`` for susceptibility contrast.
    artery
        Name of the segment that is the artery; null takes `arterial`.
    arterial
        Plasma concentration at each time point, values in mM; null takes the population average of Parker (not for dsc).
    delay
        Arrival of the contrast agent for the population average, in seconds.
    hematocrit
        Fraction of cells in blood: concentrations in an artery and of the population average are divided by 1 minus it.
    flip_angle
        Flip angle in degrees of a spoiled gradient echo whose signals the image holds; null for concentrations.
    repetition_time
        Repetition time of that sequence in seconds.
    t1, t1_blood
        Relaxation times in seconds of tissue and of blood before the contrast agent.
    relaxivity
        Relaxivity of the contrast agent, a number in 1/(s mM).
    echo_time
        Echo time in seconds of a series of signals for dsc; null for concentrations.
    baseline
        First and one past the last time point before the contrast agent, as indices.
    threshold
        Singular values of the arterial input below this fraction of the largest are left out (dsc).

    References
    ----------
    Tofts et al., J. Magn. Reson. Imaging 10 (1999) 223-232. Patlak et al., J. Cereb. Blood Flow Metab. 3 (1983) 1-7.
    Ostergaard et al., Magn. Reson. Med. 36 (1996) 715-725. Proven on the reference tables of the OSIPI code collection.
    """

    dims: ClassVar[tuple[str, ...]] = ("tyx", "tzyx")
    ns_per_sample: ClassVar[float] = 5000.0

    model: Literal["tofts", "extended_tofts", "patlak", "dsc"] = "extended_tofts"
    artery: str | None = None
    arterial: tuple[float, ...] | None = None
    delay: float = 0.0
    hematocrit: float = Field(0.42, ge=0, lt=1)
    flip_angle: float | None = Field(None, gt=0, lt=180)
    repetition_time: float = Field(0.005, gt=0)
    t1: float = Field(1.0, gt=0)
    t1_blood: float = Field(1.6, gt=0)
    relaxivity: float = Field(4.5, gt=0)
    echo_time: float | None = Field(None, gt=0)
    baseline: tuple[int, int] = (0, 3)
    threshold: float = Field(0.05, ge=0, lt=1)

    @model_validator(mode="after")
    def _consistent(self) -> PerfusionMap:
        self._fitter()
        return self

    @classmethod
    def examples(cls) -> tuple[PerfusionMap, ...]:
        """Return the variants that the contract suite runs."""
        return (cls(), cls(model="patlak", artery="artery"), cls(model="dsc", artery="artery"), cls(model="tofts", delay=4.0))

    def example_inputs(self) -> tuple[tuple[Any, ...], ...]:
        """Return a small series with an artery and two lesions."""
        return self._fitter().example_inputs()

    def _fitter(self) -> Perfusion:
        """Return the extractor of the same parameters, which holds the method."""
        return Perfusion(**self.parameters())

    def __call__(self, *images: Image, seed: int = 0, threads: int | None = None) -> Image:
        """Return the maps of a time series, fitted where the labels are."""
        self._check([Spec.of(image) for image in images])
        image = images[0]
        region: Any = images[1]  # labels, as was checked
        image.geometry.require_match(region.geometry, ("the series", "the labels"))
        found = self._fitter().maps(image, region, threads=threads)
        return found.replace(provenance=self.traced(images, seed, list(found.provenance.steps[-1].notes)))

    def compute(self, array: Any, context: Context) -> Any:
        """Return the maps of curves with time along the first axis, every sample fitted."""
        image = Image(np.asarray(array), context.dims, context.geometry, quantity=context.quantity, times=context.times)
        return self._fitter().maps(image, threads=context.threads).array

    def resolve(self, *specs: Spec) -> Spec:
        """Return the spec of the maps."""
        self._check(specs)
        series, region = specs
        if series.geometry is None:
            return series.replace(dims=("c", *(d for d in series.dims if d != "t")), dtype="<f4", quantity="kinetic parameter")
        if region.geometry is not None:
            series.geometry.require_match(region.geometry, ("the series", "the labels"))
        return series.replace(
            dims=("c", *(d for d in series.dims if d != "t")),
            dtype="<f4",
            quantity="kinetic parameter",
            samples=len(_MAPS[self.model]) * series.geometry.size,
        )

    def _check(self, specs: Any) -> None:
        """Refuse anything but a time series and labels."""
        if len(specs) != 2:
            raise ParameterError(f"{self.name} was given {len(specs)} images: expected a time series and labels on its grid.")
        kinds = [spec.kind for spec in specs]
        if kinds[0] != "Image" or kinds[1] not in ("LabelMap", "MaskStack"):
            raise ContentError(
                f"{self.name} was given {' and '.join(kinds)}: expected a time series first, then labels (with the artery, where one is named)."
            )
        self._fitter().check_image(specs[0])
