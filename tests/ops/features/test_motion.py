"""features.motion: known displacements to a fifth of a pixel, and the beats of a phantom that contracts."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from scipy import ndimage

from isocenter.core.errors import ContentError
from isocenter.core.geometry import Geometry
from isocenter.core.image import Image
from isocenter.core.labels import LabelMap
from isocenter.kernels.optical_flow import beats, flow
from isocenter.ops.features.motion import Motion

SIZE = 96


def texture(size: int = SIZE) -> npt.NDArray[np.float64]:
    found: npt.NDArray[np.float64] = ndimage.gaussian_filter(np.random.default_rng(0).standard_normal((size, size)), 2.0)
    return found


def field(amplitude: float, size: int = SIZE) -> npt.NDArray[np.float64]:
    """Return a smooth displacement (2, y, x) of this height."""
    y, x = np.indices((size, size)) - size / 2.0
    bump = amplitude * np.exp(-(y**2 + x**2) / (2.0 * 22.0**2))
    return np.stack([bump, -0.5 * bump])


def moved(image: npt.NDArray[np.float64], displacement: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the image whose sample at p + u(p) is that of the given one at p."""
    places = np.indices(image.shape).astype(np.float64)
    back = places.copy()
    for _ in range(40):
        there = np.stack([ndimage.map_coordinates(d, back, order=1, mode="nearest") for d in displacement])
        back = places - there
    result: npt.NDArray[np.float64] = ndimage.map_coordinates(image, back, order=3, mode="nearest")
    return result


@pytest.mark.parametrize("amplitude", [0.3, 1.0, 3.0, 5.0])
def test_end_points_within_a_fifth_of_a_pixel(amplitude: float) -> None:
    still, truth = texture(), field(amplitude)
    error = np.hypot(*(flow(still, moved(still, truth)) - truth))[8:-8, 8:-8]
    assert error.mean() <= 0.1 and np.percentile(error, 95) <= 0.2


def test_noise_and_uniform_shifts() -> None:
    still = texture()
    noisy = ndimage.shift(still, (2.4, -1.7), order=3, mode="nearest") + 0.05 * still.std() * np.random.default_rng(
        1
    ).standard_normal(still.shape)
    found = flow(still, noisy, radius=7)
    error = np.hypot(found[0] - 2.4, found[1] + 1.7)[12:-12, 12:-12]
    assert error.mean() <= 0.1 and np.percentile(error, 95) <= 0.2


def test_a_beating_phantom() -> None:
    times = np.arange(0.0, 2.0, 0.05)
    phase = times % 1.0
    # 0.2 s up, 0.1 s held, 0.4 s down, then at rest.
    drive = np.interp(phase, [0.0, 0.1, 0.3, 0.4, 0.8, 1.0], [0.0, 0.0, 1.0, 1.0, 0.0, 0.0])
    still, truth = texture(64), field(3.0, 64)
    frames = np.stack([moved(still, d * truth) for d in drive])
    grid = Geometry.regular((64, 64), 0.01)
    mask = np.zeros((64, 64), np.uint8)
    mask[26:38, 26:38] = 1
    image = Image(frames, ("t", "y", "x"), grid, modality="SM", times=tuple(times))
    table = Motion(radius=4)(image, LabelMap(mask, ("y", "x"), grid))
    height = float(np.hypot(*truth)[mask > 0].mean()) * 0.01
    assert table["beat_count"] == 2 and table["beat_rate"] == pytest.approx(60.0, rel=0.03)
    assert table["displacement_most"] == pytest.approx(height, rel=0.05)
    assert table["contraction_time"] == pytest.approx(0.8 * 0.2, abs=0.03)
    assert table["relaxation_time"] == pytest.approx(0.8 * 0.4, abs=0.03)
    assert table["speed_most"] == pytest.approx(height / 0.2, rel=0.1)


def test_rest_has_no_beats() -> None:
    found = beats([0.0, 1.0, 2.0, 3.0], [0.0, 0.0, 0.0, 0.0])
    assert found.count == 0 and np.isnan(found.rate)
    grid = Geometry.regular((20, 20), 1.0)
    frames = np.repeat(texture(20)[None], 3, axis=0)
    region = LabelMap(np.ones((20, 20), np.uint8), ("y", "x"), grid)
    table = Motion()(Image(frames, ("t", "y", "x"), grid, times=(0.0, 1.0, 2.0)), region)
    assert table["displacement_most"] < 1e-3
    with pytest.raises(ContentError, match="seconds of every frame"):
        Motion()(Image(frames, ("t", "y", "x"), grid), region)
