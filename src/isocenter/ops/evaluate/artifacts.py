"""How much of what an image shows comes from its making."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from isocenter.core.families import Measure
from isocenter.core.operation import Context
from isocenter.core.results import Score
from isocenter.kernels.artifacts import (
    clipped_share,
    contrast_of,
    empty_rim,
    ring_strength,
    ringing_strength,
    stripe_strength,
)
from isocenter.kernels.finite import require_finite

__all__ = ["Artifacts"]


class Artifacts(Measure):
    """Stripes, rings and ringing as fractions of the contrast, clipping as a fraction of the samples, and an empty rim.

    Stripes and rings are offsets of whole lines and circles that all parts of a plane agree on; ringing is alternation from
    sample to sample, two to six samples beside borders, beyond that elsewhere; clipped are samples that pile up at the
    highest value. The rim is in samples. A few planes from the middle of a volume stand for all. Hints, no proofs: sound
    images measure below 0.005 (stripes), 0.002 (rings) and 0.003 (ringing) here.

    References
    ----------
    Sijbers, Postnov. Reduction of ring artefacts in high resolution micro-CT reconstructions. Phys. Med. Biol. 49 (2004)
    N247-N253.
    """

    dims: ClassVar[tuple[str, ...]] = ("yx", "zyx")
    ns_per_sample: ClassVar[float] = 400.0
    bytes_per_sample: ClassVar[float] = 24.0

    def compute(self, array: Any, context: Context) -> Mapping[str, Score]:
        """Return the scores."""
        require_finite(array, self.name)
        blocks = array.reshape(-1, *context.geometry.shape)
        rows = []
        for block in blocks:
            contrast = contrast_of(block)
            stripes = stripe_strength(block, contrast)
            rows.append(
                (
                    *stripes,
                    ring_strength(block, contrast),
                    ringing_strength(block, contrast),
                    clipped_share(block),
                    float(empty_rim(block)),
                )
            )
        names = ("stripes_rows", "stripes_columns", "rings", "ringing", "clipped", "rim")
        middle = np.median(np.asarray(rows), axis=0)
        return {name: Score(float(value), n=len(rows)) for name, value in zip(names, middle, strict=True)}
