"""Plan: a pipeline laid over the slots of a study: typed steps, what each gives, what each costs, every problem.

Nothing is read and nothing is computed: operations resolve specs (kind, axes, grid, quantity), so a plan for a
cohort is made from headers alone.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from isocenter.core.errors import ContentError, IsocenterError, SpecError, did_you_mean
from isocenter.core.operation import Cost, Operation, Spec
from isocenter.core.registry import Registry, operations
from isocenter.pipeline import ports
from isocenter.pipeline.bind import bind
from isocenter.pipeline.measured import ALTERING, require_unfiltered
from isocenter.pipeline.spec import MASK, Pipeline, Step

__all__ = ["LeftOut", "Limits", "Plan", "PlannedStep", "plan"]

_MASK_KINDS = ("LabelMap", "MaskStack")


def _memory() -> int:
    """Return the physical memory of this machine in bytes."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # not every system tells
        return 8 << 30


@dataclass(frozen=True)
class Limits:
    """What a plan may cost.

    Attributes
    ----------
    seconds
        Estimated time on one core, all steps together.
    bytes
        Estimated memory at the peak; default: what the machine has.
    halo
        Samples that one result may depend on, to each side.
    steps
        Steps after repeating them for masks.
    """

    seconds: float = 24 * 3600.0
    bytes: int = field(default_factory=_memory)
    halo: int = 4096
    steps: int = 2000


@dataclass(frozen=True)
class PlannedStep:
    """One step that will run.

    Attributes
    ----------
    index
        Position, from 0.
    name
        The step's `to` as written; `to` is where the result goes (they differ for repeated steps).
    to
        The slot it fills.
    op
        Registered name.
    operation
        The operation with its parameters.
    inputs
        Slot of every port in order, None for an optional port that stays empty.
    spec
        What the result will be.
    cost
        Estimated seconds on one core, and bytes at the peak of the step above what the study holds.
    held
        Bytes that the study holds after it.
    line
        Where it was written.
    """

    index: int
    name: str
    to: str
    op: str
    operation: Operation
    inputs: tuple[str | None, ...]
    spec: Spec
    cost: Cost
    held: int
    line: int | None = None

    @property
    def peak(self) -> int:
        """Estimated memory while it runs: all that the study holds, and the step's own."""
        return self.held - self.spec.nbytes + self.cost.bytes

    @property
    def place(self) -> str:
        """The step as messages name it: ``step 'lungs' (segment.lungs, line 4)``."""
        return replace(Step(self.op, to=self.to), line=self.line).place


@dataclass(frozen=True)
class LeftOut:
    """A step that will not run, and why."""

    op: str
    to: str
    reason: str
    line: int | None = None


