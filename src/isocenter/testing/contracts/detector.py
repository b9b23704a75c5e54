"""What a detector promises: positions in mm that lie inside the image."""

from __future__ import annotations

import numpy as np

from isocenter.core.families import Detector
from isocenter.core.labels import LabelMap
from isocenter.core.points import Boxes, Points
from isocenter.testing.contracts.base import check, expect
from isocenter.testing.contracts.inputs import inputs_for
from isocenter.testing.contracts.running import attempt, run


@check("Detector")
def found_inside_the_image(operation: Detector) -> None:
    """Points or boxes come out whose positions lie inside the image, in its frame of reference."""
    inputs = inputs_for(operation)
    geometry = inputs[0].geometry
    found = run(operation, inputs)
    expect(isinstance(found, Points | Boxes), f"{type(found).__name__} came out: expected Points or Boxes")
    positions = found.positions if isinstance(found, Points) else found.bounds.mean(axis=1)
    outside = int((~geometry.contains(positions)).sum()) if len(positions) else 0
    expect(outside == 0, f"{outside} of {len(positions)} findings lie outside the image")
    expect(found.frame == geometry.frame, f"findings are in frame {found.frame}, the image in {geometry.frame}")


@check("Detector")
def moves_with_the_patient(operation: Detector) -> None:
    """The same samples elsewhere in the world give the same findings there."""
    inputs = inputs_for(operation)
    first = run(operation, inputs)
    geometry = inputs[0].geometry
    start = tuple(2 for _ in geometry.shape)
    shift = geometry.to_world(np.asarray(start)) - geometry.to_world(np.zeros(geometry.ndim))
    moved = inputs[0].replace(geometry=geometry.crop(start, geometry.shape))
    second = run(operation, (moved,))
    one = first.positions if isinstance(first, Points) else first.bounds.reshape(-1, 3)
    two = second.positions if isinstance(second, Points) else second.bounds.reshape(-1, 3)
    expect(
        one.shape == two.shape and np.allclose(one + shift, two, atol=1e-3),
        "moved in the world, the same samples give other findings",
    )


@check("Detector")
def searches_in_the_region(operation: Detector) -> None:
    """With a region, findings lie in it; in an empty one there are none (or a refusal in one sentence)."""
    image = inputs_for(operation)[0]
    dims = tuple(d for d in image.dims if d in "zyx")
    half = np.zeros(image.geometry.shape, np.uint8)
    half[: half.shape[0] // 2] = 1
    for mask in (half, np.zeros_like(half)):
        found = attempt(operation, (image, LabelMap(mask, dims, image.geometry)))
        if found is None or not len(found):
            continue
        positions = found.positions if isinstance(found, Points) else found.bounds.mean(axis=1)
        index = np.clip(np.rint(image.geometry.to_index(positions)).astype(int), 0, np.asarray(mask.shape) - 1)
        outside = int((mask[tuple(index.T)] == 0).sum())
        expect(outside == 0, f"{outside} of {len(positions)} findings lie outside the region")
