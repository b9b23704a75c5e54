"""What a surfacer promises: a closed surface in mm, facing outwards, around what was labelled."""

from __future__ import annotations

import numpy as np

from isocenter.core.families import Surfacer
from isocenter.core.geometry import Geometry
from isocenter.core.labels import LabelMap, Segment
from isocenter.testing.contracts.base import check, expect
from isocenter.testing.contracts.inputs import grid, inputs_for
from isocenter.testing.contracts.running import attempt, run


def _ball(geometry: Geometry, reach: float = 0.35) -> LabelMap:
    mesh = np.meshgrid(*[np.arange(n) * s for n, s in zip(geometry.shape, geometry.spacing, strict=True)], indexing="ij")
    middle = [(n - 1) * s / 2 for n, s in zip(geometry.shape, geometry.spacing, strict=True)]
    radius = reach * min(geometry.extent)
    inside = sum((m - c) ** 2 for m, c in zip(mesh, middle, strict=True)) <= radius**2
    return LabelMap(np.asarray(inside, dtype=np.uint8), ("z", "y", "x"), geometry, (Segment(1, "ball"),))


@check("Surfacer")
def closed_where_the_mask_is(operation: Surfacer) -> None:
    """The surface is closed, also where the mask meets the edge of the image."""
    geometry = grid((14, 18, 22), (2.0, 1.5, 1.0))
    full = _ball(geometry, 5.0)
    for what, mask in (
        ("a ball", _ball(geometry)),
        ("a mask that fills the image", full),
        ("the example", inputs_for(operation)[0]),
    ):
        mesh = run(operation, (mask,))
        expect(len(mesh.faces) > 0, f"the surface of {what} has no faces")
        expect(mesh.is_closed, f"the surface of {what} is not closed")


@check("Surfacer")
def size_and_place_in_mm(operation: Surfacer) -> None:
    """A ball's surface encloses its volume, lies around its centre and faces outwards, on mirrored grids too."""
    for geometry in (grid((21, 26, 31), (1.5, 1.25, 1.0)), grid((21, 26, 31), (1.5, 1.25, 1.0)).flip(1)):
        mask = _ball(geometry)
        mesh = run(operation, (mask,))
        volume = float(np.asarray(mask.array).sum()) * geometry.voxel_size
        expect(
            abs(mesh.volume - volume) <= 0.1 * volume,
            f"the surface of a ball of {volume:.4g} mm^3 encloses {mesh.volume:.4g} mm^3",
        )
        middle = geometry.to_world((np.asarray(geometry.shape) - 1) / 2)
        off = float(np.linalg.norm(mesh.vertices.mean(axis=0) - middle))
        expect(off <= 0.5 * max(geometry.spacing), f"the surface of a centred ball lies {off:.3g} mm off its centre")
        a, b, c = (mesh.vertices[mesh.faces[:, k]] - middle for k in range(3))
        signed = float(np.einsum("ij,ij->i", a, np.cross(b, c)).sum())
        expect(signed > 0, "the faces point inwards: expected them counter-clockwise seen from outside")


@check("Surfacer")
def empty_mask_defined(operation: Surfacer) -> None:
    """An empty mask gives a mesh without faces, or a refusal in one sentence."""
    before = inputs_for(operation)[0]
    mesh = attempt(operation, (before.replace(array=np.zeros_like(before.array)),))
    expect(mesh is None or len(mesh.faces) == 0, "a surface came out of an empty mask")