@dataclass(frozen=True)
class Plan:
    """A pipeline laid over the slots of a study.

    Attributes
    ----------
    pipeline
        What was planned.
    slots
        Slot -> spec of the study's own slots.
    aliases
        Input of the pipeline -> slot of the study, where they are named differently.
    steps
        What will run, in order.
    left_out
        What will not, and why.
    problems
        What keeps the plan from running, one sentence each.
    files
        Relative path -> estimated bytes of what will be written (the job that writes fills it in).
    """

    pipeline: Pipeline
    slots: Mapping[str, Spec]
    aliases: Mapping[str, str] = field(default_factory=dict)
    steps: tuple[PlannedStep, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    problems: tuple[str, ...] = ()
    files: Mapping[str, int] = field(default_factory=dict)

    @property
    def cost(self) -> Cost:
        """Estimated seconds on one core, and the highest memory of the whole run in bytes."""
        seconds = sum((s.cost.seconds for s in self.steps), 0.0)
        start = sum(s.nbytes for s in self.slots.values())
        return Cost(seconds, max((s.peak for s in self.steps), default=start))

    @property
    def results(self) -> dict[str, Spec]:
        """Slot -> spec of everything the steps add: what the job that writes names its files by."""
        return {step.to: step.spec for step in self.steps}

    def with_files(self, files: Mapping[str, int]) -> Plan:
        """Return the plan with the files that will be written and their estimated bytes."""
        return replace(self, files=dict(files))

    def require(self) -> Plan:
        """Return the plan itself.

        Raises
        ------
        SpecError
            With every problem, if it has any.
        """
        if self.problems:
            raise SpecError(self.problems, self.pipeline.source or self.pipeline.name)
        return self

    def table(self) -> list[dict[str, Any]]:
        """Return one row per step, for people: step, op, from, to, gives, seconds, bytes, note; steps left out come last."""
        rows = [
            _row(s.index + 1, s.op, s.to, s.line, [name for name in s.inputs if name], describe(s.spec), s.cost.seconds, s.peak)
            for s in self.steps
        ]
        return rows + [_row(None, s.op, s.to, s.line, note=f"left out: {s.reason}") for s in self.left_out]


def _row(
    step: int | None,
    op: str,
    to: str,
    line: int | None,
    taken: list[str] | None = None,
    gives: str = "",
    seconds: float = 0.0,
    peak: int = 0,
    note: str = "",
) -> dict[str, Any]:
    """Return one row of `Plan.table`."""
    row = {"step": step, "op": op, "from": taken or [], "to": to, "gives": gives}
    return {**row, "seconds": seconds, "bytes": peak, "line": line, "note": note}


def describe(spec: Spec) -> str:
    """Return a spec in a few words: ``Image z y x 20 x 512 x 512 HU``."""
    shape = "" if spec.geometry is None else " x ".join(str(n) for n in spec.geometry.shape)
    return " ".join(part for part in (spec.kind, " ".join(spec.dims), shape, spec.quantity or "") if part)


def plan(
    pipeline: Pipeline,
    slots: Mapping[str, Spec],
    limits: Limits | None = None,
    *,
    registry: Registry | None = None,
) -> Plan:
    """Lay a pipeline over the slots of a study.

    Parameters
    ----------
    pipeline
        What to do.
    slots
        Slot -> spec of what the study holds (`Spec.of` for values, `Item.spec` for what has not been read).
    limits
        What it may cost.
    registry
        Where operations are looked up; default: all that are installed.

    Returns
    -------
    Plan
        Its `problems` say what keeps it from running; `Plan.require` raises them.
    """
    return _Planner(pipeline, slots, limits or Limits(), registry or operations()).run()


class _Planner:
    """Walks the steps once, keeping what every slot will be."""

    def __init__(self, pipeline: Pipeline, slots: Mapping[str, Spec], limits: Limits, registry: Registry) -> None:
        self.pipeline, self.slots, self.limits, self.registry = pipeline, dict(slots), limits, registry
        self.problems: list[str] = []
        self.aliases = bind(pipeline, slots, self.problems)
        self.known: dict[str, Spec] = {**slots, **{name: slots[slot] for name, slot in self.aliases.items()}}
        self.masks = [name for name, spec in slots.items() if spec.kind in _MASK_KINDS]
        self.steps: list[PlannedStep] = []
        self.left_out: list[LeftOut] = []
        self.broken: set[str] = set()
        self.altered: dict[str, str] = {}
        self.held = sum(spec.nbytes for spec in slots.values())

    def run(self) -> Plan:
        for step in self.pipeline.steps:
            reason = self.condition(step)
            if reason:
                self.leave_out(step, reason)
                continue
            for one in self.repeated(step):
                self.place(one, step.to)
        self.check_cost()
        return Plan(
            self.pipeline, self.slots, self.aliases, tuple(self.steps), tuple(self.left_out), tuple(dict.fromkeys(self.problems))
        )

    def condition(self, step: Step) -> str:
        """Return why a step's condition is not met, empty where it is."""
        when = step.when or ""
        if when == "masks" and not self.masks:
            return "no masks came along"
        if when == "no-masks" and self.masks:
            return f"masks came along ({', '.join(self.masks)})"
        name = when.partition("slot:")[2]
        if name and (name in self.known) == when.startswith("no-"):
            return f"there is {'a' if when.startswith('no-') else 'no'} slot '{name}'"
        if step.each and not self.masks:
            return "no masks came along"
        return ""

    def repeated(self, step: Step) -> list[Step]:
        """Return a step once, or once per mask with the mask's name put in."""
        if not step.each:
            return [step]
        return [
            replace(step, inputs=tuple(name.replace(MASK, mask)[:63] for name in step.inputs), to=f"{step.to}_{mask}"[:63])
            for mask in self.masks
        ]

    def leave_out(self, step: Step, reason: str) -> None:
        self.left_out.append(LeftOut(step.op, step.to, reason, step.line))

    def place(self, step: Step, name: str) -> None:
        """Add a step to the plan, or leave it out where it is optional, or note its problem."""
        if len(self.steps) >= self.limits.steps:
            self.problems.append(f"More than {self.limits.steps} steps after repeating them for each mask: expected fewer.")
            return
        try:
            self.steps.append(self.typed(step, name))
        except IsocenterError as error:
            lost = [s for s in step.inputs if s in self.broken]
            if step.optional:
                self.leave_out(step, str(error))
            elif not lost:  # what follows from a problem that is told already is no news
                self.problems.append(_sentence(step, error))
                self.broken.add(step.to)
            else:
                self.broken.add(step.to)
            return
        done = self.steps[-1]
        self.known[done.to] = done.spec
        self.held = done.held

    def typed(self, step: Step, name: str) -> PlannedStep:
        """Return a step with its ports filled, its result resolved and its cost estimated."""
        operation: Operation = self.registry.load(step.op)(**step.parameters)
        if step.to in self.known:
            raise ContentError(f"Slot '{step.to}' is taken: a step adds a slot and never overwrites one; give it another 'to'.")
        taken = step.inputs or (self.previous(),)
        given = [(slot, self.spec_of(slot)) for slot in taken]
        filled = ports.assign(type(operation), step.op, given)
        specs = [self.known[slot] for slot in filled if slot is not None]
        names = [slot for slot in filled if slot is not None]
        if not step.filtered:
            require_unfiltered(operation, names, self.known, self.altered)
        try:
            spec = operation.resolve(*specs)
            cost = operation.cost(*specs)
            self.check_halo(operation, specs)
        except IsocenterError:
            raise
        except Exception as error:  # an extension may fail in any way; a plan says so instead of dying
            raise ContentError(f"{step.op} cannot tell what it would give ({type(error).__name__}: {error}).") from error
        if spec.kind == "Image":
            maker = (
                step.op
                if step.op.partition(".")[0] in ALTERING
                else next((self.altered[n] for n in names if n in self.altered), "")
            )
            if maker:
                self.altered[step.to] = maker
        held = self.held + spec.nbytes
        total = Cost(cost.seconds, cost.bytes + spec.nbytes)
        inputs = tuple(None if slot is None else self.aliases.get(slot, slot) for slot in filled)
        return PlannedStep(len(self.steps), name, step.to, step.op, operation, inputs, spec, total, held, step.line)

    def previous(self) -> str:
        """Return the slot a step takes where `from` is absent: the last image made, else the image of the study."""
        for step in reversed(self.steps):
            if step.spec.kind == "Image":
                return step.to
        if "image" in self.known:
            return "image"
        images = [name for name, one in self.pipeline.slots.items() if one.kind == "image" and name in self.known]
        if len(images) == 1:
            return images[0]
        raise ContentError(
            f"No 'from', and no single image to begin with (there are {', '.join(images) or 'none'}): name the slot."
        )

    def spec_of(self, slot: str) -> Spec:
        if slot in self.known:
            return self.known[slot]
        for out in self.left_out:
            if out.to == slot:
                raise ContentError(f"It needs slot '{slot}', but the step that makes it is left out: {out.reason.rstrip('.')}.")
        raise ContentError(f"No slot '{slot}': there are {', '.join(self.known) or 'none'}.{did_you_mean(slot, self.known)}")

    def check_halo(self, operation: Operation, specs: list[Spec]) -> None:
        geometry = specs[0].geometry if specs else None
        halo = None if geometry is None else operation.halo(geometry)
        if halo is not None and max(halo, default=0) > self.limits.halo:
            raise ContentError(
                f"{operation.name} would look {min(max(halo), 10**12)} samples or more around each of the image's: expected at most {self.limits.halo}; "
                "give a smaller size."
            )

    def check_cost(self) -> None:
        """Note steps that would not fit into memory, and a plan that would take too long."""
        for step in self.steps:
            if step.peak > self.limits.bytes:
                self.problems.append(
                    f"{step.place[0].upper()}{step.place[1:]} would need about {min(step.peak, 2**80) / 2**30:.4g} GiB, the limit is "
                    f"{self.limits.bytes / 2**30:.1f} GiB: crop or resample the image first, or use a larger machine."
                )
                break
        seconds = sum(step.cost.seconds for step in self.steps)
        if seconds > self.limits.seconds:
            slowest = max(self.steps, key=lambda s: s.cost.seconds)
            self.problems.append(
                f"The plan would take about {seconds / 3600:.1f} hours on one core, most of it in {slowest.place}; the limit is "
                f"{self.limits.seconds / 3600:.1f} hours: give smaller parameters or a smaller image."
            )


def _sentence(step: Step, error: IsocenterError) -> str:
    where = f"line {step.line}: " if step.line is not None else ""
    return f"{where}step '{step.to}' ({step.op}): {error}"
