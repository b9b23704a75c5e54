"""Where segmenters fail, on phantoms of known truth: writes one picture of each into a folder.

python examples/segmentation_failures.py docs/images
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

import isocenter as iso
from isocenter.core.geometry import Geometry
from isocenter.testing.phantoms.brain_mr import brain_mr
from isocenter.testing.phantoms.cells import cells
from isocenter.testing.phantoms.chest_ct import ChestCT, chest_ct
from isocenter.testing.phantoms.fundus import fundus
from isocenter.testing.phantoms.ultrasound import ultrasound
from isocenter.testing.phantoms.vessel_tree import vessel_tree
from isocenter.testing.phantoms.xray_chest import xray_chest
from isocenter.view.montage import montage

#: A coarse chest: slices of 5 mm.
COARSE = ((60, 110, 110), (5.0, 3.2, 3.2))


def shown(name: str, image: iso.Image, title: str, **settings: Any) -> bytes:
    """Return a picture of what a segmenter outlines, and print what it notes."""
    found = iso.op(f"segment.{name}", **settings)(image)
    print(f"{name}: {' '.join(found.provenance.steps[-1].notes) or 'no note'}")
    return montage(image, found, title=f"segment.{name}: {title}")


def changed(phantom: ChestCT, where: Any, value: float) -> iso.Image:
    """Return the scan with one part of it at another HU."""
    array = np.array(phantom.image.array)
    array[where] = value
    return phantom.image.with_array(array)


def white_lung() -> bytes:
    """A left lung without air: nothing tells it from the chest wall, and only the right one is found."""
    phantom = chest_ct(*COARSE)
    return shown("lungs", changed(phantom, phantom.region("left lung"), 20), "a left lung without air")


def white_field() -> bytes:
    """A radiograph whose left lower field is white: the outline goes on over what is no longer dark, or stops anywhere."""
    image = xray_chest(heart=1.0).image
    array = np.array(image.array, dtype=np.float32)
    y, x = np.indices(array.shape[-2:]) / np.array(array.shape[-2:])[:, None, None]
    array[(y > 0.45) & (x > 0.52) & (x < 0.92)] = np.percentile(array, 97)
    return shown("lungs", image.with_array(array.astype(image.array.dtype)), "a lower field that is white")


def pad() -> bytes:
    """A wet pad on the skin of the chest: as dense as tissue, and flat on it."""
    phantom = chest_ct(*COARSE)
    body = phantom.region("body")
    front = np.argmax(body, axis=1)[:, None, :]
    z, y, x = np.ogrid[tuple(slice(n) for n in body.shape)]
    wet = body.any(axis=1, keepdims=True) & (y < front) & (y >= front - 4) & (abs(x - 55) < 20) & (z > 15) & (z < 45)
    return shown("body", changed(phantom, wet, 0), "a wet pad on the chest is taken in")


def leaking_airway() -> bytes:
    """Emphysema beside thin walls: coarse samples show no wall, and the tree ends early."""
    phantom = chest_ct(*COARSE)
    array = np.array(phantom.image.array)
    lung = phantom.region("right lung") | phantom.region("left lung")
    array[lung] = -985
    return shown("airway", phantom.image.with_array(array), "emphysema and slices of 5 mm: the bronchi are lost")


def contrast_bone() -> bytes:
    """Contrast medium in heart and vessels, denser than spongy bone: taken for bone."""
    phantom = chest_ct(*COARSE)
    return shown("bone", changed(phantom, phantom.region("heart"), 420), "contrast medium in the heart counts as bone")


def biased_brain() -> bytes:
    """A strong bias field: the dark half of the brain is lost (run correct.bias_field first)."""
    return shown("skull_strip", brain_mr(bias=0.9).image, "under a strong bias field")


def wide_vessel() -> bytes:
    """Vessels wider than the widest width that is looked for: only their edges answer."""
    return shown(
        "vessels", vessel_tree(radius=9.0, generations=3).image, "a trunk wider than the widest width", widths=(1.0, 1.5, 2.0)
    )


def crowd() -> bytes:
    """Nuclei seen out of focus: those that touch become one."""
    phantom = cells(seed=0, spacing=0.0005)
    blurred = iso.op("denoise.gaussian", sigma=4.0 * max(phantom.image.geometry.spacing))(phantom.image)
    found = iso.op("segment.nuclei")(blurred)
    count = int(np.asarray(found.array).max())
    outline = iso.LabelMap((np.asarray(found.array) > 0).astype(np.uint8), found.dims, found.geometry)
    return montage(blurred, outline, title=f"segment.nuclei out of focus: {count} found of {phantom.truth.array.max()}")


def dark_rim() -> bytes:
    """A retina that is as dark as the surround on one side: that side is cut off."""
    image = fundus((200, 200), seed=1).image
    ramp = np.clip((np.arange(200) - 20) / 110.0, 0.02, 1.0)
    array = np.asarray(image.array) * ramp
    return shown("fundus_view", image.with_array(array.astype(np.uint8)), "a retina that is dark on one side")


def bright_lesion() -> bytes:
    """A bright lesion larger than the disc: it is taken for it."""
    phantom = fundus((200, 200), seed=1)
    y, x = np.indices((200, 200))
    array = np.array(phantom.image.array)
    middle = 60 if phantom.disc[1] > 100 else 140  # on the other side of the field
    array[:, np.hypot(y - 120, x - middle) < 17] = np.array([255, 245, 200])[:, None]
    return shown("optic_disc", phantom.image.with_array(array), "a lesion brighter than the disc")


def no_head() -> bytes:
    """A picture of a cyst: the best ellipse is found although there is no head."""
    return shown("head_ellipse", ultrasound(kind="cyst").image, "a cyst, not a head")


def end_on() -> bytes:
    """Vessels that branch: what is round in a coarse volume is a candidate."""
    phantom = chest_ct(*COARSE, nodules=())
    return shown("nodule_candidates", phantom.image, "no nodule is here: every outline is a branching vessel", certainty=0.0)


def pen() -> bytes:
    """A pen mark on the glass: coloured, and taken for tissue."""
    y, x = np.indices((150, 180))
    colour = np.where(np.hypot((y - 80) / 40, (x - 70) / 45) < 1, np.array([190, 120, 175])[:, None, None], 238)
    colour = np.where((abs(y - 0.5 * x + 30) < 5) & (x > 110), np.array([40, 80, 190])[:, None, None], colour)
    image = iso.Image(colour.astype(np.uint8), ("c", "y", "x"), Geometry.pixels((150, 180)), channels=("red", "green", "blue"))
    return shown("tissue", image, "a pen mark counts as tissue")


def consolidation() -> bytes:
    """A lobe without air in the middle of a lung: no tumour, but it looks the same."""
    phantom = chest_ct(*COARSE, nodules=())
    lung = phantom.region("left lung")
    z, y, x = (np.indices(lung.shape) - np.argwhere(lung).mean(axis=0)[:, None, None, None]) * np.array([5.0, 3.2, 3.2])[
        :, None, None, None
    ]
    return shown(
        "tumour_candidates", changed(phantom, lung & (z**2 + y**2 + x**2 < 32.0**2), 30), "a consolidation, not a tumour"
    )


def leak() -> bytes:
    """A bound set too low: what grew from a lesion runs on into what it touches."""
    phantom = chest_ct(*COARSE, tumour=True)
    middle = np.argwhere(phantom.region("tumour")).mean(axis=0)
    seed = [[int(v) for v in np.rint(middle)]]
    return shown(
        "region_grow",
        phantom.image,
        "from a tumour at the wall: it leaked",
        method="range",
        lower=-20.0,
        upper=150.0,
        seeds_samples=seed,
    )


PICTURES = {
    "lungs": white_lung,
    "lungs-xray": white_field,
    "body": pad,
    "airway": leaking_airway,
    "bone": contrast_bone,
    "skull-strip": biased_brain,
    "vessels": wide_vessel,
    "nuclei": crowd,
    "fundus-view": dark_rim,
    "optic-disc": bright_lesion,
    "head-ellipse": no_head,
    "nodule-candidates": end_on,
    "tissue": pen,
    "tumour-candidates": consolidation,
    "region-grow": leak,
}


if __name__ == "__main__":
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else tempfile.mkdtemp())
    for name, draw in PICTURES.items():
        (folder / f"failure-{name}.png").write_bytes(draw())
