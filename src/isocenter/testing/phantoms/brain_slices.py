"""Slices of brains with and without a tumour, every person another one; and a public set's faults planted among them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

__all__ = ["CLASSES", "PlantedCase", "brain_slice", "flawed_set"]

CLASSES = ("glioma", "meningioma", "none", "pituitary")
COPIES = ("exact", "encoded", "shifted", "brighter", "mirrored", "resized")


@dataclass(frozen=True)
class PlantedCase:
    """One picture of a set.

    Attributes
    ----------
    array
        uint8, two axes.
    label
        One of `CLASSES`.
    part
        ``train`` or ``test``.
    source
        Number of the person shown; two cases of one person are copies of each other.
    copy
        How it was copied, empty for an original.
    """

    array: npt.NDArray[np.uint8]
    label: str
    part: str
    source: int
    copy: str = ""


def brain_slice(label: str = "none", *, size: int = 128, seed: int = 0) -> npt.NDArray[np.uint8]:
    """Return an axial slice: skull, folded cortex, ventricles, and a tumour where the class has one.

    Parameters
    ----------
    label
        One of `CLASSES`.
    size
        Samples along each side.
    seed
        The person: outline, folds, ventricles, place of the tumour and noise follow from it.
    """
    rng = np.random.default_rng([seed, CLASSES.index(label)])
    y, x = np.mgrid[0:size, 0:size].astype(np.float32) / size * 2 - 1
    tilt = rng.normal(0, 0.05)
    u, v = x * np.cos(tilt) + y * np.sin(tilt), y * np.cos(tilt) - x * np.sin(tilt)
    radii = 0.68 + rng.normal(0, 0.03), 0.84 + rng.normal(0, 0.03)
    head = (u / radii[0]) ** 2 + (v / radii[1]) ** 2
    folds = ndimage.gaussian_filter(rng.normal(size=(size, size)), size / rng.uniform(26, 34))
    folds /= folds.std()
    brain = head < 0.8
    picture = np.where(head < 1.0, 170.0, 8.0)
    picture[head < 0.92] = 25.0
    picture[brain] = (120 + 30 * np.tanh(2 * folds))[brain]
    for side in (-1, 1):
        place = side * rng.uniform(0.08, 0.14), rng.uniform(-0.1, 0.1)
        horn = ((u - place[0]) / rng.uniform(0.05, 0.09)) ** 2 + ((v - place[1]) / rng.uniform(0.18, 0.32)) ** 2 < 1
        picture[horn & brain] = 45.0
    if label != "none":
        far = {"glioma": rng.uniform(0.2, 0.45), "meningioma": 0.62, "pituitary": 0.0}[label]
        angle = rng.uniform(0, 2 * np.pi)
        middle = far * np.cos(angle), far * np.sin(angle) + (0.3 if label == "pituitary" else 0.0)
        spot = ((u - middle[0]) ** 2 + (v - middle[1]) ** 2) ** 0.5 / rng.uniform(0.1, 0.2) + 0.25 * folds
        picture += 90 * np.clip(1.2 - spot, 0, 1) * (head < 0.9)
    picture = ndimage.gaussian_filter(picture, 0.7) + rng.normal(0, 4, (size, size))
    return np.clip(np.rint(picture), 0, 255).astype(np.uint8)


def _copied(array: npt.NDArray[np.uint8], how: str, rng: np.random.Generator) -> npt.NDArray[np.uint8]:
    data = array.astype(np.float32)
    if how == "encoded":  # what a lossy codec leaves: blocks of 8 x 8 with coarse frequencies
        from scipy import fft

        blocks = data.reshape(array.shape[0] // 8, 8, array.shape[1] // 8, 8).transpose(0, 2, 1, 3) - 128
        step = 6.0 + 3.0 * (np.arange(8)[:, None] + np.arange(8)[None, :])
        coarse = np.rint(fft.dctn(blocks, axes=(2, 3), norm="ortho") / step) * step
        data = fft.idctn(coarse, axes=(2, 3), norm="ortho").transpose(0, 2, 1, 3).reshape(array.shape) + 128
    elif how == "shifted":
        data = ndimage.shift(data, rng.uniform(-4, 4, 2), order=1, mode="nearest")
    elif how == "brighter":
        data = data * rng.uniform(0.75, 1.2) + rng.uniform(-5, 20)
    elif how == "mirrored":
        data = data[:, ::-1]
    elif how == "resized":
        data = ndimage.zoom(data, 1.5, order=1)
    return np.clip(np.rint(data), 0, 255).astype(np.uint8)


def flawed_set(
    train: int = 400,
    test: int = 240,
    *,
    within_train: int = 93,
    within_test: int = 80,
    across: int = 64,
    exact: bool = False,
    size: int = 128,
    seed: int = 0,
) -> list[PlantedCase]:
    """Return a set with copies planted as in a widely used public set of brain tumours.

    Parameters
    ----------
    train, test
        Cases of each part, copies among them.
    within_train, within_test, across
        Pairs of copies inside of each part, and from one part to the other.
    exact
        Whether all copies equal their originals; otherwise they go through the ways of `COPIES` in turn.
    size
        Samples along each side, a multiple of 8.
    seed
        Of everything.
    """
    rng = np.random.default_rng(seed)
    cases: list[PlantedCase] = []
    parts = {"train": train - within_train, "test": test - within_test - across}
    person = 0
    for part, count in parts.items():
        for _ in range(count):
            label = CLASSES[person % len(CLASSES)]
            cases.append(PlantedCase(brain_slice(label, size=size, seed=seed * 100_003 + person), label, part, person))
            person += 1
    originals = {part: [c for c in cases if c.part == part] for part in parts}
    number = 0
    for source, target, count in (("train", "train", within_train), ("test", "test", within_test), ("train", "test", across)):
        pool = originals[source]
        first = within_train if (source, target) == ("train", "test") else 0  # no original is copied twice
        for original in pool[first : first + count]:
            how = "exact" if exact else COPIES[number % len(COPIES)]
            number += 1
            cases.append(PlantedCase(_copied(original.array, how, rng), original.label, target, original.source, how))
    order = rng.permutation(len(cases))
    return [cases[int(k)] for k in order]
