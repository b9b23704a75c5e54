"""segment.bone: the skeleton on a CT."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

import numpy as np
import numpy.typing as npt
from pydantic import Field

from isocenter.core.families import Segmenter
from isocenter.core.image import Image
from isocenter.core.operation import Context
from isocenter.kernels.coarse import draw, enlarge
from isocenter.kernels.labels import close, fill_holes
from isocenter.kernels.runs import keep, reaching, runs_of
from isocenter.ops.segment._chest import Chest
from isocenter.ops.segment._examples import chest

__all__ = ["Bone"]


class Bone(Segmenter):
    """Bone on a CT, cortex and the marrow it encloses: inside the patient, without the table.

    What lies above `low` is bone if it hangs together with something above `high` in a piece of at least `smallest`; narrow
    gaps are closed and enclosed marrow is filled slice by slice. Tried on a chest phantom (Dice 0.95), and looked at
    on a public CT of the trunk (108 ml: ribs and spine, without the table). It fails with
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
    ns_per_sample: ClassVar[float] = 10.0
    bytes_per_sample: ClassVar[float] = 4.0

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
        found = np.zeros(data.shape, np.uint8)
        draw(body.hu, np.uint8(2) * body.inside, body.factors, (self.low, 0.0), body.turned(found), threads=context.threads)
        runs = runs_of(found, 18)
        wanted = (runs.sizes * float(np.prod(body.spacing)) >= self.smallest) & reaching(runs, data, self.high)
        keep(found, runs, wanted)
        del runs
        result = found.view(np.bool_)
        if self.closing and result.any():
            close(result, self.closing, context.spacing, context.threads)
        self._fill(body, body.turned(result))
        shape = [
            np.minimum(f, n - f * np.arange(m)) for f, n, m in zip(body.factors, body.hu.shape, body.inside.shape, strict=True)
        ]
        share = float(result.sum()) / max(1.0, float(np.einsum("zyx,z,y,x->", body.inside.astype(np.float64), *shape)))
        if not result.any():
            context.note("No bone was found.")
        elif share > 0.25:
            context.note(f"Bone makes up {share:.0%} of the body: contrast medium or metal may have been taken for it.")
        return result if context.region is None else result & context.region

    @staticmethod
    def _fill(body: Chest, bone: npt.NDArray[np.bool_]) -> None:
        """Keep bone to the patient and fill it, a row of blocks at a time."""
        step = body.factors[0]
        for k in range(len(body.inside)):
            slab = slice(k * step, (k + 1) * step)
            part = bone[slab]
            part &= enlarge(body.inside[k : k + 1], body.factors, part.shape)
            # Marrow is enclosed in most axial slices; what is as empty as lung or bowel is not marrow.
            part |= fill_holes(part, axis=0) & (body.hu[slab] > -100)
