"""isocenter, as its planner plans: U-Net, cosine, averaged weights, Dice over the batch; it chooses the features and the optimizer.

The planner begins with 16 features at the finest level and halves them where the budget would end before 200 steps.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import numpy as np
import torch

import isocenter as iso
from benchmarks.train.contest import Array, Clock, answer, given_job, peak_mib
from isocenter.core.geometry import Geometry
from isocenter.core.labels import LabelMap, Segment
from isocenter.learn.train.fingerprint import fingerprint
from isocenter.learn.train.plan import Budget, make_plan
from isocenter.learn.train.segmentation import train_segmenter


def main() -> None:
    job = given_job()
    torch.set_num_threads(1)
    fold = job.fold()
    images, masks = [_image(job.image(k)) for k in fold["train"]], [_mask(job.truth(k)) for k in fold["train"]]
    budget = Budget(seconds=job.options["budget"], features=16, steps=job.options["steps"])
    plan = make_plan(fingerprint(images, masks), budget)
    settings = replace(
        plan.settings, epochs=job.rounds, warmup=plan.steps * job.rounds // 20, precision=job.options["precision"],
        channels_last=True, average=0.98, every=4,
    )  # fmt: skip
    plan = replace(plan, settings=settings)
    print(plan.describe(), flush=True)
    held = [fold["train"].index(k) for k in fold["held"]]
    clock = Clock()
    segmenter = train_segmenter(
        images, masks, validation=held, plan=plan, mirror=job.mirror, seed=job.seed, progress=lambda row: _told(row, clock)
    )
    peak, before = peak_mib(), time.process_time()
    tests = fold["test"] if job.predict else []
    found = {k: np.asarray(segmenter.predict(_image(job.image(k))).array) for k in tests}
    parameters = sum(p.numel() for p in segmenter.networks[0].parameters())
    answer(
        job, clock, found, steps=job.rounds * plan.steps, batch=plan.batch, parameters=parameters, peak_mib=peak,
        predict=time.process_time() - before,
    )  # fmt: skip


def _told(row: Any, clock: Clock) -> None:
    clock.mark()
    print(row.epoch, round(row.loss, 4), dict(row.scores), flush=True)


def _image(array: Array) -> iso.Image:
    if len(array) == 1:
        return iso.Image(array[0], ("y", "x"), Geometry.pixels(array.shape[1:]))
    return iso.Image(array, ("c", "y", "x"), Geometry.pixels(array.shape[1:]))


def _mask(truth: Array) -> LabelMap:
    segments = tuple(Segment(k, f"class {k}") for k in range(1, int(truth.max()) + 1))
    return LabelMap(truth.astype(np.uint8), ("y", "x"), Geometry.pixels(truth.shape), segments)


if __name__ == "__main__":
    main()
