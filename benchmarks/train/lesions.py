"""Round nodules in chest X-ray phantoms, one or none an image: sensitivity at one false positive an image.

    python -m benchmarks.train.lesions [--seeds 0 1 2]

Trained as `isocenter run --labels` trains (`train_detector`). A box counts for a nodule where its middle lies within it. Training,
validation and test phantoms are drawn apart from each other.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

import isocenter as iso
from benchmarks.train.common import arguments, once, told
from isocenter.learn.evaluate.detection import ImageFindings, evaluate_detection
from isocenter.learn.places.places import Places
from isocenter.learn.train.detection import train_detector
from isocenter.learn.train.settings import FitSettings
from isocenter.testing.phantoms.xray_chest import xray_chest


def scene(seed: int) -> tuple[iso.Image, Places]:
    """Return a radiograph of 256 x 256 samples and the boxes of its nodules, one or none."""
    generator = np.random.default_rng([seed, 11])
    plain = xray_chest(seed=seed)
    boxes = np.zeros((0, 4))
    found = plain
    if generator.random() < 0.75:
        places = np.argwhere(np.isin(np.asarray(plain.truth.array), (1, 2)))  # in a lung field
        row, column = places[int(generator.integers(len(places)))]
        world = plain.image.geometry.to_world([[float(row), float(column)]])[0]
        across = float(generator.uniform(12.0, 27.0))
        found = xray_chest(seed=seed, nodule=(float(world[0]), float(world[2]), across))
        half = across / 2.0 / 1.5
        boxes = np.array([[row - half, column - half, row + half, column + half]])
    return found.image, Places("boxes", boxes, ("nodule",) * len(boxes), found.image.geometry)


def main() -> None:
    options = arguments("lesions", epochs=30)
    torch.set_num_threads(options.threads)
    findings: list[ImageFindings] = []
    for seed in options.seeds:
        place = options.out / f"seed-{seed}"

        def work(seed: int = seed, place: Any = place) -> dict[str, Any]:
            return _trained(seed, options.epochs, place)

        for k, row in enumerate(once(place, work)["images"]):
            hits = np.array(row["hits"], float).reshape(len(row["scores"]), row["nodules"])
            findings.append(ImageFindings(np.array(row["scores"], float), hits, f"{seed}-{k}"))
    scores = evaluate_detection(findings)
    print(f"\n{len(findings)} images\n\n| nodules | | 95 % interval |\n| --- | ---: | --- |")
    for name, score in scores.items():
        shown = "" if score.interval is None else f"{score.interval[0]:.3f} to {score.interval[1]:.3f}"
        print(f"| {name} | {float(score):.3f} | {shown} |")


def _trained(seed: int, epochs: int, place: Any) -> dict[str, Any]:
    base = 100_000 * (seed + 1)
    known = [scene(base + k) for k in range(216)]
    trained = train_detector(
        [image for image, _ in known],
        [boxes for _, boxes in known],
        validation=range(192, 216),
        settings=FitSettings(epochs=epochs, learning_rate=3e-3, average=0.99, every=5),
        folder=place,
        seed=seed,
        progress=told,
    )
    rows = []
    for image, boxes in (scene(base + 90_000 + k) for k in range(100)):
        found = trained.predict(image)
        middle, axes = found.centres, image.geometry.ndim
        inside = (middle[:, None] >= boxes.samples[None, :, :axes]) & (middle[:, None] <= boxes.samples[None, :, axes:])
        scores = [] if found.scores is None else found.scores.tolist()
        rows.append({"scores": scores, "hits": inside.all(2).astype(float).tolist(), "nodules": len(boxes)})
    return {"images": rows}


if __name__ == "__main__":
    main()
