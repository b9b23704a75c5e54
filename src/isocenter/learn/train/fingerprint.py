"""Fingerprint of a cohort: what a plan is made from, and the first place where unusable data is refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.core.errors import ContentError, GridMismatchError, ParameterError
from isocenter.core.image import Image
from isocenter.core.labels import LabelMap, Segment

__all__ = ["Fingerprint", "fingerprint"]

FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Fingerprint:
    """What the images and masks of a training have in common.

    Attributes
    ----------
    dims
        Axis names of the images.
    unit
        ``mm`` or ``px``.
    channels
        Channels of an image.
    modality, quantity
        Of all images; None where they differ or are unknown.
    shapes, spacings
        Of each image's spatial axes, in array order.
    segments
        The classes, as `Segment.to_dict` gives them.
    samples
        Samples of each class over all masks, background first.
    intensity
        Per channel: mean, standard deviation, and the percentiles 0.5 and 99.5 within the foreground.
    """

    dims: tuple[str, ...]
    unit: str
    channels: int
    modality: str | None
    quantity: str | None
    shapes: tuple[tuple[int, ...], ...]
    spacings: tuple[tuple[float, ...], ...]
    segments: tuple[Mapping[str, Any], ...]
    samples: tuple[int, ...]
    intensity: tuple[Mapping[str, float], ...]

    @property
    def spatial(self) -> int:
        """Number of spatial axes."""
        return len(self.shapes[0])

    @property
    def median_shape(self) -> tuple[int, ...]:
        """Median samples along each axis."""
        return tuple(int(v) for v in np.median(np.array(self.shapes), axis=0))

    @property
    def median_spacing(self) -> tuple[float, ...]:
        """Median mm (or px) of each axis."""
        return tuple(float(v) for v in np.median(np.array(self.spacings), axis=0))

    def to_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return asdict(self)


def fingerprint(images: Sequence[Image], masks: Sequence[LabelMap], names: Sequence[str] | None = None) -> Fingerprint:
    """Return the fingerprint of images and their masks.

    Parameters
    ----------
    images, masks
        In the same order.
    names
        Of the cases, for messages. Default: their numbers from 1.

    Raises
    ------
    ParameterError
        If there are none, or not as many masks as images.
    GridMismatchError
        If a mask lies on another grid than its image.
    ContentError
        If images differ in axes, channels or unit, an image is not finite, or a class has no sample anywhere.
    """
    if not images or len(images) != len(masks):
        raise ParameterError(f"{len(images)} images with {len(masks)} masks: expected at least one, and a mask for each image.")
    names = [str(n) for n in names] if names is not None else [f"case {k + 1}" for k in range(len(images))]
    for image, mask, name in zip(images, masks, names, strict=True):
        _check(image, mask, images[0], name)
    table = {s.value: s for mask in masks for s in mask.segments}
    segments = [table[v] for v in sorted(table)]
    samples, intensity = _count(images, masks, segments)
    for segment, count in zip(segments, samples[1:], strict=True):
        if count == 0:
            raise ContentError(
                f"Class '{segment.name}' (value {segment.value}) has no sample in any of {len(masks)} training masks: "
                "expected some; leave it out of the segment table or add cases that show it."
            )
    if not segments:
        raise ContentError(f"All {len(masks)} training masks are empty: expected at least one class with samples.")
    modality = images[0].modality if len({i.modality for i in images}) == 1 else None
    quantity = images[0].quantity if len({i.quantity for i in images}) == 1 else None
    return Fingerprint(
        images[0].dims,
        images[0].geometry.unit,
        channels_of(images[0]),
        modality,
        quantity,
        tuple(i.geometry.shape for i in images),
        tuple(i.geometry.spacing for i in images),
        tuple(s.to_dict() for s in segments),
        tuple(samples),
        tuple(intensity),
    )


def channels_of(image: Image) -> int:
    """Return how many channels an image has."""
    return image.shape[image.dims.index("c")] if "c" in image.dims else 1


def channel_first(image: Image) -> FloatArray:
    """Return the samples as float32 of shape (channels, *spatial)."""
    array = np.asarray(image.array, dtype=np.float32)
    return array if "c" in image.dims else array[None]


def segments_of(found: Fingerprint) -> tuple[Segment, ...]:
    """Return the classes of a fingerprint."""
    return tuple(Segment.from_dict(s) for s in found.segments)


def _check(image: Image, mask: LabelMap, first: Image, name: str) -> None:
    if "t" in image.dims or image.geometry.ndim < 2:
        raise ContentError(
            f"{name}: an image with axes {image.dims}; expected two or three spatial axes and no time; pick a time point."
        )
    if image.dims != first.dims or channels_of(image) != channels_of(first) or image.geometry.unit != first.geometry.unit:
        raise ContentError(
            f"{name}: {channels_of(image)} channels, axes {image.dims}, in {image.geometry.unit}; expected "
            f"{channels_of(first)}, {first.dims}, {first.geometry.unit} as in the first case; train on images of one kind."
        )
    match = image.geometry.matches(mask.geometry)
    if not match:
        raise GridMismatchError(
            f"{name}: the mask lies on another grid than its image ({match.reason}): "
            "expected one grid; bring the mask onto the image's grid first (resample.to_grid)."
        )
    if not np.isfinite(np.asarray(image.array)).all():
        raise ContentError(
            f"{name}: the image holds values that are not finite; expected finite numbers; repair or leave it out."
        )


def _count(
    images: Sequence[Image], masks: Sequence[LabelMap], segments: Sequence[Segment]
) -> tuple[list[int], list[dict[str, float]]]:
    counts = [0] * (len(segments) + 1)
    pools: list[list[FloatArray]] = [[] for _ in range(channels_of(images[0]))]
    generator = np.random.default_rng(0)
    for image, mask in zip(images, masks, strict=True):
        data = channel_first(image)
        labels = np.asarray(mask.array)
        inside = np.flatnonzero(labels)
        counts[0] += int(labels.size - inside.size)
        for k, segment in enumerate(segments, start=1):
            counts[k] += int((labels == segment.value).sum())
        if inside.size > 20_000:
            inside = np.sort(generator.choice(inside, 20_000, replace=False))
        for k, pool in enumerate(pools):
            pool.append(data[k].reshape(-1)[inside])
    intensity = []
    for pool in pools:
        values = np.concatenate(pool) if any(p.size for p in pool) else np.zeros(1, np.float32)
        low, high = np.percentile(values, [0.5, 99.5])
        intensity.append(
            {"mean": float(values.mean()), "std": float(max(values.std(), 1e-6)), "low": float(low), "high": float(high)}
        )
    return counts, intensity
