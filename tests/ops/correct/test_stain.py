"""correct.stain on painted sections of known colours, and a real one."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image as Picture

from isocenter.core.errors import ContentError
from isocenter.core.geometry import Geometry
from isocenter.core.image import Image
from isocenter.kernels.stains import from_lab, macenko, optical_density, to_lab, vahadane
from isocenter.ops.correct.stain import Stain

LAB_A = np.array([[0.65, 0.70, 0.29], [0.07, 0.99, 0.11]]).T
LAB_B = np.array([[0.55, 0.75, 0.36], [0.25, 0.90, 0.35]]).T


def section(colors: np.ndarray, strength: float = 1.0, seed: int = 0) -> Image:
    rng = np.random.default_rng(seed)
    colors = colors / np.linalg.norm(colors, axis=0)
    kind = rng.integers(0, 4, (60, 60))  # glass, nuclei, stroma, both
    amounts = np.stack(
        [np.isin(kind, (1, 3)) * rng.uniform(0.6, 1.6, kind.shape), np.isin(kind, (2, 3)) * rng.uniform(0.4, 1.2, kind.shape)]
    )
    density = np.tensordot(colors, strength * amounts, 1)
    rgb = np.clip(np.rint(255 * np.exp(-density) + rng.normal(0, 0.5, density.shape)), 0, 255).astype(np.uint8)
    return Image(rgb, ("c", "y", "x"), Geometry.pixels((60, 60)), modality="SM", channels=("red", "green", "blue"))


@pytest.mark.parametrize("find, tolerance", [(macenko, 6.0), (vahadane, 8.0)])
def test_the_stains_are_found(find, tolerance: float) -> None:  # type: ignore[no-untyped-def]  # either function
    for colors in (LAB_A, LAB_B):
        found = find(optical_density(np.asarray(section(colors).array).reshape(3, -1), 255.0))
        cosines = (found * (colors / np.linalg.norm(colors, axis=0))).sum(axis=0)
        assert np.degrees(np.arccos(np.clip(cosines, -1, 1))).max() < tolerance


@pytest.mark.parametrize("method", ["macenko", "vahadane", "reinhard"])
def test_another_laboratory_becomes_alike(method: str) -> None:
    image, same, reference = section(LAB_B, 0.7), section(LAB_A), section(LAB_A, seed=1)
    found = np.asarray(Stain(method=method)(image, reference).array)
    truth = np.asarray(same.array, float)  # the same section, stained in the other laboratory
    before, after = (np.abs(v - truth).mean() for v in (np.asarray(image.array, float), found))
    assert after < (0.6 if method == "reinhard" else 0.45) * before  # means and deviations alone tell less
    assert found.min() >= 0 and found.max() <= 255


def test_lab_round_trip() -> None:
    rgb = np.random.default_rng(0).uniform(0.1, 1, (3, 50))
    np.testing.assert_allclose(from_lab(to_lab(rgb)), rgb, rtol=1e-9)


def test_glass_grey_and_a_real_section(shared) -> None:  # type: ignore[no-untyped-def]  # a fixture
    glass = section(LAB_A).replace(array=np.full((3, 60, 60), 250, np.uint8))
    result = Stain()(glass, section(LAB_A))
    np.testing.assert_array_equal(result.array, glass.array)
    assert "no stained tissue" in result.provenance.steps[-1].notes[0]
    grey = Image(np.zeros((2, 5, 5), np.uint8), ("c", "y", "x"), Geometry.pixels((5, 5)))
    with pytest.raises(ContentError, match="three colours"):
        Stain()(grey, grey)
    with Picture.open(shared("histology") / "target_image.png") as picture:
        rgb = np.asarray(picture.convert("RGB")).transpose(2, 0, 1)[:, :300, :300]
    real = Image(np.ascontiguousarray(rgb), ("c", "y", "x"), Geometry.pixels(rgb.shape[1:]), channels=("red", "green", "blue"))
    for method in ("macenko", "vahadane", "reinhard"):
        back = np.asarray(Stain(method=method)(Stain(method=method)(real, section(LAB_B)), real).array)
        assert np.abs(back - rgb).mean() < 12
