"""A T1-weighted brain of known truth: tissues, ventricles, a lesion; with a bias field on request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from isocenter.core.codes import ANATOMY, MORPHOLOGY, Code
from isocenter.core.errors import ParameterError
from isocenter.core.image import Image
from isocenter.core.labels import LabelMap, Segment
from isocenter.core.points import Points
from isocenter.testing.phantoms._canvas import Canvas, Ellipsoid, Vector, centered, frame_uid, sourced

__all__ = ["LARGE", "SMALL", "BrainMR", "brain_mr"]

#: Shape and spacing (mm) of the two usual sizes.
SMALL: tuple[tuple[int, int, int], Vector] = ((64, 96, 88), (3.0, 2.25, 2.25))
LARGE: tuple[tuple[int, int, int], Vector] = ((160, 216, 192), (1.2, 1.0, 1.0))

SCALP, SKULL, FLUID, GREY, WHITE, VENTRICLES, LESION = range(1, 8)
_SIGNAL = {SCALP: 850.0, SKULL: 90.0, FLUID: 180.0, GREY: 480.0, WHITE: 720.0, VENTRICLES: 180.0, LESION: 330.0}
_ROWS = (
    Segment(SCALP, "scalp", Code("41695006", "SCT", "Scalp"), ANATOMY),
    Segment(SKULL, "skull", Code("89546000", "SCT", "Skull"), ANATOMY),
    Segment(FLUID, "cerebrospinal fluid", Code("65216001", "SCT", "Cerebrospinal fluid"), ANATOMY),
    Segment(GREY, "grey matter", Code("389080008", "SCT", "Gray matter of brain"), ANATOMY),
    Segment(WHITE, "white matter", Code("389081007", "SCT", "White matter of brain"), ANATOMY),
    Segment(VENTRICLES, "ventricles", Code("35764002", "SCT", "Brain ventricle"), ANATOMY),
    Segment(LESION, "lesion", Code("52988006", "SCT", "Lesion"), MORPHOLOGY),
)

_SCALP = Ellipsoid((0.0, 0.0, 0.0), (80.0, 98.0, 86.0))
_SKULL = Ellipsoid((0.0, 0.0, 0.0), (75.0, 93.0, 81.0))
_DURA = Ellipsoid((0.0, 0.0, 0.0), (69.0, 87.0, 75.0))
_BRAIN = Ellipsoid((0.0, 0.0, 0.0), (66.0, 84.0, 72.0))
_HORNS = tuple(Ellipsoid((side * 12.0, -2.0, 10.0), (7.0, 27.0, 9.0)) for side in (-1.0, 1.0))


@dataclass(frozen=True)
class BrainMR:
    """What `brain_mr` returns.

    Attributes
    ----------
    image
        Arbitrary units, uint16, with bias and noise.
    clean
        The same signal without bias and noise, float32.
    bias
        The multiplicative field, float32; its mean over the head is 1.
    truth
        Scalp, skull, cerebrospinal fluid, grey matter, white matter, ventricles, lesion.
    lesion
        Its centre in mm with its diameter in mm as value; empty without one.
    volumes
        Volumes in mm^3 by formula: head, ventricles (both horns), lesion, and the space inside the dura.
    """

    image: Image
    clean: Image
    bias: Image
    truth: LabelMap
    lesion: Points
    volumes: Mapping[str, float]

    def region(self, name: str) -> npt.NDArray[np.bool_]:
        """Return ``head``, ``intracranial``, ``brain`` (grey, white, ventricles, lesion), or a segment of `truth`."""
        labels = np.asarray(self.truth.array)
        if name == "head":
            return labels > 0
        if name == "intracranial":
            return labels >= FLUID
        if name == "brain":
            return labels >= GREY
        return self.truth.mask(name)


def _cortex(canvas: Canvas, folding: float) -> None:
    """Grey matter as a folded sheet, white matter below it, and the gap between the hemispheres."""
    left, posterior, superior = canvas.world
    waves = np.sin(left / 4.5) * np.sin(posterior / 5.5 + 0.7) + np.sin(superior / 5.0) * np.sin(posterior / 4.2 + 1.9)
    depth = np.broadcast_to(_BRAIN.distance(left, posterior, superior), canvas.geometry.shape)
    surface = depth + np.float32(folding * 0.5) * (waves + 1.0)
    core = depth + np.float32(2.0 * folding) * waves + 7.0
    fissure = 1.6 - np.abs(left) + np.zeros_like(superior)  # positive inside the gap
    gap = np.broadcast_to(np.minimum(fissure, superior - 22.0), canvas.geometry.shape)
    for distance, signal, label in ((surface, _SIGNAL[GREY], GREY), (core, _SIGNAL[WHITE], WHITE), (-gap, _SIGNAL[FLUID], FLUID)):
        inside = (distance <= 0.0) & (depth <= 0.0)
        share = np.clip(0.5 - distance / canvas.edge, 0.0, 1.0) * (depth <= 0.0)
        canvas.values += share * (np.float32(signal) - canvas.values)
        canvas.labels[inside] = label


def _bias_field(canvas: Canvas, bias: float, rng: np.random.Generator) -> npt.NDArray[np.float32]:
    """Return a smooth field exp(polynomial of degree 2) that spans a factor of (1 + bias) / (1 - bias) over the head."""
    scaled = [axis / r for axis, r in zip(canvas.world, _SCALP.radii, strict=True)]
    terms = [*scaled, scaled[0] * scaled[1], scaled[1] * scaled[2], scaled[0] ** 2, scaled[1] ** 2, scaled[2] ** 2]
    weights = rng.uniform(-1.0, 1.0, len(terms))
    field = np.zeros(canvas.geometry.shape, np.float32)
    for weight, term in zip(weights, terms, strict=True):
        field += np.float32(weight) * term
    head = canvas.labels > 0
    low, high = (float(field[head].min()), float(field[head].max())) if head.any() else (0.0, 1.0)
    span = np.log((1.0 + bias) / (1.0 - bias))
    field = np.exp((np.clip(field, low, high) - low) / max(high - low, 1e-6) * np.float32(span))
    scaled_field: npt.NDArray[np.float32] = (field / (field[head].mean() if head.any() else 1.0)).astype(np.float32)
    return scaled_field


def brain_mr(
    shape: Sequence[int] = SMALL[0],
    spacing: Sequence[float] = SMALL[1],
    *,
    seed: int = 0,
    bias: float = 0.0,
    noise: float = 12.0,
    lesion: tuple[Vector, float] | None = ((32.0, -22.0, 18.0), 20.0),
    folding: float = 2.0,
    center: Vector = (0.0, 0.0, 0.0),
) -> BrainMR:
    """Return a T1-weighted head with its truth.

    Parameters
    ----------
    shape, spacing
        Slices, rows, columns; mm in that order. `SMALL` (default) and `LARGE` are the usual ones.
    seed
        Of the bias field and the noise.
    bias
        Half the range of the multiplicative field (0.3: between about 0.7 and 1.3), 0 for none.
    noise
        Standard deviation of each of the two channels whose magnitude is stored (Rician noise); white matter is 720.
    lesion
        Centre (L, P, S) and diameter in mm; the standard one lies in the patient's left hemisphere. None for none.
    folding
        Amplitude of the folds of the cortex's outer surface in mm; the inner one has twice that.
    center
        Middle of the field of view (L, P, S) in mm.

    Raises
    ------
    ParameterError
        If a parameter is outside its domain.

    References
    ----------
    H. Gudbjartsson and S. Patz, The Rician distribution of noisy MRI data, Magn. Reson. Med. 34 (1995).
    """
    if not 0.0 <= bias < 1.0 or noise < 0.0 or not 0.0 <= folding <= 3.0:
        raise ParameterError(f"Phantom with bias {bias}, noise {noise}, folding {folding}: expected 0-1, >= 0 and 0-3 mm.")
    geometry = centered(shape, spacing, center, frame_uid("brain", seed))
    canvas = Canvas(geometry, 0.0)
    for shell, label in ((_SCALP, SCALP), (_SKULL, SKULL), (_DURA, FLUID)):
        canvas.paint(shell, _SIGNAL[label], label)
    _cortex(canvas, folding)
    for side in (-1.0, 1.0):
        canvas.paint(Ellipsoid((side * 16.0, 8.0, -8.0), (9.0, 14.0, 8.0)), _SIGNAL[GREY], GREY)
    for horn in _HORNS:
        canvas.paint(horn, _SIGNAL[VENTRICLES], VENTRICLES)
    points = Points(np.zeros((0, 3)), (), np.zeros(0), geometry.frame)
    volumes = {"head": _SCALP.volume, "intracranial": _DURA.volume, "ventricles": sum(h.volume for h in _HORNS)}
    if lesion is not None:
        place, diameter = lesion
        ball = Ellipsoid(place, (diameter / 2.0,) * 3)
        canvas.paint(ball, _SIGNAL[LESION], LESION)
        points = Points(np.array([place]), ("lesion",), np.array([diameter]), geometry.frame)
        volumes["lesion"] = ball.volume
    clean = canvas.values.copy()
    field = _bias_field(canvas, bias, np.random.default_rng([seed, 1]))
    noisy = _magnitude(clean * field, noise, np.random.default_rng([seed, 2]))
    dims = ("z", "y", "x")
    image = Image(np.clip(np.rint(noisy), 0, 65535).astype(np.uint16), dims, geometry, modality="MR", quantity="a.u.")
    return BrainMR(
        sourced(image),
        sourced(Image(clean, dims, geometry, modality="MR", quantity="a.u.")),
        sourced(Image(field, dims, geometry, quantity="1")),
        sourced(LabelMap(canvas.labels, dims, geometry, _ROWS)),
        points,
        volumes,
    )


def _magnitude(signal: npt.NDArray[np.float32], noise: float, rng: np.random.Generator) -> npt.NDArray[np.float32]:
    if noise == 0.0:
        return signal
    real = signal + np.float32(noise) * rng.standard_normal(signal.shape, np.float32)
    imaginary = np.float32(noise) * rng.standard_normal(signal.shape, np.float32)
    return np.hypot(real, imaginary)
