"""segment.body: the patient on a CT, without table and room."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any, ClassVar

import numpy as np
import numpy.typing as npt
from pydantic import Field

from isocenter.core.families import Segmenter
from isocenter.core.geometry import Geometry
from isocenter.core.image import Image
from isocenter.core.operation import Context
from isocenter.kernels.body import inside_patient, tissue_of_patient
from isocenter.kernels.coarse import block_mean, draw, factors_for, to_patient_axes
from isocenter.kernels.labels import dilate, erode
from isocenter.ops.segment._examples import chest


class Body(Segmenter):
    """The patient on a CT: everything inside the skin, lungs and bowel gas included; no table, no room.

    What is thick and denser than `threshold` is kept if it is the largest piece or at least a tenth of it (legs,
    arms), and filled. The decision is made on blocks of 3 mm, its edge then drawn at full resolution. Works on
    cropped fields that cut the patient, or a lung, open, and on a single slice; the room is told from lung by its HU.

    Tried on chest phantoms (Dice at least 0.993, volume within 1.3 %), and looked at on two public CTs (a trunk, a cropped
    chest). It fails where pads denser than the threshold lie flat on the skin (they are taken in up to a block's width), and
    leaves out what is thinner than 10 mm in the axial plane, such as a finger. A note says when nothing was found or
    the patient reaches beyond the image.

    Parameters
    ----------
    threshold : float
        HU above which a sample is tissue.

    References
    ----------
    Hu, Hoffman, Reinhardt. Automatic lung segmentation for accurate quantitation of volumetric X-ray CT images. IEEE
    Trans. Med. Imaging 20 (2001) 490-498 (threshold, components and filling).
    """

    dims: ClassVar[tuple[str, ...]] = ("yx", "zyx")
    needs_mm: ClassVar[bool] = True
    quantities: ClassVar[tuple[str, ...] | None] = ("HU",)
    segments: ClassVar[tuple[str, ...]] = ("body",)
    human_scale: ClassVar[bool] = True
    ns_per_sample: ClassVar[float] = 6.0
    bytes_per_sample: ClassVar[float] = 3.0

    threshold: Annotated[float, Field(ge=-900.0, le=0.0)] = -300.0

    def example_inputs(self) -> tuple[tuple[Image, ...], ...]:
        """Return a small chest CT."""
        return ((chest(),),)

    def compute(self, array: Any, context: Context) -> npt.NDArray[np.bool_]:
        """Return where the patient is."""
        if len(context.dims) == 2:
            return np.asarray(self.compute(np.asarray(array)[None], _stacked(context))[0])
        order, flipped = to_patient_axes(context.geometry.affine)
        turn = tuple(slice(None, None, -1 if f else 1) for f in flipped)
        hu = np.asarray(array).transpose(order)[turn]
        spacing = tuple(context.spacing[k] for k in order)
        factors = factors_for(hu.shape, spacing, 3.0)
        steps = tuple(s * f for s, f in zip(spacing, factors, strict=True))
        coarse = block_mean(hu, factors, context.threads)
        tissue = tissue_of_patient(coarse, steps, self.threshold, context.threads)
        inside, cut = inside_patient(coarse, tissue, steps) if tissue.any() else (tissue, False)
        reach = 1.01 * max(steps)
        core = erode(inside, reach, steps, context.threads)
        near = dilate(inside, 0.6 * reach, steps, context.threads)
        if cut:  # lung that the field cuts open has no skin
            core |= near & inside & (coarse < self.threshold)
        # Between the two the samples themselves say where the skin is.
        drawn = np.zeros(np.asarray(array).shape, np.uint8)
        codes = core + np.uint8(2) * near
        draw(hu, codes, factors, (self.threshold, 0.0), drawn.transpose(order)[turn], threads=context.threads)
        result = drawn.view(np.bool_)
        self._judge(result, inside, cut, context)
        if context.region is not None:
            result &= context.region
        return result

    @staticmethod
    def _judge(result: npt.NDArray[np.bool_], inside: npt.NDArray[np.bool_], cut: bool, context: Context) -> None:
        if not result.any():
            context.note("No body was found: nothing in the image is dense and thick enough.")
        elif cut:
            context.note("The field of view ends inside the chest: the body is cut open.")
        elif any(inside.take(end, axis=axis).any() for axis in (1, 2) for end in (0, -1)):
            context.note("The body reaches the edge of the image in the axial plane: part of it was not scanned.")


def _stacked(context: Context) -> Context:
    """Return the context of a single slice as that of a stack of one, 5 mm thick."""
    steps = context.geometry.affine[:3, :2]
    normal = np.cross(steps[:, 0], steps[:, 1])
    affine = np.zeros((4, 4))
    affine[:3, 0] = 5.0 * normal / np.linalg.norm(normal)
    affine[:, 1:] = context.geometry.affine
    grid = Geometry((1, *context.geometry.shape), affine, context.geometry.frame, context.geometry.unit)
    region = None if context.region is None else context.region[None]
    return replace(context, geometry=grid, dims=("z", "y", "x"), region=region)
