"""Weights by file and hash: safetensors; a pickled ``.pt`` only by an explicit import that runs none of its code."""

from __future__ import annotations

import hashlib
import pickle
import warnings
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from isocenter.core.errors import ContentError, FormatError, MissingInputError, ParameterError, VerificationError

__all__ = ["DAMAGE", "begin_with", "digest", "import_pt", "load", "read_pt", "save", "tensors"]

#: Numbers as numpy keeps them, which many trainings store beside the weights: data, no code.
PLAIN = [
    np.dtype,
    *(type(np.dtype(kind)) for kind in ("f4", "f8", "i4", "i8", "u1", "?")),
    (np.float64(0.0).__reduce__()[0], "numpy._core.multiarray.scalar"),
    (np.float64(0.0).__reduce__()[0], "numpy.core.multiarray.scalar"),
]

#: What reading a damaged pickle raises, beside the refusal of what is no tensor: its opcodes are taken at their word.
DAMAGE = (RuntimeError, EOFError, ValueError, LookupError, TypeError, AttributeError, AssertionError, pickle.UnpicklingError)


def digest(path: Path) -> str:
    """Return the sha256 of a file as ``sha256:...``."""
    if not path.is_file():
        raise MissingInputError(f"{path}: no such weight file; expected one on this machine, as nothing is downloaded.")
    found = hashlib.sha256()
    with path.open("rb") as handle:
        while block := handle.read(1 << 20):
            found.update(block)
    return f"sha256:{found.hexdigest()}"


def save(state: Mapping[str, Tensor], path: Path) -> str:
    """Write weights as safetensors and return their digest; equal weights give equal files."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    # In the order of names; one copy each, as tensors that share memory cannot be stored.
    plain = {name: state[name].detach().cpu().contiguous().clone() for name in sorted(state)}
    try:
        save_file(plain, partial)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    return digest(path)


def load(path: Path, expected: str | None = None) -> dict[str, Tensor]:
    """Read weights from a safetensors file.

    Parameters
    ----------
    path
        The file.
    expected
        Its digest (``sha256:...``); None checks nothing.

    Raises
    ------
    MissingInputError
        If there is no such file.
    VerificationError
        If its digest is another one.
    FormatError
        If it is no sound safetensors file.
    """
    found = digest(path)
    if expected is not None and found != expected:
        raise VerificationError(
            f"{path}: has {found}, expected {expected}: the weights are not those asked for; get the right file."
        )
    try:
        state: dict[str, Tensor] = load_file(path)
    except (safetensors.SafetensorError, ValueError, OSError) as error:
        hint = " (a .pt file: import it with nets.weights.import_pt)" if path.suffix in (".pt", ".pth", ".ckpt") else ""
        raise FormatError(f"{path}: is no sound safetensors file{hint}; expected one that was saved whole.") from error
    return state


def read_pt(path: Path) -> Any:
    """Return what torch saved: tensors and plain values; a file that holds anything else is refused, not run.

    Raises
    ------
    FormatError
        If the file is damaged, or holds anything but tensors and plain values.
    """
    digest(path)
    try:
        with warnings.catch_warnings(), torch.serialization.safe_globals(PLAIN):
            warnings.simplefilter("ignore", UserWarning)  # of pickle protocols: what cannot be read is refused below
            return torch.load(path, map_location="cpu", weights_only=True)
    except DAMAGE as error:
        raise FormatError(
            f"{path}: holds something else than tensors and plain values, or is damaged ({type(error).__name__}); "
            "expected weights alone: save net.state_dict() where the file comes from."
        ) from error


def import_pt(path: Path, target: Path, key: str | None = None) -> str:
    """Bring the weights of a pickled file (``.pt``, ``.pth``, ``.ckpt``) into safetensors; none of its code is run.

    Parameters
    ----------
    path
        What torch saved: weights by name, or a mapping that holds them.
    target
        The safetensors file to write.
    key
        Where in the mapping the weights stand. Default: ``state_dict``, ``model``, ``network_weights`` or ``net`` where one is there.

    Returns
    -------
    str
        The digest of `target`.

    Raises
    ------
    FormatError
        If the file is damaged, or holds anything but tensors and plain values.
    ContentError
        If no weights are found in it.
    """
    return save(tensors(read_pt(path), path, key), target)


def tensors(found: Any, path: Path, key: str | None = None) -> dict[str, Tensor]:
    """Return the weights of what `read_pt` gave.

    Parameters
    ----------
    found
        Weights by name, or a mapping that holds them.
    path
        For messages.
    key
        As of `import_pt`.

    Raises
    ------
    ContentError
        If no weights are found in it.
    """
    for name in [key] if key is not None else ["state_dict", "model_state_dict", "network_weights", "model", "net"]:
        if isinstance(found, Mapping) and isinstance(found.get(name), Mapping):
            found = found[name]
            break
    state = {str(n): v for n, v in found.items() if isinstance(v, Tensor)} if isinstance(found, Mapping) else {}
    if not state:
        raise ContentError(f"{path}: no weights found; expected tensors by name; name the key they stand under.")
    return state


def begin_with(net: nn.Module, state: Mapping[str, Tensor], anew: Collection[str] | None = None) -> tuple[str, ...]:
    """Copy weights of an earlier training into a network; return the names of those that stay as they are.

    Weights that differ in the number of outputs only (another number of classes) stay random: they are learnt anew.

    Parameters
    ----------
    net
        Changed in place.
    state
        Name -> tensor, of the same network.
    anew
        Names that stay random, whatever their shape; None takes those that differ in the number of outputs only.

    Raises
    ------
    ParameterError
        If they are those of another network; nothing is copied then.
    """
    own = net.state_dict()
    free = frozenset(anew or ())
    strange = sorted((own.keys() ^ state.keys()) - free)
    for name in [k for k in own if k in state and k not in free and own[k].shape != state[k].shape]:
        if anew is not None or own[name].ndim != state[name].ndim or own[name].shape[1:] != state[name].shape[1:]:
            strange.append(name)
    if strange:
        raise ParameterError(
            f"The weights to begin with are those of another network ('{strange[0]}' does not fit): expected the same network, channels "
            "and features; train by the plan that they were trained by."
        )
    kept = tuple(k for k in own if k in free or own[k].shape != state[k].shape)
    net.load_state_dict({k: own[k] if k in kept else state[k] for k in own})
    return kept
