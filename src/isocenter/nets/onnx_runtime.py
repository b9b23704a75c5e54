"""A network that came as an ONNX file: it runs on the CPU by onnxruntime, and has no weights that torch could train or look into."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from isocenter.core.errors import FormatError, UnsupportedError
from isocenter.core.extras import require

__all__ = ["OnnxNetwork", "onnx_weights", "read_onnx"]


class OnnxNetwork(nn.Module):
    """The graph of an ONNX file: one tensor in, one tensor of scores out.

    Parameters
    ----------
    bytes
        Size of the file, which is kept as a buffer so that it travels with the state of the network.
    """

    graph: Tensor

    def __init__(self, bytes: int) -> None:
        super().__init__()
        self.register_buffer("graph", torch.zeros(bytes, dtype=torch.uint8))
        self._session: Any = None

    def __deepcopy__(self, memo: dict[int, Any]) -> OnnxNetwork:
        other = OnnxNetwork(int(self.graph.numel()))
        other.load_state_dict(self.state_dict())
        return other

    def forward(self, x: Tensor) -> Tensor:
        """Return the scores of a batch."""
        if self._session is None:
            runtime = require("onnxruntime", "Running an ONNX network")
            options = runtime.SessionOptions()
            options.intra_op_num_threads = 1
            options.log_severity_level = 3
            data = self.graph.cpu().numpy().tobytes()
            self._session = runtime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
        name = self._session.get_inputs()[0].name
        # One image at a time: many files fix the size of the batch to one.
        rows = [self._session.run(None, {name: row[None].detach().cpu().contiguous().numpy()})[0] for row in x]
        return torch.from_numpy(np.concatenate(rows).astype(np.float32))


def read_onnx(path: Path) -> OnnxNetwork:
    """Return the network of an ONNX file.

    Raises
    ------
    FormatError
        If it is no sound ONNX model.
    UnsupportedError
        If it reads other files, or has more inputs or outputs than one.
    """
    model = _model(path)
    data = model.SerializeToString()
    net = OnnxNetwork(len(data))
    net.graph.copy_(torch.from_numpy(np.frombuffer(data, np.uint8).copy()))
    held = {one.name for one in model.graph.initializer}
    inputs = [one.name for one in model.graph.input if one.name not in held]
    if len(inputs) != 1 or len(model.graph.output) != 1:
        raise UnsupportedError(
            f"{path}: takes {len(inputs)} inputs and gives {len(model.graph.output)}: expected one of each, images in and scores out."
        )
    return net.eval()


def onnx_weights(path: Path) -> dict[str, Tensor]:
    """Return the numbers of an ONNX file by name, to be put into a network of the same names.

    Raises
    ------
    FormatError, UnsupportedError
        As of `read_onnx`.
    """
    helper = require("onnx.numpy_helper", "Reading ONNX")
    return {one.name: torch.from_numpy(np.array(helper.to_array(one))) for one in _model(path).graph.initializer}


def _model(path: Path) -> Any:
    onnx = require("onnx", "Reading ONNX")
    try:
        model = onnx.load_model_from_string(path.read_bytes())
        onnx.checker.check_model(model)
    except Exception as error:  # the parser's own errors have no common base that is public
        raise FormatError(f"{path}: is no sound ONNX model; get it again from where it was made.") from error
    if any(one.data_location == onnx.TensorProto.EXTERNAL for one in model.graph.initializer):
        raise UnsupportedError(f"{path}: keeps its weights in another file: expected one file that holds all; save it so.")
    foreign = sorted({node.domain for node in model.graph.node} - {"", "ai.onnx", "ai.onnx.ml"})
    if foreign:
        raise UnsupportedError(f"{path}: needs operators of '{foreign[0]}': expected those of ONNX alone; other code is not run.")
    return model
