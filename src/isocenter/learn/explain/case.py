"""The explanation of one case: a map on the image's own grid, with what is known of how far it can be believed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from isocenter.core.errors import ContentError, ParameterError, UnknownNameError, did_you_mean
from isocenter.core.image import Image
from isocenter.core.results import Prediction
from isocenter.kernels.occlusion import occlusion_map, patch_starts
from isocenter.kernels.smooth import gaussian
from isocenter.learn.explain.native import attribution_image, network_grid
from isocenter.learn.explain.sanity import SanityCheck, sanity_check
from isocenter.nets.attribution.features import places_of
from isocenter.nets.attribution.grad_cam import grad_cam
from isocenter.nets.attribution.grad_cam_plus_plus import grad_cam_plus_plus
from isocenter.nets.attribution.integrated_gradients import integrated_gradients

__all__ = ["METHODS", "NUMBER", "Cover", "Explanation", "Method", "NetworkModel", "Settings", "explain_case"]

Method = Literal["occlusion", "grad_cam", "grad_cam_plus_plus", "integrated_gradients"]
Cover = Literal["mean", "zero", "blur"]
METHODS: tuple[Method, ...] = ("occlusion", "grad_cam", "grad_cam_plus_plus", "integrated_gradients")

FloatArray = npt.NDArray[np.float64]

#: What an explained number is called.
NUMBER = "number"
#: Closest to 0 and 1 that a probability counts. Occlusion compares log-odds, since the probability of a sure model does not fall
#: before nearly all of a finding is covered.
_SURE = 1e-9
#: Fewer places along an axis than this are told with the map.
_COARSE = 5


@runtime_checkable
class NetworkModel(Protocol):
    """A model whose networks can be looked into: `learn.train.images.TrainedNetwork` is one."""

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes, in the order of the logits; empty where the one output is a number."""
        ...

    @property
    def networks(self) -> tuple[nn.Module, ...]:
        """The networks whose answers are averaged."""
        ...

    def seen(self, image: Image) -> npt.NDArray[np.float32]:
        """Return what the networks see of an image, shape (channels, *size), over its whole extent."""
        ...


#: A model as a black box: image to probabilities, or to a `Prediction`.
Predictor = Callable[[Image], Prediction | npt.ArrayLike]


@dataclass(frozen=True, eq=False)
class Explanation:
    """Where a model looked, and how far that can be believed.

    Attributes
    ----------
    map
        Attribution on the image's own grid: positive where the sample speaks for the class, or raises the number.
    method, target
        What was asked, and of which class; ``number`` of a number.
    probability
        That the model gives the class; NaN of a number.
    sanity
        Whether the map depends on the weights; None where it was not or cannot be checked.
    warnings
        One sentence each: show them beside the map.
    """

    map: Image
    method: Method
    target: str
    probability: float
    sanity: SanityCheck | None = None
    warnings: tuple[str, ...] = ()


def explain_case(
    model: NetworkModel | Predictor,
    image: Image,
    method: Method = "occlusion",
    *,
    target: str | int | None = None,
    classes: Sequence[str] = (),
    layer: str | None = None,
    baseline: Cover = "mean",
    patch: float | None = None,
    stride: float | None = None,
    batch: int = 8,
    most: int = 20_000,
    check: bool = True,
    seed: int = 0,
) -> Explanation:
    """Explain what a model says of an image.

    Parameters
    ----------
    model
        Trained networks of classes or of a number, or any function from an image to probabilities (then `method` is ``occlusion``).
    image
        Two or three spatial axes, without time.
    method
        ``occlusion``, ``grad_cam``, ``grad_cam_plus_plus`` or ``integrated_gradients``.
    target
        Name or index of the class; None takes the most probable one, or the number.
    classes
        Names of the classes, for a function that gives bare probabilities.
    layer
        Of Grad-CAM; None takes the last one whose output still has places.
    baseline
        What stands for no finding: ``mean`` of each channel, ``zero``, or the image strongly blurred (``blur``).
    patch, stride
        Of occlusion, mm (px where the image has no pixel size). Default: an eighth of the longest side, and half of that.
    batch
        Images that exist at once.
    most
        Predictions that occlusion may ask for.
    check
        Randomise the weights and see whether the map changes.
    seed
        Of the random weights.

    Raises
    ------
    ParameterError
        If the method looks into networks and the model is a function, or occlusion would ask for more predictions than `most`.
    ContentError
        If the image has a time axis.
    """
    if method not in METHODS:
        raise UnknownNameError(f"No explanation '{method}': there are {', '.join(METHODS)}.{did_you_mean(method, METHODS)}")
    if "t" in image.dims or image.geometry.ndim < 2:
        raise ContentError(
            f"An image with axes {image.dims}: expected two or three spatial axes and no time; take one time point."
        )
    settings = Settings(method, layer, baseline, patch, stride, batch, most)
    if isinstance(model, NetworkModel):
        return _of_networks(model, image, settings, target, check, seed)
    if method != "occlusion":
        raise ParameterError(
            f"'{method}' looks into a network, but the model is a function: expected a classifier, or occlusion."
        )
    return _of_function(model, image, settings, target, tuple(classes))


