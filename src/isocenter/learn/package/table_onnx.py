"""A model of tables as ONNX, from plain operators in double precision: filling, scaling, model, calibration, mean."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter._version import __version__
from isocenter.core.errors import UnsupportedError, VerificationError
from isocenter.core.extras import require
from isocenter.io import atomic
from isocenter.learn.estimators.ensemble import Average
from isocenter.learn.evaluate.calibration import Calibrator
from isocenter.learn.package.estimators import from_arrays, to_arrays
from isocenter.learn.package.models import TableModel
from isocenter.learn.package.predictors import Machine, Regressor
from isocenter.learn.prove import FoldModel

__all__ = ["export_table"]

#: Kinds that are written, and why the others are not.
_WHY_NOT = {
    "trees": "single precision trees of ONNX would call cases at a split otherwise",
    "boosted": "single precision trees of ONNX would call cases at a split otherwise",
    "neighbours": "it is its training cases, which should not travel in another format",
    "prior": "it is a constant",
    "constant": "it is a constant",
    "belief": "its form is not written yet by this version",
    "bumps": "its form is not written yet by this version",
    "directions": "its form is not written yet by this version",
}


class _Graph:
    """Nodes and constants of a graph, each value with a name of its own."""

    def __init__(self) -> None:
        self.helper: Any = require("onnx", "ONNX export").helper
        self.numpy: Any = require("onnx.numpy_helper", "ONNX export")
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def constant(self, value: npt.ArrayLike, kind: Any = np.float64) -> str:
        name = f"c{len(self.constants)}"
        self.constants.append(self.numpy.from_array(np.asarray(value, kind), name))
        return name

    def add(self, operator: str, *inputs: str, **attributes: Any) -> str:
        name = f"v{len(self.nodes)}"
        self.nodes.append(self.helper.make_node(operator, list(inputs), [name], **attributes))
        return name


def export_table(model: TableModel, fingerprint: Mapping[str, Any], path: Path, tolerance: float) -> float:
    """Write a table model as ONNX and return the largest difference on made-up rows.

    Raises
    ------
    UnsupportedError
        If its learner has no such form, or it harmonises sites.
    VerificationError
        If it differs by more than the tolerance; nothing is written then.
    """
    onnx, helper = require("onnx", "ONNX export"), require("onnx.helper", "ONNX export")
    graph = _Graph()
    results = [_member(graph, member) for member in model.members]
    total = results[0]
    for other in results[1:]:
        total = graph.add("Add", total, other)
    mean = graph.add("Div", total, graph.constant(float(len(results))))
    graph.nodes.append(helper.make_node("Identity", [mean], ["result"]))
    double, width = onnx.TensorProto.DOUBLE, max(len(model.classes), 1)
    whole = helper.make_graph(
        graph.nodes,
        "isocenter",
        [helper.make_tensor_value_info("features", double, ["n", len(model.names)])],
        [helper.make_tensor_value_info("result", double, ["n", width])],
        graph.constants,
    )
    made = helper.make_model(
        whole, opset_imports=[helper.make_opsetid("", 17)], producer_name="isocenter", producer_version=__version__
    )
    made.ir_version = 9
    data: bytes = made.SerializeToString()
    worst = _difference(model, fingerprint, data)
    if not worst <= tolerance:
        raise VerificationError(
            f"{path}: the ONNX model differs by {worst:.2g}; expected at most {tolerance:g}: nothing was written."
        )
    atomic.write_bytes(path, data)
    return worst


def _difference(model: TableModel, fingerprint: Mapping[str, Any], data: bytes) -> float:
    from isocenter.learn.package.selftest import made_up_row

    runtime = require("onnxruntime", "Proving an ONNX model")
    rows = np.stack([made_up_row(fingerprint, seed) for seed in range(20)])
    rows[0, ::3] = np.nan
    options = runtime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = 1
    session = runtime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    found = session.run(None, {"features": rows})[0]
    expected = model.predict(rows, np.full(len(rows), ""))
    expected = expected if model.classes else expected[:, None]
    return float(np.abs(found - expected).max() / (1.0 if model.classes else max(float(np.abs(expected).max()), 1.0)))


def _member(g: _Graph, member: FoldModel) -> str:
    fitted = member.fitted
    if fitted.combat is not None:
        raise UnsupportedError("A model that harmonises sites is not written as ONNX: it needs the site of each case as text.")
    missing = g.add("IsNaN", "features")
    x = g.add("Where", missing, g.constant(fitted.middle[None]), "features")
    x = g.add("Div", g.add("Sub", x, g.constant(fitted.mean)), g.constant(fitted.spread))
    x = g.add("Gather", x, g.constant(fitted.kept, np.int64), axis=1)
    description, arrays = to_arrays(fitted.model)
    out = _estimator(g, from_arrays(description, arrays), x)
    if not fitted.classes:
        out = g.add("Add", g.add("Mul", out, g.constant(fitted.scale)), g.constant(fitted.centre))
        return g.add("Exp", out) if fitted.logarithm else out
    return _calibrated(g, member.calibrator, out)


def _estimator(g: _Graph, model: Any, x: str) -> str:
    """Return probabilities of shape (n, classes), or numbers of shape (n, 1)."""
    if isinstance(model, Average):
        parts = [_estimator(g, one, x) for one in model.members]
        total = parts[0]
        for other in parts[1:]:
            total = g.add("Add", total, other)
        return g.add("Div", total, g.constant(float(len(parts))))
    raw = _raw(g, model, x)
    if isinstance(model, Regressor):
        return raw
    if isinstance(model, Machine):
        if model.classes_.size != 2:
            raise UnsupportedError(
                "A support vector machine of more than two classes is not written as ONNX: its votes have no operator."
            )
        raw = g.add("Concat", g.add("Neg", raw), raw, axis=1)
        return g.add("Softmax", raw, axis=1)
    if model.classes_.size == 2 and model.arrays["offset" if "offset" in model.arrays else "offset1"].size == 1:
        p = g.add("Sigmoid", raw)
        return g.add("Concat", g.add("Sub", g.constant([[1.0]]), p), p, axis=1)
    return g.add("Softmax", raw, axis=1)


def _raw(g: _Graph, model: Any, x: str) -> str:
    a = model.arrays
    if model.kind == "linear":
        return g.add("Add", g.add("MatMul", x, g.constant(a["slopes"])), g.constant(a["offset"]))
    if model.kind == "perceptron":
        layers = sum(name.startswith("slopes") for name in a)
        for k in range(layers):
            x = g.add("Add", g.add("MatMul", x, g.constant(a[f"slopes{k}"])), g.constant(a[f"offset{k}"]))
            x = g.add("Relu", x) if k < layers - 1 else x
        return x
    if model.kind == "kernel":
        gamma = float(a["gamma"][0])
        if int(a["degree"][0]):
            # The factor goes into the constant: onnxruntime would put it into the product in single precision.
            powered = once = g.add("Add", g.add("MatMul", x, g.constant(gamma * a["vectors"].T)), g.constant(1.0))
            for _ in range(int(a["degree"][0]) - 1):
                powered = g.add("Mul", powered, once)
        else:
            product = g.add("MatMul", x, g.constant(a["vectors"].T))
            own = g.add("ReduceSumSquare", x, axes=[1], keepdims=1)
            squared = g.add("Add", own, g.constant((a["vectors"] ** 2).sum(axis=1)[None]))
            squared = g.add("Sub", squared, g.add("Mul", product, g.constant(2.0)))
            powered = g.add("Exp", g.add("Mul", squared, g.constant(-gamma)))
        return g.add("Add", g.add("MatMul", powered, g.constant(a["weights"])), g.constant(a["offset"]))
    raise UnsupportedError(
        f"A model of kind '{model.kind}' is not written as ONNX: {_WHY_NOT.get(model.kind, 'it has no such form')}."
    )


def _calibrated(g: _Graph, calibrator: Calibrator | None, p: str) -> str:
    if calibrator is None:
        return p
    if calibrator.kind != "temperature":
        raise UnsupportedError("An isotonic calibrator is not written as ONNX: its steps have no operator.")
    logits = g.add("Log", g.add("Max", p, g.constant(1e-7)))
    return g.add("Softmax", g.add("Div", logits, g.constant(calibrator.temperature)), axis=1)
