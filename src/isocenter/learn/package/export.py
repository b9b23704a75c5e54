"""A package in other formats: ONNX and MONAI bundles, each proved equal to the package before it is given out."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from isocenter.core.errors import UnsupportedError, VerificationError
from isocenter.core.extras import require
from isocenter.io import atomic
from isocenter.learn.package.model import Package
from isocenter.learn.package.models import TableModel, held_rows, take_apart
from isocenter.learn.package.pixels import PixelSegmenter
from isocenter.learn.places.model import PlaceModel
from isocenter.learn.train.scale import SCALES

__all__ = ["TOLERANCE", "export_bundle", "export_onnx"]

#: The largest difference between an exported model and the package.
TOLERANCE = 1e-4


def export_onnx(package: Package, path: Path) -> list[str]:
    """Write the model of a package as ONNX and return what was done, in words.

    A table model takes ``features`` (n, features) in double precision, NaN where missing, and, where it harmonises sites, ``site`` (n) as
    text; it gives ``result``: calibrated probabilities, or numbers. A network takes ``image`` as its plan prepares it and gives ``scores``:
    those of the classes before calibration, or the number in its unit. One that finds places gives ``scores`` and ``boxes``, or ``heat``,
    and how to read them stands in the metadata of the file (`place_onnx.decoding`).

    Parameters
    ----------
    package
        The package; of an ensemble of networks each becomes a file of its own.
    path
        The file.

    Raises
    ------
    UnsupportedError
        If the model has no form in ONNX.
    VerificationError
        If it differs by more than 1e-4; nothing is written then.
    """
    require("onnx", "ONNX export")
    atomic.make_folder(path.parent)
    if isinstance(package.model, TableModel):
        from isocenter.learn.package.table_onnx import export_table

        worst = export_table(package.model, package.fingerprint, path, TOLERANCE)
        held = held_rows(take_apart(package.model)[0])
        warned = [f"The file holds {'; and '.join(held)}: treat it as you treat the training data."] if held else []
        return [f"{path}: features in, results out; differs by at most {worst:.2g}.", *warned]
    if isinstance(package.model, PlaceModel):
        from isocenter.learn.package.place_onnx import export_places

        return export_places(package, path, TOLERANCE)
    _require_networks(package)
    from isocenter.nets.onnx_export import export_onnx as write

    lines, numbers = [], package.manifest["task"] == "regression"
    networks = package.model.trained.networks
    for k, net in enumerate(networks):
        target = path if len(networks) == 1 else path.with_name(f"{path.stem}-{k + 1}{path.suffix}")
        worst = write(_exported(package, net), (1, *_input_shape(package)), target, tolerance=TOLERANCE, any_batch=False)
        lines.append(f"{target}: prepared image in, {'number' if numbers else 'scores'} out; differs by at most {worst:.2g}.")
    if len(networks) > 1:
        what = "numbers" if numbers else "probabilities (soft maximum of the scores)"
        lines.append(f"Average the {what} of the files; the package does so.")
    return lines


def _require_networks(package: Package) -> None:
    if isinstance(package.model, PixelSegmenter):
        raise UnsupportedError(
            f"Model '{package.manifest['name']}' classifies samples one by one: it has no form in ONNX or MONAI; use the package itself, "
            "or train a network (--minutes)."
        )


def _exported(package: Package, net: Any) -> Any:
    """Return a network of a package as it goes out: one of numbers gives them in their unit."""
    return net if package.manifest["task"] == "segmentation" else package.model.trained.head.exported(net).eval()


def _input_shape(package: Package) -> tuple[int, ...]:
    """Return (channels, *spatial) of what a network of the package takes."""
    trained = package.model.trained
    if package.manifest["task"] == "segmentation":
        return (len(trained.plan.intensity), *trained.plan.patch)
    return (trained.channels, *trained.size)


def export_bundle(package: Package, folder: Path) -> list[str]:
    """Write the network of a package as a MONAI bundle and return what was done, in words.

    The network is written as torch exports it (``models/model.pt2``, batches of one), which runs without isocenter; its weights stand
    beside it as safetensors.

    Parameters
    ----------
    package
        Of one network.
    folder
        To be made.

    Raises
    ------
    UnsupportedError
        If the model is no network, or an ensemble.
    VerificationError
        If the written network differs by more than 1e-4.
    """
    if isinstance(package.model, TableModel):
        raise UnsupportedError(
            f"Model '{package.manifest['name']}' is one of tables: a MONAI bundle holds a network; export it as ONNX instead."
        )
    if isinstance(package.model, PlaceModel):
        raise UnsupportedError(
            f"Model '{package.manifest['name']}' finds places: a MONAI bundle here holds a classifier or a segmenter; export it as ONNX instead."
        )
    _require_networks(package)
    networks = package.model.trained.networks
    if len(networks) != 1:
        raise UnsupportedError(
            f"Model '{package.manifest['name']}' averages {len(networks)} networks: a MONAI bundle holds one; export them as ONNX."
        )
    torch = require("torch", "Exporting a MONAI bundle")
    from isocenter.nets import weights

    for part in ("configs", "models", "docs"):
        atomic.make_folder(folder / part)
    net, shape = _exported(package, networks[0].eval()), _input_shape(package)
    image = torch.randn((1, *shape), generator=torch.Generator().manual_seed(0))
    buffer = folder / "models" / "model.pt2"
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter warns of its own parts
        torch.export.save(torch.export.export(net, (image,)), buffer)
        wanted = net(image)
        worst = float((torch.export.load(buffer).module()(image) - wanted).abs().max()) / max(float(wanted.abs().max()), 1.0)
    if not worst <= TOLERANCE:
        buffer.unlink()
        raise VerificationError(f"{buffer}: the written network differs by {worst:.2g}; expected at most {TOLERANCE:g}.")
    weights.save(networks[0].state_dict(), folder / "models" / "model.safetensors")
    atomic.write_text(folder / "configs" / "metadata.json", _json(_metadata(package, shape)))
    atomic.write_text(folder / "configs" / "inference.json", _json(_inference(package)))
    atomic.write_text(folder / "docs" / "README.md", package.card)
    atomic.write_text(folder / "LICENSE", package.licence)
    return [
        f"{folder}: MONAI bundle; the network differs by at most {worst:.2g}. Calibration and operating point are in metadata.json."
    ]


def _json(value: Any) -> str:
    return json.dumps(value, indent=2, sort_keys=True) + "\n"


def _metadata(package: Package, shape: tuple[int, ...]) -> dict[str, Any]:
    manifest, torch = package.manifest, require("torch", "Exporting a MONAI bundle")
    monai = require("monai", "Exporting a MONAI bundle")
    segments, numbers = manifest["task"] == "segmentation", manifest["task"] == "regression"
    names = ["background", *package.classes] if segments else list(package.classes) or [f"number, unit {manifest['unit']}"]
    calibrator = getattr(package.model, "calibrator", None)
    return {
        "schema": "https://github.com/Project-MONAI/MONAI-extra-test-data/releases/download/0.8.1/meta_schema_20220324.json",
        "version": "1.0.0",
        "changelog": {"1.0.0": f"exported from isocenter package {package.digest}"},
        "monai_version": monai.__version__,
        "pytorch_version": str(torch.__version__),
        "numpy_version": np.__version__,
        "optional_packages_version": {},
        "task": manifest["name"],
        "description": manifest["model"],
        "authors": "",
        "copyright": package.licence.splitlines()[0] if package.licence else "",
        "intended_use": manifest["intended_use"] or "Research only; not a medical device.",
        "calibration_temperature": None if calibrator is None else calibrator.temperature,
        "operating_point": package.threshold,
        "network_data_format": {
            "inputs": {
                "image": {
                    "type": "image",
                    "format": "magnitude",
                    "num_channels": shape[0],
                    "spatial_shape": list(shape[1:]),
                    "dtype": "float32",
                    "value_range": [],
                    "is_patch_data": segments,
                    "channel_def": {str(k): f"channel {k}" for k in range(shape[0])},
                }
            },
            "outputs": {
                "pred": {
                    "type": "number" if numbers else "probabilities",
                    "format": "segmentation" if segments else "regression" if numbers else "classes",
                    "num_channels": len(names),
                    "spatial_shape": list(shape[1:]) if segments else [1],
                    "dtype": "float32",
                    "value_range": [] if numbers else [0, 1],
                    "is_patch_data": segments,
                    "channel_def": {str(k): name for k, name in enumerate(names)},
                }
            },
        },
    }


def _inference(package: Package) -> dict[str, Any]:
    shape = _input_shape(package)
    if package.manifest["task"] == "segmentation":
        plan = package.model.trained.plan
        inferer: dict[str, Any] = {
            "_target_": "SlidingWindowInferer",
            "roi_size": list(shape[1:]),
            "sw_batch_size": 1,
            "overlap": plan.overlap,
            "mode": "gaussian",
        }
        values = _values(plan)
        # MONAI stores the axes of a file in the opposite order, x first: spacing is given so, and the axes are turned.
        turned = list(plan.spacing or ())[::-1]
        spacing = [] if plan.spacing is None else [{"_target_": "Spacingd", "keys": "image", "pixdim": turned}]
        spacing = [*_oriented(package), *spacing]
        spacing.append(_turned(len(shape)))
    else:
        values = _measured(package.model.trained.quantity)
        inferer = {"_target_": "SimpleInferer"}
        spacing = [
            *_oriented(package),
            _turned(len(shape)),
            {"_target_": "Resized", "keys": "image", "spatial_size": list(shape[1:])},
        ]
    return {
        "imports": ["$import torch"],
        "bundle_root": ".",
        "device": "$torch.device('cuda' if torch.cuda.is_available() else 'cpu')",
        "network_def": "$torch.export.load(@bundle_root + '/models/model.pt2').module()",
        "network": "$@network_def.to(@device)",
        "preprocessing": {
            "_target_": "Compose",
            "transforms": [
                {"_target_": "LoadImaged", "keys": "image"},
                {"_target_": "EnsureChannelFirstd", "keys": "image"},
                *spacing,
                *values,
                {"_target_": "EnsureTyped", "keys": "image"},
            ],
        },
        "inferer": inferer,
    }


def _oriented(package: Package) -> list[dict[str, Any]]:
    """Return the step that turns a volume as those of the training lay; MONAI names the axes in the opposite order too."""
    codes = package.fingerprint.get("directions") or []
    volumes = all("z" in dims.split() for dims in package.fingerprint.get("dims") or [""])
    if len(codes) != 1 or not volumes:
        return []
    letters = [["L", "R"], ["P", "A"], ["I", "S"]]  # said, because MONAI's default differs from version to version
    return [{"_target_": "Orientationd", "keys": "image", "axcodes": codes[0][::-1], "labels": letters}]


def _turned(axes: int) -> dict[str, Any]:
    """Return the step that brings (channels, x, y, z), as MONAI reads files, to (channels, z, y, x)."""
    return {"_target_": "Transposed", "keys": "image", "indices": [0, *range(axes - 1, 0, -1)]}


def _values(plan: Any) -> list[dict[str, Any]]:
    """Return how a plan brings the values of an image to what its network sees, in MONAI's words."""
    if plan.normalisation != "ct":
        return _by_itself()
    known = plan.intensity[0]
    return _in_range(known["low"], known["high"], known["mean"], known["std"])


def _measured(quantity: str | None) -> list[dict[str, Any]]:
    """Return how the values of a quantity are brought to what a network of whole images sees."""
    if quantity is None:
        return _by_itself()
    scale = SCALES[quantity]
    return _in_range(scale.low, scale.high, scale.middle, scale.width)


def _by_itself() -> list[dict[str, Any]]:
    return [{"_target_": "NormalizeIntensityd", "keys": "image", "channel_wise": True}]


def _in_range(low: float, high: float, middle: float, width: float) -> list[dict[str, Any]]:
    return [
        {
            "_target_": "ScaleIntensityRanged",
            "keys": "image",
            "a_min": low,
            "a_max": high,
            "b_min": low,
            "b_max": high,
            "clip": True,
        },
        {"_target_": "NormalizeIntensityd", "keys": "image", "subtrahend": middle, "divisor": width},
    ]
