"""segment.tumour_candidates: solid masses inside the lungs and at their wall, larger than nodules."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

import numpy as np
import numpy.typing as npt
from pydantic import Field

from isocenter.core.families import Segmenter
from isocenter.core.image import Image
from isocenter.core.operation import Context
from isocenter.kernels.coarse import enlarge, enlarge_smooth
from isocenter.kernels.labels import dilate
from isocenter.kernels.lungs import find_lungs
from isocenter.kernels.masses import find_masses
from isocenter.ops.segment._chest import Chest
from isocenter.ops.segment._examples import chest
from isocenter.ops.segment._numbers import renumbered


class TumourCandidates(Segmenter):
    """Solid masses inside the lungs and where they dent a lung from its wall, on CT: candidates, not findings.

    The lungs are found here. What is solid and meets air of one lung in most directions is the core of a mass; from
    there the outline grows as far as it is still half surrounded. A body without lung between itself and the middle of the
    chest is heart or vessel and dropped. Candidates are numbered by volume, the largest first.

    Developed on phantoms and one cropped clinical CT with a large tumour (Dice 0.68 there, half of the tumour covered),
    looking at that tumour while rules were chosen: how it does on other tumours in patients has not been measured. It found
    nothing, rightly, in a healthy cropped chest, a trunk, and two thighs with sarcoma.

    Consolidation, atelectasis and encapsulated effusion look the same to it. Of a mass that merges with mediastinum,
    diaphragm or chest wall only the part that lung surrounds is outlined, and one that lies wholly against the mediastinum
    is missed. A region restricts where candidates may lie: not the lungs, which leave masses at the wall out.

    Parameters
    ----------
    smallest : float
        mm; diameter of the smallest ball that is found.
    lowest : float
        HU of the least dense mass.
    enclosed : float
        Fraction of 26 directions in which a core meets lung within 80 mm.

    References
    ----------
    Armato, Sensakovic. Automated lung segmentation for thoracic CT. Academic Radiology 11 (2004) 1011-1021 (what a lung
    surrounds or is dented by).
    """

    dims: ClassVar[tuple[str, ...]] = ("zyx",)
    needs_mm: ClassVar[bool] = True
    quantities: ClassVar[tuple[str, ...] | None] = ("HU",)
    instances: ClassVar[str | None] = "tumour candidate"
    human_scale: ClassVar[bool] = True
    ns_per_sample: ClassVar[float] = 180.0
    bytes_per_sample: ClassVar[float] = 12.0

    smallest: Annotated[float, Field(ge=5.0, le=100.0)] = 20.0
    lowest: Annotated[float, Field(ge=-500.0, le=200.0)] = -150.0
    enclosed: Annotated[float, Field(ge=0.3, le=1.0)] = 0.55

    def example_inputs(self) -> tuple[tuple[Image, ...], ...]:
        """Return a small chest CT with two solid spots of 28 mm."""
        return ((chest(),),)

    def compute(self, array: Any, context: Context) -> npt.NDArray[Any]:
        """Return the candidates, numbered from the largest."""
        body = Chest.of(np.asarray(array), context.geometry.affine, context.threads)
        lungs = find_lungs(body.coarse, body.inside, body.steps, 8.0, context.threads)
        for text in lungs.notes:
            context.note(text)
        found = find_masses(
            body.coarse, lungs.labels, ~body.inside | lungs.airway, body.steps, self.smallest, self.lowest, self.enclosed,
            context.threads,
        )  # fmt: skip
        labels = np.zeros(body.hu.shape, dtype=np.uint8 if len(found) < 256 else np.uint16)
        reach = 1.01 * max(body.steps)
        for k, (mass, _) in enumerate(found, start=1):
            near = enlarge(dilate(mass, reach, body.steps, context.threads), body.factors, body.hu.shape)
            smooth = enlarge_smooth(mass, body.factors, body.hu.shape) > 0.5
            # At air the samples themselves tell the edge; towards other tissue the interpolated blocks do.
            beside = enlarge(dilate(lungs.aerated, reach, body.steps, context.threads), body.factors, body.hu.shape)
            drawn = np.where(beside, near & (body.hu > lungs.threshold), smooth)
            labels[drawn & (labels == 0)] = k
        self._judge(found, context)
        result = body.back(labels)
        return result if context.region is None else renumbered(np.where(context.region, result, 0).astype(labels.dtype))

    @staticmethod
    def _judge(found: list[tuple[npt.NDArray[np.bool_], float]], context: Context) -> None:
        if not found:
            context.note("No tumour candidate was found.")
        for k, (_, contact) in enumerate(found, start=1):
            if contact < 0.35:
                context.note(
                    f"Tumour candidate {k} merges with its surroundings: only {100 * contact:.0f} % of its surface borders on lung."
                )
