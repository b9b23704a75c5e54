"""Runs in which the disk fails at one step: what it says, what it leaves standing, and how the next run ends.

``python -m tests.jobs.faults`` fails every single step in turn, as ``make faults`` does; the tests take one of each kind.
"""

from __future__ import annotations

import argparse
import errno
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from isocenter.core.errors import WriteError
from isocenter.io import seam
from isocenter.io.atomic import PARTIAL
from isocenter.jobs import case
from isocenter.jobs import run as job
from isocenter.jobs.options import Options
from isocenter.view import html, pdf
from tests.jobs.make_cohort import tree, write_cohort

STUDY = "name: smooth\nsteps:\n  - {op: denoise.median, with: {radius: 1}, to: smooth}\n"
COUNT, SIZE = 20, 8
#: What a step fails with: full, broken, over quota, read-only.
ERRORS = (errno.ENOSPC, errno.EIO, errno.EDQUOT, errno.EROFS)


@dataclass
class Cohort:
    """Studies, and what an undisturbed run makes of them."""

    folder: Path
    prepared: job.Prepared
    options: Options
    calm: dict[str, bytes]
    steps: list[tuple[seam.Step, Path]]

    def run(self, out: Path) -> job.Summary:
        """Run it all, in this process."""
        return job.execute(self.prepared, out, self.options)


def cohort(folder: Path) -> Cohort:
    """Write the studies and run them once undisturbed."""
    write_cohort(folder / "in", COUNT, SIZE)
    (folder / "smooth.yaml").write_text(STUDY, encoding="utf-8")
    options = Options(study=str(folder / "smooth.yaml"), workers=1)
    prepared = job.prepare([folder / "in"], options)
    with seam.counting() as steps:
        summary = job.execute(prepared, folder / "calm", options)
    assert summary.exit_code == 0 and len(summary.cases) == COUNT
    return Cohort(folder, prepared, options, tree(folder / "calm"), steps)


@contextmanager
def drawn_once() -> Iterator[None]:
    """Keep what is drawn of a case: reports are pure functions of it, and these runs are about writing them."""
    reports: dict[Any, Any] = {}
    drawn: dict[tuple[str, int], bytes] = {}
    real_report, real_page, real_document = vars(case)["case_report"], html.html, pdf.pdf

    def report(analysis: Any, outcome: Any, findings: Any, meshes: Any, notes: Sequence[str], identity: Any) -> Any:
        key = (analysis.name, tuple(notes), tuple(findings.notes), tuple(s.op for s in outcome.steps))
        if key not in reports:
            reports[key] = real_report(analysis, outcome, findings, meshes, notes, identity)
        return reports[key]

    def once(kind: str, draw: Callable[[Any], bytes]) -> Callable[[Any], bytes]:
        def drawing(value: Any) -> bytes:
            if all(value is not known for known in reports.values()):
                return draw(value)
            if (kind, id(value)) not in drawn:
                drawn[kind, id(value)] = draw(value)
            return drawn[kind, id(value)]

        return drawing

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(case, "case_report", report)
        patch.setattr(html, "html", once("page", real_page))
        patch.setattr(pdf, "pdf", once("document", real_document))
        yield


def belongs_to_a_case(relative: str) -> bool:
    """Return whether a result file is of one case: those of the cohort tell what was set aside, and so may differ."""
    return relative.startswith("cases/")


def check(cohort: Cohort, out: Path, nth: int) -> str:
    """Fail one step, look at what stands there, resume, and return what was said.

    Raises
    ------
    AssertionError
        If an error goes unnamed, a file is not whole, or the resumed run differs from the undisturbed one.
    """
    kind, target = cohort.steps[nth - 1]
    relative = target.relative_to(cohort.folder / "calm")
    code = ERRORS[nth % len(ERRORS)]
    said = ""
    with seam.failing(nth, lambda: OSError(code, os.strerror(code))):
        try:
            summary = cohort.run(out)
            said = " ".join(reason for _, reason in summary.set_aside)
            assert (summary.exit_code == 1) == bool(said)
            assert len(summary.cases) + len(summary.set_aside) == COUNT
        except WriteError as error:
            said = str(error)
    if ".isocenter" in relative.parts:  # the cache saves time and decides nothing: a run without it is complete
        assert said == "" or os.strerror(code) in said, said
    else:
        assert os.strerror(code) in said and target.name in said, (kind, relative, said)
        assert "Traceback" not in said and said.isprintable() and said.count("could not be") == 1, said
        assert ("nothing was left under that name" in said) == (kind != "sync folder"), said
    standing = tree(out)
    for path, content in standing.items():
        if belongs_to_a_case(path):
            assert content == cohort.calm[path], f"{path} is not what it should be after {kind} of {relative} failed"
    left = [p for p in out.rglob("*") if p.name.startswith(PARTIAL[0]) and p.name.endswith(PARTIAL[1])]
    assert left == [], left
    again = cohort.run(out)
    assert again.exit_code == 0 and len(again.cases) == COUNT, again.set_aside
    assert tree(out) == cohort.calm, f"resumed after {kind} of {relative}: not bit-equal"
    return said


def main() -> int:
    """Fail every step in turn and print what came of it; exit 1 where anything was wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--share", default="1/1", help="which part of the steps: 1/2, 2/2 ...")
    part, parts = map(int, parser.parse_args().share.split("/"))
    memory = Path("/dev/shm")
    folder = Path(tempfile.mkdtemp(prefix="isocenter-faults-", dir=memory if os.access(memory, os.W_OK) else None))
    wrong, began = [], time.monotonic()
    try:
        with drawn_once():
            made = cohort(folder)
            numbers = range(part, len(made.steps) + 1, parts)
            for done, nth in enumerate(numbers, 1):
                try:
                    check(made, folder / "out", nth)
                except Exception as error:  # noqa: BLE001 - one step that goes wrong is reported with all others
                    wrong.append(f"step {nth} {made.steps[nth - 1]}: {type(error).__name__}: {str(error)[:400]}")
                shutil.rmtree(folder / "out", ignore_errors=True)
                if done % 100 == 0:
                    sys.stderr.write(f"{done} of {len(numbers)} steps, {len(wrong)} wrong, {time.monotonic() - began:.0f} s\n")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    sys.stdout.write(
        f"{len(numbers)} of {len(made.steps)} steps failed in turn, {len(wrong)} ended wrong, {time.monotonic() - began:.0f} s\n"
    )
    sys.stdout.write("".join(f"  {line}\n" for line in wrong))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
