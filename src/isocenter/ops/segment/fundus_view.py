"""segment.fundus_view: where a photograph of the retina shows retina."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from isocenter.core.families import Segmenter
from isocenter.core.image import Image
from isocenter.core.operation import Context
from isocenter.kernels.fundus import field_of_view
from isocenter.ops.segment._examples import retina
from isocenter.ops.segment._values import within

__all__ = ["FundusView"]


class FundusView(Segmenter):
    """The field of view of a fundus photograph: the round part that shows retina, without the black surround.

    Measure and normalise inside it alone, or the surround counts as dark retina. Tried on phantoms (Dice at least 0.98)
    with fields that are whole and cut off, on no photograph of a patient. It fails where the retina at the rim is as dark as the surround. Notes say
    when nothing was found, or the field covers nearly all of the picture or less than a tenth of it.

    References
    ----------
    Gagnon et al. Procedure to detect anatomical structures in optical fundus images. Proc. SPIE 4322 (2001) 1218-1225.
    """

    dims: ClassVar[tuple[str, ...]] = ("yx", "cyx")
    segments: ClassVar[tuple[str, ...]] = ("field of view",)
    ns_per_sample: ClassVar[float] = 300.0
    bytes_per_sample: ClassVar[float] = 40.0

    def example_inputs(self) -> tuple[tuple[Image, ...], ...]:
        """Return a small picture of a retina."""
        return ((retina(),),)

    def compute(self, array: Any, context: Context) -> npt.NDArray[np.bool_]:
        """Return where retina is seen."""
        found = field_of_view(np.nan_to_num(np.asarray(array, dtype=np.float64)))
        share = float(found.mean())
        if not found.any():
            context.note("No field of view was found: the picture shows no contrast.")
        elif share > 0.98 or share < 0.1:
            context.note(f"The field of view covers {share:.0%} of the picture: it may not be a photograph of a retina.")
        return within(found, context).astype(np.bool_)
