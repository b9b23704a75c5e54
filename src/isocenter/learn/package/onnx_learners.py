"""Every learner of the catalogue as a graph of plain ONNX operators in double precision, so that cases at a split go the same way."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.core.errors import UnsupportedError
from isocenter.core.extras import require
from isocenter.learn.estimators.ensemble import Average
from isocenter.learn.package.predictors import Machine, Regressor

__all__ = ["Graph", "estimator"]

Arrays = Mapping[str, npt.NDArray[Any]]


class Graph:
    """Nodes and constants of a graph, each value with a name of its own."""

    def __init__(self) -> None:
        self.helper: Any = require("onnx", "ONNX export").helper
        self.numpy: Any = require("onnx.numpy_helper", "ONNX export")
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def constant(self, value: npt.ArrayLike, kind: Any = np.float64) -> str:
        """Add an array and return its name."""
        name = f"c{len(self.constants)}"
        self.constants.append(self.numpy.from_array(np.asarray(value, kind), name))
        return name

    def add(self, operator: str, *inputs: str, **attributes: Any) -> str:
        """Add a node of one output and return its name."""
        name = f"v{len(self.nodes)}"
        self.nodes.append(self.helper.make_node(operator, list(inputs), [name], **attributes))
        return name

    def mean(self, parts: list[str]) -> str:
        """Add the mean of several values."""
        total = parts[0]
        for other in parts[1:]:
            total = self.add("Add", total, other)
        return self.add("Div", total, self.constant(float(len(parts))))

    def cast(self, value: str, kind: Any) -> str:
        """Add a change of type to that of a numpy type."""
        return self.add("Cast", value, to=int(self.helper.np_dtype_to_tensor_dtype(np.dtype(kind))))


def estimator(g: Graph, model: Any, x: str) -> str:
    """Add a fitted model and return its probabilities of shape (n, classes), or its numbers of shape (n, 1).

    Parameters
    ----------
    g
        The graph.
    model
        As `estimators.from_arrays` gives it.
    x
        Name of what the model sees, shape (n, features), double precision.

    Raises
    ------
    UnsupportedError
        If it is of a kind that has no such form.
    """
    if isinstance(model, Average):
        return g.mean([estimator(g, one, x) for one in model.members])
    if model.kind not in _RAW:
        raise UnsupportedError(f"A model of kind '{model.kind}' is not written as ONNX: it has no such form.")
    raw = _RAW[model.kind](g, model.arrays, x)
    if isinstance(model, Regressor):
        return raw
    if isinstance(model, Machine):
        two = model.classes_.size == 2
        raw = g.add("Concat", g.add("Neg", raw), raw, axis=1) if two else _votes(g, raw, model.classes_.size)
        return g.add("Softmax", raw, axis=1)
    if model.kind in ("prior", "trees", "neighbours"):
        return g.add("Div", raw, g.add("ReduceSum", raw, g.constant([1], np.int64), keepdims=1))
    if model.classes_.size == 2 and _width(model.kind, model.arrays) == 1:
        p = g.add("Sigmoid", raw)
        return g.add("Concat", g.add("Sub", g.constant([[1.0]]), p), p, axis=1)
    return g.add("Softmax", raw, axis=1)


def _width(kind: str, a: Arrays) -> int:
    """Return the number of outputs of a model that gives scores."""
    if kind == "perceptron":
        return int(a[f"offset{sum(name.startswith('slopes') for name in a) - 1}"].size)
    return int(a["baseline" if kind == "boosted" else "offset"].size)


def _votes(g: Graph, pairs: str, classes: int) -> str:
    """Add the votes of the pairs of classes, their confidence squeezed to less than half a vote."""
    count = classes * (classes - 1) // 2
    first, second = np.zeros((count, classes)), np.zeros((count, classes))
    ends = [(i, j) for i in range(classes) for j in range(i + 1, classes)]
    for k, (i, j) in enumerate(ends):
        first[k, i] = second[k, j] = 1.0
    sums = g.add("MatMul", pairs, g.constant(first - second))
    wins = g.cast(g.add("GreaterOrEqual", pairs, g.constant(0.0)), np.float64)
    losses = g.add("Sub", g.constant(1.0), wins)
    votes = g.add("Add", g.add("MatMul", wins, g.constant(first)), g.add("MatMul", losses, g.constant(second)))
    squeezed = g.add("Mul", g.add("Add", g.add("Abs", sums), g.constant(1.0)), g.constant(3.0))
    return g.add("Add", votes, g.add("Div", sums, squeezed))


def _constant(g: Graph, a: Arrays, x: str) -> str:
    nothing = g.add("Mul", g.add("ReduceSum", x, g.constant([1], np.int64), keepdims=1), g.constant(0.0))
    return g.add("Add", nothing, g.constant(a["value"].reshape(1, -1)))


def _linear(g: Graph, a: Arrays, x: str) -> str:
    return g.add("Add", g.add("MatMul", x, g.constant(a["slopes"])), g.constant(a["offset"]))


def _perceptron(g: Graph, a: Arrays, x: str) -> str:
    layers = sum(name.startswith("slopes") for name in a)
    for k in range(layers):
        x = g.add("Add", g.add("MatMul", x, g.constant(a[f"slopes{k}"])), g.constant(a[f"offset{k}"]))
        x = g.add("Relu", x) if k < layers - 1 else x
    return x


def _squared(g: Graph, x: str, rows: npt.NDArray[Any]) -> str:
    """Add the squared distances of every case to stored rows, shape (n, rows)."""
    product = g.add("MatMul", x, g.constant(rows.T))
    own = g.add("ReduceSumSquare", x, axes=[1], keepdims=1)
    total = g.add("Add", own, g.constant((rows**2).sum(axis=1)[None]))
    return g.add("Max", g.add("Sub", total, g.add("Mul", product, g.constant(2.0))), g.constant(0.0))


def _kernel(g: Graph, a: Arrays, x: str) -> str:
    gamma = float(a["gamma"][0])
    if int(a["degree"][0]):
        # The factor goes into the constant: onnxruntime would put it into the product in single precision.
        powered = once = g.add("Add", g.add("MatMul", x, g.constant(gamma * a["vectors"].T)), g.constant(1.0))
        for _ in range(int(a["degree"][0]) - 1):
            powered = g.add("Mul", powered, once)
    else:
        powered = g.add("Exp", g.add("Mul", _squared(g, x, a["vectors"]), g.constant(-gamma)))
    return g.add("Add", g.add("MatMul", powered, g.constant(a["weights"])), g.constant(a["offset"]))


def _leaves(g: Graph, a: Arrays, x: str) -> str:
    """Add the descent of every case through every tree, one level at a time, and return the leaves, shape (n, trees)."""
    left, right = a["left"].astype(np.int64), a["right"].astype(np.int64)
    own = np.arange(left.size)
    stay = left < 0
    left, right = np.where(stay, own, left), np.where(stay, own, right)  # a leaf leads to itself
    names = [g.constant(v, np.int64) for v in (left, right, np.where(stay, 0, a["feature"]))]
    thresholds = g.constant(a["threshold"])
    start = g.cast(g.add("Mul", g.add("ReduceSum", x, g.constant([1], np.int64), keepdims=1), g.constant(0.0)), np.int64)
    node = g.add("Add", start, g.constant(a["roots"][None], np.int64))
    for _ in range(_depth(left, right, a["roots"])):
        value = g.add("GatherElements", x, g.add("Gather", names[2], node), axis=1)
        down = g.add("LessOrEqual", value, g.add("Gather", thresholds, node))
        node = g.add("Where", down, g.add("Gather", names[0], node), g.add("Gather", names[1], node))
    return node


def _depth(left: npt.NDArray[np.int64], right: npt.NDArray[np.int64], roots: npt.NDArray[Any]) -> int:
    """Return how many steps the deepest tree takes."""
    level, steps = np.unique(np.asarray(roots, np.int64)), 0
    while True:
        inner = level[left[level] != level]
        if not inner.size:
            return steps
        level, steps = np.unique(np.concatenate([left[inner], right[inner]])), steps + 1


def _trees(g: Graph, a: Arrays, x: str) -> str:
    # The trees compare in single precision: the case is rounded so, and compared with thresholds in double precision.
    leaf = _leaves(g, a, g.cast(g.cast(x, np.float32), np.float64))
    return g.add("ReduceMean", g.add("Gather", g.constant(a["value"]), leaf, axis=0), axes=[1], keepdims=0)


def _boosted(g: Graph, a: Arrays, x: str) -> str:
    outputs = int(a["baseline"].size)
    value = g.add("Gather", g.constant(a["value"][:, 0]), _leaves(g, a, x))
    stages = g.add("Reshape", value, g.constant([0, -1, outputs], np.int64))
    return g.add("Add", g.add("ReduceSum", stages, g.constant([1], np.int64), keepdims=0), g.constant(a["baseline"]))


def _neighbours(g: Graph, a: Arrays, x: str) -> str:
    one, two = g.constant([1], np.int64), g.constant([2], np.int64)
    apart = g.add("Sub", g.add("Unsqueeze", x, one), g.constant(a["rows"][None]))  # equal rows must be exactly equal
    distance = g.add("Sqrt", g.add("ReduceSum", g.add("Mul", apart, apart), two, keepdims=0))
    near, index = f"near{len(g.nodes)}", f"index{len(g.nodes)}"
    count = min(int(a["count"][0]), len(a["rows"]))
    g.nodes.append(
        g.helper.make_node("TopK", [distance, g.constant([count], np.int64)], [near, index], axis=1, largest=0, sorted=1)
    )
    equal = g.cast(g.add("Equal", near, g.constant(0.0)), np.float64)
    some = g.add("Greater", g.add("ReduceSum", equal, one, keepdims=1), g.constant(0.0))
    weight = g.add("Where", some, equal, g.add("Div", g.constant(1.0), near))
    values = g.add("Gather", g.constant(a["values"]), index, axis=0)
    total = g.add("ReduceSum", g.add("Mul", g.add("Unsqueeze", weight, two), values), one, keepdims=0)
    return g.add("Div", total, g.add("ReduceSum", weight, one, keepdims=1))


def _hidden(g: Graph, a: Arrays, hidden: str) -> str:
    inner = g.add("MatMul", g.add("Sub", hidden, g.constant(a["mean"])), g.constant(a["weights"]))
    return g.add("Mul", g.add("Add", inner, g.constant(a["offset"])), g.constant(2.0))


def _bumps(g: Graph, a: Arrays, x: str) -> str:
    factor = g.constant(-1.0 / (2.0 * float(a["scale"][0]) ** 2))
    return _hidden(g, a, g.add("Exp", g.add("Mul", _squared(g, x, a["centres"]), factor)))


def _directions(g: Graph, a: Arrays, x: str) -> str:
    # tanh by way of the sigmoid, which every runtime has in double precision.
    inner = g.add("Add", g.add("MatMul", x, g.constant(2.0 * a["centres"].T)), g.constant(2.0 * a["shift"]))
    return _hidden(g, a, g.add("Sub", g.add("Mul", g.add("Sigmoid", inner), g.constant(2.0)), g.constant(1.0)))


def _belief(g: Graph, a: Arrays, x: str) -> str:
    scaled = g.add("Add", g.add("Mul", x, g.constant(a["scale"])), g.constant(a["shift"]))
    value = first = g.add("Min", g.add("Max", scaled, g.constant(0.0)), g.constant(1.0))
    for k in range(sum(name.startswith("units") for name in a)):
        value = g.add("Sigmoid", g.add("Add", g.add("MatMul", value, g.constant(a[f"units{k}"].T)), g.constant(a[f"bias{k}"])))
    return _linear(g, a, g.add("Concat", first, value, axis=1))


_RAW: dict[str, Callable[[Graph, Arrays, str], str]] = {
    "belief": _belief,
    "boosted": _boosted,
    "bumps": _bumps,
    "constant": _constant,
    "directions": _directions,
    "kernel": _kernel,
    "linear": _linear,
    "neighbours": _neighbours,
    "perceptron": _perceptron,
    "prior": _constant,
    "trees": _trees,
}
