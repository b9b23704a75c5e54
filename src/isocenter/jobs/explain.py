"""Explain what a model package says of a case: a map or shares of the features, each with the check whether it can be believed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from isocenter._version import __version__
from isocenter.core.errors import ContentError, MissingInputError, ParameterError
from isocenter.core.image import Image
from isocenter.io import atomic, door
from isocenter.io.inventory import Item, Repair
from isocenter.io.text import stem, terminal
from isocenter.jobs.explain_outputs import Piece, map_piece, nearest_piece, shares_piece, worth_piece
from isocenter.jobs.explain_report import explanation_report
from isocenter.jobs.explain_truth import judged
from isocenter.jobs.lock import Lock
from isocenter.jobs.outputs import Outputs
from isocenter.learn.data.cohort import Cohort
from isocenter.learn.data.layout import from_layout
from isocenter.learn.data.table import rows_of
from isocenter.learn.explain.company import company_of, rows_of_cohort
from isocenter.learn.explain.package_case import Asked, class_index, default_method, explain_image, kind_of
from isocenter.learn.explain.table_case import explain_rows, worth_of
from isocenter.learn.package.model import Package
from isocenter.learn.package.reading import read_package
from isocenter.learn.recipe import Table
from isocenter.pipeline import lineage
from isocenter.view.html import html
from isocenter.view.pdf import pdf

__all__ = ["ExplainOptions", "ExplainSummary", "explain", "load_image"]

_TABLES = (".csv", ".tsv", ".txt")
#: Rows of a table that are explained: each costs as many predictions as there are sets of features.
_MOST_ROWS = 25


@dataclass(frozen=True)
class ExplainOptions:
    """What the user may choose.

    Attributes
    ----------
    method
        As typed; None takes the first that fits the model.
    target
        Class, segment or landmark; None takes the most probable class, the largest segment, the surest place.
    mask
        Where a reader marked the finding, to judge the map by: a mask, or of a model that finds places the table of the true ones.
    cohort
        Labelled cases: nearest ones, and for a model of features what stands for not knowing one.
    layer
        Of Grad-CAM.
    patch, stride
        Of occlusion, mm (px where the image has no pixel size).
    check
        Whether to randomise the weights and see if the explanation changes.
    seed
        Of random weights, orders and resamples.
    repair
        Of missing slices.
    candidate
        Of a detector: which of its candidates, counted from the surest; None takes that one.
    """

    method: str | None = None
    target: str | None = None
    mask: Path | None = None
    cohort: Path | None = None
    layer: str | None = None
    patch: float | None = None
    stride: float | None = None
    check: bool = True
    seed: int = 0
    repair: Repair | None = None
    candidate: int | None = None


@dataclass(frozen=True)
class ExplainSummary:
    """What was found and where it stands.

    Attributes
    ----------
    out, report
        The folder, and the page to open.
    lines
        One sentence each; warnings among them.
    facts
        The numbers: probability, sanity, localisation.
    """

    out: Path
    report: Path
    lines: tuple[str, ...]
    facts: Mapping[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {"out": str(self.out), "report": str(self.report), "lines": list(self.lines), **self.facts}


def explain(package: Path | str, case: Path | str, out: Path | str, options: ExplainOptions | None = None) -> ExplainSummary:
    """Explain one image, or rows of a table, and write maps, tables, a report and the lineage.

    Parameters
    ----------
    package
        The model package.
    case
        An image; for a model of tables a CSV with its columns.
    out
        Folder for the results.
    options
        What the user chose.

    Raises
    ------
    ParameterError
        If the method does not fit the model, or the input is of the wrong kind for it.
    ContentError
        If the image is of another kind than those of the training.
    """
    options = options or ExplainOptions()
    model = read_package(package)
    method = default_method(model, options.method)
    path, tables = Path(case), kind_of(model) == "table"
    if not path.exists():
        raise MissingInputError(
            f"{terminal(str(path))}: there is no such file: expected {'a table' if tables else 'an image'} to explain."
        )
    if tables != (path.suffix.lower() in _TABLES):
        takes = f"rows of a table ({', '.join(model.model.names[:3])} ...)" if tables else "images"
        raise ParameterError(
            f"{terminal(path.name)}: model '{model.manifest['name']}' takes {takes}: expected such an input to explain."
        )
    if options.mask is not None and method == "shap":
        raise ParameterError("A mask judges maps, but 'shap' gives shares of features: leave the mask out, or take occlusion.")
    cohort = None if options.cohort is None else _cohort(model, options.cohort)
    root = Path(out)
    with Lock(root):
        outputs = Outputs(atomic.make_folder(root))
        if tables:
            pieces, inputs = _of_table(model, path, cohort, outputs, options)
        else:
            pieces, inputs = _of_image(model, path, method, cohort, outputs, options)
        return _finished(model, method, pieces, inputs, outputs, options)


def load_image(path: Path, repair: Repair | None = None) -> tuple[Image, Item]:
    """Return the one image at a path, and the item that it was read from.

    Raises
    ------
    ContentError
        If there is none, or several.
    """
    inventory = door.inspect(path, repair=repair)
    items = [i for i in inventory.items if i.kind == "image"]
    if len(items) != 1:
        door.read(path, repair)  # says what is there instead, and why the rest was refused
        raise ContentError(f"{terminal(path.name)}: expected one image to explain.")
    return items[0].load(), items[0]


def _cohort(package: Package, path: Path) -> Cohort:
    return from_layout(None, path, features=list(package.model.names) if kind_of(package) == "table" else None)


def _of_image(
    package: Package, path: Path, method: str, cohort: Cohort | None, outputs: Outputs, options: ExplainOptions
) -> tuple[list[Piece], dict[str, str]]:
    image, item = load_image(path, options.repair)
    inputs = {"image": image.digest}
    notes = [f"{text} The model was not trained on such a case." for text in package.check(image)]
    pieces: list[Piece] = []
    if method == "shap":
        row = package.features(image)
        index = _index(package, row, options)
        rows = explain_rows(package, row[None], index, check=options.check, seed=options.seed)
        pieces.append(shares_piece(package, rows, [stem(path)], row[None], outputs, notes))
    else:
        asked = Asked(
            options.target, options.layer, options.patch, options.stride, options.check, options.seed, options.candidate
        )
        found = explain_image(package, image, method, asked)
        truth = None
        if options.mask is not None:
            truth = judged(options.mask, image, found, path)
            inputs["mask"] = truth.digest
            notes += truth.notes
        identity = item.identity if item.format == "dicom" else {}
        pieces.append(map_piece(package, found, image, identity, truth, outputs, notes))
    if cohort is not None:
        inputs["cohort"] = cohort.digest
        pieces.append(nearest_piece([company_of(package, image, cohort)], outputs))
    return pieces, inputs


def _index(package: Package, row: Any, options: ExplainOptions) -> int:
    if not package.classes:
        return 0
    return class_index(package, options.target, package.model.predict(np.atleast_2d(row), np.array([""]))[0])


def _of_table(
    package: Package, path: Path, cohort: Cohort | None, outputs: Outputs, options: ExplainOptions
) -> tuple[list[Piece], dict[str, str]]:
    names, values = _rows(package, path)
    notes = []
    if len(values) > _MOST_ROWS:
        notes.append(f"The first {_MOST_ROWS} of {len(values)} rows are explained; split the table for the others.")
        names, values = names[:_MOST_ROWS], values[:_MOST_ROWS]
    for name, row in zip(names, values, strict=True):
        notes += [f"{name}: {text} The model was not trained on such a case." for text in package.check(row)]
    # Of two classes the second is the finding; of more the one that most rows are called.
    said = package.model.predict(values, np.full(len(values), ""))
    index = 0
    if package.classes:
        usual = np.eye(2)[1] if len(package.classes) == 2 else np.bincount(said.argmax(axis=1), minlength=len(package.classes))
        index = class_index(package, options.target, usual)
    inputs = {"table": lineage.sha256_of(path)}
    background = None if cohort is None else rows_of_cohort(package, cohort)
    found = explain_rows(package, values, index, background, check=options.check, seed=options.seed)
    pieces = [shares_piece(package, found, names, values, outputs, notes)]
    if cohort is not None:
        inputs["cohort"] = cohort.digest
        pieces.append(worth_piece(*_worth(package, cohort, options.seed), outputs))
        few = list(zip(names, values, strict=True))[:5]
        pieces.append(nearest_piece([company_of(package, row, cohort, name=name) for name, row in few], outputs))
    return pieces, inputs


def _rows(package: Package, path: Path) -> tuple[list[str], Any]:
    header, rows = rows_of(path)
    wanted = package.model.names
    missing = [n for n in wanted if n not in header]
    if missing or not rows:
        what = f"column '{missing[0]}' is missing ({len(missing)} in all)" if missing else "there is no row in it"
        raise ContentError(
            f"{terminal(path.name)}: {what}: model '{package.manifest['name']}' takes {', '.join(wanted[:6])}"
            f"{' ...' if len(wanted) > 6 else ''}."
        )
    names = [row.get("identifier") or f"line {line}" for line, row in rows]
    return names, np.array([[_number(row[n], n, line, path) for n in wanted] for line, row in rows])


def _number(text: str, column: str, line: int, path: Path) -> float:
    try:
        return float(text) if text else float("nan")
    except ValueError:
        raise ContentError(
            f"{terminal(path.name)}: line {line}, column '{column}': '{terminal(text, 40)}': expected a number."
        ) from None


def _worth(package: Package, cohort: Cohort, seed: int) -> tuple[Any, int, str]:
    """Return what the features are worth on the labelled cases of a cohort; or why that cannot be said."""
    labelled = [k for k, s in enumerate(cohort.samples) if s.label is not None]
    part = cohort.take(labelled)
    try:
        if not labelled or part.task != package.manifest["task"]:
            raise ContentError(f"Cohort '{cohort.name}' has no labels for {package.manifest['task']}.")
        unknown = [c for c in (part.classes if package.classes else ()) if c not in package.classes]
        if unknown:
            raise ContentError(f"Cohort '{cohort.name}' has the class '{unknown[0]}', which the model does not know.")
        truth = [package.classes.index(str(s.label)) if package.classes else float(str(s.label)) for s in part.samples]
        sites = np.array([s or "" for s in part.sites])
        table = Table(rows_of_cohort(package, part), np.array(truth), part.groups, sites, package.model.names, package.classes)
        found, left = worth_of(package, table, seed=seed)
        return found, left, ""
    except ContentError as error:
        return (), 0, f"What the features are worth is not told: {error}"


def _finished(
    package: Package, method: str, pieces: list[Piece], inputs: dict[str, str], outputs: Outputs, options: ExplainOptions
) -> ExplainSummary:
    root = outputs.folder
    report = explanation_report(package, method, pieces, outputs.notes)
    for name, data in (("report.html", html(report)), ("report.pdf", pdf(report))):
        atomic.write_bytes(outputs.path(name, "", "report"), data)
    facts: dict[str, Any] = {
        "verb": "model explain",
        "package": package.digest,
        "method": method,
        "inputs": inputs,
        "seed": options.seed,
    }
    facts |= {
        "target": options.target,
        "layer": options.layer,
        "patch": options.patch,
        "stride": options.stride,
        "check": options.check,
        "repair": options.repair,
        "candidate": options.candidate,
    }
    files = {name: lineage.FileOf(how=shown.how) for name, shown in outputs.files.items()}
    lineage.write(root, lineage.build_cohort(root, {}, files, facts=facts))
    atomic.write_text(root / "run.json", json.dumps({"isocenter": __version__, "verb": "model explain"}, indent=1) + "\n")
    lines = [text for piece in pieces for text in (*piece.lines, *piece.warnings)]
    numbers = {name: value for piece in pieces for name, value in piece.facts.items()}
    return ExplainSummary(root, root / "report.html", (*lines, *outputs.notes, f"Report: {root / 'report.html'}"), numbers)
