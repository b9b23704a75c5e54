"""The brain on a T1-like head MR: peeled out of skull and scalp by morphology, then smoothed.

All lengths are in mm.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.kernels.labels import closing, components, dilate, distance_inside, erode, fill_holes, keep_largest, sizes
from isocenter.kernels.smooth import gaussian

__all__ = ["strip"]

Mask = npt.NDArray[np.bool_]

#: ml that the brain of an adult or older child has.
PLAUSIBLE = (750.0, 2100.0)


def strip(values: npt.NDArray[Any], spacing: Sequence[float], threads: int = 1) -> Mask:
    """Return the brain, empty where none was found.

    Parameters
    ----------
    values
        Three axes, bright brain (T1, T1 with contrast, proton density), on a grid of about 1 to 3 mm.
    spacing
        mm, array order.

    References
    ----------
    Brummer, Mersereau, Eisner, Lewine. Automatic detection of brain contours in MRI data sets. IEEE Trans. Med. Imaging 12
    (1993) 153-166 (threshold, erosion, largest component). Smith. Fast robust automated brain extraction. Human Brain
    Mapping 17 (2002) 143-155 (robust range, centre of gravity).
    """
    data = gaussian(values, [0.8 / s for s in spacing], threads=threads)
    low, high = (float(v) for v in np.percentile(data, (2.0, 98.0)))
    if not high > low:
        return np.zeros(values.shape, np.bool_)
    head = keep_largest(data > low + 0.1 * (high - low))
    head = fill_holes(closing(head, 6.0, spacing, threads))
    depth = distance_inside(np.pad(head, 1), spacing, threads)[(slice(1, -1),) * 3]
    inner = depth > 18.0
    if not inner.any():
        return np.zeros(values.shape, np.bool_)
    middle = float(np.median(data[inner & (data > low + 0.1 * (high - low))]))
    # Brain tissue: neither fluid and bone, nor fat and vessels.
    tissue = (data > 0.55 * middle) & (data < 1.75 * middle) & (depth > 3.0)
    core = _core(tissue, depth, spacing, threads)
    if not core.any():
        return core
    grown = dilate(core, 3.0, spacing, threads) & tissue
    # What a ball of this size cannot leave through is brain: eyes and muscle hang on by less.
    opened = dilate(erode(grown, 2.0, spacing, threads), 2.0, spacing, threads) & tissue
    brain = keep_largest(opened | core)
    brain = fill_holes(closing(brain, 9.0, spacing, threads))
    smooth = gaussian(brain.astype(np.float32), [2.0 / s for s in spacing], threads=threads) > 0.5
    return fill_holes(keep_largest(smooth & head))


def _core(tissue: Mask, depth: npt.NDArray[np.float32], spacing: Sequence[float], threads: int) -> Mask:
    """Return the part of the tissue that comes free, by the least erosion that frees it, from what lies under the skin."""
    voxel = float(np.prod(spacing)) / 1000.0
    best = np.zeros(tissue.shape, np.bool_)
    for radius in (2.0, 3.0, 4.0, 5.0, 6.0):
        eroded = erode(tissue, radius, spacing, threads)
        labels, count = components(eroded, 6)
        if not count:
            break
        volume = sizes(labels, count) * voxel
        # The brain is the deepest large piece.
        score = np.bincount(labels.ravel(), weights=depth.ravel(), minlength=count + 1)
        score[0] = 0.0
        chosen = int(np.argmax(score))
        best = labels == chosen
        shallow = float(((depth < 8.0) & best).sum()) / max(1, int(best.sum()))
        if volume[chosen] < 0.9 * PLAUSIBLE[1] and shallow < 0.02:
            return dilate(best, radius, spacing, threads) & tissue
    return best
