"""Small images that the ready-made segmenters find something in: their contract checks run on them."""

from __future__ import annotations

import numpy as np

from isocenter.core.geometry import Geometry
from isocenter.core.image import Image
from isocenter.core.provenance import Provenance

__all__ = ["airways", "chest", "retina", "slide", "spots"]


def chest() -> Image:
    """Return a coarse chest CT: an elliptic body with two lungs, a nodule in each, and a spine."""
    shape, spacing = (30, 52, 68), (8.0, 5.5, 5.5)
    geometry = Geometry.regular(shape, spacing, origin=(-184.0, -140.0, -116.0))
    z, y, x = (np.arange(n) * s + o for n, s, o in zip(shape, spacing, (-116.0, -140.0, -184.0), strict=True))
    superior, posterior, left = np.meshgrid(z, y, x, indexing="ij")
    hu = np.full(shape, -1000.0)
    hu[(left / 165.0) ** 2 + (posterior / 115.0) ** 2 < 1.0] = 40.0
    for side in (-78.0, 78.0):
        hu[((left - side) / 56.0) ** 2 + (posterior / 80.0) ** 2 + (superior / 100.0) ** 2 < 1.0] = -850.0
        hu[(left - side) ** 2 + (posterior - 10.0) ** 2 + (superior - side / 4.0) ** 2 < 14.0**2] = 40.0
    hu[left**2 + (posterior - 75.0) ** 2 < 18.0**2] = 300.0
    hu += 10.0 * np.random.default_rng(11).standard_normal(shape)
    image = Image(np.rint(hu).astype(np.int16), ("z", "y", "x"), geometry, modality="CT", quantity="HU")
    return image.replace(provenance=Provenance.read(image.digest, "example"))


def spots() -> Image:
    """Return a grey picture of round bright nuclei on a dark ground, two of which touch."""
    shape = (72, 80)
    y, x = np.indices(shape, dtype=np.float64)
    values = np.full(shape, 12.0)
    for cy, cx, r in ((16, 18, 9), (20, 52, 10), (50, 24, 8), (52, 39, 8), (54, 66, 9)):
        values = np.maximum(values, 12.0 + 150.0 / (1.0 + np.exp((np.hypot(y - cy, x - cx) - r) / 0.7)))
    values += 3.0 * np.random.default_rng(12).standard_normal(shape)
    image = Image(np.clip(np.rint(values), 0, 255).astype(np.uint8), ("y", "x"), Geometry.pixels(shape))
    return image.replace(provenance=Provenance.read(image.digest, "example"))


def retina() -> Image:
    """Return a small colour photograph of a round field with a bright disc and a dark vessel."""
    shape = (72, 72)
    y, x = np.indices(shape, dtype=np.float64)
    field = np.hypot(y - 36, x - 35) < 32
    disc = 1.0 / (1.0 + np.exp((np.hypot(y - 36, x - 52) - 4.8) / 0.5))
    vessel = np.exp(-(((y - 36 - 0.01 * (x - 35) ** 2) / 1.0) ** 2))
    values = np.stack([150 + 90 * disc - 40 * vessel, 80 + 110 * disc - 45 * vessel, 40 + 60 * disc - 15 * vessel])
    values = np.where(field, values, 4.0) + 2.0 * np.random.default_rng(13).standard_normal(values.shape)
    names = ("red", "green", "blue")
    image = Image(np.clip(np.rint(values), 0, 255).astype(np.uint8), ("c", "y", "x"), Geometry.pixels(shape), channels=names)
    return image.replace(provenance=Provenance.read(image.digest, "example"))


def slide() -> Image:
    """Return a small stained section on a bright slide."""
    shape = (64, 72)
    y, x = np.indices(shape, dtype=np.float64)
    tissue = (np.hypot((y - 30) / 20, (x - 34) / 24) < 1) & ~(np.hypot(y - 30, x - 40) < 3)
    values = np.where(tissue, np.array([190.0, 110.0, 170.0])[:, None, None], 240.0)
    values = values + 4.0 * np.random.default_rng(14).standard_normal(values.shape)
    names = ("red", "green", "blue")
    image = Image(np.clip(np.rint(values), 0, 255).astype(np.uint8), ("c", "y", "x"), Geometry.pixels(shape), channels=names)
    return image.replace(provenance=Provenance.read(image.digest, "example"))


def airways() -> Image:
    """Return the chest with a trachea that forks into two bronchi, on finer slices."""
    shape, spacing = (40, 50, 64), (5.0, 4.0, 4.0)
    z, y, x = ((np.arange(n) - (n - 1) / 2) * s for n, s in zip(shape, spacing, strict=True))
    superior, posterior, left = np.meshgrid(z, y, x, indexing="ij")
    hu = np.full(shape, -1000.0)
    hu[(left / 120.0) ** 2 + (posterior / 92.0) ** 2 < 1.0] = 40.0
    for side in (-58.0, 58.0):
        hu[((left - side) / 38.0) ** 2 + (posterior / 62.0) ** 2 + (superior / 80.0) ** 2 < 1.0] = -830.0
    aside = np.where(superior > 10.0, np.abs(left), np.abs(np.abs(left) - 0.5 * (10.0 - superior)))
    tube = (np.hypot(aside, posterior - 5.0) < 9.0) & (superior > -15.0)
    hu[tube] = -990.0
    hu += 8.0 * np.random.default_rng(16).standard_normal(shape)
    geometry = Geometry.regular(shape, spacing, origin=(x[0], y[0], z[0]))
    image = Image(np.rint(hu).astype(np.int16), ("z", "y", "x"), geometry, modality="CT", quantity="HU")
    return image.replace(provenance=Provenance.read(image.digest, "example"))
