"""The spinal cord of one subject, whose mask is a network's: training Dice only. It shows the machinery and no generalisation.

python -m benchmarks.train.cord [--seeds 0 1 2]
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import torch

import isocenter as iso
from benchmarks.train.common import arguments, data_folder, line, once, told
from isocenter.core.labels import LabelMap, Segment
from isocenter.learn.train.fingerprint import fingerprint
from isocenter.learn.train.plan import Budget, make_plan
from isocenter.learn.train.segmentation import dice_by_class, train_segmenter
from isocenter.learn.train.settings import FitSettings


def main() -> None:
    options = arguments("cord", epochs=30)
    torch.set_num_threads(options.threads)
    folder = data_folder("spine_mr")
    image = iso.read(folder / "t2.nii.gz")
    labels = np.asarray(iso.read(folder / "t2_seg-manual.nii.gz").array) > 0
    mask = LabelMap(labels, image.dims, image.geometry, (Segment(1, "spinal cord"),))
    dice = []
    for seed in options.seeds:
        place = options.out / f"seed-{seed}"

        def work(seed: int = seed, place: Any = place) -> dict[str, Any]:
            settings = FitSettings(learning_rate=3e-3, precision="bfloat16", every=10)
            plan = make_plan(fingerprint([image], [mask]), Budget(features=16, epochs=options.epochs, steps=6), settings)
            print(plan.describe(), flush=True)
            plan = replace(plan, augment=0.0)
            segmenter = train_segmenter([image], [mask], validation=0.0, plan=plan, folder=place, seed=seed, progress=told)
            segmenter.save(place)
            return {"dice": dice_by_class(segmenter.predict(image).array, mask.array, 2)}

        dice += once(place, work)["dice"]
    print("\n| cord, training Dice of one subject (no generalisation is claimed) | Dice | 95 % interval | n |")
    print("| --- | ---: | --- | ---: |")
    print(line("over seeds", dice, [0] * len(dice)))


if __name__ == "__main__":
    main()
