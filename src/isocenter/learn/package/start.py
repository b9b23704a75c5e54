"""A package as the beginning of a training: whether its network fits the cohort, what it has seen of it, what is recorded of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from isocenter.core.errors import ParameterError
from isocenter.core.image import Image
from isocenter.core.text import plain
from isocenter.learn.data.cohort import Cohort
from isocenter.learn.leakage.ancestry import judge_ancestry
from isocenter.learn.leakage.report import Finding, LeakageReport
from isocenter.learn.leakage.scan import scan
from isocenter.learn.package.ancestry import ancestors_of, known_digests, terms_of
from isocenter.learn.package.fingerprint import known_again
from isocenter.learn.package.model import MODEL_STEPS, Package
from isocenter.learn.package.reading import read_package
from isocenter.learn.splits import Splits

__all__ = ["Start", "read_start", "scanned"]

#: Steps that turn images to an order of axes and back, which a cohort is turned to when it is read.
_TURNS = ("resample.orient", "resample.to_grid")
#: Tasks, in words.
_TASKS = {
    "classification": "classes",
    "regression": "numbers",
    "segmentation": "masks",
    "detection": "boxes",
    "landmarks": "points",
    "survival": "times to an event",
}


@dataclass(frozen=True, eq=False)
class Start:
    """A network to begin with.

    Attributes
    ----------
    package
        That it came in.
    trained
        `TrainedSegmenter`, `TrainedNetwork`, `TrainedDetector` or `TrainedLandmarks`: what the trainers take as ``start``.
    """

    package: Package
    trained: Any

    @property
    def name(self) -> str:
        """Of the package."""
        return str(self.package.manifest["name"])

    @property
    def digest(self) -> str:
        """``sha256:...`` of the package."""
        return self.package.digest

    @property
    def ancestors(self) -> list[dict[str, Any]]:
        """What a model that begins with it records: it, then what it began with itself."""
        return ancestors_of(self.package)

    @property
    def terms(self) -> str:
        """What the licence of a model that begins with it must say."""
        return terms_of(self.ancestors, self.package.licence)

    @property
    def silent(self) -> tuple[str, ...]:
        """Names of the models, it or its ancestors, that keep no digests of the cases they were trained on."""
        training = self.package.manifest["training"]
        own = () if training["digests"] else (self.name,)
        return (*own, *known_digests(training)[1])

    @property
    def directions(self) -> str | None:
        """Order of axes that its images had (`Geometry.directions`); None where they had several, or it is not known."""
        known = self.package.fingerprint.get("directions") or []
        if len(known) == 1:
            return str(known[0])
        # Of an imported model it is a step before the model.
        codes = [
            str(s.parameters["code"]) for s in self.package.pipeline.steps if s.op == "resample.orient" and "code" in s.parameters
        ]
        return codes[0] if len(codes) == 1 else None

    def turned(self, cohort: Cohort) -> Cohort:
        """Return a cohort whose images are turned to the order of axes that the network was trained on: samples alone tell no left.

        Parameters
        ----------
        cohort
            Of images with or without an order of axes.
        """
        code = self.directions
        if code is None or cohort.directions in (None, code):
            return cohort
        note = (
            f"Images are turned from {cohort.directions} to {code}, the order of axes that model '{plain(self.name, 80)}' was trained on, without "
            "interpolation."
        )
        return replace(cohort, directions=code, notes=(*cohort.notes, note))

    def require(self, image: Image) -> None:
        """Refuse a cohort whose images the network does not take.

        Parameters
        ----------
        image
            One of them; all are of one kind.

        Raises
        ------
        ParameterError
            If it has other axes or channels, or its size is in another unit.
        """
        from isocenter.learn.train.start import require_kind

        axes, channels, grid = _takes(self.trained)
        require_kind(image, axes, channels, f"Model '{plain(self.name, 80)}', which is to be begun with,")
        units = self.package.manifest["inputs"].get("unit") or []
        if grid is not None and units and image.geometry.unit not in units:
            shown = " x ".join(f"{s:g}" for s in grid)
            raise ParameterError(
                f"Model '{plain(self.name, 80)}', which is to be begun with, takes samples of {shown} {units[0]}; the size of these images is in "
                f"{image.geometry.unit}: expected images of one unit; begin with another one, or without."
            )

    def findings(self, cohort: Cohort, read: Callable[[int], Image]) -> tuple[Finding, ...]:
        """Return what speaks against testing on a cohort what began with this network.

        Parameters
        ----------
        cohort
            The cases.
        read
            Gives the image of each.
        """
        known, _ = known_digests(self.package.manifest["training"])
        seen = [k for k in range(len(cohort)) if known and self._again(read(k), known)]
        return judge_ancestry(cohort, plain(self.name, 80), seen, self.silent)

    def _again(self, image: Image, known: frozenset[str]) -> bool:
        return known_again(image, known) or known_again(self.package.turned(image), known)

    def notes(self) -> tuple[str, ...]:
        """Return what of the package is not taken over, one sentence each."""
        own = {*MODEL_STEPS, *(_TURNS if self.directions is not None else ())}
        steps = [step.op for step in self.package.pipeline.steps if step.op not in own]
        if not steps:
            return ()
        return (
            f"Steps about the model in package '{plain(self.name, 80)}' ({', '.join(steps)}) are not taken over: the network sees the images as "
            "they lie.",
        )

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for a lineage: which models the weights come from, without the digests of their cases."""
        return {"ancestors": [{k: v for k, v in a.items() if k != "digests"} for a in self.ancestors]}


