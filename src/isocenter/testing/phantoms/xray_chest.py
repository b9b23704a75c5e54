"""A chest radiograph of known lung fields: path lengths through ellipsoids, seen from behind the patient's plate.

Rows run to the feet and columns to the patient's left, so the patient's right lung is on the left of the picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from isocenter.core.codes import ANATOMY, Code
from isocenter.core.errors import ParameterError
from isocenter.core.geometry import Geometry
from isocenter.core.image import Image
from isocenter.core.labels import LabelMap, Segment
from isocenter.testing.phantoms._canvas import frame_uid, sourced

__all__ = ["XrayChest", "xray_chest"]

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class XrayChest:
    """What `xray_chest` returns.

    Attributes
    ----------
    image
        uint16, 0 to 4095; bright is dense unless `inverted` was asked for.
    truth
        Right lung, left lung (the fields not covered by heart and mediastinum) and heart.
    cardiothoracic_ratio
        Width of the heart over the largest width of the chest between the lungs' outer borders.
    """

    image: Image
    truth: LabelMap
    cardiothoracic_ratio: float


def _path(left: Array, superior: Array, center: Sequence[float], radii: Sequence[float]) -> Array:
    """Length in mm of the ray along P through an ellipsoid at (L, S) `center` with radii (L, P, S)."""
    inside = 1.0 - ((left - center[0]) / radii[0]) ** 2 - ((superior - center[1]) / radii[2]) ** 2
    result: Array = 2.0 * radii[1] * np.sqrt(np.maximum(inside, 0.0))
    return result


def xray_chest(
    shape: Sequence[int] = (256, 256),
    spacing: Sequence[float] = (1.5, 1.5),
    *,
    seed: int = 0,
    nodule: tuple[float, float, float] | None = None,
    heart: float = 1.0,
    noise: float = 12.0,
    inverted: bool = False,
    calibrated: bool = True,
) -> XrayChest:
    """Return a postero-anterior chest radiograph with its lung fields.

    Parameters
    ----------
    shape, spacing
        Rows, columns; mm.
    seed
        Of ribs' phase and noise.
    nodule
        (L, S, diameter) in mm of a round nodule; None for none.
    heart
        Scale of the heart (0.5 to 1.6; above about 1.2 it is enlarged).
    noise
        Standard deviation in grey values (of 4095).
    inverted
        Store dense as dark, as files of photometric interpretation MONOCHROME1 do.
    calibrated
        False gives a grid in ``px``, as a photograph of a radiograph has.

    Raises
    ------
    ParameterError
        If a parameter is outside its domain.
    """
    if len(tuple(shape)) != 2 or len(tuple(spacing)) != 2 or not 0.5 <= heart <= 1.6 or noise < 0.0:
        raise ParameterError(f"Radiograph of shape {tuple(shape)}, heart {heart}: expected two axes, a scale of 0.5 to 1.6.")
    affine = np.zeros((4, 3))
    affine[2, 0], affine[0, 1], affine[3, 2] = -spacing[0], spacing[1], 1.0
    affine[0, 2] = -spacing[1] * (shape[1] - 1) / 2.0
    affine[2, 2] = spacing[0] * (shape[0] - 1) / 2.0
    grid = Geometry(tuple(shape), affine, frame_uid("xray", seed))
    left = (affine[0, 2] + spacing[1] * np.arange(shape[1]))[None, :]
    superior = (affine[2, 2] - spacing[0] * np.arange(shape[0]))[:, None]
    rng = np.random.default_rng([seed, 1])
    density, fields, heart_field = _density(left, superior, heart, nodule, float(rng.uniform(0.0, 24.0)))
    grey = 4095.0 * (1.0 - np.exp(-1.1 * density / 4.0))
    grey = grey + noise * rng.standard_normal(grey.shape)
    array = np.clip(np.rint(grey), 0, 4095).astype(np.uint16)
    if inverted:
        array = (4095 - array).astype(np.uint16)
    labels = np.zeros(tuple(shape), np.uint8)
    labels[heart_field] = 3
    for value, field in enumerate(fields, start=1):
        labels[field] = value
    rows = (Segment(1, "right lung"), Segment(2, "left lung"), Segment(3, "heart", Code("80891009", "SCT", "Heart"), ANATOMY))
    geometry = grid if calibrated else Geometry.pixels(shape)
    image = Image(array, ("y", "x"), geometry, modality="DX", quantity="a.u.")
    truth = LabelMap(labels, ("y", "x"), geometry, rows)
    return XrayChest(sourced(image), sourced(truth), 2.0 * 58.0 * heart / (2 * 136.0))


def _density(
    left: Array, superior: Array, heart: float, nodule: tuple[float, float, float] | None, phase: float
) -> tuple[Array, tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]], npt.NDArray[np.bool_]]:
    """Return the line integral of attenuation (1) and which pixels are lung and heart."""
    soft, bone = 0.018, 0.045  # per mm
    body = 2.0 * 110.0 * np.sqrt(np.maximum(1.0 - (left / 172.0) ** 2, 0.0))
    lungs = (((-80.0, 5.0), (56.0, 78.0, 122.0)), ((80.0, 5.0), (56.0, 78.0, 122.0)))
    core = ((20.0, -42.0), (58.0 * heart, 48.0 * heart, 60.0 * heart))
    paths = [_path(left, superior, *lung) for lung in lungs]
    through_heart = _path(left, superior, *core)
    air = np.maximum(paths[0] + paths[1] - 0.8 * through_heart, 0.0)
    total = soft * (body - 0.85 * air)
    spine = np.abs(left) < 17.0
    total = total + (bone - soft) * 14.0 * spine
    # Each rib is an arc that falls towards the side of the chest.
    arcs = np.mod(superior + 0.0035 * left**2 + phase, 26.0) - 13.0
    ribs = np.clip(1.0 - np.abs(arcs) / 4.5, 0.0, 1.0) * (np.abs(left) < 146.0) * (np.abs(left) > 17.0)
    total = total + 6.0 * (bone - soft) * ribs
    if nodule is not None:
        r = nodule[2] / 2.0
        total = total + 2.0 * soft * _path(left, superior, nodule[:2], (r, r, r))
    middle = np.abs(left) < 30.0
    covered = (through_heart > 0.0) | np.broadcast_to(middle, through_heart.shape)
    fields = (paths[0] > 0.0) & ~covered, (paths[1] > 0.0) & ~covered
    return total, fields, through_heart > 0.0
