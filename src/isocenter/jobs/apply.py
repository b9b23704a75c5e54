"""Apply one operation to files."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from isocenter.core.errors import ParameterError
from isocenter.core.image import Image
from isocenter.core.labels import LabelMap, MaskStack
from isocenter.core.operation import Spec
from isocenter.core.points import Mesh
from isocenter.core.registry import operations
from isocenter.core.results import Features, Prediction, Scores
from isocenter.io import door, store, table
from isocenter.io.glb import write_meshes
from isocenter.jobs.options import parse_repair
from isocenter.pipeline.ports import Port, assign, ports

__all__ = ["apply", "parse_settings"]


def parse_settings(texts: Sequence[str]) -> dict[str, Any]:
    """Return parameters from ``NAME=VALUE`` texts; a value is JSON where it can be read as such, else text."""
    values: dict[str, Any] = {}
    for text in texts:
        name, sign, value = text.partition("=")
        if not sign:
            raise ParameterError(f"Setting '{text}': expected NAME=VALUE, for instance --set radius=1")
        try:
            values[name.strip()] = json.loads(value)
        except ValueError:
            values[name.strip()] = value
    return values


def apply(
    operation: str,
    inputs: Sequence[Path | str],
    out: Path | str,
    *,
    settings: Sequence[str] = (),
    seed: int = 0,
    repair: str | None = None,
) -> list[str]:
    """Read inputs in port order, apply an operation, and write what comes out.

    Parameters
    ----------
    operation
        Registered name.
    inputs
        One path per port, optional ports last.
    out
        File to write; its ending names the format.
    settings
        ``NAME=VALUE`` texts.

    Returns
    -------
    list of str
        What was written, and the notes the operation raised.
    """
    kind: type = operations().load(operation)
    chosen = kind(**parse_settings(settings))
    wanted = ports(kind)
    if len(inputs) < sum(not p.optional and not p.many for p in wanted):
        raise ParameterError(f"{operation} was given {len(inputs)} inputs: expected {', '.join(p.told for p in wanted)}.")
    values = {f"input {k + 1}": _read(path, wanted[min(k, len(wanted) - 1)], repair) for k, path in enumerate(inputs)}
    slots = assign(kind, operation, [(name, Spec.of(value)) for name, value in values.items()])
    filled = [None if slot is None else values[slot] for slot in slots]
    result = chosen(*filled, seed=seed)
    target = Path(out)
    _write(result, target)
    return [f"{operation} wrote {target}", *_notes(result)]


def _read(path: Path | str, port: Port, repair: str | None) -> Any:
    if Path(path).suffix == ".isocenter":
        return store.load(Path(path))
    if port.kinds and all(issubclass(kind, LabelMap | MaskStack) for kind in port.kinds):
        return door.read_labels(path)
    return door.read(path, repair=parse_repair(repair))


def _write(result: Any, target: Path) -> None:
    if isinstance(result, Features):
        table.write_features(result, target)
    elif isinstance(result, Scores):
        table.write_scores(result, target)
    elif isinstance(result, Mesh):
        write_meshes([result], target)
    elif isinstance(result, Image) and target.suffix != ".isocenter":
        door.write(result, target)
    elif isinstance(result, Prediction) or target.suffix == ".isocenter" or not isinstance(result, Image):
        store.save(result, target)


def _notes(result: Any) -> list[str]:
    steps = result.provenance.steps
    return [f"note: {note}" for note in (steps[-1].notes if steps else ())]
