"""Dice, HD95, mean surface distance and surface Dice of a brain and a lesion: ours beside MONAI and surface-distance."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

Work = Callable[[], Any]


def masks(kind: str) -> tuple[Any, Any]:
    """Return a prediction and a truth in 256^3, 1 mm."""
    z, y, x = np.ogrid[-1:1:256j, -1:1:256j, -1:1:256j]
    if kind == "brain":
        return z**2 / 0.45 + y**2 / 0.6 + x**2 / 0.4 < 1, z**2 / 0.47 + y**2 / 0.58 + (x - 0.02) ** 2 / 0.42 < 1
    first = (z - 0.2) ** 2 + (y + 0.1) ** 2 * 1.3 + (x - 0.3) ** 2 < 0.017
    return first, (z - 0.21) ** 2 * 1.2 + (y + 0.1) ** 2 * 1.2 + (x - 0.31) ** 2 < 0.017


def ours(kind: str) -> Work:
    import isocenter as iso

    grid = iso.Geometry.regular((256,) * 3)
    labels = [iso.LabelMap(m.astype(np.uint8), ("z", "y", "x"), grid) for m in masks(kind)]
    for one in labels:
        one.digest  # noqa: B018 - computed once for every operation on it, so not part of this one
    surface, overlap = iso.op("evaluate.surface"), iso.op("evaluate.dice")

    def work() -> Any:
        scores = {**overlap(*labels, threads=1), **surface(*labels, threads=1)}
        return np.array([scores[n].value for n in ("dice", "hausdorff_95", "assd", "surface_dice")])

    return work


def deepmind(kind: str) -> Work:
    import surface_distance as sd  # type: ignore[import-not-found]  # a peer, in the benchmark environment only

    first, second = masks(kind)

    def work() -> Any:
        found = sd.compute_surface_distances(first, second, (1.0, 1.0, 1.0))
        return np.array(
            [
                sd.compute_dice_coefficient(first, second),
                sd.compute_robust_hausdorff(found, 95),
                float(np.mean(sd.compute_average_surface_distance(found))),
                sd.compute_surface_dice_at_tolerance(found, 1.0),
            ]
        )

    return work


def monai(kind: str) -> Work:
    import torch
    from monai.metrics import (
        compute_average_surface_distance,
        compute_dice,
        compute_hausdorff_distance,
        compute_surface_dice,
    )

    torch.set_num_threads(1)
    first, second = (torch.from_numpy(m)[None, None] for m in masks(kind))

    def work() -> Any:
        return np.array(
            [
                float(compute_dice(first, second)),
                float(compute_hausdorff_distance(first, second, percentile=95)),
                float(compute_average_surface_distance(first, second, symmetric=True)),
                float(compute_surface_dice(first, second, [1.0])),
            ]
        )

    return work


def ours_brain() -> Work:
    return ours("brain")


def ours_lesion() -> Work:
    return ours("lesion")


def deepmind_brain() -> Work:
    return deepmind("brain")


def deepmind_lesion() -> Work:
    return deepmind("lesion")


def monai_brain() -> Work:
    return monai("brain")


def monai_lesion() -> Work:
    return monai("lesion")


def same_dice(one: Any, two: Any) -> str | None:
    """Compare Dice alone: surface-distance weighs boundaries by their area, so its other values are of another kind."""
    return f"Dice {one[0]:.8f} and {two[0]:.8f}" if abs(one[0] - two[0]) > 1e-6 else None


def same(one: Any, two: Any) -> str | None:
    """Require all four values."""
    return f"{one} and {two}" if np.abs(one - two).max() > 1e-6 else None


if __name__ == "__main__":
    from benchmarks.common import Row, main

    rows = []
    for kind, rounds in (("brain", 2), ("lesion", 7)):
        work = f"Dice, HD95, ASSD and surface Dice, {kind} in 256^3"
        rows.append(Row(f"{work}, all values", __file__, f"ours_{kind}", {"MONAI": f"monai_{kind}"}, same, rounds))
        rows.append(
            Row(f"{work}, Dice equal", __file__, f"ours_{kind}", {"surface-distance": f"deepmind_{kind}"}, same_dice, rounds)
        )
    main(rows, "Surfaces, one thread")
