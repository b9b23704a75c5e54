"""features.ploidy: a population of known DNA comes back."""

from __future__ import annotations

import numpy as np
import pytest

from isocenter.core.errors import ContentError
from isocenter.core.geometry import Geometry
from isocenter.core.image import Image
from isocenter.core.labels import LabelMap
from isocenter.kernels.ploidy import diploid_peak, exceeding_rate, focus, optical_density
from isocenter.ops.features.ploidy import Ploidy


def field(contents: list[float], blur: float = 0.0, seed: int = 0) -> tuple[Image, LabelMap]:
    """Return transmitted light through nuclei of these DNA contents (2 is diploid) and varying area, and their labels."""
    from scipy import ndimage

    rng = np.random.default_rng(seed)
    side, columns = 30, 10
    rows = -(-len(contents) // columns)
    density, labels = np.full((rows * side, columns * side), 0.05), np.zeros((rows * side, columns * side), np.uint16)
    y, x = np.indices((side, side)) - side / 2.0
    for k, content in enumerate(contents):
        area = (y**2 + x**2) <= rng.uniform(6.0, 9.0) ** 2
        box = (slice(k // columns * side, (k // columns + 1) * side), slice(k % columns * side, (k % columns + 1) * side))
        labels[box][area] = k + 1
        density[box][area] += 30.0 * content / area.sum()
    light = 240.0 * 10.0**-density
    if blur:
        light = ndimage.gaussian_filter(light, blur)
    grid = Geometry.pixels(labels.shape)
    return Image(light, ("y", "x"), grid, modality="SM"), LabelMap(labels, ("y", "x"), grid)


def test_a_population_comes_back() -> None:
    rng = np.random.default_rng(1)
    contents = [*(2.0 * rng.normal(1.0, 0.03, 60)), *(4.0 * rng.normal(1.0, 0.03, 25)), *(7.0 * rng.normal(1.0, 0.03, 15))]
    table = Ploidy(clear=240.0)(*field(contents))
    index = np.array([row[table.names.index("dna_index")] for row in table.rows])
    np.testing.assert_allclose(index, np.asarray(contents) / 2.0, rtol=0.02)
    assert table.rows[0][table.names.index("diploid_peak")] == pytest.approx(60.0, rel=0.01)
    assert table.rows[0][table.names.index("exceeding_rate_5c")] == pytest.approx(0.15)


def test_the_clear_field_is_found_and_the_ground_taken_off() -> None:
    image, region = field([2.0] * 20)
    given, found = Ploidy(clear=240.0)(image, region), Ploidy()(image, region)
    for one, two in zip(given.rows, found.rows, strict=True):
        assert one[1] == pytest.approx(60.0, rel=1e-6) and two[1] == pytest.approx(60.0, rel=1e-6)
    raw = Ploidy(clear=240.0, ring=0)(image, region)
    assert raw.rows[0][1] > 65.0
    density = image.replace(array=optical_density(image.array, 240.0), quantity="optical density")
    assert Ploidy()(density, region).rows[3][1] == pytest.approx(60.0, rel=1e-6)


def test_the_peak_is_the_lowest_high_one() -> None:
    rng = np.random.default_rng(2)
    assert diploid_peak([*(100 * rng.normal(1, 0.03, 40)), *(200 * rng.normal(1, 0.03, 100))]) == pytest.approx(100.0, rel=0.02)
    assert diploid_peak([*(10.0 * np.ones(2)), *(100 * rng.normal(1, 0.03, 50))]) == pytest.approx(100.0, rel=0.02)
    assert np.isnan(diploid_peak([])) and np.isnan(exceeding_rate([]))
    assert exceeding_rate([1.0, 2.0, 2.6, 4.0]) == 0.5


def test_focus_falls_with_blur() -> None:
    names = Ploidy().columns(None)  # type: ignore[arg-type]  # its columns do not depend on the image
    place = [c.name for c in names].index("focus")
    scores = [np.mean([r[place] for r in Ploidy(clear=240.0)(*field([2.0] * 10, blur)).rows]) for blur in (0.0, 1.0, 2.5)]
    assert scores[0] > 1.5 * scores[1] and scores[1] > 1.1 * scores[2]
    assert np.isnan(focus(np.zeros((3, 3)), np.ones((3, 3), bool)))


def test_refusals() -> None:
    grid = Geometry.pixels((6, 6))
    region = LabelMap(np.pad(np.ones((2, 2), np.uint8), 2), ("y", "x"), grid)
    with pytest.raises(ContentError, match="expected transmitted light"):
        Ploidy()(Image(np.zeros((6, 6)), ("y", "x"), grid), region)
    with pytest.raises(ContentError, match="channel 5 of an image of 3"):
        Ploidy(channel=5)(Image(np.ones((3, 6, 6)), ("c", "y", "x"), grid), region)
