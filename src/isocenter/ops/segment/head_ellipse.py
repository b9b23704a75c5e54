"""segment.head_ellipse: the fetal head on ultrasound as an ellipse, with BPD, OFD and HC."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from scipy import special

from isocenter.core.families import Segmenter
from isocenter.core.image import Image
from isocenter.core.operation import Context
from isocenter.kernels.head import Ellipse, fill_ellipse, find_head

__all__ = ["HeadEllipse"]


class HeadEllipse(Segmenter):
    """The fetal head on a transverse ultrasound picture: an ellipse along the outer edge of the skull.

    All plausible ellipses are compared coarsely: how much of the outline lies on a bright ridge, on opposite sides at once,
    with little alike inside; the best are fitted closely and moved to where the skull's brightness has fallen by half,
    outwards. Notes give biparietal diameter (outer to outer), occipitofrontal diameter and head circumference in mm where
    the pixel size is known, else in samples, and say when the skull is hardly seen or the ellipse leaves the picture.

    Tried on five public pictures with drawn ellipses: Dice 0.979 on average, lowest 0.973 (pictures on which it was also
    developed). On four phantoms the circumference was 1.0 to 1.4 % too long. It fails on pictures without a head (it always finds the best ellipse: look at it), where
    less than half of the skull is seen, and on a head that fills less than a fifth of the picture.

    References
    ----------
    Van den Heuvel et al. Automated measurement of fetal head circumference using 2D ultrasound images. PLoS ONE 13 (2018)
    e0200412.
    """

    dims: ClassVar[tuple[str, ...]] = ("yx",)
    segments: ClassVar[tuple[str, ...]] = ("fetal head",)
    ns_per_sample: ClassVar[float] = 4000.0
    bytes_per_sample: ClassVar[float] = 500.0

    def example_inputs(self) -> tuple[tuple[Image, ...], ...]:
        """Return a picture with a bright ellipse."""
        from isocenter.core.geometry import Geometry
        from isocenter.core.provenance import Provenance

        row, column = np.indices((80, 96), dtype=np.float64)
        far = np.hypot((row - 40.0) / 27.0, (column - 47.0) / 34.0)
        values = 20.0 + 180.0 * np.exp(-(((far - 0.96) / 0.05) ** 2)) + 4.0 * np.random.default_rng(9).standard_normal(far.shape)
        image = Image(
            np.clip(values, 0, 255).astype(np.uint8), ("y", "x"), Geometry.regular(far.shape, (1.5, 1.5)), modality="US"
        )
        return ((image.replace(provenance=Provenance.read(image.digest, "example")),),)

    def compute(self, array: Any, context: Context) -> npt.NDArray[np.bool_]:
        """Return the inside of the ellipse."""
        data = np.nan_to_num(np.asarray(array, dtype=np.float64))
        if context.region is not None:
            data = np.where(context.region, data, 0.0)
        head = find_head(data)
        if head is None:
            context.note("No head was found: the picture shows no contrast, or is too small.")
            return np.zeros(data.shape, np.bool_)
        found = fill_ellipse(head, (data.shape[0], data.shape[1]))
        self._judge(head, found, context)
        return found if context.region is None else found & context.region

    @staticmethod
    def _judge(head: Ellipse, found: npt.NDArray[np.bool_], context: Context) -> None:
        """Note the measurements and what makes them doubtful."""
        turn = np.array([[np.sin(head.angle), np.cos(head.angle)], [np.cos(head.angle), -np.sin(head.angle)]])
        axes = np.diag(context.spacing) @ turn @ np.diag([head.long, head.short])
        long, short = np.linalg.svd(axes, compute_uv=False)
        around = 4.0 * long * special.ellipe(1.0 - (short / long) ** 2)
        unit = "mm" if context.geometry.unit == "mm" else "samples"
        context.note(f"BPD {2 * short:.1f} {unit}, OFD {2 * long:.1f} {unit}, HC {around:.1f} {unit} (outer edge of the skull).")
        if head.support < 0.5:
            context.note(f"Only {head.support:.0%} of the outline lies on a bright skull: look at it before using the figures.")
        reach = head.long
        inside = reach <= head.row <= found.shape[0] - 1 - reach or not any(found.take(end, axis=0).any() for end in (0, -1))
        if not inside or any(found.take(end, axis=1).any() for end in (0, -1)):
            context.note("The ellipse reaches the edge of the picture: part of the head was not imaged.")
