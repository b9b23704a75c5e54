"""A frozen test set of an external validation: the same cases every time, and a record of every look at them."""

from __future__ import annotations

from pathlib import Path

from isocenter.core.errors import ContentError, FormatError
from isocenter.core.results import Scores
from isocenter.core.text import plain
from isocenter.io import atomic
from isocenter.learn.data.cohort import Cohort
from isocenter.learn.evaluate.frozen import FrozenTest
from isocenter.learn.package.fingerprint import case_digest
from isocenter.learn.package.model import Package
from isocenter.learn.package.validate import value_of

__all__ = ["frozen_set", "record_look"]

#: A record is a few hundred bytes a case and a look; what is larger is something else.
_LARGEST = 64 << 20


def frozen_set(record: Path, package: Package, cohort: Cohort) -> FrozenTest:
    """Return the frozen test set of a record, or a new one of the cases of a cohort where there is none yet.

    Parameters
    ----------
    record
        File of the record.
    package
        The model that is to be judged on it.
    cohort
        The cases: all of the set and no others, whatever their files are called.

    Raises
    ------
    ContentError
        If the cohort holds other cases than the set, or the record was changed.
    FormatError
        If the file is no record.
    InputError
        If a case cannot be read: a set of which some cases cannot be read is not the set.
    """
    cases: list[str] = []
    for k in range(len(cohort)):
        digest = case_digest(value_of(package, cohort, k))
        again = sum(name.startswith(digest) for name in cases)  # rows of a table may be alike and still be two cases
        cases.append(f"{digest} {again + 1}" if again else digest)
    if not record.exists():
        return FrozenTest(cohort.name, tuple(cases))
    try:
        if record.stat().st_size > _LARGEST:
            raise FormatError(f"{plain(record.name)}: more than {_LARGEST >> 20} MiB: expected the record of a frozen test set.")
        known = FrozenTest.from_json(record.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise FormatError(f"{plain(record.name)}: cannot be read: expected the record of a frozen test set.") from error
    missing, further = set(known.cases) - set(cases), set(cases) - set(known.cases)
    if missing or further:
        raise ContentError(
            f"Cohort '{cohort.name}' is not the frozen test set '{known.name}' of {plain(record.name)}: {len(missing)} of its "
            f"{len(known.cases)} cases are missing and {len(further)} are others; expected the same cases, or another record."
        )
    return known


def record_look(record: Path, frozen: FrozenTest, package: Package, scores: Scores) -> str:
    """Write the record with one more look, and return what it means in a sentence.

    Parameters
    ----------
    record
        File of the record.
    frozen
        The set as it was before.
    package
        The model that was judged.
    scores
        What came out.
    """
    values = {name: float(score.value) for name, score in scores.items()}
    after = frozen.looked(package.digest, "external validation", values)
    atomic.write_text(record, after.to_json())
    return after.sentence()
