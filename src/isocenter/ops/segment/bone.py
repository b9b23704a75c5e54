"""segment.bone: the skeleton on a CT."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

import numpy as np
import numpy.typing as npt
from pydantic import Field

from isocenter.core.families import Segmenter
from isocenter.core.image import Image
from isocenter.core.operation import Context
from isocenter.kernels.coarse import enlarge
from isocenter.kernels.labels import closing, components, fill_holes, sizes
from isocenter.ops.segment._chest import Chest
from isocenter.ops.segment._examples import chest

__all__ = ["Bone"]


class Bone(Segmenter):
    """Bone on a CT, cortex and the marrow it encloses: inside the patient, without the table.

    What lies above `low` is bone if it hangs together with something above `high` in a piece of at least `smallest`; narrow
    gaps are closed and enclosed marrow is filled slice by slice. Looked at on a public CT of the trunk; Dice 0.95 on a
    chest phantom. It fails with
    contrast medium, whose vessels and kidneys are as bright as spongy bone (raise `low`), with metal, which is bone to it,
    and leaves out spongy bone below `low` that cortex does not enclose. Notes say when nothing was found, or the share of
    the body is implausible.

    Parameters
    ----------
    low
        HU above which a sample may be bone.
    high
        HU above which it is bone for certain.
    smallest
        Volume in mm^3 of the smallest piece.
    closing
        Radius in mm of the ball that must fit into gaps that stay.

    References
    ----------
    Kang, Engelke, Kalender. A new accurate and precise 3-D segmentation method for skeletal structures in volumetric CT
    data. IEEE Trans. Med. Imaging 22 (2003) 586-598.
    """

    dims: ClassVar[tuple[str, ...]] = ("zyx",)
    needs_mm: ClassVar[bool] = True
    quantities: ClassVar[tuple[str, ...] | None] = ("HU",)
    segments: ClassVar[tuple[str, ...]] = ("bone",)
    human_scale: ClassVar[bool] = True
    ns_per_sample: ClassVar[float] = 60.0
    bytes_per_sample: ClassVar[float] = 12.0

    low: Annotated[float, Field(ge=-100.0, le=2000.0)] = 180.0
    high: Annotated[float, Field(ge=0.0, le=3000.0)] = 280.0
    smallest: Annotated[float, Field(ge=0.0)] = 300.0
    closing: Annotated[float, Field(ge=0.0, le=20.0)] = 2.0

    def example_inputs(self) -> tuple[tuple[Image, ...], ...]:
        """Return a small chest CT."""
        return ((chest(),),)

    def compute(self, array: Any, context: Context) -> npt.NDArray[np.bool_]:
        """Return where bone is."""
        data = np.asarray(array)
        body = Chest.of(data, context.geometry.affine, context.threads)
        inside = enlarge(body.inside, body.factors, body.hu.shape)
        labels, count = components((body.hu > self.low) & inside, 18)
        volume = sizes(labels, count) * float(np.prod(body.spacing))
        keep = volume >= self.smallest
        sure = np.zeros(count + 1, np.bool_)
        sure[np.unique(labels[body.hu > self.high])] = True
        keep &= sure
        keep[0] = False
        found = closing(keep[labels], self.closing, body.spacing, context.threads) & inside
        # Marrow is enclosed in most axial slices; what is as empty as lung or bowel is not marrow.
        found |= fill_holes(found, axis=0) & (body.hu > -100)
        result = body.back(found)
        share = float(found.sum()) / max(1, int(inside.sum()))
        if not result.any():
            context.note("No bone was found.")
        elif share > 0.25:
            context.note(f"Bone makes up {share:.0%} of the body: contrast medium or metal may have been taken for it.")
        return result if context.region is None else result & context.region
