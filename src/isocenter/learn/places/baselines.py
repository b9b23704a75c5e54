"""Finders without a network: the mean place, a template matched around it, and bright or dark blobs of the usual size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.core.image import Image
from isocenter.learn.evaluate.detection import findings_of, weighted_cpm
from isocenter.learn.places.places import Places
from isocenter.learn.train.fingerprint import channels_of
from isocenter.learn.train.frames import framed, spacing_for

__all__ = ["Blobs", "MeanPlace", "Template", "fit_blobs", "fit_mean_place", "fit_template"]

FloatArray = npt.NDArray[np.float64]
Samples = npt.NDArray[np.float32]

_MOST = 20
_LONGEST = {2: 128, 3: 48}


@dataclass(frozen=True, eq=False)
class MeanPlace:
    """Each landmark where it lies on average, relative to the image.

    Attributes
    ----------
    names
        Of the landmarks.
    share
        Mean of (sample + 1/2) / samples along each axis, shape (names, axes).
    spread
        Standard deviation of the same.
    """

    names: tuple[str, ...]
    share: FloatArray
    spread: FloatArray

    def predict(self, image: Image) -> Places:
        """Return the landmarks of an image."""
        return Places("points", self.share * np.asarray(image.geometry.shape) - 0.5, self.names, image.geometry)


def fit_mean_place(truth: Sequence[Places]) -> MeanPlace:
    """Return the mean place of every landmark of the training fold.

    Parameters
    ----------
    truth
        Points of each case.
    """
    names = tuple(dict.fromkeys(n for t in truth for n in t.names))
    rows = [[(t.samples[t.names.index(n)] + 0.5) / t.geometry.shape for t in truth if n in t.names] for n in names]
    share, spread = (np.array([f(r, axis=0) for r in rows]) for f in (np.mean, np.std))
    return MeanPlace(names, share, spread)


@dataclass(frozen=True, eq=False)
class Template:
    """Each landmark where the image looks most like its mean surroundings, near its mean place.

    Attributes
    ----------
    mean
        The mean places: where to look.
    spacing
        mm of a sample that images are brought to.
    channels
        Of an image; their mean is looked at.
    patches
        Mean surroundings of each landmark, shape (names, *patch), odd sizes.
    """

    mean: MeanPlace
    spacing: tuple[float, ...]
    channels: int
    patches: Samples

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the landmarks."""
        return self.mean.names

    def predict(self, image: Image) -> Places:
        """Return the landmarks of an image."""
        seen = framed(image, self.spacing, self.channels)
        data = seen.data.mean(axis=0)
        shape, radius = np.array(data.shape), np.array(self.patches.shape[1:]) // 2
        found = []
        for share, spread, patch in zip(self.mean.share, self.mean.spread, self.patches, strict=True):
            reach = np.maximum(np.ceil(3.0 * spread * shape), 2.0).astype(int)
            centre = np.clip(np.round(share * shape - 0.5).astype(int), 0, shape - 1)
            found.append(_best(_around(data, centre, reach + radius), patch) + centre - reach)
        samples = np.clip(seen.outside(np.array(found)), -0.5, np.array(image.geometry.shape) - 0.5)
        return Places("points", samples, self.names, image.geometry)


