"""Segment with a model package."""

from __future__ import annotations

from importlib.resources import files
from typing import ClassVar

import numpy as np

from isocenter.core.errors import ContentError
from isocenter.core.families import Segmenter
from isocenter.core.families.base import refuse_labels, spatial_mask
from isocenter.core.geometry import Geometry
from isocenter.core.image import Image
from isocenter.core.labels import LabelMap
from isocenter.core.models import model
from isocenter.core.operation import Spec

__all__ = ["Package"]

#: Digest of the example that is shipped with the contract suites.
_EXAMPLE = "sha256:acd7d50074cc3e86695f7b110420da83d8cd97be0442cd4eb1490a08171d7d68"


class Package(Segmenter):
    """Label an image by the segmentation network of a package; labels and codes are those of its table.

    The notes say in which ways the image is unlike those of the training; labels of such an image mean little.

    Parameters
    ----------
    package
        File name of the package, looked for in the working folder and in what ISOCENTER_MODELS names; or a path.
    sha256
        Its digest, ``sha256:...``: the step means this model and no other.

    References
    ----------
    Ronneberger, Fischer and Brox. U-Net: convolutional networks for biomedical image segmentation. MICCAI 2015.
    """

    dims: ClassVar[tuple[str, ...]] = ("yx", "zyx")

    package: str = ""
    sha256: str = ""

    @classmethod
    def examples(cls) -> tuple[Package, ...]:
        """Return the variant that the contract suite runs."""
        return (cls(package=str(files("isocenter.testing") / "packages" / "segmenter.isocenter"), sha256=_EXAMPLE),)

    def example_inputs(self) -> tuple[tuple[Image, ...], ...]:
        """Return a volume of the kind that the example was made from."""
        array = np.random.default_rng(0).normal(400.0, 250.0, (9, 12, 11)).astype(np.float32)
        return ((Image(array, ("z", "y", "x"), Geometry.regular((9, 12, 11), (2.5, 1.25, 0.75))),),)

    def __call__(self, image: Image, region: LabelMap | None = None, /, *, seed: int = 0, threads: int | None = None) -> LabelMap:
        """Return the labels; outside a region, where one is given, nothing is labelled."""
        refuse_labels(self.name, image)
        self.check_image(Spec.of(image))
        found = model(self.package, self.sha256)
        mask = spatial_mask(region, image)
        times = [image.at(t=k) for k in range(image.shape[0])] if "t" in image.dims else [image]
        parts = [found.apply(one) for one in times]
        first = parts[0]
        if not isinstance(first, LabelMap):
            raise ContentError(f"Package '{self.package}' gives no labels: use classify.package.")
        if max(s.value for s in first.segments) > np.iinfo(self.label_dtype).max:
            raise ContentError(f"Package '{self.package}' has label values above 255: expected 255 or less in a pipeline.")
        arrays = [np.asarray(p.array) if mask is None else np.where(mask, p.array, 0) for p in parts]
        array = np.stack(arrays) if "t" in image.dims else arrays[0]
        notes = dict.fromkeys(text for one in times for text in found.warnings(one))
        return LabelMap(
            array.astype(self.label_dtype),
            ("t", *first.dims) if "t" in image.dims else first.dims,
            image.geometry,
            first.segments,
            modality=image.modality,
            times=image.times,
            provenance=self.traced(
                (image, region), seed, [f"{text} The model was not trained on such an image." for text in notes]
            ),
        )
