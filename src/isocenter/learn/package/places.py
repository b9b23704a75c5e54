"""What predicts boxes or points in a package, as plain values and arrays: a network, or one of the baselines."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.core.errors import FormatError, IsocenterError
from isocenter.core.extras import require
from isocenter.learn.places.baselines import Blobs, MeanPlace, Template
from isocenter.learn.places.model import PlaceModel

__all__ = ["KINDS", "restore", "take_apart", "words_of"]

Arrays = dict[str, npt.NDArray[Any]]

#: Kind of a model -> its task.
KINDS = {
    "mean place": "landmarks",
    "template": "landmarks",
    "landmark net": "landmarks",
    "blobs": "detection",
    "detector": "detection",
}


def words_of(model: PlaceModel) -> str:
    """Return what a model is, for the manifest."""
    finder = model.finder
    if isinstance(finder, Blobs):
        sizes = ", ".join(f"{d:.3g}" for d in finder.diameters)
        return f"Maxima of the Laplacian of Gaussian at diameters of {sizes}, {'bright' if finder.sign > 0 else 'dark'}."
    if isinstance(finder, Template):
        return f"Mean surroundings of {len(finder.names)} landmarks, matched near their mean places."
    if isinstance(finder, MeanPlace):
        return f"Mean places of {len(finder.names)} landmarks, relative to the image."
    return f"Network {finder.plan.network}, one training."


def take_apart(model: PlaceModel) -> tuple[dict[str, Any], Arrays]:
    """Return a model as plain values and arrays."""
    finder = model.finder
    around: dict[str, Any] = {"slope": model.slope, "offset": model.offset, "threshold": model.threshold}
    if isinstance(finder, Blobs):
        own: dict[str, Any] = {
            "kind": "blobs", "names": list(finder.names), "spacing": list(finder.spacing), "channels": finder.channels,
            "diameters": list(finder.diameters), "sign": finder.sign,
        }  # fmt: skip
        return {**own, **around}, {"none": np.zeros(1, np.float32)}
    if isinstance(finder, MeanPlace):
        return {"kind": "mean place", "names": list(finder.names), **around}, {"share": finder.share, "spread": finder.spread}
    if isinstance(finder, Template):
        own = {
            "kind": "template", "names": list(finder.names), "spacing": list(finder.spacing), "channels": finder.channels,
        }  # fmt: skip
        arrays: Arrays = {"share": finder.mean.share, "spread": finder.mean.spread, "patches": finder.patches}
        return {**own, **around}, arrays
    state = finder.network.state_dict()
    arrays = {f"net0/{name}": np.array(t.detach().cpu().numpy(), order="C") for name, t in sorted(state.items())}
    kind = "landmark net" if finder.plan.network == "heatmap_landmarks" else "detector"
    return {"kind": kind, "plan": finder.plan.to_dict(), **around}, arrays


def restore(description: Mapping[str, Any], arrays: Mapping[str, npt.NDArray[Any]]) -> PlaceModel:
    """Return the model that `take_apart` described.

    Raises
    ------
    FormatError
        If something is missing or does not fit.
    """
    try:
        finder = _MAKERS[str(description["kind"])](description, arrays)
        around = (float(description[key]) for key in ("slope", "offset", "threshold"))
        return PlaceModel(finder, *around)
    except (LookupError, TypeError, ValueError, RuntimeError) as error:
        if isinstance(error, FormatError):
            raise
        reason = str(error) if isinstance(error, IsocenterError | ValueError) else type(error).__name__
        raise FormatError(f"The model does not fit its description ({reason}): the package was not written whole.") from error


def _names(d: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(str(n) for n in d["names"])


def _mean(d: Mapping[str, Any], arrays: Mapping[str, npt.NDArray[Any]]) -> MeanPlace:
    share, spread = (np.asarray(arrays[key], np.float64) for key in ("share", "spread"))
    if share.shape != spread.shape or share.ndim != 2 or len(share) != len(_names(d)) or not np.isfinite([share, spread]).all():
        raise ValueError("its places are not those of its landmarks")
    return MeanPlace(_names(d), share, spread)


def _template(d: Mapping[str, Any], arrays: Mapping[str, npt.NDArray[Any]]) -> Template:
    mean, patches = _mean(d, arrays), np.asarray(arrays["patches"], np.float32)
    spacing = tuple(float(s) for s in d["spacing"])
    if patches.ndim != 1 + len(spacing) or len(patches) != len(mean.names) or mean.share.shape[1] != len(spacing):
        raise ValueError("its patches are not those of its landmarks")
    return Template(mean, spacing, int(d["channels"]), patches)


def _blobs(d: Mapping[str, Any], arrays: Mapping[str, npt.NDArray[Any]]) -> Blobs:
    spacing, diameters = (tuple(float(v) for v in d[key]) for key in ("spacing", "diameters"))
    if not diameters or min(*diameters, *spacing) <= 0:
        raise ValueError("its sizes are not above 0")
    return Blobs(_names(d), spacing, int(d["channels"]), diameters, float(d["sign"]))


def _network(d: Mapping[str, Any], arrays: Mapping[str, npt.NDArray[Any]]) -> Any:
    torch = require("torch", "A package of networks")
    from isocenter.learn.package.networks import restored_net
    from isocenter.learn.train.detection import TrainedDetector
    from isocenter.learn.train.landmarks import TrainedLandmarks
    from isocenter.learn.train.place_plan import PlacePlan

    plan = PlacePlan.from_dict(d["plan"])
    net = restored_net(plan.network, plan.parameters, arrays, 0)
    if plan.settings.channels_last and len(plan.size) == 2:  # another layout gives other last digits
        net = net.to(memory_format=torch.channels_last)
    return (TrainedLandmarks if d["kind"] == "landmark net" else TrainedDetector)(plan, net)


_MAKERS: dict[str, Callable[[Mapping[str, Any], Mapping[str, npt.NDArray[Any]]], Any]] = {
    "mean place": _mean,
    "template": _template,
    "blobs": _blobs,
    "landmark net": _network,
    "detector": _network,
}
