"""A network as ONNX: one file that runs without torch, proved equal before it is given out."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from isocenter.core.errors import VerificationError
from isocenter.core.extras import require

__all__ = ["export_onnx", "load_onnx"]


def export_onnx(
    net: nn.Module,
    shape: Sequence[int],
    path: Path,
    *,
    tolerance: float = 1e-4,
    any_batch: bool = True,
    outputs: Sequence[str] = ("scores",),
    facts: Mapping[str, str] | None = None,
) -> float:
    """Write a network as ONNX and return the largest difference between both on a random input.

    Parameters
    ----------
    net
        One tensor in, one tensor out for each of `outputs`; exported in evaluation mode.
    shape
        (batch, channels, *spatial) of its input; the spatial sizes are fixed.
    path
        The file, whole when it stands there.
    tolerance
        The largest difference allowed, relative to the largest magnitude of an output where that is more than 1.
    any_batch
        Leave the size of the batch open.
    outputs
        Names of what comes out.
    facts
        Texts that stand in the metadata of the file, by name.

    Raises
    ------
    VerificationError
        If both differ by more; nothing is written then.
    """
    require("onnxscript", "ONNX export")
    training, shape = net.training, tuple(shape)
    net.eval()
    generator = torch.Generator().manual_seed(0)
    image = torch.randn((max(shape[0], 2) if any_batch else shape[0], *shape[1:]), generator=generator)
    partial = path.with_name(f".{path.name}.partial.onnx")
    path.parent.mkdir(parents=True, exist_ok=True)
    dynamic = ({0: torch.export.Dim("batch", min=1, max=1024)},) if any_batch else None
    try:
        with warnings.catch_warnings(), torch.inference_mode(False), torch.no_grad():
            warnings.simplefilter("ignore")  # the exporter warns of its own parts
            logging.getLogger("torch.onnx").setLevel(logging.ERROR)
            torch.onnx.export(
                net, (image,), partial, dynamo=True, dynamic_shapes=dynamic, verbose=False, external_data=False,
                input_names=["image"], output_names=list(outputs),
            )  # fmt: skip
            expected = net(image)
        if facts:
            _state(partial, facts)
        found = load_onnx(partial)(image.numpy())
        pairs = [(found, expected)] if len(outputs) == 1 else zip(found, expected, strict=True)
        worst = max(_apart(one, other.numpy()) for one, other in pairs)
        if not worst <= tolerance:
            raise VerificationError(
                f"{path}: the ONNX network differs from the original by {worst:.2g}; expected at most {tolerance:g}: nothing was written."
            )
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
        net.train(training)
    return worst


def _apart(found: Any, expected: Any) -> float:
    """Return the largest difference, relative to the largest magnitude that is expected where that is more than 1."""
    return float(np.abs(found - expected).max(initial=0.0)) / max(float(np.abs(expected).max(initial=0.0)), 1.0)


def _state(path: Path, facts: Mapping[str, str]) -> None:
    onnx = require("onnx", "ONNX export")
    model = onnx.load_model_from_string(path.read_bytes())
    onnx.helper.set_model_props(model, dict(facts))
    path.write_bytes(model.SerializeToString())


def load_onnx(path: Path, threads: int = 1) -> Any:
    """Return a function from an array (batch, channels, *spatial) to the scores, or to all outputs of several, by onnxruntime on the CPU."""
    runtime = require("onnxruntime", "Running an ONNX network")
    options = runtime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    session = runtime.InferenceSession(path.read_bytes(), options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name

    def run(image: Any) -> Any:
        found = session.run(None, {name: np.ascontiguousarray(image, dtype=np.float32)})
        return found[0] if len(found) == 1 else found

    return run
