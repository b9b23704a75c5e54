"""Round nodules in chest X-ray phantoms, one or none an image: sensitivity at one false positive an image.

    python -m benchmarks.train.lesions [--seeds 0 1 2]

A box counts for a nodule where its middle lies within it. Training and test phantoms are drawn apart from each other.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from benchmarks.train.common import arguments, once, told
from isocenter import nets
from isocenter.learn.evaluate.detection import ImageFindings, evaluate_detection
from isocenter.learn.train.engine import fit
from isocenter.learn.train.settings import FitSettings
from isocenter.nets.boxes import Targets
from isocenter.testing.phantoms.xray_chest import xray_chest

Scene = tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]


def scene(seed: int) -> Scene:
    """Return a radiograph (1, 256, 256) and the boxes of its nodules (0 or 1 rows of low row, low column, high row, high column)."""
    generator = np.random.default_rng([seed, 11])
    plain = xray_chest(seed=seed)
    boxes = np.zeros((0, 4), np.float32)
    found = plain
    if generator.random() < 0.75:
        places = np.argwhere(np.isin(np.asarray(plain.truth.array), (1, 2)))  # in a lung field
        row, column = places[int(generator.integers(len(places)))]
        world = plain.image.geometry.to_world([[float(row), float(column)]])[0]
        across = float(generator.uniform(12.0, 27.0))
        found = xray_chest(seed=seed, nodule=(float(world[0]), float(world[2]), across))
        half = across / 2.0 / 1.5
        boxes = np.array([[row - half, column - half, row + half, column + half]], np.float32)
    array = np.asarray(found.image.array, np.float32)
    return ((array - array.mean()) / array.std())[None], boxes


def main() -> None:
    options = arguments("lesions", epochs=40)
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
    test = [scene(base + 90_000 + k) for k in range(100)]
    torch.manual_seed(seed)
    net = nets.build("one_stage_detector", channels=(8, 16, 32, 64), levels=2, features=32)

    class Joined(torch.nn.Module):
        """The detector as a network whose output is its summed loss: the engine asks for one tensor."""

        def __init__(self) -> None:
            super().__init__()
            self.detector = net
            self.targets: list[Targets] = []

        def forward(self, x: Tensor) -> Tensor:
            return torch.stack(list(self.detector.losses(x, self.targets).values())).sum()

    joined = Joined()

    class Batches:
        """Eight images a batch, every one drawn once only; the boxes go to the network beside them."""

        def __len__(self) -> int:
            return 12

        def epoch(self, number: int) -> Any:
            for k in range(len(self)):
                chosen = [scene(base + (number * len(self) + k) * 8 + i) for i in range(8)]
                joined.targets = [Targets(torch.from_numpy(b), torch.zeros(len(b), dtype=torch.long)) for _, b in chosen]
                yield {"image": np.stack([image for image, _ in chosen]), "truth": np.zeros(8, np.float32)}

    settings = FitSettings(epochs=epochs, learning_rate=3e-3, average=0.99)
    fit(joined, Batches(), loss=lambda loss, truth: loss, settings=settings, folder=place, progress=told)
    rows = []
    with torch.inference_mode():
        for image, boxes in test:
            found = net.detect(torch.from_numpy(image[None]), least=0.02, most=20)[0]
            middle = (found.boxes[:, :2] + found.boxes[:, 2:]).numpy() / 2.0
            inside = ((middle[:, None] >= boxes[None, :, :2]) & (middle[:, None] <= boxes[None, :, 2:])).all(2)
            rows.append({"scores": found.scores.tolist(), "hits": inside.astype(float).tolist(), "nodules": len(boxes)})
    return {"images": rows}


if __name__ == "__main__":
    main()
