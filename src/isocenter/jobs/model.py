"""Model packages: what one is, whether it still says what it said, how it does elsewhere, and other formats of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from isocenter.core.errors import ParameterError
from isocenter.io import atomic, table
from isocenter.jobs.model_frozen import frozen_set, record_look
from isocenter.jobs.model_masks import mask_validation_report, write_mask_tables
from isocenter.jobs.model_places import place_validation_report, write_place_tables
from isocenter.jobs.model_report import validation_report
from isocenter.jobs.model_validation import AnyValidation, write_scores
from isocenter.learn.data.cohort import Cohort
from isocenter.learn.data.layout import from_layout
from isocenter.learn.package.model import Package
from isocenter.learn.package.reading import read_package
from isocenter.learn.package.selftest import SelfTest
from isocenter.learn.package.validate import Validation, validate
from isocenter.learn.package.validate_masks import MaskValidation, validate_masks
from isocenter.learn.package.validate_places import PlaceValidation, validate_places
from isocenter.view import html
from isocenter.view.report import Notice, Report

__all__ = ["ModelInfo", "Validated", "export", "info", "self_test", "validate_on"]


@dataclass(frozen=True)
class ModelInfo:
    """What a package says of itself.

    Attributes
    ----------
    path, digest
        The file.
    manifest
        Without the digests of the training cases and the description of the model.
    scores
        As proved in training.
    card
        The model card.
    """

    path: Path
    digest: str
    manifest: Mapping[str, Any]
    scores: Mapping[str, Any]
    card: str

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "path": str(self.path),
            "sha256": self.digest,
            "manifest": dict(self.manifest),
            "scores": dict(self.scores),
            "card": self.card,
        }


def info(path: Path | str) -> ModelInfo:
    """Return what a package says of itself; its hashes are checked."""
    package = read_package(path)
    manifest = {k: v for k, v in package.manifest.items() if k != "description"}
    manifest["training"] = {k: v for k, v in manifest["training"].items() if k != "digests"}
    return ModelInfo(Path(path), package.digest, manifest, package.scores, package.card)


def self_test(path: Path | str) -> tuple[Package, SelfTest]:
    """Check every hash of a package and predict its self-test case again, as after an upgrade."""
    package = read_package(path)
    return package, package.self_test()


@dataclass(frozen=True)
class Validated:
    """An external validation and where it was written; of a frozen test set what its record says."""

    out: Path
    report: Path
    package: Package
    found: AnyValidation
    frozen: str = ""

    @property
    def exit_code(self) -> int:
        """0 done, 1 if cases were set aside."""
        return 1 if self.found.aside else 0

    @property
    def lines(self) -> list[str]:
        """What came out, one sentence each."""
        shown = [
            f"{c.name.replace('_', ' ')}: {c.here}; in training {c.internal or 'unknown'}: {c.sentence}."
            for c in self.found.compared
        ]
        unlike = sum(bool(c.warnings) for c in self.found.cases)
        shown += [f"{unlike} of {len(self.found.cases)} cases are unlike those of the training."] if unlike else []
        shown += [self.frozen] if self.frozen else []
        return [*shown, *[f"set aside {name}: {reason}" for name, reason in self.found.aside], f"Report: {self.report}"]

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "out": str(self.out),
            "report": str(self.report),
            "sha256": self.package.digest,
            "scores": {c.name: asdict(c.here) for c in self.found.compared},
            "compared": {c.name: c.sentence for c in self.found.compared},
            "unlike": {c.identifier: list(c.warnings) for c in self.found.cases if c.warnings},
            "set_aside": [{"name": n, "reason": r} for n, r in self.found.aside],
            **({"frozen": self.frozen} if self.frozen else {}),
        }


def validate_on(
    path: Path | str,
    cohort: Path | str,
    out: Path | str,
    *,
    columns: Mapping[str, str] | None = None,
    seed: int = 0,
    draws: int = 2000,
    frozen: Path | str | None = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> Validated:
    """Judge a package on another cohort and write scores, calibration, predictions and a report.

    Parameters
    ----------
    path
        The package.
    cohort
        A table with ``image`` (or the features) and ``label``; or a folder with its ``labels.csv``, or whose layout gives the labels.
    out
        Folder for the results.
    columns
        Role -> column where it is called otherwise.
    seed, draws
        Of the bootstrap.
    frozen
        Record of a frozen test set: written at the first look, after that the cohort must hold the same cases, and every look is added.
    progress
        Called with a case, how many are done, and of how many.

    Raises
    ------
    MissingInputError
        If there is no table.
    ContentError
        If cases are among those of the training, the labels do not fit, or the cohort is not the frozen test set.
    """
    package = read_package(path)
    features = list(package.model.names) if package.manifest["inputs"]["source"] == "table" else None
    known = from_layout(None, cohort, columns=columns, features=features, task=package.manifest["task"])
    kept = None if frozen is None else frozen_set(Path(frozen), package, known)
    root, found, report = Path(out), *_judged(package, known, draws, seed, progress)
    atomic.make_folder(root)
    words = "" if frozen is None or kept is None else record_look(Path(frozen), kept, package, found.scores)
    if words:
        report = replace(report, notices=(*report.notices, Notice(words, "info")))
    _write(root, package, known, found)
    atomic.write_bytes(root / "report.html", html.html(report))
    return Validated(root, root / "report.html", package, found, words)


def _judged(
    package: Package, known: Cohort, draws: int, seed: int, progress: Callable[[str, int, int], None] | None
) -> tuple[AnyValidation, Report]:
    """Return what the validation of the package's task gives, and its report."""
    if package.manifest["task"] == "segmentation":
        masks = validate_masks(package, known, draws=draws, seed=seed, progress=progress)
        return masks, mask_validation_report(package, masks)
    if package.manifest["task"] in ("detection", "landmarks"):
        places = validate_places(package, known, draws=draws, progress=progress)
        return places, place_validation_report(package, places)
    found = validate(package, known, draws=draws, seed=seed, progress=progress)
    return found, validation_report(package, found)


