"""Run: a plan carried out on a study, step by step, each result in a slot of its own.

A step that was computed before, on equal inputs with equal parameters, is taken from the cache; its result then
carries the same digest and the same provenance as if it had been computed.
"""

from __future__ import annotations

import copy
import time
from dataclasses import dataclass, field, replace
from typing import Any

from isocenter.core.errors import IsocenterError, StepError
from isocenter.core.operation import Spec
from isocenter.core.provenance import Provenance, StepRecord
from isocenter.core.study import Study
from isocenter.pipeline.cache import Cache
from isocenter.pipeline.meter import Meter
from isocenter.pipeline.plan import LeftOut, Plan, PlannedStep
from isocenter.pipeline.ports import kind_class
from isocenter.pipeline.progress import Event, Listener, silent

__all__ = ["Outcome", "StepOutcome", "execute", "step_record"]

#: Stands among the input digests for an optional port that stays empty.
EMPTY_PORT = "-"


@dataclass(frozen=True)
class StepOutcome:
    """What became of one step.

    Attributes
    ----------
    index, name, op, to, line
        As planned: `name` is the step's slot as written, `to` the slot it fills.
    inputs
        Slot of every port, None for an empty one.
    record
        Operation, version, parameters, input digests by port, seed, notes.
    key
        Its cache key, `record.key`.
    digest
        Digest of the result.
    cached
        Whether it was taken from the cache.
    seconds, peak_bytes
        Measured: wall time, and the highest memory of the process meanwhile.
    """

    index: int
    name: str
    op: str
    to: str
    key: str
    digest: str
    cached: bool
    seconds: float
    peak_bytes: int
    inputs: tuple[str | None, ...]
    record: StepRecord
    line: int | None = None

    @property
    def notes(self) -> tuple[str, ...]:
        """The quality flags the step raised."""
        return self.record.notes


