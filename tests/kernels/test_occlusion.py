"""Occlusion: what a linear score loses is known; memory stays at a batch; nothing is left uncovered."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from isocenter.core.errors import ParameterError
from isocenter.kernels.occlusion import occlusion_map, patch_starts


@pytest.mark.parametrize(("samples", "patch", "stride"), [(10, 3, 2), (10, 10, 4), (7, 3, 3), (5, 1, 1), (3, 8, 2)])
def test_patches_cover_every_sample(samples: int, patch: int, stride: int) -> None:
    covered = {k for start in patch_starts(samples, patch, stride) for k in range(start, min(start + patch, samples))}
    assert covered == set(range(samples))


@pytest.mark.parametrize("shape", [(9, 8), (5, 6, 7)])
def test_a_linear_score_falls_by_what_was_covered(shape: tuple[int, ...]) -> None:
    generator = np.random.default_rng(0)
    data, weight = generator.normal(size=(2, 2, *shape)).astype(np.float32)
    one = [1] * len(shape)
    found = occlusion_map(lambda b: (b * weight).reshape(len(b), -1).sum(1), data, one, one, 0.5, batch=7)
    np.testing.assert_allclose(found, ((data - 0.5) * weight).sum(0), atol=1e-3)


def test_no_more_images_than_a_batch_at_once_and_the_input_untouched() -> None:
    data = np.ones((1, 12, 12), np.float32)
    sizes: list[int] = []

    def score(batch: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        sizes.append(len(batch))
        return batch[:, 0, 3, 3]

    found = occlusion_map(score, data, (4, 4), (2, 2), batch=5)
    assert max(sizes) == 5 and (data == 1).all()
    assert found[:4, :4].min() == 1.0 and 0.0 < found[4, 4] < 1.0 and found[6:].max() == found[:, 6:].max() == 0.0


def test_gaps_between_patches_are_refused() -> None:
    with pytest.raises(ParameterError, match="samples are missed"):
        occlusion_map(lambda b: b.sum(), np.ones((1, 8, 8), np.float32), (2, 2), (3, 2))
