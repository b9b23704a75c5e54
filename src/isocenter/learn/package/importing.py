"""Models that were trained elsewhere as packages: weights, ONNX, nnU-Net folders and MONAI bundles; nothing of their code is run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from isocenter.core.errors import ContentError, IsocenterError, ParameterError, SpecError
from isocenter.core.image import Image
from isocenter.core.labels import Segment
from isocenter.learn.package.fingerprint import fingerprint_of, image_facts
from isocenter.learn.package.networks import NetworkPredictor, NetworkSegmenter
from isocenter.learn.train.architecture import built_net
from isocenter.learn.train.heads import ClassHead
from isocenter.learn.train.images import TrainedNetwork
from isocenter.learn.train.nnunet import import_nnunet
from isocenter.learn.train.plan import Plan
from isocenter.learn.train.segmentation import TrainedSegmenter
from isocenter.nets import weights
from isocenter.nets.monai_bundle import bundle_config
from isocenter.nets.onnx_runtime import onnx_weights, read_onnx
from isocenter.pipeline.model import Step

__all__ = [
    "FAR",
    "Described",
    "Imported",
    "axes_of",
    "filled",
    "from_description",
    "from_nnunet",
    "imported_fingerprint",
    "source_weights",
    "tried",
]

#: Beyond every value of an image: a bound that says nothing.
FAR = 1e9


@dataclass(frozen=True, eq=False)
class Imported:
    """A model from elsewhere.

    Attributes
    ----------
    model
        As `write_package` takes it.
    axes
        Of its images: ``y x`` or ``z y x``.
    channels, size, spacing
        Of what it sees; mm in array order, None where it takes any.
    modality
        DICOM Defined Terms; none where it is not known.
    values
        Low, middle and high of what its images hold, as far as that is known.
    before, after
        Steps about the model.
    notes
        What was not taken over, for the card.
    """

    model: NetworkPredictor | NetworkSegmenter
    axes: str
    channels: int
    size: tuple[int, ...]
    spacing: tuple[float, ...] | None
    modality: tuple[str, ...] = ()
    values: tuple[float, float, float] = (-FAR, 0.0, FAR)
    before: tuple[Step, ...] = ()
    after: tuple[Step, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Described:
    """What weights alone do not say.

    Attributes
    ----------
    task
        ``classification`` or ``segmentation``.
    network, parameters
        Of `isocenter.nets`; ``onnx`` for a graph that is kept as it is.
    classes
        Names, or for segments mappings with ``name``, ``value``, ``code``.
    size
        Samples along each axis: of an image (classification), of a patch (segmentation).
    channels
        Of an image.
    spacing
        mm that images are brought to; None leaves them.
    normalisation, intensity
        As of a `Plan`.
    modality
        DICOM Defined Terms.
    """

    task: str
    network: str
    classes: tuple[Any, ...]
    size: tuple[int, ...]
    parameters: Mapping[str, Any] = field(default_factory=dict)
    channels: int = 1
    spacing: tuple[float, ...] | None = None
    normalisation: str = "zscore"
    intensity: tuple[Mapping[str, float], ...] = ()
    modality: tuple[str, ...] = ()

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], source: str) -> Described:
        """Return the description that a YAML file holds.

        Raises
        ------
        SpecError
            If a key is missing or unknown, or a value has no sense.
        """
        values = dict(data)
        try:
            for key in ("classes", "intensity", "modality"):
                values[key] = tuple(values.get(key) or ())
            values["size"] = tuple(int(n) for n in values["size"])
            values["spacing"] = None if values.get("spacing") is None else tuple(float(s) for s in values["spacing"])
            found = cls(**values)
        except (TypeError, KeyError, ValueError) as error:
            raise SpecError(
                f"does not describe a model ({error}); expected task, network, classes, size and, where they are not usual, parameters, "
                "channels, spacing, normalisation, intensity, modality",
                source,
            ) from error
        if found.task not in ("classification", "segmentation") or not found.classes or len(found.size) not in (2, 3):
            raise SpecError(
                f"describes task '{found.task}' with {len(found.classes)} classes on {len(found.size)} axes; expected classification or "
                "segmentation, one class or more, two or three axes",
                source,
            )
        return found


def source_weights(path: Path, key: str | None = None) -> dict[str, Tensor]:
    """Return weights by name from ``.safetensors``, ``.onnx`` or, without running any of its code, what torch saved.

    Parameters
    ----------
    path
        The file.
    key
        Where in what torch saved they stand.
    """
    if path.suffix == ".safetensors":
        return weights.load(path)
    if path.suffix == ".onnx":
        return onnx_weights(path)
    return weights.tensors(weights.read_pt(path), path, key)


def from_description(path: Path, described: Described, key: str | None = None) -> Imported:
    """Return weights with what they do not say as a model.

    Parameters
    ----------
    path
        Weights, or an ONNX graph.
    described
        The rest.
    key
        As of `source_weights`.

    Raises
    ------
    ContentError
        If the weights do not fit the network.
    """
    segments = described.task == "segmentation"
    table = [c if isinstance(c, Mapping) else {"name": str(c)} for c in described.classes]
    rows = [Segment.from_dict({"value": k, **dict(row)}) for k, row in enumerate(table, start=1)] if segments else []
    names = tuple(str(row["name"]) for row in table)
    channels, axes = described.channels, len(described.size)
    outputs = len(names) + 1 if segments else len(names)
    if described.network == "onnx":
        net: nn.Module = read_onnx(path)
        parameters: dict[str, Any] = {"bytes": int(net.graph.numel())}
    else:
        parameters = {"in_channels": channels, "out_channels": outputs, "dimensions": axes, **described.parameters}
        net = built_net(described.network, parameters)
        filled(net, source_weights(path, key), path, described.network)
    tried(net, channels, described.size, outputs, segments, path)
    if not segments:
        trained = TrainedNetwork(ClassHead(names), described.size, channels, (net.eval(),), (), described.network, parameters)
        return Imported(
            NetworkPredictor(trained, described.network, parameters),
            axes_of(axes),
            channels,
            described.size,
            None,
            described.modality,
        )
    usual = {"mean": 0.0, "std": 1.0, "low": -FAR, "high": FAR}
    intensity = tuple(dict(i) for i in described.intensity) or (usual,) * channels
    plan = Plan(
        described.network, parameters, described.spacing, described.size, 1, described.normalisation, intensity,
        tuple(s.to_dict() for s in rows),
    )  # fmt: skip
    model = NetworkSegmenter(TrainedSegmenter(plan, (net.eval(),)))
    return Imported(model, axes_of(axes), channels, described.size, described.spacing, described.modality)


def axes_of(count: int) -> str:
    """Return the axes of two or three dimensions as text."""
    return "y x" if count == 2 else "z y x"


def filled(net: nn.Module, state: Mapping[str, Tensor], path: Path, name: str) -> None:
    """Put weights into a network, or say that they are not its own.

    Raises
    ------
    ContentError
        If names or shapes differ.
    """
    try:
        net.load_state_dict(dict(state))
    except RuntimeError as error:
        own = net.state_dict()
        other = sorted(n for n in {*own, *state} if n not in state or n not in own or own[n].shape != state[n].shape)
        raise ContentError(
            f"{path.name}: the weights do not fit network '{name}' ({len(other)} differ, the first: '{other[0] if other else ''}'): expected "
            "those it was trained with; check network and parameters."
        ) from error


def tried(net: nn.Module, channels: int, size: Sequence[int], outputs: int, segments: bool, path: Path) -> None:
    """Run the network once, so that a description that does not fit is found here and not at the first patient.

    Raises
    ------
    ContentError
        If it does not take such images, or gives other scores.
    """
    try:
        with torch.inference_mode():
            found = net.eval()(torch.zeros((1, channels, *size)))
    except IsocenterError:
        raise
    except Exception as error:  # torch and onnxruntime share no base for shapes that do not fit
        raise ContentError(
            f"{path.name}: the network does not take images of {channels} channels and {' x '.join(map(str, size))} samples "
            f"({type(error).__name__}): check size and channels."
        ) from error
    wanted = (1, outputs, *size) if segments else (1, outputs)
    if tuple(found.shape) != wanted:
        raise ContentError(
            f"{path.name}: the network gives scores of shape {tuple(found.shape)}: expected {wanted} for {outputs} classes"
            f"{' with the background' if segments else ''}."
        )


def from_nnunet(folder: Path, configuration: str = "3d_fullres", checkpoint: str = "checkpoint_final.pth") -> Imported:
    """Return the segmenter of a trained nnU-Net folder (version 2) as a model.

    Parameters
    ----------
    folder, configuration, checkpoint
        As of `import_nnunet`.
    """
    trained = import_nnunet(folder, configuration, checkpoint=checkpoint)
    plan, names = trained.plan, bundle_config(folder / "dataset.json").get("channel_names", {})
    modality = tuple(sorted({str(n).upper() for n in names.values()} & {"CT", "MR", "PT", "US"}))
    first = plan.intensity[0]
    note = "Prepared here: linear resampling where nnU-Net takes splines; labels may differ at borders."
    return Imported(
        NetworkSegmenter(trained), axes_of(len(plan.patch)), len(plan.intensity), plan.patch, plan.spacing, modality,
        (first["low"], first["mean"], first["high"]) if plan.normalisation == "ct" else (-FAR, 0.0, FAR), notes=(note,),
    )  # fmt: skip


def imported_fingerprint(found: Imported, images: Sequence[Image] = ()) -> dict[str, Any]:
    """Return the range of the training, as far as it is known.

    Parameters
    ----------
    found
        The model.
    images
        Some of the kind that it was trained on; without them only axes, channels and modality can be warned of.

    Raises
    ------
    ParameterError
        If the images have other axes or channels than the model.
    """
    if images:
        known = fingerprint_of([image_facts(i) for i in images])
        if known["dims"] != [" ".join([*(["c"] if found.channels > 1 else []), found.axes])] or known["channels"] != [
            found.channels
        ]:
            raise ParameterError(
                f"Images with axes {' or '.join(known['dims'])}: expected {found.axes} with {found.channels} channels, as the model takes."
            )
        return known
    low, middle, high = found.values
    axes = len(found.size)
    spacing = list(found.spacing or (1.0,) * axes)
    return {
        "cases": 0,
        "modality": list(found.modality),
        "quantity": [],
        "unit": ["mm"] if found.spacing is not None else ["mm", "px"],
        "dims": [" ".join([*(["c"] if found.channels > 1 else []), *found.axes.split()])],
        "channels": [found.channels],
        "spacing": {"low": [0.0] * axes, "middle": spacing, "high": [FAR] * axes},
        "size": {"low": [1.0] * axes, "middle": [float(n) for n in found.size], "high": [FAR] * axes},
        "quantiles": {
            "low": [-FAR] * 5,
            "middle": [float(v) for v in np.interp((0.0, 0.25, 0.5, 0.75, 1.0), (0.0, 0.5, 1.0), _middle(low, middle, high))],
            "high": [FAR] * 5,
        },
    }


def _middle(low: float, middle: float, high: float) -> tuple[float, float, float]:
    """Return values for the made-up self-test: the known range, or that of a standardised image."""
    return (low, middle, high) if -FAR < low < high < FAR else (-2.0, 0.0, 2.0)
