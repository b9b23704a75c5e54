"""The four ends of the axes of a head in ultrasound phantoms of 256 x 256: error in samples, and time a frame.

    python -m benchmarks.train.landmarks [--seeds 0 1 2]

Heads differ in size, angle, place and speckle; training, validation and test heads are drawn apart from each other.
"""

from __future__ import annotations

import math
import time
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from benchmarks.train.common import arguments, line, once, told
from isocenter import nets
from isocenter.learn.train.engine import fit
from isocenter.learn.train.settings import FitSettings
from isocenter.nets.heatmap_landmarks import landmark_loss
from isocenter.testing.phantoms.ultrasound import ultrasound


def head(seed: int) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Return a head (1, 256, 256) and the ends of its axes (left, right, upper, lower) as rows and columns."""
    generator = np.random.default_rng([seed, 7])
    long = generator.uniform(38.0, 50.0)
    short, angle = long * generator.uniform(0.7, 0.88), generator.uniform(-35.0, 35.0)
    found = ultrasound((296, 296), seed=seed, axes=(long, short), angle=angle)
    top, left = (int(v) for v in generator.integers(0, 41, 2))
    array = np.asarray(found.image.array)[top : top + 256, left : left + 256].astype(np.float32)
    turn = math.radians(angle)
    along, across = np.array([math.sin(turn), math.cos(turn)]), np.array([math.cos(turn), -math.sin(turn)])
    centre = np.array(found.center) - (top, left)
    ends = [
        centre - along * long / 0.5,
        centre + along * long / 0.5,
        centre - across * short / 0.5,
        centre + across * short / 0.5,
    ]
    return ((array - array.mean()) / array.std())[None], np.array(ends, np.float32)


def main() -> None:
    options = arguments("landmarks", epochs=60)
    torch.set_num_threads(options.threads)
    errors: list[float] = []
    heads: list[int] = []
    times: list[float] = []
    for seed in options.seeds:
        place = options.out / f"seed-{seed}"

        def work(seed: int = seed, place: Any = place) -> dict[str, Any]:
            return _trained(seed, options.epochs, place)

        found = once(place, work)
        errors += found["errors"]
        heads += [seed * 1000 + k // 4 for k in range(len(found["errors"]))]
        times.append(found["ms"])
    print(
        f"\nmedian {np.median(errors):.2f} samples, 95th percentile {np.percentile(errors, 95):.2f}; {np.median(times):.0f} ms a frame\n"
    )
    print("| landmarks | mean error, samples | 95 % interval | n |\n| --- | ---: | --- | ---: |")
    print(line("ends of the axes", errors, heads))


def _trained(seed: int, epochs: int, place: Any) -> dict[str, Any]:
    base = 100_000 * (seed + 1)
    checked, tested = ([head(base + start + k) for k in range(count)] for start, count in ((80_000, 24), (90_000, 60)))
    step = 2

    class Batches:
        """Eight heads a batch, every one drawn once only: a phantom costs less than a step."""

        def __len__(self) -> int:
            return 12

        def epoch(self, number: int) -> Any:
            for k in range(len(self)):
                drawn = [head(base + (number * len(self) + k) * 8 + i) for i in range(8)]
                truth = (np.stack([ends for _, ends in drawn]) - (step - 1) / 2.0) / step
                yield {"image": np.stack([image for image, _ in drawn]), "truth": truth}

    torch.manual_seed(seed)
    net = nets.build("heatmap_landmarks", out_channels=4, channels=(8, 16, 32, 64, 64), step=step)

    def validate(net: nn.Module) -> float:
        return -float(np.mean(_errors(net, checked)))

    settings = FitSettings(epochs=epochs, learning_rate=3e-3, average=0.99, every=5)
    fitted = fit(net, Batches(), loss=landmark_loss, settings=settings, validate=validate, folder=place, progress=told)
    start = time.process_time()
    errors = _errors(fitted.net, tested)
    return {"errors": errors, "ms": 1000.0 * (time.process_time() - start) / len(tested)}


def _errors(net: Any, heads: list[tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]]) -> list[float]:
    found: list[float] = []
    with torch.inference_mode():
        for image, ends in heads:
            positions = net.locate(torch.from_numpy(image[None]))[0].numpy()
            found += [float(e) for e in np.linalg.norm(positions - ends, axis=1)]
    return found


if __name__ == "__main__":
    main()
