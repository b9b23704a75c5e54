"""The network of a MONAI bundle: its definition is read as data, its expressions are not run.

References
----------
MONAI Bundle Specification: ``configs/inference.json`` with ``network_def``, ``models/model.pt``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import monai.networks.nets as monai_nets
from torch import nn

from isocenter.core.errors import ContentError, FormatError, MissingInputError, UnsupportedError
from isocenter.nets import weights

__all__ = ["read_bundle"]


def read_bundle(folder: Path, config: str = "configs/inference.json", model: str = "models/model.pt") -> nn.Module:
    """Return the network of a MONAI bundle with its weights, in evaluation mode.

    Parameters
    ----------
    folder
        The bundle, unpacked.
    config, model
        Files below it; ``.safetensors`` weights are read as they are, others by `weights.read_pt`.

    Raises
    ------
    MissingInputError
        If a file is missing.
    UnsupportedError
        If the network is none of MONAI's, or a parameter is an expression that would have to be run.
    ContentError
        If the weights do not fit the network.
    """
    path = folder / config
    if not path.is_file():
        raise MissingInputError(f"{path}: no such file; expected the configuration of a MONAI bundle.")
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise FormatError(f"{path}: is no sound JSON ({error}); expected the configuration of a MONAI bundle.") from error
    definition = next((document[k] for k in ("network_def", "network") if isinstance(document.get(k), Mapping)), None)
    if definition is None:
        raise ContentError(f"{path}: has no network_def; expected the network's name and parameters under that key.")
    parameters = {k: _plain(v, document, path) for k, v in definition.items() if k != "_target_"}
    name = str(definition.get("_target_", ""))
    kind = getattr(monai_nets, name.rsplit(".", 1)[-1], None)
    known = name in (name.rsplit(".", 1)[-1], f"monai.networks.nets.{name.rsplit('.', 1)[-1]}")
    if not known or not isinstance(kind, type) or not issubclass(kind, nn.Module):
        raise UnsupportedError(f"{path}: the network is '{name}'; expected one of monai.networks.nets: other code is not run.")
    try:
        net: nn.Module = kind(**parameters)
    except (TypeError, ValueError) as error:
        raise ContentError(f"{path}: MONAI's {name} does not take these parameters ({error}); check network_def.") from error
    file = folder / model
    found: Any = weights.load(file) if file.suffix == ".safetensors" else weights.tensors(weights.read_pt(file), file)
    try:
        net.load_state_dict(found)
    except RuntimeError as error:
        raise ContentError(
            f"{file}: the weights do not fit the network of {path.name}; expected those it was trained with."
        ) from error
    return net.eval()


def _plain(value: Any, document: Mapping[str, Any], path: Path) -> Any:
    """Return a parameter with its references to plain values followed; refuse what would have to be run."""
    if isinstance(value, str) and value[:1] in ("@", "$"):
        key = value.removeprefix("$").removeprefix("@")
        target = document.get(key)
        if target is None or isinstance(target, Mapping) or (isinstance(target, str) and target[:1] in ("@", "$")):
            raise UnsupportedError(
                f"{path}: the network takes '{value}', which would have to be run; write its value there instead."
            )
        return target
    if isinstance(value, list):
        return [_plain(v, document, path) for v in value]
    return value
