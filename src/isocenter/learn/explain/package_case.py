"""The explanation of an image by a model package: what its model looked at, on the image's own grid, whatever was done before."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.core.errors import ParameterError, UnknownNameError, UnsupportedError, did_you_mean
from isocenter.core.image import Image
from isocenter.core.points import Points
from isocenter.core.provenance import StepRecord
from isocenter.core.results import Prediction
from isocenter.kernels.occlusion import occlusion_map
from isocenter.learn.data.pictures import as_picture, flat_axis
from isocenter.learn.explain.case import NUMBER, Cover, Method, Settings, explain_case
from isocenter.learn.explain.native import attribution_image, resampled
from isocenter.learn.explain.sanity import SanityCheck
from isocenter.learn.explain.table_sanity import sanity_of_table
from isocenter.learn.package.model import Package
from isocenter.learn.package.models import TableModel
from isocenter.learn.places.model import PlaceModel
from isocenter.learn.places.places import Places, boxes_of, points_of

__all__ = ["KINDS", "Asked", "Explained", "class_index", "default_method", "explain_image", "kind_of"]

FloatArray = npt.NDArray[np.float64]

#: What each kind of package can be asked for.
KINDS: dict[str, tuple[str, ...]] = {
    "network": ("grad_cam", "grad_cam_plus_plus", "occlusion", "integrated_gradients"),
    "landmark net": ("grad_cam", "grad_cam_plus_plus", "occlusion", "integrated_gradients"),
    # The score of one candidate has its gradient about one place: its mean over a map gave empty maps, or such beside the object.
    "detector": ("occlusion", "integrated_gradients"),
    "picture": ("occlusion", "shap"),
    "table": ("shap",),
}
_SURE = 1e-9
_MEANING_OF_NUMBER = {
    "grad_cam": "where the features of a layer raise the number, by their mean gradient",
    "grad_cam_plus_plus": "where the features of a layer raise the number, weighted place by place",
    "occlusion": "by how much the number falls while a patch there is covered",
    "integrated_gradients": "each sample's share of the difference of the number from that of an image without anything in it",
}
_MEANING = {
    "grad_cam": "where the features of a layer raise the score of the class, by their mean gradient",
    "grad_cam_plus_plus": "where the features of a layer raise the score of the class, weighted place by place",
    "occlusion": "by how much the log-odds of the class fall while a patch there is covered",
    "integrated_gradients": "each sample's share of the difference of the score from an image without anything in it",
}


@dataclass(frozen=True)
class Asked:
    """What can be chosen beside the method.

    Attributes
    ----------
    target
        Class, segment or landmark; None takes the most probable class, the largest segment, the surest place.
    layer
        Of Grad-CAM; None takes the last map (of a segmenter: the last before the scores).
    patch, stride
        Of occlusion, mm (px where the image has no pixel size).
    check
        Randomise the weights and see whether the map changes.
    seed
        Of the random weights.
    candidate
        Of a detector: which of the candidates, counted from the surest; None takes that one.
    """

    target: str | None = None
    layer: str | None = None
    patch: float | None = None
    stride: float | None = None
    check: bool = True
    seed: int = 0
    candidate: int | None = None


@dataclass(frozen=True, eq=False)
class Explained:
    """A map with what can be said of it.

    Attributes
    ----------
    map
        On the grid of the image that was given.
    method, target
        What was asked, and of which class, segment or landmark.
    probability
        That the package gives the class, or the candidate; None for a number, a segment or a landmark.
    value
        The number that the package gives; None for a class or a segment.
    meaning
        What a value of the map is, in words.
    sanity
        Whether the map depends on the weights; None where that was not checked.
    warnings
        One sentence each.
    found
        The place that was explained, on the grid of the image that was given; None where the model finds none.
    """

    map: Image
    method: str
    target: str
    probability: float | None
    meaning: str
    sanity: SanityCheck | None
    warnings: tuple[str, ...]
    value: float | None = None
    found: Places | None = None


def kind_of(package: Package) -> str:
    """Return ``network``, ``landmark net``, ``detector``, ``picture`` (features of images), ``table``, or ``places`` (found without a network)."""
    if isinstance(package.model, PlaceModel):
        plan = getattr(package.model.finder, "plan", None)
        return "places" if plan is None else "landmark net" if package.manifest["task"] == "landmarks" else "detector"
    if not isinstance(package.model, TableModel):
        return "network"
    return "picture" if package.model.source == "image" else "table"


def default_method(package: Package, method: str | None) -> str:
    """Return the method to use, or refuse one that does not fit the model.

    Parameters
    ----------
    package
        Its kind decides.
    method
        As typed, with hyphens or underscores; None takes the first that fits.

    Raises
    ------
    UnknownNameError
        If there is no such method.
    ParameterError
        If it does not fit.
    UnsupportedError
        If the model finds places without a network.
    """
    kind = kind_of(package)
    if kind == "places":
        raise UnsupportedError(
            f"Model '{package.manifest['name']}' finds places without a network, and what it does stands in its card: "
            f"{package.manifest['model']} There is nothing to look into; train a network (--minutes) for maps."
        )
    if method is None:
        return KINDS[kind][0]
    chosen = method.strip().lower().replace("++", "-plus-plus").replace("-", "_")
    known = [name.replace("_", "-") for name in dict.fromkeys(m for methods in KINDS.values() for m in methods)]
    if chosen.replace("_", "-") not in known:
        raise UnknownNameError(f"No explanation '{method}': there are {', '.join(known)}.{did_you_mean(method, known)}")
    if chosen not in KINDS[kind]:
        what = {
            "network": "is a network of images",
            "landmark net": "is a network that finds landmarks",
            "detector": "is a network whose candidates each stand at one place, which mean gradients over a map miss",
            "picture": "sees features of images",
            "table": "takes rows of a table",
        }[kind]
        fits = " or ".join(name.replace("_", "-") for name in KINDS[kind])
        raise ParameterError(f"'{method}' does not fit model '{package.manifest['name']}', which {what}: expected {fits}.")
    return chosen


def class_index(package: Package, target: str | None, probabilities: npt.ArrayLike) -> int:
    """Return the index of a class by name; None takes the most probable one.

    Raises
    ------
    UnknownNameError
        If there is none of that name.
    """
    if target is None:
        return int(np.asarray(probabilities).argmax())
    if target not in package.classes:
        raise UnknownNameError(
            f"No class '{target}': there are {', '.join(package.classes)}.{did_you_mean(target, package.classes)}"
        )
    return package.classes.index(target)


def explain_image(package: Package, image: Image, method: str, asked: Asked | None = None) -> Explained:
    """Explain what a package says of an image.

    Parameters
    ----------
    package
        Of images.
    image
        As `Package.predict` takes it: its steps before the model are run, and the map is brought back.
    method
        Of `KINDS`; ``shap`` gives no map.
    asked
        Further choices. Default: `Asked()`.

    Raises
    ------
    ContentError
        If the image is of another kind than those of the training.
    """
    asked, seen = asked or Asked(), package.prepared(image)
    kind = kind_of(package)
    if asked.candidate is not None and kind != "detector":
        raise ParameterError(
            f"Candidate {asked.candidate} of model '{package.manifest['name']}': expected a detector, or no candidate."
        )
    if kind == "picture":
        found = _of_features(package, seen, asked)
    elif kind in ("landmark net", "detector"):
        return _of_place(package, image, seen, method, asked)
    elif package.manifest["task"] == "segmentation":
        return _of_segment(package, image, seen, method, asked)
    else:
        predicted = package.apply(seen)
        assert isinstance(predicted, Prediction)  # a segmenter was taken above
        name = package.classes[class_index(package, asked.target, predicted.probabilities)] if package.classes else asked.target
        own = explain_case(
            package.model.trained, seen, _method(method), target=name, layer=asked.layer, patch=asked.patch, stride=asked.stride,
            check=asked.check, seed=asked.seed,
        )  # fmt: skip
        if not package.classes or name is None:
            meaning = _MEANING_OF_NUMBER[method] + (
                "" if method.startswith("grad_cam") else ", in standard units of the training"
            )
            found = Explained(own.map, method, own.target, None, meaning, own.sanity, own.warnings, predicted.value)
        else:
            probability = predicted.probabilities[package.classes.index(name)]
            found = Explained(own.map, method, name, probability, _MEANING[method], own.sanity, own.warnings)
    return Explained(
        _native(found.map, image, None),
        found.method,
        found.target,
        found.probability,
        found.meaning,
        found.sanity,
        found.warnings,
        found.value,
    )


def _method(name: str) -> Method:
    methods: dict[str, Method] = {
        "grad_cam": "grad_cam", "grad_cam_plus_plus": "grad_cam_plus_plus", "occlusion": "occlusion",
        "integrated_gradients": "integrated_gradients",
    }  # fmt: skip
    return methods[name]


def _native(found: Image, image: Image, outside: float | None) -> Image:
    """Return a map on the grid of an image; beyond its own grid it is `outside`, or as its edge."""
    if found.geometry == image.geometry:
        return found
    axis = flat_axis(image.geometry)
    if axis is not None and found.geometry.ndim == 2:  # a model of pictures, and a volume of one slice
        flat = _native(found, as_picture(image), outside)
        return flat.replace(array=np.expand_dims(flat.array, axis), dims=("z", "y", "x"), geometry=image.geometry)
    values = resampled(found.array, found.geometry, image.geometry, outside)
    dims = tuple(d for d in image.dims if d in "zyx")
    return Image(values, dims, image.geometry, modality=image.modality, quantity=found.quantity, provenance=found.provenance)


def _of_segment(package: Package, image: Image, seen: Image, method: str, asked: Asked) -> Explained:
    from isocenter.learn.explain.region import region_model

    package.refuse_axes(seen)
    model = region_model(package.model.trained, seen, asked.target)
    layer = (asked.layer or model.layer or None) if method.startswith("grad_cam") else None
    # An image without anything in it is one that norms of instances blow up: the way from it has no smooth gradient.
    base: Cover = "blur" if method == "integrated_gradients" else "mean"
    found = explain_case(
        model, model.image, _method(method), target=model.target, layer=layer, baseline=base, patch=asked.patch, stride=asked.stride,
        check=asked.check, seed=asked.seed,
    )  # fmt: skip
    warnings = list(found.warnings)
    if not model.whole:
        size = " x ".join(str(n) for n in model.image.geometry.shape)
        warnings.append(
            f"The map covers one window of {size} samples about the middle of the segment, as large as the network sees at a time; "
            "elsewhere it is 0."
        )
    native = _given(found.map, image, None if model.whole else 0.0, method, {"target": model.target, "layer": layer or ""}, asked)
    meaning = f"{_MEANING[method]}, the score being its mean over the {model.samples} samples that the network labelled '{model.target}'"
    return Explained(native, method, model.target, None, meaning, found.sanity, tuple(warnings))


def _of_place(package: Package, image: Image, seen: Image, method: str, asked: Asked) -> Explained:
    from isocenter.learn.explain.place import place_networks

    package.refuse_axes(seen)
    model = place_networks(package.model, seen, asked.target, asked.candidate)
    layer = (asked.layer or model.layer or None) if method.startswith("grad_cam") else None
    base: Cover = "blur" if method == "integrated_gradients" else "mean"
    patch, stride = asked.patch, asked.stride
    if method == "occlusion" and stride is None and model.image.geometry.ndim == 3:
        # Volumes are covered patch beside patch: at half of a patch they would ask for eight times as many predictions.
        patch = stride = max(model.image.geometry.extent) / 8.0 if patch is None else patch
    found = explain_case(
        model, model.image, _method(method), target=model.classes[1], layer=layer, baseline=base, patch=patch, stride=stride,
        check=asked.check, seed=asked.seed,
    )  # fmt: skip
    own = {"target": model.classes[1], "layer": layer or "", "place": [round(float(v), 6) for v in model.found.samples[0]]}
    native = _given(found.map, image, None, method, own, asked)
    meaning = f"{_MEANING[method]}, {model.score}"
    place = _on_grid(model.found, image)
    warnings = (*model.warnings, *found.warnings)
    return Explained(native, method, model.classes[1], model.probability, meaning, found.sanity, warnings, found=place)


def _given(found: Image, image: Image, outside: float | None, method: str, own: dict[str, Any], asked: Asked) -> Image:
    """Return the map of a window on the grid of the image; its record names the image that was given, not the window cut from it."""
    step = StepRecord(f"explain.{method}", "1", own, (image.digest,), asked.seed)
    native = _native(found, image, outside)
    return native.replace(provenance=image.provenance.then(step), modality=image.modality)


def _on_grid(found: Places, image: Image) -> Places:
    """Return a place on the grid of the image that was given, where steps before the model changed it."""
    if found.geometry == image.geometry:
        return found
    world = found.world()
    return points_of(world, image.geometry) if isinstance(world, Points) else boxes_of(world, image.geometry)


def _of_features(package: Package, seen: Image, asked: Asked) -> Explained:
    """Occlude an image for a model of its features: they are computed once, and any weights can then be tried on them."""
    settings = Settings("occlusion", None, "mean", asked.patch, asked.stride, 8, 4000)
    check, seed = asked.check, asked.seed
    model: TableModel = package.model
    predicted = package.apply(seen)
    assert isinstance(predicted, Prediction)  # a table model predicts
    chosen = class_index(package, asked.target, predicted.probabilities) if package.classes else 0
    stored = np.asarray(seen.array)
    channels = "c" in seen.dims
    data = stored.astype(np.float32) if channels else stored.astype(np.float32)[None]
    patch, stride = settings.patches(data.shape[1:], seen.geometry.spacing)
    cover = settings.cover(data)
    rows: list[FloatArray] = []

    def describe(batch: npt.NDArray[np.float32]) -> FloatArray:
        rows.extend(package.described(seen.with_array(_as(one if channels else one[0], stored.dtype))) for one in batch)
        return np.zeros(len(batch))

    occlusion_map(describe, data, patch, stride, cover, settings.batch)
    table = np.stack(rows)

    def values(one: TableModel) -> FloatArray:
        scores = iter(_scores(one, table, chosen))
        return occlusion_map(lambda batch: [next(scores) for _ in batch], data, patch, stride, cover, settings.batch)

    found = values(model)
    sanity = sanity_of_table(values, model, draws=5, seed=seed) if check else None
    name = package.classes[chosen] if package.classes else NUMBER
    own = attribution_image(found, seen.geometry, seen, "explain.occlusion", settings.record(name), seed if check else None)
    warnings = [] if sanity is None or sanity.passed else [sanity.sentence]
    if sanity is None:
        warnings.append("Whether the map depends on what the model learnt was not checked.")
    meaning = (_MEANING if package.classes else _MEANING_OF_NUMBER)["occlusion"]
    probability = predicted.probabilities[chosen] if package.classes else None
    return Explained(own, "occlusion", name, probability, meaning, sanity, tuple(warnings), predicted.value)


def _scores(model: TableModel, rows: FloatArray, chosen: int) -> FloatArray:
    found = model.predict(rows, np.full(len(rows), ""))
    if not model.classes:
        return found
    p = np.clip(found[:, chosen], _SURE, 1.0 - _SURE)
    return np.asarray(np.log(p / (1.0 - p)))


def _as(data: npt.NDArray[np.float32], dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    """Return samples in the type that the model's images have."""
    return np.rint(data).astype(dtype) if dtype.kind in "iu" else data.astype(dtype)
