"""Sliding-window inference in bounded memory: probabilities stand for one slab at a time, labels are written early.

Windows overlap along every axis and are blended with a Gaussian. They are visited slab by slab along the longest axis;
as soon as no later window reaches a row, its labels are decided and its accumulator is given to the next rows. What stands
in memory at once is the accumulator of one window's depth, never the probabilities of the whole volume. As the blending weights
of all classes of a voxel are the same, labels need no normalisation by them.

References
----------
Isensee et al. (2021) nnU-Net. Nature Methods 18:203-211 (Gaussian importance weighting).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from isocenter.core.errors import ContentError, ParameterError

__all__ = ["Decision", "accumulator_bytes", "importance", "predict_labels", "predict_slabs", "starts"]

#: Maps a batch of windows (batch, channels, *window) to scores (batch, classes, *window).
Network = Callable[[Tensor], Tensor]
#: How a sample's class follows from its scores; see `predict_labels`.
Decision = Literal["greatest", "foreground"]


def starts(length: int, window: int, overlap: float) -> list[int]:
    """Return the first samples of windows that cover `length` samples, evenly and at least `overlap` of a window over each other."""
    if window >= length:
        return [0]
    step = max(int(window * (1.0 - overlap)), 1)
    found = list(range(0, length - window, step))
    return [*found, length - window]


def importance(window: Sequence[int], sigma: float = 0.125, least: float = 1e-3) -> Tensor:
    """Return the Gaussian weight of every sample of a window: 1 at its centre.

    Parameters
    ----------
    window
        Samples along each axis.
    sigma
        Standard deviation as a part of the window.
    least
        No weight is smaller, so that the corners of the volume are decided by more than rounding.
    """
    weight = torch.ones(tuple(window))
    for axis, size in enumerate(window):
        distance = torch.arange(size, dtype=torch.float32) - (size - 1) / 2.0
        line = torch.exp(-0.5 * (distance / (size * sigma)) ** 2)
        weight = weight * line.reshape([-1 if k == axis else 1 for k in range(len(window))])
    return weight.clamp_(min=least)


def accumulator_bytes(shape: Sequence[int], window: Sequence[int], classes: int) -> int:
    """Return the bytes that the accumulator of one slab takes, for an estimate before the start."""
    axis = int(np.argmax(shape))
    sizes = [min(window[k], shape[k]) if k == axis else max(window[k], shape[k]) for k in range(len(shape))]
    return 4 * classes * int(np.prod(sizes, dtype=np.int64))


@dataclass
class _Slab:
    """The accumulator of the rows that are not decided yet; its first row is `first` of the volume."""

    scores: Tensor
    weights: Tensor | None
    first: int = 0

    def take(self, rows: int) -> tuple[Tensor, Tensor | None]:
        """Return the first rows (a view) for the caller to read before `drop`."""
        weights = None if self.weights is None else self.weights[:rows]
        return self.scores[:, :rows], weights

    def drop(self, rows: int) -> None:
        """Move the remaining rows to the front and clear what follows."""
        for array, axis in ((self.scores, 1), (self.weights, 0)):
            if array is None:
                continue
            left = array.shape[axis] - rows
            # Row by row in ascending order: source and target overlap, and a copy of the slab would double it.
            for row in range(left):
                array.select(axis, row).copy_(array.select(axis, row + rows))
            array.narrow(axis, left, rows).zero_()
        self.first += rows


def predict_slabs(
    image: npt.NDArray[Any] | Any,
    network: Network,
    window: Sequence[int],
    *,
    overlap: float = 0.5,
    batch: int = 1,
    weighted: bool = True,
    normalise: bool = True,
    device: str | torch.device = "cpu",
    transform: Callable[[npt.NDArray[Any]], npt.NDArray[Any]] | None = None,
) -> Iterator[tuple[int, int, npt.NDArray[np.float32]]]:
    """Yield the scores of a volume slab by slab along its longest axis.

    Parameters
    ----------
    image
        Shape (channels, *spatial); anything with a shape and slicing (an array on disk is read a window at a time).
    network
        Maps windows to scores, both as tensors with a batch axis first.
    window
        Samples along each spatial axis; smaller volumes are padded with zeros for the network.
    overlap
        Part of a window that neighbours share, 0 to less than 1.
    batch
        Windows per call of the network.
    weighted
        Blend with a Gaussian; otherwise all samples of a window count alike.
    normalise
        Divide by the sum of the weights (not needed for an argmax).
    device
        Where the network computes.
    transform
        Applied to each window as it is read, for instance an intensity normalisation of an array on disk.

    Yields
    ------
    axis, first, scores
        The slab axis (of `spatial`), the first row, and scores of shape (classes, *spatial) with `rows` along that axis. The array
        is reused: read it before the next one is asked for.
    """
    spatial = tuple(int(n) for n in image.shape[1:])
    window = tuple(int(w) for w in window)
    if len(window) != len(spatial):
        raise ParameterError(f"Window {window} for an image of {len(spatial)} axes: expected one size per axis.")
    if not 0.0 <= overlap < 1.0:
        raise ParameterError(f"Overlap {overlap} of windows: expected 0 or more and less than 1.")
    axis = int(np.argmax(spatial))
    inner = tuple(min(w, n) for w, n in zip(window, spatial, strict=True))
    weight = importance(window) if weighted else torch.ones(window)
    places = [starts(n, w, overlap) for n, w in zip(spatial, window, strict=True)]
    others = [p if k != axis else [0] for k, p in enumerate(places)]
    reader = _Reader(image, window, inner, transform)
    slab: _Slab | None = None
    for index, top in enumerate(places[axis]):
        corners = [tuple(top if k == axis else c for k, c in enumerate(corner)) for corner in itertools.product(*others)]
        for begin in range(0, len(corners), batch):
            group = corners[begin : begin + batch]
            with torch.inference_mode():
                scores = network(torch.from_numpy(reader.read(group)).to(device))
            if slab is None:
                slab = _new_slab(scores.shape[1], spatial, inner, axis, normalise)
            _add(slab, scores, weight, group, inner, axis)
            del scores
        assert slab is not None
        following = places[axis][index + 1] if index + 1 < len(places[axis]) else spatial[axis]
        rows = following - top
        found, total = slab.take(rows)
        if total is not None:
            found /= total
        yield axis, top, found.movedim(1, axis + 1).numpy()
        slab.drop(rows)


def predict_labels(
    image: npt.NDArray[Any] | Any,
    network: Network,
    window: Sequence[int],
    *,
    overlap: float = 0.5,
    batch: int = 1,
    weighted: bool = True,
    device: str | torch.device = "cpu",
    transform: Callable[[npt.NDArray[Any]], npt.NDArray[Any]] | None = None,
    decide: Decision = "greatest",
) -> npt.NDArray[np.uint8] | npt.NDArray[np.uint16]:
    """Return the class of every sample, shape `spatial`; uint8 up to 256 classes, else uint16.

    Parameters
    ----------
    image, network, window, overlap, batch, weighted, device, transform
        As of `predict_slabs`.
    decide
        ``greatest``: the class of greatest score. ``foreground``: a sample is background only where the score of class 0 exceeds the sum
        of all others, else the greatest of the others; the network must give probabilities then. It keeps what is surely something but
        not surely which, as where neighbouring classes of one organ share a border.

    Raises
    ------
    ContentError
        If the network gives scores that are not finite.
    ParameterError
        If the windows or the decision are none.
    """
    if decide not in get_args(Decision):
        raise ParameterError(f"Decision '{decide}' of labels: expected one of {', '.join(get_args(Decision))}.")
    labels: npt.NDArray[Any] = np.zeros(image.shape[1:], np.uint8)
    slabs = predict_slabs(
        image,
        network,
        window,
        overlap=overlap,
        batch=batch,
        weighted=weighted,
        normalise=False,
        device=device,
        transform=transform,
    )
    for axis, first, scores in slabs:
        if scores.shape[0] > 256:
            labels = labels.astype(np.uint16, copy=False)
        target = np.moveaxis(labels, axis, 0)
        rows = np.moveaxis(scores, axis + 1, 1)
        for row in range(rows.shape[1]):  # by row, so that the index array of an argmax stays small
            decided = rows[:, row]
            if not np.isfinite(decided).all():
                raise ContentError(
                    f"The network's scores are not finite in row {first + row} of the image: "
                    "expected finite numbers; look for a damaged weight file or an input far outside the training range."
                )
            target[first + row] = _classes(decided, decide)
    return labels


def _classes(scores: npt.NDArray[np.float32], decide: Decision) -> npt.NDArray[Any]:
    """Return the class of each sample from scores (classes, ...)."""
    if decide == "foreground":
        others = scores[1:]
        found = others.argmax(axis=0) + 1
        found[scores[0] > others.sum(axis=0)] = 0
        return found
    return scores[1] > scores[0] if len(scores) == 2 else scores.argmax(axis=0)


@dataclass
class _Reader:
    """Cuts windows out of an image, padded with zeros where it is smaller."""

    image: Any
    window: tuple[int, ...]
    inner: tuple[int, ...]
    transform: Callable[[npt.NDArray[Any]], npt.NDArray[Any]] | None
    buffer: npt.NDArray[np.float32] | None = None

    def read(self, corners: Sequence[tuple[int, ...]]) -> npt.NDArray[np.float32]:
        """Return windows of shape (batch, channels, *window), in an array that the next call fills anew."""
        if self.buffer is None or len(self.buffer) < len(corners):
            self.buffer = np.zeros((len(corners), int(self.image.shape[0]), *self.window), np.float32)
        found = self.buffer[: len(corners)]  # what lies beyond a small image stays zero
        within = (slice(None), *(slice(0, n) for n in self.inner))
        for k, corner in enumerate(corners):
            piece = np.asarray(self.image[(slice(None), *(slice(c, c + n) for c, n in zip(corner, self.inner, strict=True)))])
            found[k][within] = piece if self.transform is None else self.transform(piece)
        return found


def _new_slab(classes: int, spatial: tuple[int, ...], inner: tuple[int, ...], axis: int, normalise: bool) -> _Slab:
    rest = [n for k, n in enumerate(spatial) if k != axis]
    weights = torch.zeros((inner[axis], *rest)) if normalise else None
    return _Slab(torch.zeros((classes, inner[axis], *rest)), weights)


def _add(
    slab: _Slab, scores: Tensor, weight: Tensor, corners: Sequence[tuple[int, ...]], inner: tuple[int, ...], axis: int
) -> None:
    """Add the weighted scores of a batch of windows, in the order of their corners."""
    within = tuple(slice(0, n) for n in inner)
    weight = weight[within]
    for k, corner in enumerate(corners):
        place = tuple(slice(c, c + n) for j, (c, n) in enumerate(zip(corner, inner, strict=True)) if j != axis)
        piece = scores[(k, slice(None), *within)].to(device="cpu", dtype=torch.float32).movedim(axis + 1, 1)
        slab.scores[(slice(None), slice(None), *place)].addcmul_(piece, weight.movedim(axis, 0))
        if slab.weights is not None:
            slab.weights[(slice(None), *place)] += weight.movedim(axis, 0)
