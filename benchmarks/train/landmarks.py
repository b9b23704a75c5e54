"""The four ends of the axes of a head in ultrasound phantoms of 256 x 256: error in samples, and time a frame.

    python -m benchmarks.train.landmarks [--seeds 0 1 2]

Trained as `isocenter run --labels` trains (`train_landmarks`). Heads differ in size, angle, place and speckle; training, validation and
test heads are drawn apart from each other.
"""

from __future__ import annotations

import math
import time
from typing import Any

import numpy as np
import torch

import isocenter as iso
from benchmarks.train.common import arguments, line, once, told
from isocenter.core.geometry import Geometry
from isocenter.learn.places.places import Places
from isocenter.learn.train.landmarks import TrainedLandmarks, train_landmarks
from isocenter.learn.train.settings import FitSettings
from isocenter.testing.phantoms.ultrasound import ultrasound

ENDS = ("left", "right", "upper", "lower")
SPACING = 0.5  # mm


def head(seed: int) -> tuple[iso.Image, Places]:
    """Return a head of 256 x 256 samples and the ends of its axes."""
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
        centre - along * long / SPACING,
        centre + along * long / SPACING,
        centre - across * short / SPACING,
        centre + across * short / SPACING,
    ]
    geometry = Geometry.regular((256, 256), (SPACING, SPACING))
    return iso.Image(array, ("y", "x"), geometry, modality="US"), Places("points", np.array(ends), ENDS, geometry)


def main() -> None:
    options = arguments("landmarks", epochs=40)
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
    known = [head(base + k) for k in range(216)]
    settings = FitSettings(epochs=epochs, learning_rate=3e-3, average=0.99, every=5)
    trained = train_landmarks(
        [image for image, _ in known],
        [ends for _, ends in known],
        validation=range(192, 216),
        settings=settings,
        folder=place,
        seed=seed,
        progress=told,
    )
    tested = [head(base + 90_000 + k) for k in range(60)]
    start = time.process_time()
    errors = [e for image, ends in tested for e in _errors(trained, image, ends)]
    return {"errors": errors, "ms": 1000.0 * (time.process_time() - start) / len(tested)}


def _errors(trained: TrainedLandmarks, image: iso.Image, ends: Places) -> list[float]:
    """Return how far each end was found from its place, in samples."""
    return [float(e) for e in np.linalg.norm(trained.predict(image).of(ENDS) - ends.of(ENDS), axis=1) / SPACING]


if __name__ == "__main__":
    main()