def read_start(path: Path | str, task: str) -> Start:
    """Read a package whose network a training is to begin with.

    Parameters
    ----------
    path
        The package.
    task
        Of the cohort.

    Raises
    ------
    ParameterError
        If the package is for another task, or holds no network that can be trained further.
    MissingInputError, FormatError, VerificationError
        As of `read_package`.
    """
    package = read_package(path)
    manifest: Mapping[str, Any] = package.manifest
    who = f"{Path(path).name}: model '{plain(manifest['name'], 80)}'"
    if manifest["task"] != task:
        raise ParameterError(
            f"{who} learned {_TASKS[manifest['task']]}, these labels are {_TASKS[task]}: expected a package of the same task to begin with."
        )
    trained = getattr(package.model, "trained", None) or getattr(package.model, "finder", None)
    if not hasattr(trained, "networks") and not hasattr(trained, "network"):
        raise ParameterError(
            f"{who} holds no network ({plain(manifest['model'], 200).rstrip('.')}): expected a package whose network a training can begin with."
        )
    if manifest["description"].get("network") == "onnx" or _network(trained) == "onnx":
        raise ParameterError(
            f"{who} is kept as an ONNX graph, which cannot be trained further: expected weights; import them from safetensors, a checkpoint, "
            "an nnU-Net folder or a MONAI bundle."
        )
    return Start(package, trained)


def scanned(
    cohort: Cohort,
    splits: Splits,
    read: Callable[[int], Image],
    start: Start | None = None,
    *,
    accept: str | None = None,
    say: Callable[[str, int, int], None] | None = None,
) -> LeakageReport:
    """Return what the leakage scan found of a cohort and of the network that is begun with, where nothing of it refuses.

    Parameters
    ----------
    cohort, splits
        The cases, and how they are divided.
    read
        Gives the image of each case.
    start
        The network; None where weights are random.
    accept
        Why a refusal is overridden.
    say
        Told what is done: (what, done, total).

    Raises
    ------
    ParameterError
        If the network does not take these images.
    ContentError
        If something was found that makes every score meaningless, and it was not accepted.
    """
    further: tuple[Finding, ...] = ()
    if start is not None:
        start.require(read(0))
        further = start.findings(cohort, read)
    told = None if say is None else lambda done, total: say("scanning", done, total)
    report = scan(cohort, splits, accept=accept, further=further, progress=told)
    report.require()
    return report


def _network(trained: Any) -> str:
    return str(trained.plan.network if hasattr(trained, "plan") else trained.network)


def _takes(trained: Any) -> tuple[int, int, tuple[float, ...] | None]:
    """Return axes, channels, and the size of a sample where the network has one."""
    plan = getattr(trained, "plan", None)
    if plan is None:
        return len(trained.size), trained.channels, None
    if hasattr(plan, "patch"):
        return len(plan.patch), len(plan.intensity), plan.spacing
    return len(plan.spacing), plan.channels, plan.spacing
