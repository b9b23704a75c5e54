"""The same nouns without a pipeline: segment, compare with the truth, measure, write.

Run it with ``python examples/measure_by_hand.py``; it leaves ``lungs.nii.gz`` beside you.
"""

from __future__ import annotations

import isocenter as iso
from isocenter.core.labels import LabelMap, Segment
from isocenter.testing.phantoms.chest_ct import chest_ct


def main() -> None:
    """Print a Dice coefficient, a distance in mm and the lungs' volumes."""
    phantom = chest_ct()
    lungs = iso.op("segment.lungs")(phantom.image)
    truth = LabelMap(phantom.region("lungs"), phantom.image.dims, phantom.image.geometry, (Segment(1, "lungs"),))

    print("Dice:", iso.op("evaluate.dice")(lungs, truth)["dice"])
    print("95th percentile of the surface distance:", iso.op("evaluate.surface")(lungs, truth)["hausdorff_95"])

    table = iso.op("features.shape")(phantom.image, lungs)
    for row in table.to_records():
        print(f"{row['region']}: {row['volume_voxel'] / 1e6:.2f} litres")

    iso.write(lungs, "lungs.nii.gz")


if __name__ == "__main__":
    main()
