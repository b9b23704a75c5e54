"""A network as ONNX: one file that runs without torch, proved equal before it is given out."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from isocenter.core.errors import VerificationError
from isocenter.core.extras import require

__all__ = ["export_onnx", "load_onnx"]


def export_onnx(net: nn.Module, shape: Sequence[int], path: Path, *, tolerance: float = 1e-4, any_batch: bool = True) -> float:
    """Write a network as ONNX and return the largest difference between both on a random input.

    Parameters
    ----------
    net
        One tensor in, one tensor out; exported in evaluation mode.
    shape
        (batch, channels, *spatial) of its input; the spatial sizes are fixed.
    path
        The file, whole when it stands there.
    tolerance
        The largest difference allowed, relative to the largest magnitude of the result where that is more than 1.
    any_batch
        Leave the size of the batch open.

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
                input_names=["image"], output_names=["scores"],
            )  # fmt: skip
            expected = net(image).numpy()
        found = load_onnx(partial)(image.numpy())
        worst = float(np.abs(found - expected).max(initial=0.0)) / max(float(np.abs(expected).max(initial=0.0)), 1.0)
        if not worst <= tolerance:
            raise VerificationError(
                f"{path}: the ONNX network differs from the original by {worst:.2g}; expected at most {tolerance:g}: nothing was written."
            )
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
        net.train(training)
    return worst


def load_onnx(path: Path, threads: int = 1) -> Any:
    """Return a function from an array (batch, channels, *spatial) to the scores, computed by onnxruntime on the CPU."""
    runtime = require("onnxruntime", "Running an ONNX network")
    options = runtime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    session = runtime.InferenceSession(path.read_bytes(), options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name

    def run(image: Any) -> Any:
        return session.run(None, {name: np.ascontiguousarray(image, dtype=np.float32)})[0]

    return run
