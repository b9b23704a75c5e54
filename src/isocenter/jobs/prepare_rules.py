"""Which steps an image needs before it is looked at or segmented, and why; and which were considered and not taken.

Every rule names the figure it goes by. A step that would change what values mean (HU, SUV, Bq/ml, diffusion) is never taken
for a calibrated image; where noise is lowered, the image as read stays beside the prepared one, and it is measured.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from isocenter.core.image import Image
from isocenter.jobs.prepare_measures import Measures, calibrated

__all__ = ["Considered", "Proposal", "Proposed", "propose"]

#: Noise below this fraction of the contrast is not worth a filter.
_NOISE = 0.015
#: What a noise model may leave unexplained (of a logarithm) before it is no model.
_MISFIT = 0.5
_BIAS, _STRIPES, _RINGS, _RINGING, _SPECKLE, _LIGHT = 0.03, 0.01, 0.008, 0.003, 0.08, 0.15
#: Motion in fractions of the smallest spacing.
_MOTION = 0.25
#: Modality -> noise models that its physics has; others are artefacts of structure.
_MODELS = {
    "CT": ("gaussian", "impulse"),
    "MR": ("gaussian", "rician", "impulse"),
    "PT": ("gaussian", "poisson"),
    "NM": ("gaussian", "poisson"),
    "US": ("gaussian", "speckle"),
}
_RADIOGRAPHS = ("CR", "DX", "MG", "XA", "RF", "PX", "IO")
_WORDS = {
    "gaussian": "the same in dark and bright parts (Gaussian)",
    "rician": "smaller where there is no signal (Rician)",
    "poisson": "growing with the square root of the signal (Poisson)",
    "speckle": "growing in proportion to the signal (speckle)",
    "impulse": "lone extreme samples (salt and pepper)",
}


@dataclass(frozen=True)
class Proposed:
    """A step that is taken: operation, parameters, the figure that asks for it, and the reason in plain words."""

    op: str
    measured: str
    why: str
    parameters: Mapping[str, Any] = field(default_factory=dict)

    @property
    def sentence(self) -> str:
        """Reason and figure in one line."""
        return f"{self.op}: {self.why} Measured: {self.measured}."


@dataclass(frozen=True)
class Considered:
    """A step that was thought of and not taken, with its figure and the reason."""

    op: str
    measured: str
    why: str

    @property
    def sentence(self) -> str:
        """Reason and figure in one line."""
        return f"{self.op}: {self.why} Measured: {self.measured}."


@dataclass(frozen=True)
class Proposal:
    """The chain for one image, in order, and what was left alone."""

    steps: tuple[Proposed, ...]
    considered: tuple[Considered, ...]

    @property
    def sentences(self) -> tuple[str, ...]:
        """Every step and every step not taken, for people."""
        taken = [f"would help: {step.sentence}" for step in self.steps] or ["nothing would help: the image is fit as it is."]
        return (*taken, *[f"not needed: {one.sentence}" for one in self.considered])


class _Chain:
    """Collects steps in the order in which they have to run."""

    def __init__(self, image: Image, measures: Measures) -> None:
        self.image, self.measures = image, measures
        self.calibrated = calibrated(image.quantity)
        self.steps: list[Proposed] = []
        self.considered: list[Considered] = []

    def take(self, op: str, measured: str, why: str, **parameters: Any) -> None:
        self.steps.append(Proposed(op, measured, why, parameters))

    def leave(self, op: str, measured: str, why: str) -> None:
        self.considered.append(Considered(op, measured, why))


def propose(image: Image, measures: Measures) -> Proposal:
    """Return the chain that the measures ask for."""
    chain = _Chain(image, measures)
    if measures.holes:
        chain.leave(
            "every filter", f"{measures.holes} samples that are not finite", "a filter would spread them; fill them first."
        )
        return Proposal((), tuple(chain.considered))
    if measures.contrast == 0.0:
        chain.leave("every filter", "contrast 0", "the image is even: there is nothing to bring out.")
        return Proposal((), tuple(chain.considered))
    _series(chain)
    _ringing(chain)
    _metal(chain)
    _lines(chain)
    _noise(chain)
    _motion(chain)
    _brightness(chain)
    _colours(chain)
    _remarks(chain)
    return Proposal(tuple(chain.steps), tuple(chain.considered))


def _share(value: float) -> str:
    return f"{100.0 * value:.{3 if value >= 0.1 else 2}g} %"


def _series(chain: _Chain) -> None:
    """Long series: what their volumes do not share is noise."""
    image, noise = chain.image, chain.measures
    if "t" not in image.dims or "c" in image.dims:
        return
    count = image.shape[0]
    shown = f"noise of {_share(noise.noise_share)} of the contrast, {count} time points"
    if count >= 10 and noise.noise_share > _NOISE and image.modality in ("MR", None):
        chain.take(
            "denoise.low_rank",
            shown,
            "the time points share few patterns; what none of them explains is noise. It smooths nothing in space.",
        )
    else:
        why = "it needs ten or more time points." if count < 10 else "it is for MR series with noise worth lowering."
        chain.leave("denoise.low_rank", shown, why)


def _ringing(chain: _Chain) -> None:
    value = chain.measures.artifacts.get("ringing", 0.0)
    shown = f"alternation of {_share(value)} of the contrast beside borders"
    if chain.image.modality != "MR":
        return
    if value > _RINGING:
        chain.take("correct.gibbs", shown, "k-space was cut off, which rings beside borders; local shifts take it out.")
    else:
        chain.leave("correct.gibbs", shown, f"ringing below {_share(_RINGING)} is not worth an interpolation.")


def _metal(chain: _Chain) -> None:
    if chain.image.quantity != "HU":
        return
    value = chain.measures.metal
    shown = f"{_share(value)} of the voxels above 2500 HU"
    if value > 2e-5 and len(chain.image.geometry.shape) in (2, 3):
        chain.leave(
            "correct.metal",
            shown,
            "there may be metal with streaks around it; the correction changes HU beside it, so it is yours to ask for.",
        )
    else:
        chain.leave("correct.metal", shown, "no metal.")


def _lines(chain: _Chain) -> None:
    """Stripes and rings: offsets of whole lines, which shift values by their height."""
    found = chain.measures.artifacts
    for name, op, limit, what, parameters in (
        ("stripes_rows", "correct.stripes", _STRIPES, "rows", {"running": "rows"}),
        ("stripes_columns", "correct.stripes", _STRIPES, "columns", {"running": "columns"}),
        ("rings", "correct.rings", _RINGS, "circles around the middle", {}),
    ):
        if name not in found or (name == "rings" and chain.image.modality not in ("CT", None)):
            continue
        shown = f"offsets of {what} of {_share(found[name])} of the contrast"
        if found[name] <= limit:
            chain.leave(op, shown, f"below {_share(limit)}.")
        elif chain.calibrated:
            chain.leave(
                op, shown, f"it would move calibrated values ({chain.image.quantity}); ask for it where looking matters more."
            )
        else:
            chain.take(
                op, shown, f"whole {what} are too bright or too dark, as detectors of unequal gain leave them.", **parameters
            )


def _noise(chain: _Chain) -> None:
    image, measures = chain.image, chain.measures
    noise = measures.noise
    if any(step.op == "denoise.low_rank" for step in chain.steps):
        return
    if noise is None or noise.name == "none":
        chain.leave("denoise", "no noise between neighbouring samples", "there is nothing to lower.")
        return
    if image.modality == "US":
        _speckle(chain)
        return
    shown = f"{_WORDS[noise.name]}, {_share(measures.noise_share)} of the contrast"
    if noise.name == "impulse":
        chain.take(
            "denoise.median",
            f"{_share(noise.strength)} of the samples",
            f"{_WORDS['impulse']}: only these are replaced.",
            only="extremes",
        )
        return
    if measures.noise_share <= _NOISE:
        chain.leave("denoise", shown, f"noise below {_share(_NOISE)} of the contrast is not worth the detail it would cost.")
        return
    allowed = _MODELS.get(image.modality or "", tuple(_WORDS))
    if noise.name not in allowed or noise.misfit > _MISFIT:
        chain.leave("denoise", shown, "the noise follows no model that fits this kind of image: unknown noise is left alone.")
        return
    if image.modality in ("PT", "NM"):
        chain.leave(
            "denoise", shown, "smoothing lowers peaks, and uptake is read off peaks; harmonise the reconstruction instead."
        )
        return
    _lower(chain, shown)


def _lower(chain: _Chain, shown: str) -> None:
    """Take the denoiser that wins most on a noise model."""
    noise = chain.measures.noise
    assert noise is not None  # the caller has looked
    kept = f" Values stay {chain.image.quantity} and keep their mean, but measure the image as read." if chain.calibrated else ""
    if noise.name == "speckle":
        chain.take(
            "denoise.speckle",
            shown,
            f"diffusion that stops at borders and knows speckle.{kept}",
            variation=_rounded(noise.strength),
        )
        return
    model = noise.name if noise.name in ("rician", "poisson") else "gaussian"
    given: dict[str, Any] = {} if model == "gaussian" else {"model": model, "sigma": _rounded(noise.strength)}
    chain.take(
        "denoise.nonlocal_means",
        shown,
        f"averages places whose surroundings look alike, so borders and texture stay.{kept}",
        **given,
    )


def _speckle(chain: _Chain) -> None:
    value = chain.measures.speckle
    shown = f"speckle varies by {_share(value)} of the signal in even parts"
    if value > _SPECKLE:
        chain.take(
            "denoise.speckle",
            shown,
            "diffusion that stops at borders and knows speckle; where texture is the finding, read the image as it is.",
        )
    else:
        chain.leave("denoise.speckle", shown, f"below {_share(_SPECKLE)}.")


def _motion(chain: _Chain) -> None:
    motion = chain.measures.motion
    if motion is None:
        return
    step = min(s for s in chain.image.geometry.spacing)
    shown = f"up to {motion[0]:.2f} mm and {motion[1]:.2f} degrees between volumes"
    if chain.image.modality == "US":
        chain.leave("correct.motion", shown, "what moves in ultrasound is the finding.")
    elif motion[0] > _MOTION * step or motion[1] > 0.5:
        chain.take(
            "correct.motion", shown, "the volumes do not lie over one another; each is moved rigidly and interpolated once."
        )
    else:
        chain.leave(
            "correct.motion", shown, f"less than a quarter of a sample ({_MOTION * step:.2g} mm): interpolation would cost more."
        )


def _brightness(chain: _Chain) -> None:
    image, value = chain.image, chain.measures.bias
    if chain.calibrated:
        why = f"values are {image.quantity}: dividing them by a field would change what they mean."
        chain.leave("correct.bias_field", "not measured on calibrated values", why)
        return
    if value is None or chain.measures.content:
        return
    shown = f"a smooth field varies the brightness by {_share(value)}"
    volume = len(image.geometry.shape) == 3 and image.geometry.unit == "mm" and "t" not in image.dims and "c" not in image.dims
    if image.modality == "MR" or (image.modality is None and volume):
        if value > _BIAS and image.geometry.unit == "mm" and image.geometry.is_orthogonal and len(image.geometry.shape) > 1:
            chain.take(
                "correct.bias_field", shown, "receive coils see near tissue brighter; equal tissue gets equal values (N4)."
            )
        else:
            chain.leave("correct.bias_field", shown, f"below {_share(_BIAS)}, or no grid in mm to fit a field on.")
    elif image.modality in ("SM", "GM", "XC"):
        if value > _LIGHT:
            chain.take("correct.illumination", shown, "the lamp is brighter in one part of the picture.")
        else:
            chain.leave("correct.illumination", shown, f"below {_share(_LIGHT)}.")
    else:
        chain.leave("correct.bias_field", shown, "in this kind of image a slow change of brightness is anatomy.")


def _colours(chain: _Chain) -> None:
    content = chain.measures.content
    if content == "fundus":
        chain.take(
            "enhance.fundus",
            "a reddish disc on black",
            "evens the light and brings out vessels and lesions; colours lose their meaning.",
        )
    elif content == "stained section":
        chain.leave(
            "correct.stain",
            "purple and pink on white",
            "the section would be given the colours of a reference: name one with isocenter apply correct.stain.",
        )
    if chain.image.modality in _RADIOGRAPHS:
        chain.leave(
            "enhance.clahe",
            f"contrast {chain.measures.contrast:.4g}",
            "local contrast is for looking: a viewer's window does it and changes no value.",
        )


def _remarks(chain: _Chain) -> None:
    """Name what was found and no filter can undo."""
    found, sharp = chain.measures.artifacts, chain.measures.sharpness
    if found.get("clipped", 0.0) > 0.002:
        chain.leave(
            "anything against clipping",
            f"{_share(found['clipped'])} of the samples stand at the highest value",
            "what was cut off is gone.",
        )
    if found.get("rim", 0.0) >= 4:
        chain.leave(
            "resample.crop",
            f"an empty rim of {found['rim']:.0f} samples",
            "cropping would change the grid; ask for it where the rim is in the way.",
        )
    if sharp is not None:
        chain.leave(
            "enhance.sharpen",
            f"sharpness {sharp:.2f} of 1",
            "sharpening raises noise and makes rims; it is for looking, never before measuring.",
        )


def _rounded(value: float) -> float:
    """Return a strength to four digits, as a person would write it down."""
    return float(f"{value:.4g}")