def fit_template(images: Sequence[Image], truth: Sequence[Places]) -> Template:
    """Return the mean surroundings of every landmark of the training fold.

    Parameters
    ----------
    images, truth
        The training fold.
    """
    axes, channels = images[0].geometry.ndim, channels_of(images[0])
    spacing = spacing_for(images, _LONGEST[axes])
    mean = fit_mean_place(truth)
    radius = np.full(axes, max(3, _LONGEST[axes] // 10))
    sums = np.zeros((len(mean.names), *(2 * radius + 1)))
    counts = np.zeros(len(mean.names))
    for image, t in zip(images, truth, strict=True):
        seen = framed(image, spacing, channels)
        data = seen.data.mean(axis=0)
        for name, place in zip(t.names, np.round(seen.inside(t.samples)).astype(int), strict=True):
            k = mean.names.index(name)
            sums[k] += _around(data, np.clip(place, 0, np.array(data.shape) - 1), radius)
            counts[k] += 1
    patches = sums / counts.reshape(-1, *[1] * axes)
    return Template(mean, spacing, channels, patches.astype(np.float32))


def _around(data: Samples, centre: npt.NDArray[Any], radius: npt.NDArray[Any]) -> Samples:
    """Return the samples within a radius of one, edges extended."""
    picks = [np.clip(np.arange(c - r, c + r + 1), 0, n - 1) for c, r, n in zip(centre, radius, data.shape, strict=True)]
    return data[np.ix_(*picks)]


def _best(window: Samples, patch: Samples) -> FloatArray:
    """Return where a patch correlates best, in samples from the first place that it fits, refined along each axis by a parabola."""
    from skimage.feature import match_template

    answer = np.asarray(match_template(window.astype(np.float64), patch.astype(np.float64)))
    at = np.array(np.unravel_index(int(answer.argmax()), answer.shape))
    fine = at.astype(np.float64)
    for axis in range(at.size):
        if 0 < at[axis] < answer.shape[axis] - 1:
            step = np.eye(at.size, dtype=int)[axis]
            before, top, after = (float(answer[tuple(at + k * step)]) for k in (-1, 0, 1))
            bend = before - 2.0 * top + after
            fine[axis] += float(np.clip(0.5 * (before - after) / bend, -0.5, 0.5)) if bend < 0 else 0.0
    return fine


@dataclass(frozen=True, eq=False)
class Blobs:
    """Objects as blobs: maxima of the Laplacian of Gaussian at the sizes of the training fold, scored by their response.

    Attributes
    ----------
    names
        The classes of the training, the most frequent one first: every blob is called it.
    spacing
        mm of a sample that images are brought to.
    channels
        Of an image; their mean is looked at.
    diameters
        mm, ascending.
    sign
        1 for objects brighter than what is around them, -1 for darker ones.

    References
    ----------
    Lindeberg. Feature detection with automatic scale selection. International Journal of Computer Vision 30 (1998) 79-116.
    """

    names: tuple[str, ...]
    spacing: tuple[float, ...]
    channels: int
    diameters: tuple[float, ...]
    sign: float

    def predict(self, image: Image) -> Places:
        """Return the candidates of an image, the strongest response first; response r is given as r / (1 + r)."""
        from scipy import ndimage

        seen = framed(image, self.spacing, self.channels)
        data = self.sign * seen.data.mean(axis=0).astype(np.float64)
        rows: list[tuple[float, FloatArray, FloatArray]] = []
        for diameter in self.diameters:
            wide = diameter / np.asarray(self.spacing)
            sigma = wide / (2.0 * np.sqrt(3.0))
            answer = -ndimage.gaussian_laplace(data, sigma, mode="nearest") * float(np.mean(sigma)) ** 2
            size = [2 * max(1, round(0.4 * w)) + 1 for w in wide]
            peaks = np.argwhere((answer == ndimage.maximum_filter(answer, size=size, mode="nearest")) & (answer > 1e-6))
            best = np.argsort(-answer[tuple(peaks.T)], kind="stable")[: 3 * _MOST]
            rows += [(float(answer[tuple(p)]), p.astype(np.float64), wide) for p in peaks[best]]
        rows.sort(key=lambda r: (-r[0], *r[1], *r[2]))
        kept: list[tuple[float, FloatArray, FloatArray]] = []
        for row in rows:
            if len(kept) < _MOST and all(np.linalg.norm((row[1] - k[1]) / np.maximum(row[2], k[2])) > 0.5 for k in kept):
                kept.append(row)
        return self._placed(kept, seen.outside, image)

    def _placed(self, kept: Sequence[tuple[float, FloatArray, FloatArray]], outside: Any, image: Image) -> Places:
        limit, axes = np.array(image.geometry.shape) - 0.5, image.geometry.ndim
        sides = np.array([np.concatenate([p - w / 2.0, p + w / 2.0]) for _, p, w in kept]).reshape(-1, 2 * axes)
        boxes = np.clip(outside(sides), -0.5, np.concatenate([limit, limit]))
        scores = np.array([r / (1.0 + r) for r, _, _ in kept])
        return Places("boxes", boxes, self.names[:1] * len(kept), image.geometry, scores)


def fit_blobs(images: Sequence[Image], truth: Sequence[Places]) -> Blobs:
    """Return the blob detector of the training fold: its sizes, and bright or dark by which finds more.

    Parameters
    ----------
    images, truth
        The training fold, one object or more in it.
    """
    axes, channels = images[0].geometry.ndim, channels_of(images[0])
    sides = np.concatenate([(t.extents * t.geometry.spacing).mean(axis=1) for t in truth if len(t)])
    diameters = tuple(float(f"{d:.4g}") for d in np.unique(np.quantile(sides, [0.1, 0.5, 0.9])))
    spacing = spacing_for(images, 2 * _LONGEST[axes], diameters[0] / 6.0)
    names = [n for t in truth for n in t.names]
    common = max(sorted(set(names)), key=names.count)
    bright = Blobs((common, *sorted(set(names) - {common})), spacing, channels, diameters, 1.0)
    found = []
    for model in (bright, replace(bright, sign=-1.0)):
        pairs = [(model.predict(image), t) for image, t in zip(images, truth, strict=True)]
        images_found = [
            findings_of(p.millimetres(), p.scores if p.scores is not None else [], t.millimetres(), str(k))
            for k, (p, t) in enumerate(pairs)
        ]  # fmt: skip
        found.append((float(weighted_cpm(images_found)(np.ones((1, len(pairs))))[0]), model))
    return max(found, key=lambda f: f[0])[1]
