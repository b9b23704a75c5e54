"""Features, Scores and Prediction: the numbers that come out."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from isocenter.core.errors import ParameterError, UnknownNameError, did_you_mean
from isocenter.core.provenance import Provenance, digest_json

__all__ = ["Column", "Features", "Prediction", "Score", "Scores"]


def _json_number(value: Any) -> Any:
    """Return a value that JSON can hold: NaN and infinities as text, numpy's scalars as Python's."""
    value = value.item() if hasattr(value, "item") else value
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value


@dataclass(frozen=True)
class Column:
    """One column of a feature table.

    Attributes
    ----------
    name
        Readable and unique in its table: ``volume``, ``intensity_mean`` ...
    unit
        ``mm``, ``mm^3``, ``HU``, ``1`` for a plain number; text columns have an empty unit.
    standard
        Identifier in a standard, ``IBSI:RNU0`` for instance; empty where there is none.
    summary
        What it is, in a few words.
    tag
        Name of the column in reference tables, ``cm_joint_max_3D_avg`` for instance; empty where there is none.
    """

    name: str
    unit: str = "1"
    standard: str = ""
    summary: str = ""
    tag: str = ""


@dataclass(frozen=True)
class Features:
    """Measurements: one row per region of one image.

    Parameters
    ----------
    columns
        What is measured.
    rows
        Values in column order; NaN where a value is not defined for that region, and only there.
    regions
        The region's name of each row.
    provenance
        Where the numbers came from.
    """

    columns: tuple[Column, ...]
    rows: tuple[tuple[Any, ...], ...]
    regions: tuple[str, ...]
    provenance: Provenance = field(default_factory=Provenance)

    def __post_init__(self) -> None:
        object.__setattr__(self, "columns", tuple(self.columns))
        object.__setattr__(self, "rows", tuple(tuple(r) for r in self.rows))
        object.__setattr__(self, "regions", tuple(self.regions))
        names = [c.name for c in self.columns]
        if len(set(names)) != len(names):
            raise ParameterError(f"Feature names repeat: {sorted({n for n in names if names.count(n) > 1})}.")
        if any(len(r) != len(names) for r in self.rows) or len(self.rows) != len(self.regions):
            raise ParameterError("A feature table whose rows do not fit its columns and regions: expected one value per column.")

    @property
    def names(self) -> tuple[str, ...]:
        """Column names."""
        return tuple(c.name for c in self.columns)

    def __getitem__(self, key: str | tuple[str, str]) -> Any:
        """Return one value: ``features["volume"]`` of the only region, or ``features["lesion", "volume"]``."""
        if isinstance(key, str):
            if len(self.rows) != 1:
                raise UnknownNameError(
                    f"Feature '{key}' of {len(self.rows)} regions {list(self.regions)}: expected features[region, name]."
                )
            region, name = self.regions[0], key
        else:
            region, name = key
        if region not in self.regions:
            raise UnknownNameError(f"No region '{region}': there are {list(self.regions)}.{did_you_mean(region, self.regions)}")
        if name not in self.names:
            raise UnknownNameError(f"No feature '{name}' in this table.{did_you_mean(name, self.names)}")
        return self.rows[self.regions.index(region)][self.names.index(name)]

    def to_records(self) -> list[dict[str, Any]]:
        """Return one dict per row, ``region`` first."""
        return [
            {"region": region, **dict(zip(self.names, row, strict=True))}
            for region, row in zip(self.regions, self.rows, strict=True)
        ]

    @classmethod
    def joined(cls, tables: Iterable[Features]) -> Features:
        """Return the columns of several tables over the same regions side by side."""
        tables = list(tables)
        if not tables:
            return cls((), (), ())
        regions = tables[0].regions
        if any(t.regions != regions for t in tables):
            raise ParameterError("Feature tables of different regions cannot stand side by side: expected the same regions.")
        columns = tuple(c for t in tables for c in t.columns)
        rows = tuple(tuple(v for t in tables for v in t.rows[k]) for k in range(len(regions)))
        return cls(columns, rows, regions, Provenance.merged(t.provenance for t in tables))

    @cached_property
    def digest(self) -> str:
        """Digest of the table (floats by their exact value)."""
        cells = [[_json_number(v) for v in r] for r in self.rows]
        return digest_json(["Features", [[c.name, c.unit] for c in self.columns], list(self.regions), cells])


@dataclass(frozen=True)
class Score:
    """A number that judges: its value, unit, interval and how many cases it rests on.

    Attributes
    ----------
    value
        The score.
    unit
        ``mm``, ``dB``, ``1`` ...
    interval
        Lower and upper bound (95 %), None for a single case.
    n
        Number of cases (or objects) behind it.
    """

    value: float
    unit: str = "1"
    interval: tuple[float, float] | None = None
    n: int = 1

    def __float__(self) -> float:
        return float(self.value)

    def __str__(self) -> str:
        unit = "" if self.unit == "1" else f" {self.unit}"
        between = "" if self.interval is None else f" ({self.interval[0]:.4g} to {self.interval[1]:.4g})"
        return f"{self.value:.4g}{unit}{between}, n = {self.n}"


@dataclass(frozen=True)
class Scores(Mapping[str, Score]):
    """Name -> `Score`, in order."""

    values_by_name: Mapping[str, Score]
    provenance: Provenance = field(default_factory=Provenance)

    def __post_init__(self) -> None:
        object.__setattr__(self, "values_by_name", dict(self.values_by_name))

    def __getitem__(self, name: str) -> Score:
        try:
            return self.values_by_name[name]
        except KeyError:
            known = list(self.values_by_name)
            raise UnknownNameError(f"No score '{name}': there are {known}.{did_you_mean(name, known)}") from None

    def __iter__(self) -> Iterator[str]:
        return iter(self.values_by_name)

    def __len__(self) -> int:
        return len(self.values_by_name)

    def __contains__(self, name: object) -> bool:
        return name in self.values_by_name

    @cached_property
    def digest(self) -> str:
        """Digest of every score."""
        rows = [
            [
                k,
                _json_number(float(s.value)),
                s.unit,
                None if s.interval is None else [_json_number(float(v)) for v in s.interval],
                s.n,
            ]
            for k, s in self.values_by_name.items()
        ]
        return digest_json(["Scores", rows])


@dataclass(frozen=True)
class Prediction:
    """What a model says of one case.

    Parameters
    ----------
    classes
        Class names; empty for a regression.
    probabilities
        One per class, summing to 1; empty for a regression.
    value
        The predicted number of a regression, else None.
    unit
        Its unit.
    """

    classes: tuple[str, ...] = ()
    probabilities: tuple[float, ...] = ()
    value: float | None = None
    unit: str = "1"
    provenance: Provenance = field(default_factory=Provenance)

    def __post_init__(self) -> None:
        object.__setattr__(self, "classes", tuple(self.classes))
        object.__setattr__(self, "probabilities", tuple(float(p) for p in self.probabilities))
        if len(self.classes) != len(self.probabilities):
            raise ParameterError(f"{len(self.probabilities)} probabilities for {len(self.classes)} classes: expected one each.")
        if self.classes and abs(sum(self.probabilities) - 1.0) > 1e-6:
            raise ParameterError(f"Probabilities sum to {sum(self.probabilities):.6g}: expected 1.")
        if not self.classes and self.value is None:
            raise ParameterError("An empty prediction: expected classes with probabilities, or a value.")

    @property
    def label(self) -> str | None:
        """The most probable class."""
        if not self.classes:
            return None
        return self.classes[max(range(len(self.classes)), key=self.probabilities.__getitem__)]

    @cached_property
    def digest(self) -> str:
        """Digest of the prediction."""
        return digest_json(["Prediction", list(self.classes), list(self.probabilities), self.value, self.unit])