@dataclass(frozen=True)
class Settings:
    """How a map is made: the parameters of `explain_case` of these names."""

    method: Method
    layer: str | None
    baseline: Cover
    patch: float | None
    stride: float | None
    batch: int
    most: int

    def cover(self, data: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Return what stands for no finding, of the shape of the data (channels, *spatial)."""
        if self.baseline == "zero":
            return np.zeros_like(data)
        if self.baseline == "blur":
            sigma = [n / 10.0 for n in data.shape[1:]]
            return np.stack([gaussian(channel, sigma) for channel in data]).astype(np.float32)
        mean = data.reshape(len(data), -1).mean(axis=1, dtype=np.float64).astype(np.float32)
        return np.broadcast_to(mean.reshape(-1, *[1] * (data.ndim - 1)), data.shape)

    def patches(self, shape: Sequence[int], spacing: Sequence[float]) -> tuple[list[int], list[int]]:
        """Return patch and stride in samples.

        Raises
        ------
        ParameterError
            If that takes too many predictions.
        """
        side = max(n * s for n, s in zip(shape, spacing, strict=True)) / 8.0 if self.patch is None else float(self.patch)
        step = side / 2.0 if self.stride is None else float(self.stride)
        if not (side > 0 and 0 < step <= side):
            raise ParameterError(
                f"A patch of {side:g} mm and a stride of {step:g} mm: expected more than 0, the stride at most the patch."
            )
        size = [min(max(1, round(side / s)), n) for n, s in zip(shape, spacing, strict=True)]
        steps = [min(max(1, round(step / s)), p) for p, s in zip(size, spacing, strict=True)]
        count = int(np.prod([len(patch_starts(n, p, s)) for n, p, s in zip(shape, size, steps, strict=True)]))
        if count > self.most:
            raise ParameterError(
                f"A patch of {side:g} mm at a stride of {step:g} mm asks for {count} predictions: expected at most {self.most}; take a "
                "larger patch or stride."
            )
        return size, steps

    def record(self, target: str) -> dict[str, Any]:
        """Return what decides the map, as plain values."""
        found: dict[str, Any] = {"target": target}
        if self.method.startswith("grad_cam"):
            found["layer"] = self.layer or "last"
        else:
            found["baseline"] = self.baseline
        if self.method == "occlusion":
            found |= {"patch": self.patch, "stride": self.stride}
        return found


def _index(target: str | int | None, classes: Sequence[str], probabilities: FloatArray) -> int:
    if target is None:
        return int(probabilities.argmax())
    if isinstance(target, str):
        if target not in classes:
            raise UnknownNameError(f"No class '{target}': there are {', '.join(classes)}.{did_you_mean(target, classes)}")
        return list(classes).index(target)
    if not 0 <= target < probabilities.size:
        raise ParameterError(f"Class {target} of {probabilities.size}: expected an index below that.")
    return int(target)


def _of_networks(
    model: NetworkModel, image: Image, settings: Settings, target: str | int | None, check: bool, seed: int
) -> Explanation:
    data = np.array(model.seen(image), np.float32)  # a copy: torch takes no read-only arrays
    grid = network_grid(image.geometry, data.shape[1:])
    for net in model.networks:
        net.eval()
    x = torch.from_numpy(data)[None]
    name, chosen, probability = _of_number(target) if not model.classes else _of_class(model, x, target)
    warnings: list[str] = []

    def values(net: nn.Module, notes: list[str] | None = None) -> FloatArray:
        return _map(net, data, x, chosen, settings, grid.spacing, notes)

    found = np.mean([values(net, warnings) for net in model.networks], axis=0)
    if settings.method.startswith("grad_cam"):
        places = places_of(model.networks[0], x, settings.layer)
        if min(places) < _COARSE:
            shape = " x ".join(str(n) for n in places)
            warnings.append(
                f"The layer has {shape} places: the map tells no finer than that; name an earlier one, or use occlusion."
            )
    if not found.any():
        what = "speaks for the class" if model.classes else "raises the number"
        warnings.append(f"Warning: the map is empty: nothing in this layer {what}.")
    check = check and any(True for _ in model.networks[0].parameters())  # a network that came as ONNX shows no weights
    sanity = sanity_check(values, model.networks[0], seed=seed) if check else None
    if sanity is None:
        warnings.append("Whether the map depends on what the network learnt was not checked.")
    elif not sanity.passed:
        warnings.append(sanity.sentence)
    native = attribution_image(found, grid, image, f"explain.{settings.method}", settings.record(name), seed if check else None)
    return Explanation(native, settings.method, name, probability, sanity, tuple(dict.fromkeys(warnings)))


def _of_class(model: NetworkModel, x: Tensor, target: str | int | None) -> tuple[str, int, float]:
    """Return name, index and probability of the class that is explained."""
    with torch.no_grad():
        mean = np.mean([net(x).double().softmax(1)[0].numpy() for net in model.networks], axis=0)
    chosen = _index(target, model.classes, mean)
    return model.classes[chosen], chosen, float(mean[chosen])


def _of_number(target: str | int | None) -> tuple[str, int, float]:
    if target is not None:
        raise ParameterError(f"Class '{target}' of a model that gives a number: there are no classes; leave the target out.")
    return NUMBER, 0, float("nan")


def _map(
    net: nn.Module,
    data: npt.NDArray[np.float32],
    x: Tensor,
    target: int,
    settings: Settings,
    spacing: Sequence[float],
    notes: list[str] | None,
) -> FloatArray:
    """Return the map of one network at the resolution that it sees."""
    net.eval()
    if settings.method == "grad_cam":
        return grad_cam(net, x, target, settings.layer)[0].double().numpy()
    if settings.method == "grad_cam_plus_plus":
        return grad_cam_plus_plus(net, x, target, settings.layer)[0].double().numpy()
    cover = settings.cover(data)
    if settings.method == "integrated_gradients":
        # Random networks need no complete map: only its ranks are compared.
        more = {} if notes is not None else {"most": 32}
        found = integrated_gradients(net, x, target, torch.from_numpy(np.array(cover))[None], batch=settings.batch, **more)
        if notes is not None and not found.complete:
            notes.append(
                f"Warning: the attributions miss the difference of the scores by {100 * float(found.gap.max()):.1f} % after "
                f"{found.steps} steps (expected 1 %): take them as a rough picture."
            )
        return found.values[0].double().sum(0).numpy()

    def score(batch: npt.NDArray[np.float32]) -> FloatArray:
        with torch.no_grad():
            logits = net(torch.from_numpy(batch)).double()
        if logits.shape[1] == 1:  # a number: there is nothing beside it to compare it with
            return np.asarray(logits[:, 0].numpy())
        others = torch.cat([logits[:, :target], logits[:, target + 1 :]], dim=1)
        return np.asarray((logits[:, target] - others.logsumexp(1)).numpy())

    patch, stride = settings.patches(data.shape[1:], spacing)
    return occlusion_map(score, data, patch, stride, cover, settings.batch)


def _of_function(
    predict: Predictor, image: Image, settings: Settings, target: str | int | None, classes: tuple[str, ...]
) -> Explanation:
    names = classes

    def probabilities(one: Image) -> FloatArray:
        found = predict(one)
        return np.asarray(found.probabilities if isinstance(found, Prediction) else found, np.float64).ravel()

    first = predict(image)
    if isinstance(first, Prediction):
        names = first.classes
    mean = np.asarray(first.probabilities if isinstance(first, Prediction) else first, np.float64).ravel()
    names = names or tuple(str(k) for k in range(mean.size))
    if len(names) != mean.size:
        raise ParameterError(f"{mean.size} probabilities for {len(names)} classes: expected one each.")
    chosen = _index(target, names, mean)
    channels = "c" in image.dims
    stored = np.asarray(image.array)
    data = stored.astype(np.float32) if channels else stored.astype(np.float32)[None]

    def score(batch: npt.NDArray[np.float32]) -> FloatArray:
        images = (image.with_array(_as(one if channels else one[0], stored.dtype)) for one in batch)
        p = np.clip([float(probabilities(one)[chosen]) for one in images], _SURE, 1.0 - _SURE)
        return np.asarray(np.log(p / (1.0 - p)))

    patch, stride = settings.patches(data.shape[1:], image.geometry.spacing)
    found = occlusion_map(score, data, patch, stride, settings.cover(data), settings.batch)
    native = attribution_image(found, image.geometry, image, "explain.occlusion", settings.record(names[chosen]))
    note = "Whether the map depends on what the model learnt was not checked: its weights are not at hand."
    return Explanation(native, "occlusion", names[chosen], float(mean[chosen]), None, (note,))


def _as(data: npt.NDArray[np.float32], dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    """Return samples in the type that the model's images have."""
    return np.rint(data).astype(dtype) if dtype.kind in "iu" else data.astype(dtype)
