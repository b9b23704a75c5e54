"""The network of a MONAI bundle: its definition is read as data, its expressions are not run.

References
----------
MONAI Bundle Specification: ``configs/inference.json`` with ``network_def``, ``models/model.pt``.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import monai.networks.nets as monai_nets
from torch import Tensor, nn

from isocenter.core.errors import ContentError, FormatError, MissingInputError, ParameterError, UnsupportedError
from isocenter.core.text import plain
from isocenter.nets import weights

__all__ = ["Turned", "bundle_config", "bundle_parts", "monai_network", "outputs_key", "read_bundle"]


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
    name, parameters, state = bundle_parts(folder, config, model)
    try:
        net = monai_network(name, parameters)
    except ParameterError as error:
        raise ContentError(f"{folder / config}: {error}") from error
    try:
        net.load_state_dict(state)
    except RuntimeError as error:
        raise ContentError(
            f"{folder / model}: the weights do not fit the network of {Path(config).name}; expected those it was trained with."
        ) from error
    return net.eval()


def bundle_parts(
    folder: Path, config: str = "configs/inference.json", model: str = "models/model.pt"
) -> tuple[str, dict[str, Any], dict[str, Tensor]]:
    """Return name, parameters and weights of the network of a bundle; nothing of it is run.

    Parameters
    ----------
    folder, config, model
        As of `read_bundle`.

    Raises
    ------
    MissingInputError, FormatError, UnsupportedError, ContentError
        As of `read_bundle`.
    """
    path = folder / config
    document = bundle_config(path)
    definition = next((document[k] for k in ("network_def", "network") if isinstance(document.get(k), Mapping)), None)
    if definition is None and isinstance(document.get("network_def"), str):
        raise UnsupportedError(
            f"{path}: its network is an expression, '{plain(document['network_def'], 80)}', which is not run; expected the network's name "
            "and parameters under network_def. What isocenter exported comes back from the package that it was exported from."
        )
    if definition is None:
        raise ContentError(f"{path}: has no network_def; expected the network's name and parameters under that key.")
    parameters = {k: _plain(v, document, path) for k, v in definition.items() if k != "_target_"}
    target = str(definition.get("_target_", ""))
    name = target.rsplit(".", 1)[-1]
    if target not in (name, f"monai.networks.nets.{name}") or not _is_network(name):
        raise UnsupportedError(f"{path}: the network is '{target}'; expected one of monai.networks.nets: other code is not run.")
    file = folder / model
    state: Any = weights.load(file) if file.suffix == ".safetensors" else weights.tensors(weights.read_pt(file), file)
    return name, parameters, dict(state)


def bundle_config(path: Path) -> dict[str, Any]:
    """Return a JSON file of a bundle as plain values.

    Raises
    ------
    MissingInputError, FormatError
        If it is missing, or no sound JSON.
    """
    if not path.is_file():
        raise MissingInputError(f"{path}: no such file; expected the configuration of a MONAI bundle.")
    try:
        document: Any = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise FormatError(f"{path}: is no sound JSON ({error}); expected the configuration of a MONAI bundle.") from error
    if not isinstance(document, dict):
        raise FormatError(f"{path}: holds no table of values; expected the configuration of a MONAI bundle.")
    return document


def _is_network(name: str) -> bool:
    kind = getattr(monai_nets, name, None)
    return isinstance(kind, type) and issubclass(kind, nn.Module)


def monai_network(name: str, parameters: Mapping[str, Any]) -> nn.Module:
    """Return a network of MONAI by its name and plain parameters.

    Raises
    ------
    UnsupportedError
        If MONAI has no such network.
    ParameterError
        If it does not take these parameters.
    """
    if not _is_network(name):
        raise UnsupportedError(f"MONAI has no network '{name}': expected one of monai.networks.nets.")
    try:
        net: nn.Module = getattr(monai_nets, name)(**parameters)
    except (TypeError, ValueError) as error:
        raise ParameterError(f"MONAI's {name} does not take these parameters ({error}); check network_def.") from error
    return net


def outputs_key(name: str) -> str:
    """Return what a network of MONAI calls the number of its outputs.

    Parameters
    ----------
    name
        Of the network.
    """
    known = inspect.signature(getattr(monai_nets, name)).parameters
    return "num_classes" if "num_classes" in known and "out_channels" not in known else "out_channels"


class Turned(nn.Module):
    """A network that was trained on axes in the opposite order, x first, as MONAI stores them.

    Parameters
    ----------
    net
        Takes (batch, channels, x, y, z); this takes (batch, channels, z, y, x).
    """

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, x: Tensor) -> Tensor:
        """Return scores of shape (batch, classes), or (batch, classes, *spatial) in the order of the input."""
        found = self.net(x.permute(0, 1, *range(x.ndim - 1, 1, -1)))
        found = found[0] if isinstance(found, tuple | list) else found  # some classifiers give their features as well
        scores: Tensor = found.permute(0, 1, *range(found.ndim - 1, 1, -1))
        return scores


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
