"""segment.lungs: right and left lung on CT, the lung fields on chest X-rays."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

import numpy as np
import numpy.typing as npt
from pydantic import Field

from isocenter.core.families import Segmenter
from isocenter.core.image import Image
from isocenter.core.operation import Context, Spec
from isocenter.kernels.coarse import draw
from isocenter.kernels.labels import dilate, sizes
from isocenter.kernels.lung_fields import find_lung_fields
from isocenter.kernels.lungs import LEFT, RIGHT, CoarseLungs, find_lungs
from isocenter.ops.segment._chest import Chest
from isocenter.ops.segment._examples import chest

#: ml that one lung of an adult may have.
_PLAUSIBLE = (500.0, 5000.0)
#: Times that one lung field on a radiograph may be as large as the other before it is noted.
_UNLIKE = 1.6


class Lungs(Segmenter):
    """Right and left lung: air spaces of the chest on CT, the visible lung fields on a chest X-ray.

    On a CT (z y x, HU) the lungs are the air inside the patient without trachea, main bronchi and bowel gas. Right
    and left follow from the affine and the spine, whatever way the volume is stored and the patient lies. Vessels are
    part of a lung; notches narrower than twice `closing` are too, so that nodules at the wall are taken in; a larger
    mass or effusion is not lung. Topology is decided on blocks of 3 mm, the wall then drawn at full resolution.

    On an X-ray (y x, not in HU; frontal, bones bright) a pair of rounded shapes that narrow towards the apex is fitted to the
    picture and snapped to its edges; the patient's right lung is the one on the image's left, as such images are displayed,
    unless the affine says otherwise. An outline whose base is paler than its upper half (drawn over lung and liver),
    or that lies far from its fellow, counts as implausible and loses to another of the starting positions.

    Tried on: full-chest phantoms (tilted, prone, noise, contrast, effusion, tumour at the wall: each lung within 3 % of its
    volume) and two cropped real chests; 200 radiographs of two sites (both fields together: mean Dice 0.866, lowest 0.624).
    The shape comes from no mask, but its three numbers and the weights of the search were chosen on results on the same
    radiographs, none of which was held out, so expect less elsewhere.

    Notes say when nothing was found, only one lung, one that touches the edge of the image, a volume that a lung cannot
    have, or fields of unlike size. It fails on lungs without air (complete atelectasis, large effusion), on a CT cropped to
    a limb (a mattress or room air may count as a lung that touches the edge), and on radiographs where room air beside the
    patient has no clear border. Lungs that touch over a wide area are parted only roughly.

    Parameters
    ----------
    closing : float
        mm; radius of the ball that rolls along the outside of each lung on CT.

    References
    ----------
    Hu, Hoffman, Reinhardt. Automatic lung segmentation for accurate quantitation of volumetric X-ray CT images. IEEE
    Trans. Med. Imaging 20 (2001) 490-498. Armato, Sensakovic. Automated lung segmentation for thoracic CT. Academic
    Radiology 11 (2004) 1011-1021 (rolling ball at the wall).
    """

    version: ClassVar[str] = "3"
    dims: ClassVar[tuple[str, ...]] = ("yx", "zyx")
    quantities: ClassVar[tuple[str, ...] | None] = ("HU",)  # of volumes: see check_image
    segments: ClassVar[tuple[str, ...]] = ("right lung", "left lung")
    human_scale: ClassVar[bool] = True
    ns_per_sample: ClassVar[float] = 150.0
    bytes_per_sample: ClassVar[float] = 10.0

    closing: Annotated[float, Field(ge=0.0, le=30.0)] = 8.0

    def check_image(self, spec: Spec) -> None:
        """Refuse volumes without HU or pixel size; X-rays need neither."""
        super().check_image(spec if "z" in spec.dims else spec.replace(quantity="HU"))
        if spec.geometry is not None and ("z" in spec.dims or spec.quantity == "HU"):
            spec.geometry.require_mm(self.name)

    def example_inputs(self) -> tuple[tuple[Image, ...], ...]:
        """Return a small chest CT."""
        return ((chest(),),)

    def compute(self, array: Any, context: Context) -> npt.NDArray[np.uint8]:
        """Return 1 for the right and 2 for the left lung."""
        data = np.asarray(array)
        if data.ndim == 3:
            result = self._volume(data, context.geometry.affine, context)
        elif context.quantity == "HU":
            # A slice becomes a volume of one slice, 10 mm thick so that volumes judged on the way make sense.
            step = context.geometry.affine[:3, :2]
            normal = np.cross(step[:, 1], step[:, 0])
            affine = np.column_stack([np.append(10.0 * normal / np.linalg.norm(normal), 0.0), context.geometry.affine])
            result = self._volume(data[None], affine, context)[0]
        else:
            result = _fields(data, context)
        if context.region is not None:
            result = np.where(context.region, result, np.uint8(0))
        return result

    def _volume(self, array: npt.NDArray[Any], affine: npt.NDArray[Any], context: Context) -> npt.NDArray[np.uint8]:
        """Return the lungs of a CT."""
        body = Chest.of(array, affine, context.threads)
        found = find_lungs(body.coarse, body.inside, body.steps, self.closing, context.threads)
        for text in found.notes:
            context.note(text)
        result = np.zeros(array.shape, np.uint8)
        _refine(body.hu, found, body.steps, body.factors, context.threads, body.turned(result))
        if len(context.spacing) == 3:
            _judge(result, float(np.prod(body.spacing)) / 1000.0, context)
        return result


def _fields(array: npt.NDArray[Any], context: Context) -> npt.NDArray[np.uint8]:
    """Return the lung fields of a frontal X-ray."""
    found = find_lung_fields(array)
    if not found.labels.any():
        context.note("No lung fields were found: the image shows no contrast.")
    elif found.contrast < 0.6:
        context.note("The lung fields stand out poorly from their surroundings: look at the outlines before using them.")
    areas = sorted(np.bincount(found.labels.ravel(), minlength=3)[1:].tolist())
    if areas[1] > _UNLIKE * areas[0] > 0:
        context.note(f"One lung field is {areas[1] / areas[0]:.1f} times the other: look at the outlines before using them.")
    # Frontal images are displayed as if the patient faced the viewer: the right lung on the left.
    mirrored = context.geometry.unit == "mm" and context.geometry.affine[0, 1] < 0.0
    return np.array([0, LEFT, RIGHT], dtype=np.uint8)[found.labels] if mirrored else found.labels


def _refine(
    hu: npt.NDArray[Any],
    found: CoarseLungs,
    steps: tuple[float, ...],
    factors: tuple[int, ...],
    threads: int,
    result: npt.NDArray[np.uint8],
) -> None:
    """Draw the lungs at full resolution into a volume of zeros.

    Inside, blocks count whole. At the wall of air the samples themselves decide; at a notch that was closed there is
    no edge to see, and the interpolated closing decides.
    """
    reach = 1.01 * max(steps)
    for side in (RIGHT, LEFT):
        whole = found.labels == side
        if not whole.any():
            continue
        rows = np.flatnonzero(whole.any(axis=(1, 2)))
        slab = slice(max(int(rows[0]) - 2, 0), int(rows[-1]) + 3)
        codes = np.zeros(whole.shape, np.uint8)
        part = whole[slab]
        outer = ~part & dilate(part, reach, steps, threads) & ~found.airway[slab]
        outer &= (found.labels[slab] == 0) | (found.labels[slab] == side)
        rim = part & dilate(~part, reach, steps, threads)
        notch = dilate(part & ~found.aerated[slab], reach, steps, threads) & (part | outer)
        codes[slab] = (part & ~rim) + np.uint8(4) * (rim | outer) + np.uint8(8) * notch
        draw(hu, codes, factors, (0.0, found.threshold), result, side, whole, threads)


def _judge(result: npt.NDArray[np.uint8], voxel: float, context: Context) -> None:
    """Note what a reader should know before believing the lungs; `voxel` in ml."""
    names = {RIGHT: "right", LEFT: "left"}
    count = sizes(result, 2)
    present = [side for side in names if count[side]]
    if len(present) == 1:
        context.note(f"Only the {names[present[0]]} lung was found.")
    for side in present:
        volume = float(count[side]) * voxel
        edges = [(result.take(end, axis=axis) == side).any() for axis in range(3) for end in (0, -1)]
        if any(edges):
            context.note(f"The {names[side]} lung touches the edge of the image: {volume:.0f} ml is a lower bound.")
        elif not _PLAUSIBLE[0] <= volume <= _PLAUSIBLE[1]:
            context.note(
                f"The {names[side]} lung measures {volume:.0f} ml: an adult's has {_PLAUSIBLE[0]:.0f} to {_PLAUSIBLE[1]:.0f} ml."
            )
