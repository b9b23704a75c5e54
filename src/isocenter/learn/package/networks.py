"""What predicts in a package of networks: classes, numbers and segments of images, as plain values and arrays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from isocenter.core.errors import FormatError, IsocenterError
from isocenter.core.image import Image
from isocenter.core.results import Prediction
from isocenter.learn.evaluate.calibration import Calibrator
from isocenter.learn.package.models import calibrator_from, calibrator_to
from isocenter.learn.train.architecture import built_net
from isocenter.learn.train.heads import head_from
from isocenter.learn.train.images import TrainedNetwork
from isocenter.learn.train.plan import Plan
from isocenter.learn.train.scale import SCALES
from isocenter.learn.train.segmentation import TrainedSegmenter

__all__ = ["NetworkPredictor", "NetworkSegmenter", "restore", "restored_net", "take_apart"]

Arrays = dict[str, npt.NDArray[Any]]


@dataclass(frozen=True)
class NetworkPredictor:
    """Trained networks of classes or numbers; of classes with calibrator and operating point.

    Attributes
    ----------
    trained
        One network, or several that are averaged.
    network, parameters
        Name in `isocenter.nets`, and what it was built with beside channels, outputs and axes.
    calibrator
        Fitted on cases that were held out; None where there is none.
    threshold
        Of the second of two classes.
    """

    trained: TrainedNetwork
    network: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    calibrator: Calibrator | None = None
    threshold: float = 0.5

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes; empty for numbers."""
        return self.trained.classes

    def predict(self, image: Image, unit: str = "1") -> Prediction:
        """Return calibrated probabilities of an image, or its number in a unit."""
        answers = self.trained.answers([image])
        return self.trained.head.prediction((answers if self.calibrator is None else self.calibrator(answers))[0], unit)


@dataclass(frozen=True)
class NetworkSegmenter:
    """A trained segmenter.

    Attributes
    ----------
    trained
        One network, or several that are averaged.
    """

    trained: TrainedSegmenter

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the segments."""
        return tuple(s.name for s in self.trained.segments)


def take_apart(model: NetworkPredictor | NetworkSegmenter) -> tuple[dict[str, Any], Arrays]:
    """Return a model as plain values and arrays."""
    arrays: Arrays = {}
    for k, net in enumerate(model.trained.networks):
        for name, tensor in sorted(net.state_dict().items()):
            arrays[f"net{k}/{name}"] = np.array(tensor.detach().cpu().numpy(), order="C")
    count = len(model.trained.networks)
    if isinstance(model, NetworkSegmenter):
        trained = model.trained
        copies = {"mirror": list(trained.mirror), **({"quarters": True} if trained.quarters else {})}
        return {"kind": "segmenter", "count": count, "plan": trained.plan.to_dict(), **copies}, arrays
    own = model.trained
    return {
        "kind": "classifier" if own.classes else "regressor",
        "count": count,
        "network": model.network,
        "parameters": dict(model.parameters),
        **own.head.to_dict(),
        "size": list(own.size),
        "channels": own.channels,
        "quantity": own.quantity,
        "calibrator": calibrator_to(model.calibrator),
        "threshold": model.threshold,
    }, arrays


def restore(description: Mapping[str, Any], arrays: Mapping[str, npt.NDArray[Any]]) -> NetworkPredictor | NetworkSegmenter:
    """Return the model that `take_apart` described.

    Raises
    ------
    FormatError
        If something is missing or does not fit.
    """
    try:
        if description["kind"] == "segmenter":
            plan = Plan.from_dict(description["plan"])
            made = [restored_net(plan.network, plan.parameters, arrays, k) for k in range(int(description["count"]))]
            if plan.settings.channels_last and len(plan.patch) == 2:  # another layout gives other last digits
                made = [net.to(memory_format=torch.channels_last) for net in made]
            return NetworkSegmenter(
                TrainedSegmenter(plan, tuple(made), (), tuple(description["mirror"]), bool(description.get("quarters")))
            )
        size, channels = tuple(int(n) for n in description["size"]), int(description["channels"])
        head, parameters = head_from(description), dict(description["parameters"])
        whole = {"in_channels": channels, "out_channels": head.outputs, "dimensions": len(size), **parameters}
        made = [restored_net(description["network"], whole, arrays, k) for k in range(int(description["count"]))]
        trained = TrainedNetwork(
            head, size, channels, tuple(made), (), str(description["network"]), parameters, _quantity(description)
        )
        calibrator = calibrator_from(description["calibrator"])
        return NetworkPredictor(trained, description["network"], parameters, calibrator, float(description["threshold"]))
    except (LookupError, TypeError, ValueError, RuntimeError) as error:
        if isinstance(error, FormatError):
            raise
        reason = str(error) if isinstance(error, IsocenterError | ValueError) else type(error).__name__
        raise FormatError(f"The networks do not fit their description ({reason}): the package was not written whole.") from error


def _quantity(description: Mapping[str, Any]) -> str | None:
    """Return what samples measure; packages of before the scale was kept normalise each image by itself."""
    named = description.get("quantity")
    if named is not None and named not in SCALES:
        raise ValueError(f"a scale of {named!r}; expected one of {', '.join(SCALES)}")
    return None if named is None else str(named)


def restored_net(name: str, parameters: Mapping[str, Any], arrays: Mapping[str, npt.NDArray[Any]], k: int) -> nn.Module:
    """Return the k-th network of a description, its weights checked before anything of their size is allocated."""
    start = f"net{k}/"
    state = {n[len(start) :]: torch.from_numpy(np.array(v)) for n, v in arrays.items() if n.startswith(start)}
    _fits(name, parameters, state)
    net = built_net(name, parameters)
    net.load_state_dict(state)
    return net.eval()


def _fits(name: str, parameters: Mapping[str, Any], state: Mapping[str, torch.Tensor]) -> None:
    """Refuse weights of other shapes before anything of the size that the parameters ask for is allocated."""
    try:
        with torch.device("meta"):
            shell = built_net(name, parameters)
    except (RuntimeError, NotImplementedError):
        return  # some networks compute with their weights while they are built, which shapes alone cannot
    shapes = {n: tuple(t.shape) for n, t in shell.state_dict().items()}
    wrong = sorted(n for n in {*shapes, *state} if n not in state or tuple(state[n].shape) != shapes.get(n))
    if wrong:
        raise ValueError(f"weight '{wrong[0]}' is missing or of another shape")
