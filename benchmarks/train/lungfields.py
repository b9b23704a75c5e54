"""Lung fields on 200 chest X-rays of two sites: a U-Net, 5 folds stratified by site and class, one image a patient.

    python -m benchmarks.train.lungfields [--seeds 0 1 2]

All cases of a training fold teach and the last epoch is kept: nothing is chosen, so nothing is held back to choose by.
"""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

import isocenter as iso
from benchmarks.train.common import arguments, data_folder, line, once, stratified_folds, told
from isocenter.core.labels import LabelMap, Segment
from isocenter.learn.train.fingerprint import fingerprint
from isocenter.learn.train.losses import DiceCrossEntropy
from isocenter.learn.train.plan import Budget, make_plan
from isocenter.learn.train.segmentation import dice_by_class, train_segmenter
from isocenter.learn.train.settings import FitSettings


def main() -> None:
    options = arguments("lungfields", epochs=32)
    torch.set_num_threads(options.threads)
    folder = data_folder("cxr_lungs")
    rows = list(csv.DictReader((folder / "labels.csv").open()))
    images = [iso.read(folder / "images" / r["file"]) for r in rows]
    masks = [_mask(folder / "masks" / r["file"], i) for r, i in zip(rows, images, strict=True)]
    strata = [f"{r['source']} {r['label']}" for r in rows]
    settings = FitSettings(
        learning_rate=2e-3,
        optimizer="muon",
        warmup=30,
        precision="bfloat16",
        channels_last=True,
        average=0.99,
        every=options.epochs,
    )
    dice: list[float] = []
    cases: list[int] = []
    sites: list[str] = []
    for seed in options.seeds:
        for number, test in enumerate(stratified_folds(strata, 5, seed)):
            if options.folds is not None and number not in options.folds:
                continue
            found = once(
                options.out / f"seed-{seed}-fold-{number}",
                lambda test=test, seed=seed, number=number: _fold(  # type: ignore[misc]  # bound to this turn of the loop
                    images, masks, test, seed, options.epochs, settings, options.out / f"seed-{seed}-fold-{number}"
                ),
            )
            print(f"seed {seed} fold {number}: Dice {np.mean(found['dice']):.4f}", flush=True)
            dice += found["dice"]
            cases += found["cases"]
            sites += [rows[k]["source"] for k in found["cases"]]
    print("\n| lung fields | Dice | 95 % interval | n |\n| --- | ---: | --- | ---: |")
    print(line("all", dice, cases))
    for site in sorted(set(sites)):
        keep = [k for k, s in enumerate(sites) if s == site]
        print(line(site, [dice[k] for k in keep], [cases[k] for k in keep]))


def _mask(path: Path, image: iso.Image) -> LabelMap:
    return LabelMap(np.asarray(iso.read(path).array) > 127, image.dims, image.geometry, (Segment(1, "lung"),))


def _fold(
    images: list[iso.Image], masks: list[LabelMap], test: list[int], seed: int, epochs: int,
    settings: FitSettings, folder: Path,
) -> dict[str, Any]:  # fmt: skip
    train = [k for k in range(len(images)) if k not in test]
    chosen, truths = [images[k] for k in train], [masks[k] for k in train]
    plan = make_plan(fingerprint(chosen, truths), Budget(features=16, epochs=epochs, steps=20), settings)
    plan = replace(plan, parameters={**plan.parameters, "channels": [min(c, 128) for c in plan.parameters["channels"]]})
    print(plan.describe(), flush=True)
    segmenter = train_segmenter(
        chosen,
        truths,
        validation=0,
        plan=plan,
        mirror=(1,),
        loss=DiceCrossEntropy(each=True),
        folder=folder,
        seed=seed,
        progress=told,
    )
    segmenter.save(folder)
    scores = [dice_by_class(segmenter.predict(images[k]).array, masks[k].array, 2)[0] for k in test]
    return {"cases": test, "dice": scores}


if __name__ == "__main__":
    main()