@dataclass(frozen=True)
class Outcome:
    """What a run gave.

    Attributes
    ----------
    study
        The study with every result added.
    steps
        In the order they ran.
    left_out
        Steps of the pipeline that did not run, and why.
    plan
        What was run.
    seed
        The seed of every step.
    """

    study: Study
    steps: tuple[StepOutcome, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    plan: Plan | None = field(default=None, repr=False)
    seed: int = 0

    @property
    def computed(self) -> int:
        """How many steps were computed, not taken from the cache."""
        return sum(not step.cached for step in self.steps)

    def step(self, slot: str) -> StepOutcome | None:
        """Return the step that filled a slot, None for a slot that came with the study."""
        return next((step for step in self.steps if step.to == slot), None)

    @property
    def digests(self) -> dict[str, str]:
        """Slot -> digest of everything the steps added."""
        return {step.to: step.digest for step in self.steps}


def step_record(step: PlannedStep, inputs: tuple[Any, ...], seed: int, notes: tuple[str, ...] = ()) -> StepRecord:
    """Return the record of a step on these input values (None for an empty port)."""
    digests = tuple(EMPTY_PORT if value is None else value.digest for value in inputs)
    operation = step.operation
    return StepRecord(operation.name or step.op, operation.version, operation.parameters(), digests, seed, notes)


def execute(
    plan: Plan,
    study: Study,
    *,
    cache: Cache | None = None,
    seed: int = 0,
    threads: int | None = None,
    progress: Listener | None = None,
    force: bool = False,
) -> Outcome:
    """Carry out a plan.

    Parameters
    ----------
    plan
        Without problems.
    study
        Holds the slots the plan was made for, loaded.
    cache
        Where results are looked up and kept; None computes everything.
    seed
        Seed of every step's randomness.
    threads
        Threads an operation may use; None leaves it to the machine. Results do not depend on it.
    progress
        Called with every `Event`.
    force
        Compute everything afresh and replace what the cache holds.

    Returns
    -------
    Outcome
        The study with one slot more per step.

    Raises
    ------
    SpecError
        If the plan has problems.
    StepError
        If a step fails: the message names the step, its line and the reason. What was computed before it stays in
        the cache; ``error.outcome`` holds it as well.
    """
    plan.require()
    tell = progress or silent
    started = time.perf_counter()
    total = len(plan.steps)
    expected = sum(s.cost.seconds for s in plan.steps) or 1.0
    tell(Event("begin", study.pseudonym, total=total))
    for out in plan.left_out:
        tell(Event("left out", study.pseudonym, to=out.to, op=out.op, text=out.reason))
    done: list[StepOutcome] = []
    share = 0.0
    for step in plan.steps:
        event = Event("start", study.pseudonym, step.index + 1, total, step.to, step.op, fraction=min(share, 1.0))
        tell(event)
        try:
            value, outcome, remark = _one(step, study, cache, seed, threads, force)
        except StepError as error:
            error.outcome = Outcome(study, tuple(done), plan.left_out, plan, seed)
            tell(replace(event, kind="failed", text=str(error)))
            raise
        study = study.add(step.to, value)
        done.append(outcome)
        share += step.cost.seconds / expected
        tell(
            replace(
                event, kind="cached" if outcome.cached else "done", seconds=outcome.seconds, fraction=min(share, 1.0), text=remark
            )
        )
    tell(Event("end", study.pseudonym, total=total, seconds=time.perf_counter() - started, fraction=1.0))
    return Outcome(study, tuple(done), plan.left_out, plan, seed)


def _one(
    step: PlannedStep, study: Study, cache: Cache | None, seed: int, threads: int | None, force: bool
) -> tuple[Any, StepOutcome, str]:
    """Return a step's result, what became of it, and a remark about the cache."""
    with Meter() as meter:
        values = tuple(None if slot is None else _value(study, slot, step) for slot in step.inputs)
        try:
            asked = step_record(step, values, seed)
        except Exception as error:  # a lazy input is read here; whatever its reader raises, the step says so
            raise _failed(step, error) from error
        past = Provenance.merged(value.provenance for value in values if value is not None)
        remark = ""
        entry = cache.get(asked.key) if cache is not None and not force else None
        if entry is not None:
            value = _with_provenance(entry.value, past.then(entry.record))
            record = entry.record
        else:
            value = _computed(step, values, seed, threads)
            last = value.provenance.steps[-1] if value.provenance.steps else asked
            record = replace(asked, notes=last.notes)
            # The same provenance whether computed or cached: the step as asked for stands at its end.
            value = _with_provenance(value, past.then(record))
            if cache is not None:
                why = cache.put(asked.key, value, record)
                remark = f"not kept in the cache: {why}" if why else ""
        digest = value.digest
    outcome = StepOutcome(
        step.index,
        step.name,
        step.op,
        step.to,
        asked.key,
        digest,
        entry is not None,
        meter.seconds,
        meter.bytes,
        step.inputs,
        record,
        step.line,
    )
    return value, outcome, remark


def _value(study: Study, slot: str, step: PlannedStep) -> Any:
    try:
        return study[slot]
    except IsocenterError as error:
        raise _failed(step, error) from error


def _computed(step: PlannedStep, values: tuple[Any, ...], seed: int, threads: int | None) -> Any:
    """Return what the operation gives, checked to be of the planned kind."""
    try:
        value = step.operation(*values, seed=seed, threads=threads)  # type: ignore[operator]  # families define __call__
    except Exception as error:  # the border of every operation: the run says which step failed and why
        raise _failed(step, error) from error
    planned = kind_class(step.spec.kind)
    if planned is not None and not isinstance(value, planned) and step.spec.kind != "Points":
        told = Spec.of(value).kind
        raise StepError(
            f"{_place(step)} gave {told} where {step.spec.kind} was planned: expected the operation to keep its word."
        )
    return value


def _failed(step: PlannedStep, error: Exception) -> StepError:
    text = str(error) if isinstance(error, IsocenterError) else f"{type(error).__name__}: {error}".rstrip(": ")
    if isinstance(error, MemoryError) and not isinstance(error, IsocenterError):
        text = "it ran out of memory: crop or resample the image first, or use a larger machine."
    return StepError(f"{_place(step)} failed: {text}")


def _place(step: PlannedStep) -> str:
    return step.place[0].upper() + step.place[1:]


def _with_provenance(value: Any, provenance: Provenance) -> Any:
    """Return a copy of a noun with another provenance; its digest, which does not depend on it, is kept."""
    if value.provenance == provenance:
        return value
    changed = copy.copy(value)
    object.__setattr__(changed, "provenance", provenance)
    return changed
