"""The network of a MONAI bundle as a model, with the steps of its preprocessing that have a meaning here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from isocenter.core.errors import FormatError, UnsupportedError
from isocenter.core.labels import Segment
from isocenter.learn.package.importing import FAR, Imported, axes_of, filled, tried
from isocenter.learn.package.networks import NetworkPredictor, NetworkSegmenter
from isocenter.learn.train.architecture import built_net
from isocenter.learn.train.heads import ClassHead
from isocenter.learn.train.images import TrainedNetwork
from isocenter.learn.train.plan import Plan
from isocenter.learn.train.segmentation import TrainedSegmenter
from isocenter.nets.monai_bundle import bundle_config, bundle_parts
from isocenter.pipeline.model import Step

__all__ = ["from_bundle"]


@dataclass(frozen=True)
class Prepared:
    """What the transforms of a bundle do: spacing, clip range, what it is scaled to, orientation."""

    spacing: tuple[float, ...] | None
    low: float
    high: float
    scale: tuple[float, float] | None
    orient: str | None


def from_bundle(folder: Path, model: str = "models/model.pt") -> Imported:
    """Return the network of a MONAI bundle as a model, with the steps of its preprocessing that have a meaning here.

    Parameters
    ----------
    folder
        The bundle, unpacked.
    model
        File of the weights below it.

    Raises
    ------
    UnsupportedError
        If a step of its preprocessing is none of those that are read.
    """
    name, arguments, state = bundle_parts(folder, model=model)
    config = bundle_config(folder / "configs" / "inference.json")
    formats = bundle_config(folder / "configs" / "metadata.json").get("network_data_format", {})
    try:
        given, gives = formats["inputs"]["image"], formats["outputs"]["pred"]
        channels, classes = int(given["num_channels"]), {int(k): str(v) for k, v in gives["channel_def"].items()}
        segments = str(gives["format"]) in ("segmentation", "labels")
        size = tuple(int(n) for n in given["spatial_shape"])[::-1]
    except (KeyError, TypeError, ValueError) as error:
        raise FormatError(
            f"{folder / 'configs' / 'metadata.json'}: does not say what the network takes and gives ({error}); expected network_data_format."
        ) from error
    prepared = _preprocessing(config.get("preprocessing", {}), folder)
    roi = config.get("inferer", {}).get("roi_size") if isinstance(config.get("inferer"), Mapping) else None
    size = tuple(int(n) for n in roi)[::-1] if isinstance(roi, list) and all(isinstance(n, int) for n in roi) else size
    parameters = {"arguments": arguments}
    net = built_net(f"monai.{name}", parameters)
    filled(net, {f"net.{k}": v for k, v in state.items()}, folder / model, name)
    names = [classes[k] for k in sorted(classes)]
    tried(net, channels, size, len(names), segments, folder / model)
    note = "Steps of the bundle's preprocessing were taken over by name; its interpolation is not digit for digit the same."
    before = () if prepared.orient is None else (Step("resample.orient", {"code": prepared.orient}, ("image",), "turned"),)
    if segments:
        plan = _plan(f"monai.{name}", parameters, prepared, size, channels, names[1:])
        after = () if prepared.orient is None else (Step("resample.to_grid", {}, ("found", "image"), "predicted"),)
        values = (prepared.low, (prepared.low + prepared.high) / 2.0, prepared.high) if prepared.scale else (-FAR, 0.0, FAR)
        made = NetworkSegmenter(TrainedSegmenter(plan, (net.eval(),)))
        return Imported(
            made, axes_of(len(size)), channels, size, prepared.spacing, values=values, before=before, after=after, notes=(note,)
        )
    if prepared.scale:
        raise UnsupportedError(f"{folder}: a classifier that clips values: expected one that takes standardised images.")
    trained = TrainedNetwork(ClassHead(tuple(names)), size, channels, (net.eval(),), (), f"monai.{name}", parameters)
    model_of = NetworkPredictor(trained, f"monai.{name}", parameters)
    return Imported(model_of, axes_of(len(size)), channels, size, None, before=before, notes=(note,))


def _plan(
    network: str, parameters: dict[str, Any], prepared: Prepared, size: tuple[int, ...], channels: int, names: list[str]
) -> Plan:
    kept = {"mean": 0.0, "std": 1.0}
    if prepared.scale:  # clip, then bring low and high to the ends of the scale
        width = (prepared.high - prepared.low) / (prepared.scale[1] - prepared.scale[0])
        kept = {"mean": prepared.low - prepared.scale[0] * width, "std": width}
    intensity = ({**kept, "low": prepared.low, "high": prepared.high},) * channels
    rows = tuple(Segment(k, n).to_dict() for k, n in enumerate(names, start=1))
    return Plan(network, parameters, prepared.spacing, size, 1, "ct" if prepared.scale else "zscore", intensity, rows)


def _preprocessing(steps: Any, folder: Path) -> Prepared:
    """Return spacing, clip range, what it is scaled to, and orientation, from the transforms of a bundle."""
    spacing: tuple[float, ...] | None = None
    low, high, scale, orient = -FAR, FAR, None, None
    standard = False
    for step in steps.get("transforms", []) if isinstance(steps, Mapping) else []:
        kind = str(step.get("_target_", "")).rsplit(".", 1)[-1].removesuffix("d")
        try:
            if kind == "Spacing":
                spacing = tuple(float(v) for v in step["pixdim"])[::-1]
            elif kind == "Orientation":
                orient = str(step["axcodes"])[::-1]
            elif kind == "ScaleIntensityRange":
                low, high = float(step["a_min"]), float(step["a_max"])
                scale = (float(step.get("b_min", 0.0)), float(step.get("b_max", 1.0)))
            elif kind == "NormalizeIntensity":
                standard = not step.get("nonzero", False)
            elif kind not in ("LoadImage", "EnsureChannelFirst", "EnsureType", "Resize", "CastToType", "ToTensor"):
                raise UnsupportedError(
                    f"{folder / 'configs' / 'inference.json'}: its preprocessing has '{kind}', which is not read; write the step into a "
                    "description (--describe) or the package's pipeline instead."
                )
        except UnsupportedError:
            raise
        except (KeyError, TypeError, ValueError) as error:
            raise FormatError(
                f"{folder / 'configs' / 'inference.json'}: step '{kind}' of its preprocessing has no plain values ({error})."
            ) from error
    if not standard and scale is None:
        raise UnsupportedError(
            f"{folder / 'configs' / 'inference.json'}: its preprocessing neither standardises (NormalizeIntensity of all samples) nor scales a "
            "range (ScaleIntensityRange): other values are not brought to the network."
        )
    return Prepared(spacing, low, high, scale, orient)
