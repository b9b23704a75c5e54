"""Nuclei in fluorescence, H&E and bright field: one U-Net for all stains, 5 folds stratified by stain.

    python -m benchmarks.train.nuclei [--seeds 0 1 2]

Every picture is brought to channels in which nuclei are bright (brightness, or the density of hematoxylin), so that 25 stained ones
learn from 50 fluorescent ones, and three copies of each are added, changed as pictures (`varied_cells`) before the channels are
computed. All pictures of a training fold teach, and the last epoch is kept. The Dice coefficient is that of the
foreground; instances are parted by depth, and scored by F1 at an overlap (IoU) of one half.
"""

from __future__ import annotations

import csv
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from scipy import ndimage
from skimage.morphology import h_maxima
from skimage.segmentation import watershed

import isocenter as iso
from benchmarks.train.common import arguments, data_folder, line, once, stratified_folds, told
from benchmarks.train.varied_cells import varied_cells
from isocenter.core.labels import LabelMap, Segment
from isocenter.kernels.nuclei import has_bright_ground, hematoxylin_red_green
from isocenter.kernels.otsu import otsu
from isocenter.learn.loading.augment import MICROSCOPY
from isocenter.learn.train.fingerprint import fingerprint
from isocenter.learn.train.losses import DiceCrossEntropy
from isocenter.learn.train.plan import Budget, make_plan
from isocenter.learn.train.segmentation import train_segmenter
from isocenter.learn.train.settings import FitSettings

FloatArray = npt.NDArray[np.float64]

SEGMENTS = (Segment(1, "nucleus"),)
#: Copies of each training picture as other stainings and exposures might have given it.
COPIES = 3


def main() -> None:
    options = arguments("nuclei", epochs=40)
    torch.set_num_threads(options.threads)
    folder = data_folder("nuclei")
    rows = list(csv.DictReader((folder / "labels.csv").open()))
    pictures = [iso.read(folder / "images" / r["file"]) for r in rows]
    instances = [np.asarray(iso.read(folder / "labels" / r["file"]).array) for r in rows]
    stains = [r["stain"] for r in rows]
    masks = [LabelMap(n > 0, ("y", "x"), i.geometry, SEGMENTS) for n, i in zip(instances, pictures, strict=True)]
    table: dict[str, list[tuple[int, float, float]]] = {}
    for seed in options.seeds:
        for number, test in enumerate(stratified_folds(stains, 5, seed)):
            if options.folds is not None and number not in options.folds:
                continue
            place = options.out / f"seed-{seed}-fold-{number}"

            def work(test: list[int] = test, seed: int = seed, place: Any = place) -> dict[str, Any]:
                return _fold(pictures, masks, instances, test, seed, options.epochs, place)

            found = once(place, work)
            print(f"seed {seed} fold {number}: Dice {np.mean(found['dice']):.4f}, F1 {np.mean(found['f1']):.4f}", flush=True)
            for case, dice, f1 in zip(found["cases"], found["dice"], found["f1"], strict=True):
                table.setdefault(stains[case], []).append((case, dice, f1))
                table.setdefault("all", []).append((case, dice, f1))
    print("\n| nuclei | mean | 95 % interval | n |\n| --- | ---: | --- | ---: |")
    for name, entries in sorted(table.items()):
        print(line(f"{name}: Dice of the foreground", [e[1] for e in entries], [e[0] for e in entries]))
        print(line(f"{name}: F1 of instances at IoU 0.5", [e[2] for e in entries], [e[0] for e in entries]))


def ready(image: iso.Image) -> iso.Image:
    """Return five channels in which nuclei are bright, whatever the stain.

    How much nucleus relative to the picture's own least and most; the same as it was measured (the root of the brightness, or
    hematoxylin as an optical density), so that a picture without a nucleus does not look like one with; how much more
    green than red the stain takes, 0 without colour; and, where nuclei shine, how far the brightness lies above Otsu's threshold of the
    picture, once as it is, in which fibres and haze beside bright nuclei are faint, and once of its root, in which dim nuclei are not.
    What is stained repeats the first instead: on pictures with few nuclei that threshold parts the ground.
    """
    array = np.asarray(image.array, np.float64)
    redder = np.zeros(image.geometry.shape)
    shines = "c" not in image.dims and not has_bright_ground(array)
    if "c" in image.dims:
        red, green = hematoxylin_red_green(np.moveaxis(array, image.dims.index("c"), 0))
        amount, redder = 0.7 * red + 0.3 * green, green - red
    elif shines:
        amount = np.sqrt(np.maximum(array, 0.0) / 255.0)
    else:
        amount = np.maximum(np.percentile(array, 95) - array, 0.0) / 255.0
    relative = _relative(amount)
    about = [_about_threshold(array), _about_threshold(amount)] if shines else [relative, relative]
    channels = np.stack([relative, np.clip(amount, 0.0, 1.5), np.clip(redder, -0.6, 0.6), *about])
    return iso.Image(channels.astype(np.float32), ("c", "y", "x"), image.geometry)


