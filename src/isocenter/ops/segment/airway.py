"""segment.airway: trachea and bronchi on a CT."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

import numpy as np
import numpy.typing as npt
from pydantic import Field

from isocenter.core.families import Segmenter
from isocenter.core.image import Image
from isocenter.core.operation import Context
from isocenter.kernels.airway import grow_airway, trachea_seed
from isocenter.kernels.coarse import enlarge
from isocenter.ops.segment._chest import Chest
from isocenter.ops.segment._examples import airways

__all__ = ["Airway"]


class Airway(Segmenter):
    """Trachea and bronchi on a chest CT: air that grows from the trachea until it would break into the lung.

    The trachea is a round pool of air near the middle that runs through many slices. The threshold is then raised in steps
    of 16 HU; the last step before the volume jumps is kept, and small gaps are filled. Tried on a chest phantom
    (trachea and main bronchi: Dice 0.83) and on no airway of known truth in a patient; small bronchi need thin slices. It
    fails without a trachea in the field and in emphysema, where walls are thinner than samples: the bronchi then end early
    or are lost. Notes give the volume and say when it is implausible.

    Parameters
    ----------
    jump
        Growth of the volume in ml within one step that counts as a leak.

    References
    ----------
    Mori, Hasegawa, Toriwaki, Anno, Katada. Recognition of bronchus in three-dimensional X-ray CT images with applications to
    virtualized bronchoscopy system. ICPR (1996) 528-532.
    """

    dims: ClassVar[tuple[str, ...]] = ("zyx",)
    needs_mm: ClassVar[bool] = True
    quantities: ClassVar[tuple[str, ...] | None] = ("HU",)
    segments: ClassVar[tuple[str, ...]] = ("airway",)
    human_scale: ClassVar[bool] = True
    ns_per_sample: ClassVar[float] = 150.0
    bytes_per_sample: ClassVar[float] = 12.0

    jump: Annotated[float, Field(gt=0.0, le=500.0)] = 12.0

    def example_inputs(self) -> tuple[tuple[Image, ...], ...]:
        """Return a small chest CT with a trachea."""
        return ((airways(),),)

    def compute(self, array: Any, context: Context) -> npt.NDArray[np.bool_]:
        """Return where the airway is."""
        data = np.asarray(array)
        body = Chest.of(data, context.geometry.affine, context.threads)
        inside = enlarge(body.inside, body.factors, body.hu.shape)
        seed = trachea_seed(body.hu, inside, body.spacing)
        if seed is None:
            context.note("No trachea was found: no round pool of air runs through the upper middle of the field.")
            return np.zeros(data.shape, np.bool_)
        found, threshold = grow_airway(body.hu, inside, seed, body.spacing, self.jump)
        volume = float(found.sum()) * float(np.prod(body.spacing)) / 1000.0
        context.note(f"The airway was grown up to {threshold:.0f} HU and measures {volume:.1f} ml.")
        if volume < 5.0:
            context.note("An airway of less than 5 ml is hardly the trachea: walls may be thinner than the samples show.")
        elif volume > 200.0:
            context.note("An airway of more than 200 ml has probably leaked into the lung.")
        result = body.back(found)
        return result if context.region is None else result & context.region
