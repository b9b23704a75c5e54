"""features.perfusion: kinetics of a contrast agent in each region."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field, model_validator

from isocenter.core.errors import ContentError
from isocenter.core.families import Extractor
from isocenter.core.geometry import Geometry
from isocenter.core.image import Image
from isocenter.core.labels import LabelMap, MaskStack, Segment
from isocenter.core.operation import Context, Spec
from isocenter.core.provenance import Provenance
from isocenter.core.results import Column
from isocenter.kernels.perfusion.arterial import parker
from isocenter.kernels.perfusion.relaxation import concentration
from isocenter.kernels.perfusion.susceptibility import flow_and_volume, relaxation_change
from isocenter.kernels.perfusion.tofts import fit_patlak, fit_tofts

__all__ = ["Perfusion"]

#: Curves that are fitted at a time for maps.
_CURVES = 1 << 13

_FIVE = 5  # time points that three parameters need at the least

_COLUMNS: dict[str, tuple[Column, ...]] = {
    "tofts": (
        Column("ktrans", "1/min", "", "transfer constant, median of the voxels"),
        Column("ve", "1", "", "volume fraction of the extravascular extracellular space, median"),
        Column("ktrans_interquartile_range", "1/min", "", "spread of the transfer constant over the voxels"),
    ),
    "patlak": (
        Column("ps", "1/min", "", "permeability surface area product, median of the voxels"),
        Column("vp", "1", "", "volume fraction of plasma, median"),
        Column("ps_interquartile_range", "1/min", "", "spread of the permeability over the voxels"),
    ),
    "dsc": (
        Column("cbv", "ml/100 ml", "", "cerebral blood volume, median of the voxels"),
        Column("cbf", "ml/100 ml/min", "", "cerebral blood flow, median"),
        Column("mtt", "s", "", "mean transit time, median"),
    ),
}
_COLUMNS["extended_tofts"] = (
    _COLUMNS["tofts"][0],
    _COLUMNS["tofts"][1],
    _COLUMNS["patlak"][1],
    _COLUMNS["tofts"][2],
)


class Perfusion(Extractor):
    """Kinetic parameters of a contrast agent: every voxel of a region is fitted, and its median is given.

    The image is a time series of concentrations (quantity ``mM``), or of signals where `flip_angle` (DCE) or `echo_time`
    (DSC) says how to convert them. Voxels whose curve is not finite are left out. `maps` gives the parameters of every voxel
    as an image.

    Parameters
    ----------
    model
        ``tofts``, ``extended_tofts`` or ``patlak`` for DCE, ``dsc`` for susceptibility contrast.
    artery
        Name of the segment of the region that is the artery; null takes `arterial`.
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
    def _consistent(self) -> Perfusion:
        if self.artery is not None and self.arterial is not None:
            raise ValueError("expected either 'artery' (a segment) or 'arterial' (values), not both")
        if self.model == "dsc" and self.artery is None and self.arterial is None:
            raise ValueError("model dsc needs an arterial input: name a segment as 'artery', or give 'arterial'")
        if not 0 <= self.baseline[0] < self.baseline[1]:
            raise ValueError("expected 'baseline' to be two indices, the second past the first")
        return self

    @classmethod
    def examples(cls) -> tuple[Perfusion, ...]:
        """Return the variants that the contract suite runs."""
        return (cls(), cls(model="patlak", artery="artery"), cls(model="dsc", artery="artery"), cls(model="tofts", delay=4.0))

    def example_inputs(self) -> tuple[tuple[Any, ...], ...]:
        """Return a small series that follows the population average, with an artery and two lesions."""
        times = tuple(4.0 * k for k in range(30))
        blood = parker(times)
        shape = (2, 5, 6)
        labels = np.zeros(shape, np.uint8)
        labels[:, :, 0], labels[:, 1:4, 2:4], labels[:, 1:4, 5] = 1, 2, 3
        share = np.choose(labels, [0.0, 1.0, 0.05, 0.1])
        array = (blood[:, None, None, None] * share).astype(np.float32)
        array += 0.001 * np.random.default_rng(3).standard_normal(array.shape).astype(np.float32)
        grid = Geometry.regular(shape, (3.0, 1.5, 1.5))
        image = Image(array, ("t", "z", "y", "x"), grid, modality="MR", quantity="mM", times=times)
        rows = (Segment(1, "artery"), Segment(2, "lesion"), Segment(3, "rim"))
        region = LabelMap(labels, ("z", "y", "x"), grid, rows)
        image = image.replace(provenance=Provenance.read(image.digest, "example"))
        return ((image, region.replace(provenance=Provenance.read(region.digest, "example"))),)

    def check_image(self, spec: Spec) -> None:
        """Refuse what is neither concentrations nor signals that can be converted."""
        super().check_image(spec)
        converts = self.echo_time if self.model == "dsc" else self.flip_angle
        if spec.quantity != "mM" and converts is None:
            raise ContentError(
                f"{self.name} fits concentrations in mM, but the image holds {spec.quantity or 'an unknown quantity'}: expected "
                "mM; for signals give 'flip_angle' (DCE) or 'echo_time' (DSC), or state the quantity if you know it."
            )

    def columns(self, context: Context) -> tuple[Column, ...]:
        """Return the columns of the model."""
        last = Column("residual", "1", "", "median root-mean-square residual over the highest arterial concentration")
        more = () if self.model == "dsc" else (last,)
        return (Column("perfusion_samples", "1", "", "number of voxels fitted"), *_COLUMNS[self.model], *more)

    def masks(self, region: LabelMap | MaskStack) -> Iterator[tuple[str, npt.NDArray[np.bool_], None]]:
        """Yield every segment together with the artery, as a pair of masks."""
        found = [(name, np.asarray(mask)) for name, mask, _ in super().masks(region)]
        artery = next((m for n, m in found if n == self.artery), None)
        if self.artery is not None and artery is None:
            known = ", ".join(n for n, _ in found)
            raise ContentError(f"{self.name}: no segment '{self.artery}' for the arterial input: the region has {known}.")
        for name, mask in found:
            yield name, np.stack([mask, np.zeros_like(mask) if artery is None else artery]), None

    def compute(self, array: Any, context: Context) -> dict[str, float]:
        """Return the medians of the fits of ``context.region[0]``, with the artery in ``context.region[1]``."""
        assert context.region is not None  # masks gives a pair
        mask, artery = context.region
        times = self._times(array, context)
        curves = np.asarray(array[:, mask], dtype=np.float64).T
        plasma = self._plasma(array, artery, times)
        if plasma is None:
            return {"perfusion_samples": 0.0}
        tissue = self._concentration(curves.T, self.t1).T
        tissue = tissue[np.isfinite(tissue).all(axis=1)]
        result = {"perfusion_samples": float(len(tissue))}
        peak = float(np.abs(plasma).max())
        if not len(tissue) or peak == 0.0:
            return result
        names, values = self._fitted(tissue, plasma, times, context.threads)
        for name, column in zip(names, values.T, strict=True):
            finite = column[np.isfinite(column)]
            if finite.size and not (name == "vp" and self.model == "tofts"):
                result[name] = float(np.median(finite)) / (peak if name == "residual" else 1.0)
        if self.model != "dsc":
            low, high = np.percentile(values[:, 0], (25, 75))
            result[f"{names[0]}_interquartile_range"] = float(high - low)
        return result

    def _fitted(
        self, tissue: npt.NDArray[np.float64], plasma: npt.NDArray[np.float64], times: npt.NDArray[np.float64], threads: int
    ) -> tuple[list[str], npt.NDArray[np.float64]]:
        """Return the names of the model's parameters, and their values for each curve."""
        if self.model == "dsc":
            found = flow_and_volume(tissue, plasma, float(np.mean(np.diff(times))), threshold=self.threshold)
            return ["cbv", "cbf", "mtt"], found
        if self.model == "patlak":
            return ["ps", "vp", "residual"], fit_patlak(times, tissue, plasma)
        return ["ktrans", "ve", "vp", "residual"], fit_tofts(times, tissue, plasma, model=self.model, threads=threads)

    def maps(self, image: Image, region: LabelMap | MaskStack | None = None, /, *, threads: int | None = None) -> Image:
        """Return the parameters of every voxel: what the rows of the table are the medians of.

        Curves are fitted some thousand at a time, so that memory stays bounded whatever the size of the series.

        Parameters
        ----------
        image
            The time series.
        region
            The artery, where the operation names it, and the segments that are mapped (the artery is left out unless it is
            the only one); None maps every voxel.
        threads
            Threads that may run at once; the maps do not depend on it.

        Returns
        -------
        Image
            Channels first: ``ktrans`` (1/min), ``ve``, ``vp``, ``kep`` (1/min) and ``residual`` (mM) of the Tofts models; ``ps``
            (1/min), ``vp``, ``residual`` of Patlak's; ``cbv`` (ml/100 ml), ``cbf`` (ml/100 ml/min), ``mtt`` (s) of DSC. 0 where nothing
            was fitted.

        Raises
        ------
        ContentError
            If image or region do not fit the model, as of a call.
        """
        core = self._core(image)
        notes: list[str] = []
        context = self._context(image, core, 0, threads, notes)
        array = np.asarray(image.array)
        wanted, artery = np.ones(array.shape[1:], np.bool_), np.zeros(array.shape[1:], np.bool_)
        if region is not None:
            image.geometry.require_match(region.geometry, ("the image", "the region"))
            pairs = {name: pair for name, pair, _ in self.masks(region)}
            others = [pair[0] for name, pair in pairs.items() if name != self.artery] or [p[0] for p in pairs.values()]
            wanted = np.any(others, axis=0)
            artery = next(iter(pairs.values()))[1] if pairs else artery
        elif self.artery is not None:
            raise ContentError(f"{self.name} needs a region with the segment '{self.artery}': expected labels beside the image.")
        times = self._times(array, context)
        plasma = self._plasma(array, artery, times)
        if plasma is None or not np.abs(plasma).max() > 0.0:
            raise ContentError(f"{self.name}: the arterial input is empty: expected samples that the contrast agent reaches.")
        places = np.flatnonzero(wanted)
        flat = array.reshape(len(array), -1)
        result: npt.NDArray[np.float32] | None = None
        names: list[str] = []
        for start in range(0, max(places.size, 1), _CURVES):
            some = places[start : start + _CURVES]
            tissue = self._concentration(np.asarray(flat[:, some], np.float64), self.t1).T
            names, values = self._parameters(np.ascontiguousarray(tissue), plasma, times, context.threads)
            if result is None:
                result = np.zeros((len(names), flat.shape[1]), np.float32)
            result[:, some] = np.where(np.isfinite(values), values, 0.0).T
        assert result is not None  # there is at least one round
        made = (image,) if region is None else (image, region)
        provenance = self.traced(made, None, [*notes, "Parameters of every voxel."])
        return Image(
            result.reshape(len(names), *array.shape[1:]),
            ("c", *core[1:]),
            image.geometry,
            modality=image.modality,
            quantity="kinetic parameter",
            channels=tuple(names),
            provenance=provenance,
        )

    def _parameters(
        self, tissue: npt.NDArray[np.float64], plasma: npt.NDArray[np.float64], times: npt.NDArray[np.float64], threads: int
    ) -> tuple[list[str], npt.NDArray[np.float64]]:
        """Return what is mapped: the fitted parameters, with kep beside those of the Tofts models."""
        names, values = self._fitted(tissue, plasma, times, threads)
        if "ktrans" not in names:
            return names, values
        with np.errstate(divide="ignore", invalid="ignore"):
            kep = values[:, 0] / values[:, 1]
        values = np.column_stack([values[:, :3], kep, values[:, 3]])
        names = ["ktrans", "ve", "vp", "kep", "residual"]
        if self.model == "tofts":
            return [n for n in names if n != "vp"], np.delete(values, 2, axis=1)
        return names, values

    def _times(self, array: Any, context: Context) -> npt.NDArray[np.float64]:
        if context.times is None:
            raise ContentError(
                f"{self.name} needs the seconds of every time point, which the image does not say: expected 'times' (image.replace)."
            )
        times = np.asarray(context.times, dtype=np.float64)
        steps = np.diff(times)
        if len(times) < _FIVE or (steps <= 0).any():
            raise ContentError(
                f"{self.name} was given {len(times)} time points from {times[0]:g} to {times[-1]:g} s: expected at least {_FIVE}, ascending."
            )
        if self.model == "dsc" and np.ptp(steps) > 0.01 * float(steps.mean()):
            raise ContentError(
                f"{self.name}: time points from {steps.min():g} to {steps.max():g} s apart: dsc expects even steps."
            )
        if self.arterial is not None and len(self.arterial) != len(times):
            raise ContentError(
                f"{self.name}: {len(self.arterial)} arterial values for {len(times)} time points: expected one each."
            )
        return times

    def _plasma(self, array: Any, artery: Any, times: npt.NDArray[np.float64]) -> npt.NDArray[np.float64] | None:
        """Return the arterial input, None where the artery is empty."""
        if self.arterial is not None:
            return np.asarray(self.arterial, dtype=np.float64)
        if self.artery is None:
            return parker(times, self.delay, self.hematocrit)
        if not artery.any():
            return None
        curve = np.asarray(array[:, artery], dtype=np.float64).mean(axis=1)
        blood = self._concentration(curve, self.t1_blood)
        if not np.isfinite(blood).all():
            raise ContentError(f"{self.name}: the arterial curve of '{self.artery}' is not finite: expected another segment.")
        return blood if self.model == "dsc" else blood / (1.0 - self.hematocrit)

    def _concentration(self, signals: Any, t1: float) -> npt.NDArray[np.float64]:
        """Return concentrations of curves with time along the first axis."""
        if self.model == "dsc":
            return np.asarray(signals) if self.echo_time is None else relaxation_change(signals, self.echo_time, self.baseline)
        if self.flip_angle is None:
            return np.asarray(signals)
        return concentration(
            signals, flip=self.flip_angle, tr=self.repetition_time, t1=t1, relaxivity=self.relaxivity, baseline=self.baseline
        )
