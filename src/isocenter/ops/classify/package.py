"""Predict with a model package."""

from __future__ import annotations

from importlib.resources import files
from typing import ClassVar

from isocenter.core.errors import ContentError
from isocenter.core.families import Predictor
from isocenter.core.image import Image
from isocenter.core.models import model
from isocenter.core.results import Column, Features, Prediction

__all__ = ["Package"]

#: Digest of the example that is shipped with the contract suites.
_EXAMPLE = "sha256:39094d705c818e09a68a7a1fd4e3567b826fa4dac35e8011d30f1d3b148ab3aa"


class Package(Predictor):
    """Predict a class with its probability, or a number, by the model of a package.

    The notes say in which ways the case is unlike those of the training; a prediction for such a case means little.

    Parameters
    ----------
    package
        File name of the package, looked for in the working folder and in what ISOCENTER_MODELS names; or a path.
    sha256
        Its digest, ``sha256:...``: the step means this model and no other.

    References
    ----------
    Mitchell et al. Model cards for model reporting. FAT* 2019, 220-229.
    """

    dims: ClassVar[tuple[str, ...]] = ("yx", "zyx")

    package: str = ""
    sha256: str = ""

    @classmethod
    def examples(cls) -> tuple[Package, ...]:
        """Return the variant that the contract suite runs."""
        return (cls(package=str(files("isocenter.testing") / "packages" / "example.isocenter"), sha256=_EXAMPLE),)

    def example_inputs(self) -> tuple[tuple[Features, ...], ...]:
        """Return the features of one case."""
        columns = tuple(Column(name) for name in ("width", "height", "contrast"))
        return ((Features(columns, ((1.0, 2.0, 0.5),), ("case",)),),)

    def predict(self, value: Image | Features, seed: int, notes: list[str]) -> Prediction:
        """Return what the model says."""
        found = model(self.package, self.sha256)
        given = _row(value) if isinstance(value, Features) else value
        result = found.apply(given)
        if not isinstance(result, Prediction):
            raise ContentError(f"Package '{self.package}' segments: use segment.package.")
        notes.extend(f"{text} The model was not trained on such a case." for text in found.warnings(given))
        return result


def _row(features: Features) -> dict[str, float]:
    if len(features.rows) != 1:
        raise ContentError(f"Features of {len(features.rows)} regions: expected those of one.")
    return {name: float(value) for name, value in zip(features.names, features.rows[0], strict=True)}
