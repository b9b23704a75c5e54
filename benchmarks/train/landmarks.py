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
    options = arguments("landmarks", epochs=30)
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
    parts = [[head(base + start + k) for k in range(count)] for start, count in ((0, 96), (10_000, 16), (20_000, 40))]
    step = 2
    batches = [
        {
            "image": np.stack([h[0] for h in parts[0][k : k + 8]]),
            "truth": (np.stack([h[1] for h in parts[0][k : k + 8]]) - (step - 1) / 2.0) / step,
        }
        for k in range(0, len(parts[0]), 8)
    ]
    torch.manual_seed(seed)
    net = nets.build("heatmap_landmarks", out_channels=4, channels=(8, 16, 32, 64, 64), step=step)

    def validate(net: nn.Module) -> float:
        return -float(np.mean(_errors(net, parts[1])))

    settings = FitSettings(epochs=epochs, learning_rate=3e-3, every=5)
    fitted = fit(net, batches, loss=landmark_loss, settings=settings, validate=validate, folder=place, progress=told)
    start = time.process_time()
    errors = _errors(fitted.net, parts[2])
    return {"errors": errors, "ms": 1000.0 * (time.process_time() - start) / len(parts[2])}


def _errors(net: Any, heads: list[tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]]) -> list[float]:
    found: list[float] = []
    with torch.inference_mode():
        for image, ends in heads:
            positions = net.locate(torch.from_numpy(image[None]))[0].numpy()
            found += [float(e) for e in np.linalg.norm(positions - ends, axis=1)]
    return found


if __name__ == "__main__":
    main()
