"""A package in memory: predicts, warns of inputs unlike its training, and tests itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.core.errors import ContentError, FormatError, IsocenterError
from isocenter.core.image import Image
from isocenter.core.labels import LabelMap
from isocenter.core.operation import Spec
from isocenter.core.points import Boxes, Points
from isocenter.core.results import Prediction
from isocenter.core.study import Study
from isocenter.learn.data.pictures import as_picture
from isocenter.learn.data.turned import towards
from isocenter.learn.package import selftest
from isocenter.learn.package.fingerprint import unlike_image, unlike_row
from isocenter.learn.package.models import TableModel
from isocenter.learn.places.places import Places
from isocenter.pipeline.model import Pipeline, Step
from isocenter.pipeline.plan import plan
from isocenter.pipeline.run import execute

__all__ = ["MODEL_STEPS", "Package"]

#: The operations that stand for the model in a package's pipeline.
MODEL_STEPS = ("classify.package", "segment.package", "detect.package")

Row = npt.ArrayLike | Mapping[str, float]
Result = Prediction | LabelMap | Points | Boxes


@dataclass(frozen=True, eq=False)
class Package:
    """A model with all that is needed to use it.

    Attributes
    ----------
    manifest
        Name, task, classes, expected inputs, training.
    model
        `TableModel`, `PlaceModel`, `NetworkPredictor` or `NetworkSegmenter`.
    pipeline
        What is done before and after the model, which is a step of it.
    fingerprint
        Range of the training data.
    scores
        Name -> value, unit, interval and n, as they were proved in training.
    plan
        How it was made.
    card, licence
        As text.
    test
        The self-test: plain values, arrays of the input and of what is expected.
    digest
        ``sha256:...`` of the file; empty before it is written.
    """

    manifest: Mapping[str, Any]
    model: Any
    pipeline: Pipeline
    fingerprint: Mapping[str, Any]
    scores: Mapping[str, Any] = field(default_factory=dict)
    plan: Mapping[str, Any] = field(default_factory=dict)
    card: str = ""
    licence: str = ""
    test: tuple[Mapping[str, Any], Mapping[str, Any], Mapping[str, Any]] = field(default=({}, {}, {}), repr=False)
    digest: str = ""

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes or segments; empty for a regression."""
        return tuple(c["name"] for c in self.manifest["classes"])

    @property
    def threshold(self) -> float | None:
        """Probability from which the second of two classes, or an object, is called; None where nothing is."""
        if self.manifest["task"] == "detection":
            return float(self.model.threshold)
        return self.model.threshold if self.manifest["task"] == "classification" and len(self.classes) == 2 else None

    @property
    def calibrated(self) -> bool:
        """Whether its probabilities were fitted to how often each class occurred among cases held out."""
        if isinstance(self.model, TableModel):
            return all(m.calibrator is not None for m in self.model.members)
        return getattr(self.model, "calibrator", None) is not None

    def predict(self, value: Image | Row, site: str = "") -> Result:
        """Return what the model says of one case, with all that is done before and after.

        Parameters
        ----------
        value
            An image; for a model of tables a row of features, or name -> number.
        site
            Where the case comes from, for models that harmonise sites.

        Raises
        ------
        ContentError
            If the input cannot be brought to what the model was trained with.
        """
        before, model, after = self._parts()
        if not isinstance(value, Image):
            return self.apply(value, site)
        # The steps after the model know the image as it was given, and what the steps before made of it.
        study = Study("case", {"image": value})
        study = self._executed(before, study) if before else study
        found = self.apply(self._given(study, before), site)
        if after and isinstance(found, LabelMap):
            return self._executed(after, study.add(model.to, found)).slots[after[-1].to]
        return found

    def prepared(self, image: Image) -> Image:
        """Return what the steps before the model make of an image."""
        return self.turned(self._done(self._parts()[0], image))

    def turned(self, image: Image) -> Image:
        """Return an image with its axes in the order that those of the training had, where they had one: samples alone tell no left.

        For a model of pictures, a volume of one slice is the picture.
        """
        known = self.fingerprint.get("directions") or []
        return towards(self._picture(image), known[0] if len(known) == 1 else None)

    def check(self, value: Image | Row) -> list[str]:
        """Return a sentence for each way in which a case is unlike those of the training; none where it is like them."""
        if isinstance(value, Image):
            value = self.prepared(value)
        return self.warnings(value)

    def warnings(self, value: Image | Row) -> list[str]:
        """Return the same of a case as the model itself gets it."""
        if isinstance(value, Image):
            value = self.turned(value)
            found = unlike_image(self.fingerprint, value)
            if not isinstance(self.model, TableModel):
                return found
            try:
                return found + unlike_row(self.fingerprint, self._rows(value)[0])
            except ContentError:
                return found  # what cannot be described is refused by the prediction, with the reason
        return unlike_row(self.fingerprint, self._rows(value)[0])

    def apply(self, value: Image | Row, site: str = "") -> Result:
        """Return what the model alone says of a case as it gets it."""
        if isinstance(self.model, TableModel):
            found = self.model.predict(self._rows(value), np.array([site]))[0]
            if self.classes:
                return Prediction(self.classes, tuple(float(p) for p in found))
            return Prediction(value=float(found), unit=str(self.manifest["unit"]))
        if not isinstance(value, Image):
            raise ContentError(f"Model '{self.manifest['name']}' takes images: expected one, not a row of features.")
        seen = self.turned(value)
        self.refuse_axes(seen)
        if self.manifest["task"] == "segmentation":
            labels: LabelMap = self.model.trained.predict(seen)
            return labels if seen is value else self._as_given(labels, value)
        if self.manifest["task"] in ("detection", "landmarks"):
            places: Places = self.model.predict(seen)
            return places.world()
        said: Prediction = self.model.predict(seen, str(self.manifest["unit"]))
        return said

    def _picture(self, image: Image) -> Image:
        """Return a volume of one slice as a picture, where the training had pictures alone."""
        dims = self.fingerprint.get("dims") or []
        return image if not dims or any("z" in d.split() for d in dims) else as_picture(image)

    def _as_given(self, labels: LabelMap, image: Image) -> LabelMap:
        """Return labels of an image that was turned on its own grid; no sample is interpolated."""
        code = self._picture(image).geometry.directions
        array = towards(labels, code).array
        dims = tuple(d for d in image.dims if d in "zyx")
        own = np.reshape(array, image.geometry.shape)
        return LabelMap(own, dims, image.geometry, labels.segments, provenance=labels.provenance)

    def refuse_axes(self, image: Image) -> None:
        """Raise ContentError where an image has another number of spatial axes than those of the training."""
        wanted = [d.split() for d in self.fingerprint.get("dims", [])]
        if wanted and len(image.geometry.shape) not in {sum(d in "zyx" for d in dims) for dims in wanted}:
            raise ContentError(
                f"An image with axes {image.dims}: model '{self.manifest['name']}' was trained on {' or '.join(map(' '.join, wanted))}."
            )

    def described(self, image: Image) -> npt.NDArray[np.float64]:
        """Return the features that a model of images sees of an image as the model gets it, shape (features,)."""
        return self._rows(image)[0]

    def self_test(self) -> selftest.SelfTest:
        """Predict the made-up case again and compare with what was expected when the package was made."""
        plain, arrays, expected = self.test
        try:
            return selftest.compared(plain, expected, self.predict(selftest.rebuilt(plain, arrays)))
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            if isinstance(error, IsocenterError):
                raise
            raise FormatError(
                f"The self-test of model '{self.manifest['name']}' does not say what it must ({error}): do not use it."
            ) from error

    def features(self, image: Image) -> npt.NDArray[np.float64]:
        """Return the features that a model of images sees, shape (features,)."""
        return self.described(self.prepared(image))

    def _rows(self, value: Image | Row) -> npt.NDArray[np.float64]:
        names = self.model.names
        if isinstance(value, Image):
            if self.model.source != "image":
                raise ContentError(
                    f"Model '{self.manifest['name']}' takes a row of {len(names)} features ({', '.join(names[:3])} ...), not an image."
                )
            from isocenter.learn.represent import represent

            found = represent(self.turned(value))
            if tuple(found.names) != tuple(names):
                raise ContentError(
                    f"An image of axes {value.dims} gives other features ({len(found.names)}) than those model '{self.manifest['name']}' "
                    f"was trained with ({len(names)}): expected images of the same kind; after an upgrade, train it again."
                )
            return np.asarray(found.values, np.float64)[None]
        if isinstance(value, Mapping):
            missing = [n for n in names if n not in value]
            if missing:
                raise ContentError(
                    f"Feature '{missing[0]}' is missing ({len(missing)} in all): model '{self.manifest['name']}' takes {len(names)}; "
                    "give NaN where one is not known."
                )
            return np.array([[float(value[n]) for n in names]])
        row = np.atleast_2d(np.asarray(value, np.float64))
        if row.shape != (1, len(names)):
            raise ContentError(f"A row of shape {row.shape}: model '{self.manifest['name']}' takes {len(names)} features.")
        return row

    def _parts(self) -> tuple[tuple[Step, ...], Step, tuple[Step, ...]]:
        """Return the steps before the model, its own, and those after."""
        steps = self.pipeline.steps
        at = next(k for k, step in enumerate(steps) if step.op in MODEL_STEPS)
        return steps[:at], steps[at], steps[at + 1 :]

    def _done(self, steps: Sequence[Step], image: Image) -> Image:
        return self._given(self._executed(steps, Study("case", {"image": image})), steps) if steps else image

    def _given(self, study: Study, steps: Sequence[Step]) -> Image:
        """Return the image that the model gets after these steps."""
        wanted = self._parts()[1].inputs
        found: Image = study[wanted[0] if wanted else steps[-1].to if steps else "image"]
        return found

    def _executed(self, steps: Sequence[Step], study: Study) -> Study:
        part = Pipeline(self.pipeline.name, tuple(steps))
        planned = plan(part, {name: Spec.of(value) for name, value in study.slots.items()}).require()
        return execute(planned, study).study
