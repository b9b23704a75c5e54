"""correct.bias_field: a known field on the head phantom, and a real head."""

from __future__ import annotations

import nibabel
import numpy as np
import pytest

from isocenter.core.errors import ContentError
from isocenter.core.geometry import Geometry
from isocenter.core.image import Image
from isocenter.ops.correct.bias_field import BiasField
from isocenter.testing.phantoms.brain_mr import GREY, WHITE, brain_mr


@pytest.fixture(scope="module")
def corrected() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return biased, corrected, true samples and tissues of the phantom."""
    phantom = brain_mr(bias=0.3, noise=4.0)
    after = np.asarray(BiasField()(phantom.image).array, float)
    return np.asarray(phantom.image.array, float), after, np.asarray(phantom.clean.array, float), np.asarray(phantom.truth.array)


@pytest.mark.parametrize("tissue", [WHITE, GREY])
def test_what_the_field_adds_to_the_variation_of_a_tissue_is_at_least_halved(corrected, tissue: int) -> None:  # type: ignore[no-untyped-def]  # a fixture
    before, after, truth, labels = corrected
    # Samples at borders mix tissues, which no correction changes: the ratio to the true signal shows the field alone.
    inside = (labels == tissue) & (truth > 300)
    spread = [(v[inside] / truth[inside]).std() / (v[inside] / truth[inside]).mean() for v in (before, after)]
    assert spread[1] <= 0.5 * spread[0], spread


def test_the_mean_of_the_head_stays(corrected) -> None:  # type: ignore[no-untyped-def]  # a fixture
    before, after, _, labels = corrected
    assert after[labels > 0].mean() == pytest.approx(before[labels > 0].mean(), rel=0.02)


def test_a_real_head_gets_evener(shared) -> None:  # type: ignore[no-untyped-def]  # a fixture
    picture = nibabel.load(shared("brain_mr") / "chris_PD.nii.gz")
    array = np.asarray(picture.dataobj).transpose(2, 1, 0)[::2, ::2, ::2].astype(np.float32)
    spacing = [2 * float(s) for s in picture.header.get_zooms()[2::-1]]
    after = np.asarray(BiasField()(Image(array, ("z", "y", "x"), Geometry.regular(array.shape, spacing), modality="MR")).array)

    def entropy(values: np.ndarray) -> float:
        counts, _ = np.histogram(values / values.mean(), 200, (0, 3))
        share = counts[counts > 0] / counts.sum()
        return float(-(share * np.log2(share)).sum())

    head = array > 0.4 * array.mean()
    assert entropy(after[head]) < entropy(array[head])


def test_constant_and_refusals() -> None:
    flat = Image(np.full((8, 8, 8), 5.0, np.float32), ("z", "y", "x"), Geometry.regular((8, 8, 8)))
    result = BiasField()(flat)
    np.testing.assert_array_equal(result.array, flat.array)
    assert "left as it is" in result.provenance.steps[-1].notes[0] or "left as it was" in result.provenance.steps[-1].notes[0]
    affine = Geometry.regular((8, 8, 8), 2.0).affine.copy()
    affine[1, 0] = 0.8
    tilted = Image(np.random.default_rng(0).random((8, 8, 8)), ("z", "y", "x"), Geometry((8, 8, 8), affine))
    assert np.isfinite(BiasField()(tilted).array).all()  # a smooth field needs no right angles
    with pytest.raises(ContentError, match="no pixel size"):
        BiasField()(Image(np.ones((8, 8)), ("y", "x"), Geometry.pixels((8, 8))))
