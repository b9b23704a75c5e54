"""A trained nnU-Net folder as a segmenter: its plan becomes ours, its weights go into our U-Net, name by name.

The network computes the same scores. Preparation is ours: axes are taken in storage order, images are resampled linearly (nnU-Net: by
splines) and a z-score covers the whole image (nnU-Net may leave out zeros); labels may differ at borders for those reasons.

References
----------
Isensee et al. (2021) nnU-Net. Nature Methods 18:203-211; folder layout of nnU-Net version 2.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from isocenter import nets
from isocenter.core.errors import ContentError, FormatError, MissingInputError, UnsupportedError
from isocenter.core.labels import Segment
from isocenter.learn.train.plan import Plan
from isocenter.learn.train.segmentation import TrainedSegmenter
from isocenter.nets import weights

__all__ = ["import_nnunet"]


def import_nnunet(
    folder: Path | str,
    configuration: str = "3d_fullres",
    folds: Sequence[int] | None = None,
    checkpoint: str = "checkpoint_final.pth",
) -> TrainedSegmenter:
    """Return the segmenter of a trained nnU-Net (version 2) folder; nothing of its code is run.

    Parameters
    ----------
    folder
        The one with ``plans.json``, ``dataset.json`` and ``fold_0`` ...
    configuration
        ``2d`` or ``3d_fullres`` (cascades are not read).
    folds
        Members of the ensemble. Default: all there are.
    checkpoint
        File in each fold.

    Raises
    ------
    MissingInputError
        If a file is missing.
    UnsupportedError
        If the network is another one than nnU-Net's plain U-Net with two convolutions a stage.
    ContentError
        If plans or weights do not fit each other.
    """
    folder = Path(folder)
    plans, dataset = _json(folder / "plans.json"), _json(folder / "dataset.json")
    try:
        own = plans["configurations"][configuration]
        parameters = _parameters(own, dataset, folder)
        plan = _plan(plans, own, dataset, parameters)
    except (KeyError, TypeError, IndexError) as error:
        raise ContentError(
            f"{folder / 'plans.json'}: lacks {error} for the configuration '{configuration}'; expected plans of nnU-Net version 2."
        ) from error
    numbers = folds if folds is not None else sorted(int(p.name[5:]) for p in folder.glob("fold_[0-9]*"))
    if not numbers:
        raise MissingInputError(f"{folder}: holds no fold_0 ...; expected the folder of a trained nnU-Net.")
    networks = []
    for number in numbers:
        path = folder / f"fold_{number}" / checkpoint
        net = nets.build("unet", **parameters)
        state = _renamed(weights.tensors(weights.read_pt(path), path), len(parameters["channels"]), path)
        try:
            net.load_state_dict(state)
        except RuntimeError as error:
            raise ContentError(
                f"{path}: the weights do not fit the network of plans.json; expected those it was trained with."
            ) from error
        networks.append(net.eval())
    return TrainedSegmenter(plan, tuple(networks))


def _parameters(own: Mapping[str, Any], dataset: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    architecture = own["architecture"]
    name, values = str(architecture["network_class_name"]).rsplit(".", 1)[-1], architecture["arch_kwargs"]
    stages = int(values["n_stages"])
    plain = all(
        int(n) == 2 for n in _each(values["n_conv_per_stage"], stages) + _each(values["n_conv_per_stage_decoder"], stages - 1)
    )
    if name != "PlainConvUNet" or not plain or "InstanceNorm" not in str(values["norm_op"]):
        raise UnsupportedError(
            f"{folder / 'plans.json'}: the network is a {name}; expected a PlainConvUNet with two convolutions a stage and "
            "instance normalisation: other networks are not read."
        )
    return {
        "in_channels": len(dataset["channel_names"]),
        "out_channels": len(_classes(dataset)) + 1,
        "dimensions": len(own["patch_size"]),
        "channels": [int(n) for n in values["features_per_stage"]],
        "strides": [[int(s) for s in step] for step in values["strides"][1:]],
        "kernels": [[int(k) for k in size] for size in values["kernel_sizes"]],
        "norm": "instance",
        "bias": bool(values.get("conv_bias", True)),
    }


def _plan(plans: Mapping[str, Any], own: Mapping[str, Any], dataset: Mapping[str, Any], parameters: Mapping[str, Any]) -> Plan:
    known = plans.get("foreground_intensity_properties_per_channel", {})
    intensity = []
    for k in range(parameters["in_channels"]):
        row = known.get(str(k), {"mean": 0.0, "std": 1.0, "percentile_00_5": 0.0, "percentile_99_5": 1.0})
        low, high = float(row["percentile_00_5"]), float(row["percentile_99_5"])
        intensity.append({"mean": float(row["mean"]), "std": float(row["std"]), "low": low, "high": high})
    schemes = [str(s) for s in own["normalization_schemes"]]
    if len(set(schemes)) != 1 or schemes[0] not in ("CTNormalization", "ZScoreNormalization"):
        raise UnsupportedError(
            f"Normalisation {schemes} of an nnU-Net: expected CTNormalization or ZScoreNormalization for all channels."
        )
    return Plan(
        "unet",
        dict(parameters),
        tuple(float(s) for s in own["spacing"]),
        tuple(int(n) for n in own["patch_size"]),
        int(own["batch_size"]),
        "ct" if schemes[0] == "CTNormalization" else "zscore",
        tuple(intensity),
        tuple(s.to_dict() for s in _classes(dataset)),
    )


def _classes(dataset: Mapping[str, Any]) -> list[Segment]:
    found = []
    for name, value in dataset["labels"].items():
        if isinstance(value, list):
            raise UnsupportedError(
                f"Label '{name}' of an nnU-Net stands for the regions {value}; expected one value for each class."
            )
        if int(value) > 0 and name != "ignore":
            found.append(Segment(int(value), str(name)))
    return sorted(found, key=lambda s: s.value)


def _renamed(state: Mapping[str, Tensor], levels: int, path: Path) -> dict[str, Tensor]:
    """Return nnU-Net's weights under the names of our U-Net."""
    source = {name.removeprefix("_orig_mod.").removeprefix("module."): value for name, value in state.items()}
    pairs: dict[str, str] = {}
    for kind, own, count in (("encoder.stages.{}.0", "encoder.{}", levels), ("decoder.stages.{}", "decoder.{}", levels - 1)):
        for k in range(count):
            for c in range(2):
                for part, place in (("conv", 3 * c), ("norm", 3 * c + 1)):
                    for what in ("weight", "bias"):
                        pairs[f"{own.format(k)}.layers.{place}.{what}"] = f"{kind.format(k)}.convs.{c}.{part}.{what}"
    for k in range(levels - 1):
        for what in ("weight", "bias"):
            pairs[f"up.{k}.{what}"] = f"decoder.transpconvs.{k}.{what}"
    for what in ("weight", "bias"):
        pairs[f"heads.0.{what}"] = f"decoder.seg_layers.{levels - 2}.{what}"
    found = {own: source[theirs] for own, theirs in pairs.items() if theirs in source}
    if "heads.0.weight" not in found:
        raise ContentError(f"{path}: lacks decoder.seg_layers.{levels - 2}; expected the weights of nnU-Net's plain U-Net.")
    return found


def _each(value: Any, count: int) -> list[Any]:
    return list(value) if isinstance(value, list) else [value] * count


def _json(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise MissingInputError(f"{path}: no such file; expected the folder of a trained nnU-Net.")
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise FormatError(f"{path}: is no sound JSON ({error}).") from error
    return found
