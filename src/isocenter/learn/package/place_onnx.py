"""A network that finds places as ONNX: its raw output, and in the file itself how to come from there to boxes or points."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from isocenter.core.errors import UnsupportedError
from isocenter.learn.package.model import Package
from isocenter.learn.places.model import PlaceModel
from isocenter.learn.train.detection import LEAST, MOST, OVERLAP, TrainedDetector
from isocenter.learn.train.landmarks import TrainedLandmarks
from isocenter.learn.train.scale import steps
from isocenter.nets.onnx_export import export_onnx

__all__ = ["KEY", "decoding", "export_places"]

#: Name under which the file says how its output is read.
KEY = "isocenter"

_PREPARED = (
    "Bring the image to 'spacing' (array order): with step = spacing / own spacing along each axis, it has round(samples / step) samples, at "
    "least 1, and sample k is read by linear interpolation at k * step + (step - 1) / 2 of the image, edges extended. Where step > 1, first smooth by a "
    "Gaussian of 0.4 * sqrt(step^2 - 1) samples along that axis. Then {values}, and put zeros behind the last samples until each axis has "
    "'size'. An image that is larger than that does not fit this file."
)
_BACK = "Sample p of the network's grid is sample p * step + (step - 1) / 2 of the image; clip to -1/2 ... samples - 1/2."


def export_places(package: Package, path: Path, tolerance: float) -> list[str]:
    """Write the network of a package that finds places as ONNX and return what was done, in words.

    Parameters
    ----------
    package
        Of a detector or a landmark net.
    path
        The file. Its metadata hold `decoding` as JSON under `KEY`.
    tolerance
        The largest difference allowed.

    Raises
    ------
    UnsupportedError
        If the model finds places without a network.
    VerificationError
        If the exported network differs by more; nothing is written then.
    """
    facts = decoding(package)
    finder = package.model.finder
    outputs = [one["name"] for one in facts["outputs"]]
    worst = export_onnx(
        finder.network, facts["input"]["shape"], path, tolerance=tolerance, any_batch=False, outputs=outputs,
        facts={KEY: json.dumps(facts, sort_keys=True)},
    )  # fmt: skip
    size = " x ".join(map(str, finder.plan.size))
    what = " and ".join(outputs)
    return [
        f"{path}: prepared image in, {what} out; differs by at most {worst:.2g}.",
        f"It takes images of {size} samples at its spacing. How to prepare them and to read {what} stands in its metadata, under '{KEY}'.",
    ]


def decoding(package: Package) -> dict[str, Any]:
    """Return how an image is brought to the network of a package, and its output to places, as plain values.

    Parameters
    ----------
    package
        Of a detector or a landmark net.

    Raises
    ------
    UnsupportedError
        If the model finds places without a network.
    """
    model: PlaceModel = package.model
    if not isinstance(model.finder, TrainedDetector | TrainedLandmarks):
        raise UnsupportedError(
            f"Model '{package.manifest['name']}' finds places without a network: it has no form in ONNX; use the package itself, or train a "
            "network (--minutes)."
        )
    plan = model.finder.plan
    facts: dict[str, Any] = {
        "package": package.digest,
        "model": package.manifest["name"],
        "task": package.manifest["task"],
        "names": list(plan.names),
        "spacing": list(plan.spacing),
        "size": list(plan.size),
        "input": {
            "name": "image",
            "shape": [1, plan.channels, *plan.size],
            "prepared": _PREPARED.format(values=steps(plan.quantity)),
        },
    }
    return facts | (_of_detector(model) if isinstance(model.finder, TrainedDetector) else _of_landmarks(model))


def _of_detector(model: PlaceModel) -> dict[str, Any]:
    numbers = {
        "least": LEAST, "overlap": OVERLAP, "most": MOST, "slope": model.slope, "offset": model.offset, "threshold": model.threshold,
    }  # fmt: skip
    return {
        "outputs": [
            {"name": "scores", "axes": ["image", "place", "class"], "meaning": "logits, in the order of 'names'"},
            {
                "name": "boxes",
                "axes": ["image", "place", "side"],
                "meaning": "low sides, then high sides, in samples of the network's grid, array order; a box around sample i alone reaches from "
                "i - 1/2 to i + 1/2",
            },
        ],
        "numbers": numbers,
        "decoding": [
            "Score of a place: the logistic function of its largest logit, whose class it is.",
            f"Keep the {20 * MOST} surest places, of these the scores from 'least' on; clip boxes to -1/2 ... size - 1/2 and drop empty ones.",
            "Suppress: from the surest on, drop every later box of its class that overlaps it by more than 'overlap' (intersection over union); keep "
            "'most'.",
            _BACK,
            "Probability: the logistic function of slope * logit(score) + offset, the score clipped to 1e-6 ... 1 - 1e-6; an object is called from "
            "'threshold' on.",
        ],
    }


def _of_landmarks(model: PlaceModel) -> dict[str, Any]:
    return {
        "outputs": [
            {
                "name": "heat",
                "axes": ["image", "landmark", *("zyx"[-len(model.finder.plan.size) :])],
                "meaning": "logits of where each landmark lies, in the order of 'names'",
            }
        ],
        "numbers": {"step": int(model.finder.plan.parameters["step"])},
        "decoding": [
            "Set to -1e4 what lies behind the image: heat samples above (samples - 1 - (step - 1) / 2) / step + 1/2 along an axis, samples counted "
            "before the zeros were put behind them.",
            "Take the soft maximum over all samples of a heat map; position: its mean, the sum of soft maximum times index along each axis.",
            "Sample h of the heat map is sample h * step + (step - 1) / 2 of the network's grid, 'step' as in 'numbers'.",
            _BACK,
            "Spread in mm: the root of the mean over axes of (deviation of the soft maximum * step * spacing)^2; less is surer.",
        ],
    }