def _write(root: Path, package: Package, known: Cohort, found: AnyValidation) -> None:
    if isinstance(found, MaskValidation):
        write_mask_tables(root, found)
    elif isinstance(found, PlaceValidation):
        write_place_tables(root, found, known, package.classes)
    else:
        _write_tables(root, package, known, found)


def _write_tables(root: Path, package: Package, known: Cohort, found: Validation) -> None:
    folder = write_scores(root, found)
    heads = [f"p_{name}" for name in package.classes] or ["predicted"]
    happened = {s.identifier: int(s.values.get("event", 0.0) > 0) for s in known.samples}
    survival = package.manifest["task"] == "survival"  # what was predicted is the log of the relative hazard
    events = ["event"] if survival else []
    rows: list[list[Any]] = [
        [c.identifier, c.truth, *([happened[c.identifier]] if survival else []), *c.predicted, c.called, " ".join(c.warnings)]
        for c in found.cases
    ]
    table.write_rows(["case", "truth", *events, *heads, "called", "unlike_training"], rows, folder / "predictions.csv")
    if found.calibration:
        bins = [[b.low, b.high, b.predicted, b.observed, *(b.interval or (None, None)), b.n] for b in found.calibration]
        table.write_rows(
            ["from", "to", "predicted", "observed", "observed_low", "observed_high", "n"], bins, folder / "calibration.csv"
        )


def export(path: Path | str, *, onnx: Path | None = None, bundle: Path | None = None) -> list[str]:
    """Write the model of a package in other formats, each proved equal before it is given out; return what was done.

    Parameters
    ----------
    path
        The package.
    onnx
        File to write.
    bundle
        Folder of a MONAI bundle to write.

    Raises
    ------
    ParameterError
        If neither is asked for.
    UnsupportedError
        If the model has no such form.
    VerificationError
        If the exported model differs by more than 1e-4.
    """
    from isocenter.learn.package.export import export_bundle, export_onnx

    if onnx is None and bundle is None:
        raise ParameterError("Nothing to export to: expected --onnx FILE or --bundle FOLDER.")
    package = read_package(path)
    lines = []
    if onnx is not None:
        lines += export_onnx(package, onnx)
    if bundle is not None:
        lines += export_bundle(package, bundle)
    return lines