def _relative(amount: FloatArray) -> FloatArray:
    """Return amounts between the picture's least (1st percentile) and most (mean of its highest thousandth)."""
    low = float(np.percentile(amount, 1.0))
    high = float(np.sort(amount.ravel())[-max(amount.size // 1000, 16) :].mean())
    return np.clip((amount - low) / max(high - low, 1e-6), 0.0, 1.0)


def _about_threshold(amount: FloatArray) -> FloatArray:
    """Return amounts less Otsu's threshold, in distances between the means of what is darker and what is brighter."""
    smooth = ndimage.gaussian_filter(amount, 1.0)
    threshold = otsu(smooth)
    bright = smooth > threshold
    apart = float(smooth[bright].mean() - smooth[~bright].mean()) if bright.any() else 0.0
    return np.clip((amount - threshold) / max(apart, 1e-6), -1.5, 2.0)


def separated(mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.int32]:
    """Return instances: each grows from a place that lies deepest in the foreground, deeper than the neck to the next by 0.75 samples."""
    depth = ndimage.gaussian_filter(ndimage.distance_transform_edt(mask), 1.0)
    markers, _ = ndimage.label(h_maxima(depth, 0.75))
    return np.asarray(watershed(-depth, markers, mask=mask), np.int32)


def instance_f1(prediction: npt.NDArray[Any], truth: npt.NDArray[Any], least: float = 0.5) -> float:
    """Return F1 of the instances that overlap by an IoU of more than `least`."""
    p = np.unique(prediction, return_inverse=True)[1].reshape(prediction.shape)
    t = np.unique(truth, return_inverse=True)[1].reshape(truth.shape)
    both = np.zeros((p.max() + 1, t.max() + 1), np.int64)
    np.add.at(both, (p.ravel(), t.ravel()), 1)
    union = both.sum(1, keepdims=True) + both.sum(0, keepdims=True) - both
    hits = int((both[1:, 1:] / union[1:, 1:] > least).sum())
    return 2.0 * hits / max((p.max() + t.max()), 1)


def _spread(images: list[iso.Image]) -> tuple[dict[str, float], ...]:
    """Return mean and deviation of each channel over all samples, and limits that no sample passes."""
    samples = np.concatenate([np.asarray(i.array).reshape(i.array.shape[0], -1) for i in images], axis=1)
    return tuple({"mean": float(c.mean()), "std": float(c.std()), "low": float(c.min()), "high": float(c.max())} for c in samples)


def _fold(
    pictures: list[iso.Image], masks: list[LabelMap], instances: list[npt.NDArray[Any]], test: list[int],
    seed: int, epochs: int, folder: Any,
) -> dict[str, Any]:  # fmt: skip
    train = [k for k in range(len(pictures)) if k not in test]
    rng = np.random.default_rng(seed)
    copied = [k for k in train for _ in range(COPIES)]
    chosen = [ready(pictures[k]) for k in train] + [ready(varied_cells(pictures[k], instances[k], rng)) for k in copied]
    truths = [masks[k] for k in (*train, *copied)]
    settings = FitSettings(
        learning_rate=2e-3,
        optimizer="muon",
        warmup=30,
        clip=12.0,
        precision="bfloat16",
        channels_last=True,
        average=0.99,
        every=epochs,
    )
    plan = make_plan(fingerprint(chosen, truths), Budget(features=16, epochs=epochs, steps=50), settings)
    # What a sample means is the same in all pictures: they are scaled by the cohort, not each by itself, and nothing is cut off. Patches
    # lie anywhere: around nuclei they would teach that a picture is full of them.
    parameters = {**plan.parameters, "channels": [min(c, 128) for c in plan.parameters["channels"]]}
    plan = replace(plan, patch=(128, 128), foreground=0.0, normalisation="ct", intensity=_spread(chosen), parameters=parameters)
    print(plan.describe(), flush=True)
    # Pictures with a single nucleus count as much as crowded ones in the score, and so they do in the loss.
    segmenter = train_segmenter(
        chosen, truths, validation=0, plan=plan, mirror=(0, 1), augment=MICROSCOPY, loss=DiceCrossEntropy(each=True), folder=folder,
        seed=seed, progress=told,
    )  # fmt: skip
    segmenter.save(folder)
    dice, f1 = [], []
    for k in test:
        p, t = np.asarray(segmenter.predict(ready(pictures[k])).array) > 0, instances[k] > 0
        dice.append(2.0 * float((p & t).sum()) / max(float(p.sum() + t.sum()), 1.0))
        f1.append(instance_f1(separated(p), instances[k]))
    return {"cases": test, "dice": dice, "f1": f1}


if __name__ == "__main__":
    main()
