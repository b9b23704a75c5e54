"""A model of tables as ONNX, from plain operators in double precision: filling, harmonising, scaling, model, calibration, mean."""

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
from isocenter.learn.combat import Combat
from isocenter.learn.evaluate.calibration import Calibrator
from isocenter.learn.package.estimators import from_arrays, to_arrays
from isocenter.learn.package.models import TableModel
from isocenter.learn.package.onnx_learners import Graph, estimator
from isocenter.learn.prove import FoldModel

__all__ = ["export_table"]


def export_table(model: TableModel, fingerprint: Mapping[str, Any], path: Path, tolerance: float) -> float:
    """Write a table model as ONNX and return the largest difference on made-up rows.

    It takes ``features`` (n, features), NaN where missing, and where the model harmonises sites ``site`` (n) as text.

    Raises
    ------
    UnsupportedError
        If its learner has no such form.
    VerificationError
        If it differs by more than the tolerance; nothing is written then.
    """
    onnx, helper = require("onnx", "ONNX export"), require("onnx.helper", "ONNX export")
    graph = Graph()
    mean = graph.mean([_member(graph, member) for member in model.members])
    graph.nodes.append(helper.make_node("Identity", [mean], ["result"]))
    double, width = onnx.TensorProto.DOUBLE, max(len(model.classes), 1)
    inputs = [helper.make_tensor_value_info("features", double, ["n", len(model.names)])]
    opsets = [helper.make_opsetid("", 17)]
    if _harmonises(model):
        inputs.append(helper.make_tensor_value_info("site", onnx.TensorProto.STRING, ["n"]))
        opsets.append(helper.make_opsetid("ai.onnx.ml", 2))
    outputs = [helper.make_tensor_value_info("result", double, ["n", width])]
    whole = helper.make_graph(graph.nodes, "isocenter", inputs, outputs, graph.constants)
    made = helper.make_model(whole, opset_imports=opsets, producer_name="isocenter", producer_version=__version__)
    made.ir_version = 9
    data: bytes = made.SerializeToString()
    worst = _difference(model, fingerprint, data)
    if not worst <= tolerance:
        raise VerificationError(
            f"{path}: the ONNX model differs by {worst:.2g}; expected at most {tolerance:g}: nothing was written."
        )
    atomic.write_bytes(path, data)
    return worst


def _harmonises(model: TableModel) -> bool:
    return any(member.fitted.combat is not None for member in model.members)


def _difference(model: TableModel, fingerprint: Mapping[str, Any], data: bytes) -> float:
    from isocenter.learn.package.selftest import made_up_row

    runtime = require("onnxruntime", "Proving an ONNX model")
    rows = np.stack([made_up_row(fingerprint, seed) for seed in range(20)])
    rows[0, ::3] = np.nan
    options = runtime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = 1
    session = runtime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    known = sorted({s for m in model.members if m.fitted.combat is not None for s in m.fitted.combat.sites})
    sites = np.resize(np.array(["", *known], object), len(rows))
    given: dict[str, Any] = {"features": rows, **({"site": sites} if _harmonises(model) else {})}
    found = session.run(None, given)[0]
    expected = model.predict(rows, sites.astype(str))
    expected = expected if model.classes else expected[:, None]
    return float(np.abs(found - expected).max() / (1.0 if model.classes else max(float(np.abs(expected).max()), 1.0)))


def _member(g: Graph, member: FoldModel) -> str:
    fitted = member.fitted
    missing = g.add("Or", g.add("IsNaN", "features"), g.add("IsInf", g.cast("features", np.float32)))
    x = g.add("Where", missing, g.constant(fitted.middle[None]), "features")
    x = x if fitted.combat is None else _harmonised(g, fitted.combat, x)
    x = g.add("Div", g.add("Sub", x, g.constant(fitted.mean)), g.constant(fitted.spread))
    x = g.add("Gather", x, g.constant(fitted.kept, np.int64), axis=1)
    description, arrays = to_arrays(fitted.model)
    model = from_arrays(description, arrays)
    out = estimator(g, model, x)
    if not fitted.classes:
        out = g.add("Add", g.add("Mul", out, g.constant(fitted.scale)), g.constant(fitted.centre))
        return g.add("Exp", out) if fitted.logarithm else out
    own = np.asarray(model.classes_, np.int64)
    if not np.array_equal(own, np.arange(len(fitted.classes))):  # a fold may lack a class
        out = g.add("MatMul", out, g.constant(np.eye(len(fitted.classes))[own]))
    return _calibrated(g, member.calibrator, out)


def _harmonised(g: Graph, combat: Combat, x: str) -> str:
    """Add the removal of a site's effect; a site that was not trained on has none."""
    if combat.centre.size:
        raise UnsupportedError(
            "A harmonisation with covariates is not written as ONNX: it would need those of each case; predict with the package."
        )
    known = len(combat.sites)
    code = g.add(
        "LabelEncoder", "site", keys_strings=list(combat.sites), values_int64s=list(range(known)), default_int64=known,
        domain="ai.onnx.ml",
    )  # fmt: skip
    none = np.zeros((1, combat.mean.size))
    shift = g.add("Gather", g.constant(np.concatenate([combat.shift, none])), code, axis=0)
    scale = g.add("Gather", g.constant(np.concatenate([combat.scale, none + 1.0])), code, axis=0)
    z = g.add("Div", g.add("Sub", x, g.constant(combat.mean)), g.constant(combat.spread))
    z = g.add("Div", g.add("Sub", z, shift), scale)
    return g.add("Add", g.add("Mul", z, g.constant(combat.spread)), g.constant(combat.mean))


def _calibrated(g: Graph, calibrator: Calibrator | None, p: str) -> str:
    if calibrator is None:
        return p
    if calibrator.kind != "temperature":
        return _stepped(g, np.asarray(calibrator.knots), np.asarray(calibrator.values), p)
    logits = g.add("Log", g.add("Max", p, g.constant(1e-7)))
    return g.add("Softmax", g.add("Div", logits, g.constant(calibrator.temperature)), axis=1)


def _stepped(g: Graph, knots: npt.NDArray[np.float64], values: npt.NDArray[np.float64], p: str) -> str:
    """Add straight lines between knots: each adds its slope times how far a case has come along it."""
    second = g.add("Gather", p, g.constant([1], np.int64), axis=1)
    width = np.diff(knots)
    wide = width > 0
    slope = np.where(wide, np.diff(values) / np.where(wide, width, 1.0), 0.0)
    along = g.add("Sub", second, g.constant(knots[:-1][None]))
    along = g.add("Min", g.add("Max", along, g.constant(0.0)), g.constant(width[None]))
    positive = g.add("Add", g.add("MatMul", along, g.constant(slope[:, None])), g.constant(values[0]))
    return g.add("Concat", g.add("Sub", g.constant(1.0), positive), positive, axis=1)
