"""Bring a model that was trained elsewhere into a package, or its weights into safetensors: by file and hash, running none of its code."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from isocenter.core.errors import MissingInputError, ParameterError, VerificationError
from isocenter.core.provenance import digest_json
from isocenter.io import door
from isocenter.io.text import terminal
from isocenter.learn.package.archive import SUFFIX
from isocenter.pipeline import yaml
from isocenter.pipeline.model import Pipeline, Step

__all__ = ["ImportOptions", "import_model"]


@dataclass(frozen=True)
class ImportOptions:
    """What the user may say of a source.

    Attributes
    ----------
    describe
        YAML with what weights alone do not say: task, network, classes, size and the like.
    images
        Folder of images of the kind that it was trained on: their range is what new inputs are compared with.
    sha256
        Digest that the source must have; None accepts any and prints it.
    key
        Where in what torch saved the weights stand.
    configuration, checkpoint
        Of an nnU-Net folder.
    weights
        File of the weights below a MONAI bundle.
    name
        Of the model; None takes the name of the package.
    """

    describe: Path | None = None
    images: Path | None = None
    sha256: str | None = None
    key: str | None = None
    configuration: str = "3d_fullres"
    checkpoint: str = "checkpoint_final.pth"
    weights: str = "models/model.pt"
    name: str | None = None


def import_model(source: Path | str, out: Path | str, options: ImportOptions | None = None) -> list[str]:
    """Import a model and return what was done, in words.

    Parameters
    ----------
    source
        ``.safetensors``, what torch saved (``.pt``, ``.pth``, ``.ckpt``), ``.onnx``, an nnU-Net folder or a MONAI bundle.
    out
        ``NAME.isocenter`` for a package, ``NAME.safetensors`` for the weights alone.
    options
        What the user says of it.

    Raises
    ------
    MissingInputError
        If there is no such source.
    VerificationError
        If it has another digest.
    FormatError
        If it holds anything but tensors and plain values: none of it is run.
    ContentError
        If weights and network do not fit.
    """
    options, path, target = options or ImportOptions(), Path(source), Path(out)
    if not path.exists():
        raise MissingInputError(
            f"{terminal(str(path))}: there is no such model: expected one on this machine, as nothing is downloaded."
        )
    if target.suffix not in (SUFFIX, ".safetensors"):
        raise ParameterError(f"{target.name}: expected a name that ends in {SUFFIX} (a package) or .safetensors (weights alone).")
    digest = _digest(path)
    if options.sha256 is not None and digest.removeprefix("sha256:") != options.sha256.removeprefix("sha256:"):
        raise VerificationError(f"{path}: has {digest}, expected {options.sha256}: it is not the model that was asked for.")
    if target.suffix == ".safetensors":
        return _weights(path, target, digest, options)
    return _package(path, target, digest, options)


def _digest(path: Path) -> str:
    """Return the digest of a file, or of all files of a folder with their names."""
    from isocenter.nets import weights

    if path.is_file():
        return weights.digest(path)
    files = sorted(p for p in path.rglob("*") if p.is_file() and not p.is_symlink())
    return digest_json([[p.relative_to(path).as_posix(), weights.digest(p)] for p in files])


def _weights(path: Path, target: Path, digest: str, options: ImportOptions) -> list[str]:
    from isocenter.learn.package.importing import source_weights
    from isocenter.nets import weights

    if path.is_dir():
        raise ParameterError(f"{path}: is a folder: expected a file of weights, or NAME{SUFFIX} to be written from it.")
    state = source_weights(path, options.key)
    made = weights.save(state, target)
    return [f"Read {len(state)} tensors of {path} ({digest}); none of its code was run.", f"{target}: {made}"]


def _package(path: Path, target: Path, digest: str, options: ImportOptions) -> list[str]:
    from isocenter.learn.package.import_bundle import from_bundle
    from isocenter.learn.package.importing import Imported, from_nnunet, imported_fingerprint
    from isocenter.learn.package.reading import Training, write_package

    codes: dict[str, Any] = {}
    licence = ""
    found: Imported
    if (path / "plans.json").is_file():
        kind, found = "nnU-Net folder", from_nnunet(path, options.configuration, options.checkpoint)
    elif (path / "configs").is_dir():
        kind, found = "MONAI bundle", from_bundle(path, options.weights)
        licence = (path / "LICENSE").read_text(encoding="utf-8") if (path / "LICENSE").is_file() else ""
    elif path.is_dir():
        raise ParameterError(
            f"{path}: is neither an nnU-Net folder (plans.json) nor a MONAI bundle (configs/): expected one of them, or a file."
        )
    else:
        kind = "ONNX file" if path.suffix == ".onnx" else "weights"
        found, codes = _described(path, options)
    images = (
        [] if options.images is None else [door.read(p) for p in sorted(options.images.iterdir()) if not p.name.startswith(".")]
    )
    limits = [
        f"It was trained elsewhere and imported ({kind}, {digest}): nothing that it reached there was proved here.",
        *found.notes,
    ]
    if not images:
        limits.append(
            "The range of its training data is not known: inputs unlike it are warned of by modality, axes and channels alone."
        )
    name = options.name or target.stem.lower().replace("_", "-").replace(" ", "-")
    made = write_package(
        target,
        found.model,
        name=name,
        fingerprint=imported_fingerprint(found, images),
        training=Training("imported", cohort=digest),
        pipeline=_pipeline(name, found),
        plan={"imported": kind, "source": path.name, "sha256": digest},
        codes=codes,
        limits=limits,
        licence=licence,
    )
    return [
        f"Read the {kind} {path} ({digest}); none of its code was run.",
        f"{target}: {made.digest}",
        f"Its self-test passed; model '{name}' gives {', '.join(made.classes[:6])}{' ...' if len(made.classes) > 6 else ''}.",
        *limits[1:],
        "Judge it on cases of yours before anything rests on it: isocenter model validate, or isocenter evaluate on its masks.",
    ]


def _described(path: Path, options: ImportOptions) -> tuple[Any, dict[str, Any]]:
    from isocenter.learn.package.importing import Described, from_description

    if options.describe is None:
        raise ParameterError(
            f"{path.name}: weights alone do not say what they are for: expected --describe FILE.yaml with task, network, classes and size; or "
            "NAME.safetensors as the output."
        )
    document = yaml.load(yaml.read_file(options.describe).decode("utf-8"), options.describe.name)
    described = Described.from_dict(document if isinstance(document, Mapping) else {}, options.describe.name)
    rows = [c for c in described.classes if isinstance(c, Mapping)]
    return from_description(path, described, options.key), {str(c["name"]): list(c["code"]) for c in rows if c.get("code")}


def _pipeline(name: str, found: Any) -> Pipeline:
    from isocenter.learn.package.networks import NetworkSegmenter

    segments = isinstance(found.model, NetworkSegmenter)
    given = found.before[-1].to if found.before else "image"
    to = "found" if found.after else "predicted" if segments else "prediction"
    step = Step("segment.package" if segments else "classify.package", {}, (given,), to)
    last = found.after[-1].to if found.after else to
    applies = {"modality": list(found.modality)} if found.modality else {}
    return Pipeline(
        name,
        (*found.before, step, *found.after),
        title=name.replace("-", " ").capitalize(),
        applies=applies,
        report={"labels": [last]} if segments else {},
    )
