"""From the network's grid to the image's: a straight line stays where it lies in the world, whatever the grid."""

from __future__ import annotations

import numpy as np
import pytest

from isocenter.core.errors import ContentError
from isocenter.core.geometry import Geometry
from isocenter.core.image import Image
from isocenter.learn.explain.native import attribution_image, network_grid, resampled

_TURN = np.array([[0.8, 0.6, 0.0], [-0.6, 0.8, 0.0], [0.0, 0.0, 1.0]])
GRIDS = {
    "axial": Geometry.regular((12, 20, 16), (5.0, 0.7, 0.9), (10.0, -20.0, 30.0)),
    "oblique": Geometry.regular((12, 20, 16), (5.0, 0.7, 0.9), direction=_TURN[:, ::-1]),
    "flipped": Geometry.regular((12, 20, 16), (5.0, 0.7, 0.9)).flip(2).flip(0),
    "plane": Geometry.regular((20, 16), (0.7, 0.9), (3.0, 4.0, 5.0)),
    "pixels": Geometry.pixels((20, 16)),
}


@pytest.mark.parametrize("name", GRIDS)
def test_a_line_in_the_world_comes_back_as_that_line(name: str) -> None:
    grid = GRIDS[name]
    coarse = network_grid(grid, [6, 10, 8][3 - grid.ndim :])
    assert coarse.extent == pytest.approx(grid.extent)

    def line(where: Geometry) -> np.ndarray:
        index = np.stack(np.meshgrid(*[np.arange(n) for n in where.shape], indexing="ij"), axis=-1)
        return where.to_world(index) @ np.array([1.0, 2.0, -0.5])

    found = resampled(line(coarse), coarse, grid)
    inner = (slice(2, -2),) * grid.ndim
    np.testing.assert_allclose(found[inner], line(grid)[inner], atol=1e-4)


def test_a_map_that_is_not_finite_is_refused() -> None:
    image = Image(np.zeros((20, 16), np.float32), ("y", "x"), GRIDS["plane"])
    with pytest.raises(ContentError, match="not finite"):
        attribution_image(np.full((20, 16), np.nan), GRIDS["plane"], image, "explain.occlusion", {})
