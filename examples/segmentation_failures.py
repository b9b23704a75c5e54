"""Where segmenters fail, on phantoms of known truth: writes three pictures into a folder.

python examples/segmentation_failures.py docs/images
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np

import isocenter as iso
from isocenter.testing.phantoms.cells import cells
from isocenter.testing.phantoms.chest_ct import chest_ct
from isocenter.view.montage import montage


def white_lung() -> bytes:
    """A left lung without air: nothing tells it from the chest wall, and only the right one is found."""
    phantom = chest_ct((60, 110, 110), (5.0, 3.2, 3.2))
    array = np.array(phantom.image.array)
    array[phantom.region("left lung")] = 20
    image = phantom.image.with_array(array)
    found = iso.op("segment.lungs")(image)
    print(found.provenance.steps[-1].notes)
    return montage(image, found, title="segment.lungs, a left lung without air")


def crowd() -> bytes:
    """Nuclei seen out of focus: those that touch become one."""
    phantom = cells(seed=0, spacing=0.0005)
    blurred = iso.op("denoise.gaussian", sigma=4.0 * max(phantom.image.geometry.spacing))(phantom.image)
    found = iso.op("segment.nuclei")(blurred)
    count = int(np.asarray(found.array).max())
    print(f"{count} nuclei found of {int(np.asarray(phantom.truth.array).max())}")
    outline = iso.LabelMap((np.asarray(found.array) > 0).astype(np.uint8), found.dims, found.geometry)
    return montage(blurred, outline, title=f"segment.nuclei out of focus: {count} found of {phantom.truth.array.max()}")


def leak() -> bytes:
    """A bound set too low: what grew from a lesion runs on into what it touches."""
    phantom = chest_ct((60, 110, 110), (5.0, 3.2, 3.2), tumour=True)
    middle = np.argwhere(phantom.region("tumour")).mean(axis=0)
    seed = [[int(v) for v in np.rint(middle)]]
    found = iso.op("segment.region_grow", method="range", lower=-20.0, upper=150.0, seeds_samples=seed)(phantom.image)
    print(found.provenance.steps[-1].notes)
    return montage(phantom.image, found, title="segment.region_grow from a tumour at the wall: it leaked")


if __name__ == "__main__":
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else tempfile.mkdtemp())
    for name, draw in (("lungs", white_lung), ("nuclei", crowd), ("region-grow", leak)):
        (folder / f"failure-{name}.png").write_bytes(draw())
