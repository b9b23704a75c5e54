"""Take the ringing beside sharp borders out of MR images."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from isocenter.core.families import Filter
from isocenter.core.operation import Context
from isocenter.kernels.finite import require_finite
from isocenter.kernels.gibbs import unring

__all__ = ["Gibbs"]


class Gibbs(Filter):
    """Take the ringing beside sharp borders out of MR images, slice by slice (local subvoxel shifts).

    For images whose k-space was cut off and that were not interpolated since: run it before denoising of other kinds,
    motion correction and resampling. Partial Fourier and zero-filled images ring at another distance, which it does not
    meet. On a truncated phantom it lowers the error beside borders to less than half.

    References
    ----------
    Kellner, Dhital, Kiselev, Reisert. Gibbs-ringing artifact removal based on local subvoxel-shifts. Magn. Reson. Med. 76
    (2016) 1574-1581.
    """

    dims: ClassVar[tuple[str, ...]] = ("yx", "zyx")
    ns_per_sample: ClassVar[float] = 9000.0

    def compute(self, array: Any, context: Context) -> Any:
        """Return the block without ringing in the planes of its last two axes."""
        require_finite(array, self.name)
        slices = array.reshape(-1, *array.shape[-2:])
        return np.stack([unring(s) for s in slices]).reshape(array.shape)
