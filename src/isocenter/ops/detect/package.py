"""Find boxes or points with a model package."""

from __future__ import annotations

from importlib.resources import files
from typing import ClassVar

import numpy as np

from isocenter.core.errors import ContentError, MissingInputError
from isocenter.core.families import Detector
from isocenter.core.families.base import refuse_labels, spatial_mask
from isocenter.core.geometry import Geometry
from isocenter.core.image import Image
from isocenter.core.labels import LabelMap
from isocenter.core.models import model
from isocenter.core.operation import Spec
from isocenter.core.points import Boxes, Points

__all__ = ["Package"]

#: Digest of the example that is shipped with the contract suites.
_EXAMPLE = "sha256:1257393ba8354010518d70ca8b8671bc3ab43fa9cc656491acfa12b853e710ae"


class Package(Detector):
    """Find objects (boxes with probabilities) or landmarks (points) in an image by the model of a package.

    The notes say in which ways the image is unlike those of the training; what is found in such an image means little.

    Parameters
    ----------
    package
        File name of the package, looked for in the working folder and in what ISOCENTER_MODELS names; or a path.
    sha256
        Its digest, ``sha256:...``: the step means this model and no other.

    References
    ----------
    Tian et al. (2019) FCOS: fully convolutional one-stage object detection. ICCV. Nibali et al. (2018) Numerical coordinate
    regression with convolutional neural networks. arXiv:1801.07372.
    """

    dims: ClassVar[tuple[str, ...]] = ("yx", "zyx")

    package: str = ""
    sha256: str = ""

    @classmethod
    def examples(cls) -> tuple[Package, ...]:
        """Return the variant that the contract suite runs."""
        return (cls(package=str(files("isocenter.testing") / "packages" / "landmarks.isocenter"), sha256=_EXAMPLE),)

    def example_inputs(self) -> tuple[tuple[Image, ...], ...]:
        """Return a picture with bright discs, of the kind that the example was made from."""
        rows, columns = np.mgrid[:40, :48]
        array = np.zeros((40, 48), np.float32)
        for row, column in ((12.0, 14.0), (27.0, 33.0)):
            array += 100.0 * (np.hypot(rows - row, columns - column) <= 4.0)
        array += np.random.default_rng(0).normal(0.0, 2.0, array.shape).astype(np.float32)
        return ((Image(array, ("y", "x"), Geometry.regular((40, 48), (1.0, 1.0))),),)

    def __call__(
        self, image: Image, region: LabelMap | None = None, /, *, seed: int = 0, threads: int | None = None
    ) -> Points | Boxes:
        """Return what was found; with a region only what has its middle there."""
        refuse_labels(self.name, image)
        self.check_image(Spec.of(image))
        package = model(self.package, self.sha256)
        found = package.apply(image)
        if not isinstance(found, Points | Boxes):
            raise ContentError(f"Package '{self.package}' finds no places: use classify.package or segment.package.")
        mask = spatial_mask(region, image)
        if mask is not None:
            found = _within(found, mask, image.geometry)
        notes = [f"{text} The model was not trained on such an image." for text in package.warnings(image)]
        object.__setattr__(found, "provenance", self.traced((image, region), seed, notes))
        return found

    def resolve(self, *specs: Spec) -> Spec:
        """Return that boxes or points come out, as the package says; points where it is not here yet."""
        self.check_image(specs[0])
        try:
            task = model(self.package, self.sha256).manifest["task"]
        except MissingInputError:
            return Spec("Points")
        return Spec("Boxes" if task == "detection" else "Points")


def _within(found: Points | Boxes, mask: np.ndarray[tuple[int, ...], np.dtype[np.bool_]], geometry: Geometry) -> Points | Boxes:
    middle = found.positions if isinstance(found, Points) else found.bounds.mean(axis=1)
    if not len(middle):
        return found
    index = np.clip(np.rint(geometry.to_index(middle)).astype(int), 0, np.asarray(geometry.shape) - 1)
    kept = np.flatnonzero(mask[tuple(index.T)])
    if isinstance(found, Boxes):
        return found.take(kept)
    names = None if found.names is None else tuple(found.names[int(k)] for k in kept)
    return Points(found.positions[kept], names, None if found.values is None else found.values[kept], found.frame)
