"""Read and write the package file: every member checked on the way in, proved by its self-test on the way out."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.core.errors import FormatError, IsocenterError, ParameterError, SpecError, VerificationError
from isocenter.core.extras import require
from isocenter.core.provenance import digest_json
from isocenter.core.results import Score
from isocenter.io import atomic
from isocenter.io.budget import Budget
from isocenter.learn.data.cohort import Cohort
from isocenter.learn.package import models, pixels, places, selftest
from isocenter.learn.package.ancestry import check_ancestors
from isocenter.learn.package.archive import SUFFIX, pack, unpack
from isocenter.learn.package.card import card_of
from isocenter.learn.package.fingerprint import check_fingerprint
from isocenter.learn.package.manifest import FORMAT, SEGMENTERS, manifest_of
from isocenter.learn.package.model import MODEL_STEPS, Package
from isocenter.learn.package.models import TableModel
from isocenter.learn.package.pixels import PixelSegmenter
from isocenter.learn.places.model import PlaceModel
from isocenter.learn.splits import Splits
from isocenter.pipeline import yaml
from isocenter.pipeline.model import Pipeline, Step
from isocenter.pipeline.spec import load

__all__ = ["UNSTATED", "Training", "read_package", "write_package"]

#: How far a self-test may be off for each kind of model.
_TOLERANCES = {
    "table": 1e-6,
    "classifier": 1e-4,
    "regressor": 1e-4,
    "segmenter": 1e-3,
    "pixels": 1e-3,
    **dict.fromkeys(places.KINDS, 1e-2),
}
#: What stands in the file where its maker names no other terms.
UNSTATED = "No licence was stated by the maker of this model: all rights are reserved until they say otherwise.\n"


@dataclass(frozen=True)
class Training:
    """What is known of how a model was made.

    Attributes
    ----------
    name
        Of the cohort.
    cases, patients
        How many.
    sites
        Their names.
    cohort, splits
        Digests of the table of cases, and of the divisions.
    seed
        Of everything random.
    digests
        Of each training case (`fingerprint.case_digest`): they are refused where the model is to be validated.
    ancestors
        Models whose weights the training began with, the latest first, as `start.Start.ancestors` gives them.
    """

    name: str = ""
    cases: int = 0
    patients: int = 0
    sites: tuple[str, ...] = ()
    cohort: str = ""
    splits: str = ""
    seed: int = 0
    digests: tuple[str, ...] = ()
    ancestors: tuple[Mapping[str, Any], ...] = ()

    @classmethod
    def of(cls, cohort: Cohort, splits: Splits, digests: Iterable[str], ancestors: Iterable[Mapping[str, Any]] = ()) -> Training:
        """Return what is known of a model of all cases of a cohort.

        Parameters
        ----------
        cohort, splits
            The cases, and the divisions by which it was proved.
        digests
            Of each case (`fingerprint.case_digest`).
        ancestors
            Models whose weights it began with.
        """
        return cls(
            cohort.name,
            len(cohort),
            len(set(cohort.groups.tolist())),
            tuple(sorted({s for s in cohort.sites.tolist() if s})),
            cohort.digest,
            digest_json(splits.to_json()),
            splits.seed,
            tuple(digests),
            tuple(ancestors),
        )


def write_package(
    path: Path | str,
    model: Any,
    *,
    name: str,
    fingerprint: Mapping[str, Any],
    training: Training | None = None,
    scores: Mapping[str, Score] | None = None,
    pipeline: Pipeline | None = None,
    plan: Mapping[str, Any] | None = None,
    codes: Mapping[str, Sequence[str]] | None = None,
    unit: str = "1",
    intended_use: str = "",
    limits: Sequence[str] = (),
    licence: str = "",
) -> Package:
    """Write a package, read it back, and prove it by its self-test before it stands under its name.

    Parameters
    ----------
    path
        The file; its name ends in ``.isocenter``.
    model
        `TableModel`, `pixels.PixelSegmenter`, `PlaceModel`, `networks.NetworkPredictor` or `networks.NetworkSegmenter`.
    name
        What it is called: lower-case words joined by hyphens.
    fingerprint
        Of the training data (`fingerprint.fingerprint_of`).
    training
        How it was made.
    scores
        As proved in training.
    pipeline
        What is done before and after; one of its steps is one of `MODEL_STEPS`. Default: that step alone.
    plan
        Settings of the training, as plain values.
    codes
        Class -> coded concept: value, scheme, meaning.
    unit
        Of a number.
    intended_use, limits, licence
        For the card, and the terms.

    Returns
    -------
    Package
        As read back.

    Raises
    ------
    ParameterError
        If something does not fit.
    VerificationError
        If the package does not repeat what the model says; nothing is written then.
    """
    path = Path(path)
    if path.suffix != SUFFIX:
        raise ParameterError(f"{path.name}: expected a name that ends in {SUFFIX} for a model package.")
    description, arrays = _taken_apart(model)
    if any(member.get("sites") for member in description.get("members", ())):
        limits = [*limits, "It was harmonised between sites: cases of a site that it was not trained on are taken as they are."]
    pipeline = pipeline or _default_pipeline(name, description, fingerprint)
    if sum(step.op in MODEL_STEPS for step in pipeline.steps) != 1:
        raise ParameterError(f"Pipeline '{pipeline.name}' of a model package: expected one step {' or '.join(MODEL_STEPS)}.")
    # A score that is not defined (precision where nothing was called) is no figure to compare with, and no JSON either.
    rows = {k: asdict(v) for k, v in (scores or {}).items() if math.isfinite(v.value)}
    manifest = manifest_of(
        name, description, model, fingerprint, asdict(training or Training()), codes or {}, unit, intended_use, limits
    )
    draft = Package(manifest, model, pipeline, fingerprint, rows, dict(plan or {}))
    value: Any = (
        selftest.made_up_row(fingerprint) if description.get("source") == "table" else selftest.made_up_image(fingerprint)
    )
    tolerance = _TOLERANCES[description["kind"]]
    spread = float(rows["mae_of_median"]["value"]) if "mae_of_median" in rows else 1.0
    test = selftest.described(value, draft.predict(value), tolerance, spread)
    card = card_of(manifest, rows, models.held_rows(description))
    data = _members(replace(draft, card=card, licence=licence or UNSTATED, test=test), description, arrays)
    atomic.make_folder(path.parent)
    atomic.write_bytes(path, pack(data), check=_proved)
    return read_package(path)


def _proved(path: Path) -> None:
    result = read_package(path).self_test()
    if not result.passed:
        raise VerificationError(f"{path.name}: the package does not repeat its model: {result.sentence} Nothing was written.")


def read_package(path: Path | str, *, sha256: str = "", budget: Budget | None = None) -> Package:
    """Read a package; no code in it is run, and nothing in it is pickled.

    Parameters
    ----------
    path
        The file.
    sha256
        The digest it must have (``sha256:...``); empty checks only its own hashes.
    budget
        Of memory. Default: `Budget()`.

    Raises
    ------
    MissingInputError, BudgetError, FormatError
        If it is not there, too large, or no sound package.
    VerificationError
        If it was changed since it was packed, or has another digest.
    """
    path = Path(path)
    members, digest = unpack(path, budget)
    if sha256 and digest != (sha256 if sha256.startswith("sha256:") else f"sha256:{sha256}"):
        raise VerificationError(f"{path}: has {digest}, expected {sha256}: it is not the model that was asked for.")
    try:
        manifest = _json(members, "manifest.json")
        if manifest.get("format") != FORMAT:
            raise FormatError(
                f"is of format '{manifest.get('format')}', expected '{FORMAT}': it was made by another version of isocenter"
            )
        arrays = _arrays(members["weights.safetensors"])
        description = manifest["description"]
        if description["kind"] == "table":
            model: Any = models.restore(description, arrays)
        elif description["kind"] == "pixels":
            model = pixels.restore(description, arrays)
        elif description["kind"] in places.KINDS:
            model = places.restore(description, arrays)
        else:
            model = _networks().restore(description, arrays)
        test = (
            _json(members, "selftest/expected.json"),
            _arrays(members["selftest/input.safetensors"]),
            _arrays(members["selftest/expected.safetensors"]) if "selftest/expected.safetensors" in members else {},
        )
        found = Package(
            manifest,
            model,
            load(members["pipeline.yaml"], name="pipeline.yaml"),
            _json(members, "fingerprint.json"),
            _json(members, "scores.json") if "scores.json" in members else {},
            yaml.load(members["plan.yaml"].decode(), "plan.yaml"),
            members["card.md"].decode(),
            members["LICENSE"].decode(),
            test,
            digest,
        )
        _check(found)
    except (FormatError, SpecError) as error:
        raise FormatError(f"{path}: {error}") from error
    except (LookupError, TypeError, ValueError, AttributeError, RecursionError) as error:
        if isinstance(error, IsocenterError):
            raise
        raise FormatError(
            f"{path}: a member does not say what it must ({type(error).__name__}: {error}); do not use it."
        ) from error
    return found


def _check(package: Package) -> None:
    check_fingerprint(package.fingerprint)
    if sum(step.op in MODEL_STEPS for step in package.pipeline.steps) != 1:
        raise FormatError(f"its pipeline has not one step {' or '.join(MODEL_STEPS)}")
    if package.manifest["task"] not in ("classification", "regression", "segmentation", "detection", "landmarks", "survival"):
        raise FormatError(f"its task is '{package.manifest['task']}', which is not known")
    if tuple(package.model.classes) != package.classes or not isinstance(package.manifest["training"]["digests"], list):
        raise FormatError("its classes are not those of its model")
    check_ancestors(package.manifest["training"])
    for key in ("name", "unit", "intended_use", "model"):
        str(package.manifest[key])


def _json(members: Mapping[str, bytes], name: str) -> dict[str, Any]:
    found = json.loads(members[name])
    if not isinstance(found, dict):
        raise FormatError(f"'{name}' holds no table of values")
    return found


def _arrays(data: bytes) -> dict[str, npt.NDArray[Any]]:
    numpy = require("safetensors.numpy", "Reading a model package")
    error = require("safetensors", "Reading a model package").SafetensorError
    try:
        found: dict[str, npt.NDArray[Any]] = numpy.load(data)
    except (error, ValueError, KeyError, TypeError) as problem:
        raise FormatError(f"its arrays are no sound safetensors ({problem})") from problem
    return found


def _bytes(arrays: Mapping[str, npt.NDArray[Any]]) -> bytes:
    saved: bytes = require("safetensors.numpy", "Writing a model package").save(
        {name: np.ascontiguousarray(value) if np.ndim(value) else np.asarray(value) for name, value in sorted(arrays.items())}
    )
    return saved


def _text(value: Any) -> bytes:
    return (json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False) + "\n").encode()


def _networks() -> Any:
    require("torch", "A package of networks")
    from isocenter.learn.package import networks

    return networks


def _taken_apart(model: Any) -> tuple[dict[str, Any], dict[str, npt.NDArray[Any]]]:
    if isinstance(model, TableModel):
        return models.take_apart(model)
    if isinstance(model, PixelSegmenter):
        return pixels.take_apart(model)
    if isinstance(model, PlaceModel):
        return places.take_apart(model)
    taken: tuple[dict[str, Any], dict[str, npt.NDArray[Any]]] = _networks().take_apart(model)
    return taken


def _members(package: Package, description: Mapping[str, Any], arrays: Mapping[str, npt.NDArray[Any]]) -> dict[str, bytes]:
    plain, inputs, expected = package.test
    found = {
        "LICENSE": package.licence.encode(),
        "card.md": package.card.encode(),
        "fingerprint.json": _text(dict(package.fingerprint)),
        "manifest.json": _text({**package.manifest, "description": description}),
        "pipeline.yaml": package.pipeline.to_yaml().encode(),
        "plan.yaml": yaml.dump(dict(package.plan)).encode(),
        "scores.json": _text(dict(package.scores)),
        "selftest/expected.json": _text(dict(plain)),
        "selftest/input.safetensors": _bytes(inputs),
        "weights.safetensors": _bytes(arrays),
    }
    if expected:
        found["selftest/expected.safetensors"] = _bytes(expected)
    return found


def _default_pipeline(name: str, description: Mapping[str, Any], fingerprint: Mapping[str, Any]) -> Pipeline:
    segments, finds = description["kind"] in SEGMENTERS, description["kind"] in places.KINDS
    to = "predicted" if segments else "found" if finds else "prediction"
    operation = "segment.package" if segments else "detect.package" if finds else "classify.package"
    step = Step(operation, {}, ("image",), to)
    applies = {"modality": list(fingerprint["modality"])} if fingerprint.get("modality") else {}
    report = {"labels": [to]} if segments else {}
    return Pipeline(name, (step,), title=name.replace("-", " ").capitalize(), applies=applies, report=report)
