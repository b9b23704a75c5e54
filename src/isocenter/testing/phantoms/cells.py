"""Nuclei of known outlines, some of them touching: as fluorescence or as a stained section in transmitted light."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from isocenter.core.errors import ParameterError
from isocenter.core.geometry import Geometry
from isocenter.core.image import Image
from isocenter.core.labels import LabelMap, Segment
from isocenter.testing.phantoms._canvas import sourced

__all__ = ["Cells", "Stain", "cells"]

Stain = Literal["fluorescence", "hematoxylin_eosin"]

# Absorbance of the stains in red, green, blue (rows sum of squares 1): hematoxylin blue-violet, eosin pink.
_HEMATOXYLIN = np.array((0.64, 0.71, 0.29))
_EOSIN = np.array((0.09, 0.95, 0.29))


@dataclass(frozen=True)
class Cells:
    """What `cells` returns.

    Attributes
    ----------
    image
        uint8; ``y x`` for fluorescence, ``c y x`` (red, green, blue) for the stained section.
    truth
        One segment per nucleus, ``nucleus 1`` ...
    touching
        Pairs of label values whose nuclei touch.
    areas
        Area of each nucleus in pixels, as labelled.
    ellipses
        Shape (n, 5): row and column of the centre, both semi-axes in pixels, angle in radians.
    """

    image: Image
    truth: LabelMap
    touching: tuple[tuple[int, int], ...]
    areas: tuple[int, ...]
    ellipses: npt.NDArray[np.float64]


def _inside(shape: tuple[int, int], ellipse: Sequence[float]) -> tuple[tuple[slice, slice], npt.NDArray[np.float64]]:
    """Return a window and, in it, the squared distance from the centre in units of the ellipse (inside: <= 1)."""
    y, x, a, b, angle = ellipse
    reach = math.ceil(max(a, b)) + 1
    rows = slice(max(0, int(y) - reach), min(shape[0], int(y) + reach + 2))
    columns = slice(max(0, int(x) - reach), min(shape[1], int(x) + reach + 2))
    dy = np.arange(rows.start, rows.stop)[:, None] - y
    dx = np.arange(columns.start, columns.stop)[None, :] - x
    u = np.cos(angle) * dy + np.sin(angle) * dx
    v = -np.sin(angle) * dy + np.cos(angle) * dx
    return (rows, columns), (u / a) ** 2 + (v / b) ** 2


def _place(
    shape: tuple[int, int], count: int, pairs: int, diameter: float, rng: np.random.Generator
) -> tuple[list[list[float]], list[tuple[int, int]]]:
    """Return ellipses apart from each other, and pairs of which the second touches the first."""
    placed: list[list[float]] = []
    touching: list[tuple[int, int]] = []
    taken = np.zeros(shape, bool)
    tries = 0
    while len(placed) < count and tries < 2000:  # misses in a row
        tries += 1
        room = count - len(placed)
        twins = len(touching) < pairs and room >= 2
        a = 0.5 * diameter * float(rng.uniform(0.85, 1.25))
        b = a * float(rng.uniform(0.75, 1.0))
        margin = 2.6 * a if twins else a + 2.0
        y, x = (float(rng.uniform(margin, n - margin)) if n > 2 * margin else -1.0 for n in shape)
        if y < 0 or x < 0:
            break
        angle = float(rng.uniform(0.0, math.pi))
        group = [[y, x, a, b, angle]]
        if twins:
            # A round neighbour on the minor axis: its surface is 0.5 pixel inside the first one's.
            r = b * float(rng.uniform(0.85, 1.1))
            gap = b + r - 0.5
            group.append([y - np.sin(angle) * gap, x + np.cos(angle) * gap, r, r, 0.0])
        marks = []
        for ellipse in group:
            window, squared = _inside(shape, [ellipse[0], ellipse[1], ellipse[2] + 2.0, ellipse[3] + 2.0, ellipse[4]])
            marks.append((window, squared <= 1.0))
        if any((taken[window] & mark).any() for window, mark in marks):
            continue
        tries = 0
        for window, mark in marks:
            taken[window] |= mark
        if twins:
            touching.append((len(placed) + 1, len(placed) + 2))
        placed.extend(group)
    if len(placed) < count:
        raise ParameterError(
            f"{count} nuclei of {diameter} pixels do not fit on {shape[0]} x {shape[1]} pixels: expected fewer or smaller ones."
        )
    return placed, touching


def cells(
    shape: Sequence[int] = (256, 256),
    *,
    seed: int = 0,
    count: int = 40,
    touching: int = 5,
    diameter: float = 20.0,
    stain: Stain = "fluorescence",
    noise: float = 4.0,
    spacing: float | None = None,
) -> Cells:
    """Return an image of nuclei with the outline of each.

    Parameters
    ----------
    shape
        Rows, columns.
    seed
        Of places, sizes, texture and noise.
    count
        Number of nuclei, all wholly inside the image.
    touching
        Number of touching pairs among them.
    diameter
        Mean diameter in pixels.
    stain
        ``fluorescence``: bright on dark, one channel; ``hematoxylin_eosin``: dark violet on pink, three.
    noise
        Standard deviation in grey values (of 255), on top of photon noise.
    spacing
        Pixel size in mm; None for an uncalibrated image.

    Raises
    ------
    ParameterError
        If a parameter is outside its domain or the nuclei do not fit.

    References
    ----------
    A. C. Ruifrok and D. A. Johnston, Quantification of histochemical staining by color deconvolution,
    Anal. Quant. Cytol. Histol. 23 (2001).
    """
    size = (int(shape[0]), int(shape[1]))
    if len(tuple(shape)) != 2 or count < 0 or not 0 <= 2 * touching <= count or diameter < 4.0 or noise < 0.0:
        raise ParameterError(
            f"{count} nuclei with {touching} touching pairs, diameter {diameter}: expected two axes, no more nuclei in pairs "
            "than there are, and 4 pixels or more."
        )
    if stain not in ("fluorescence", "hematoxylin_eosin"):
        raise ParameterError(f"Stain {stain!r}: expected 'fluorescence' or 'hematoxylin_eosin'.")
    ellipses, pairs = _place(size, count, touching, diameter, np.random.default_rng([seed, 1]))
    labels = np.zeros(size, np.uint16)
    for value, ellipse in enumerate(ellipses, start=1):
        window, squared = _inside(size, ellipse)
        labels[window][(squared <= 1.0) & (labels[window] == 0)] = value
    geometry = Geometry.pixels(size) if spacing is None else Geometry.regular(size, spacing)
    rng = np.random.default_rng([seed, 2])
    if stain == "fluorescence":
        array = _fluorescence(labels, count, noise, rng)
        image = Image(array, ("y", "x"), geometry, modality="GM", quantity="a.u.")
    else:
        array = _stained(labels, count, noise, rng)
        image = Image(array, ("c", "y", "x"), geometry, modality="SM", quantity="a.u.", channels=("red", "green", "blue"))
    rows = tuple(Segment(k, f"nucleus {k}") for k in range(1, count + 1))
    truth = LabelMap(labels, ("y", "x"), geometry, rows)
    areas = tuple(int(n) for n in np.bincount(labels.ravel(), minlength=count + 1)[1:])
    return Cells(sourced(image), sourced(truth), tuple(pairs), areas, np.array(ellipses, dtype=float).reshape(-1, 5))


def _texture(size: tuple[int, ...], scale: float, rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """Return smooth noise with mean about 0 and standard deviation 1."""
    rough = ndimage.gaussian_filter(rng.standard_normal(size), scale)
    result: npt.NDArray[np.float64] = rough / max(float(rough.std()), 1e-12)
    return result


def _fluorescence(labels: npt.NDArray[np.uint16], count: int, noise: float, rng: np.random.Generator) -> npt.NDArray[np.uint8]:
    brightness = np.concatenate([[14.0], rng.uniform(90.0, 180.0, count)])
    signal = brightness[labels] * np.where(labels > 0, 1.0 + 0.08 * _texture(labels.shape, 2.0, rng), 1.0)
    signal = ndimage.gaussian_filter(signal, 0.8)
    photons = rng.poisson(np.maximum(signal, 0.0) * 4.0) / 4.0
    array = photons + noise * rng.standard_normal(labels.shape)
    return np.clip(np.rint(array), 0, 255).astype(np.uint8)


def _stained(labels: npt.NDArray[np.uint16], count: int, noise: float, rng: np.random.Generator) -> npt.NDArray[np.uint8]:
    depth = np.concatenate([[0.04], rng.uniform(0.9, 1.4, count)])
    nuclear = ndimage.gaussian_filter(
        depth[labels] * np.where(labels > 0, 1.0 + 0.15 * _texture(labels.shape, 1.5, rng), 1.0), 0.7
    )
    eosin = np.clip(0.32 + 0.10 * _texture(labels.shape, 3.0, rng), 0.05, None) * np.where(labels > 0, 0.35, 1.0)
    absorbance = nuclear[None] * _HEMATOXYLIN[:, None, None] + eosin[None] * _EOSIN[:, None, None]
    array = 245.0 * np.exp(-absorbance) + 0.5 * noise * rng.standard_normal(absorbance.shape)
    return np.clip(np.rint(array), 0, 255).astype(np.uint8)
