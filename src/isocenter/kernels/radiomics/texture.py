"""Texture features of a discretised region in every aggregation of the IBSI.

References
----------
IBSI reference manual v11, sections 3.6 to 3.11, each with its aggregation methods.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.kernels.texture.cooccurrence import COOCCURRENCE, cooccurrence_features
from isocenter.kernels.texture.emphasis import DEPENDENCES, DISTANCES, RUNS, ZONES, emphasis_features, sparse
from isocenter.kernels.texture.sweep import Levels, Matrices, sweep
from isocenter.kernels.texture.tones import TONES, tone_features
from isocenter.kernels.texture.zones import border_distance, joined, zone_matrices

__all__ = ["AGGREGATIONS", "FAMILIES", "GLCM_LEVELS", "texture"]

#: Family -> tag prefix.
FAMILIES = {"glcm": "cm", "glrlm": "rlm", "glszm": "szm", "gldzm": "dzm", "ngtdm": "ngt", "ngldm": "ngl"}

#: Family -> feature tags and codes.
FEATURES = {"glcm": COOCCURRENCE, "glrlm": RUNS, "glszm": ZONES, "gldzm": DISTANCES, "ngtdm": TONES, "ngldm": DEPENDENCES}

#: Families whose matrices have directions to average or merge over; the others have one matrix per volume or slice.
DIRECTED = frozenset({"glcm", "glrlm"})

#: Aggregations of the directed families, and what the others take of them.
AGGREGATIONS = {
    "2D_avg": "2D", "2D_comb": "2D", "2_5D_avg": "2_5D", "2_5D_comb": "2_5D", "3D_avg": "3D", "3D_comb": "3D",
}  # fmt: skip

#: More levels than this make co-occurrence matrices that say nothing and fill the memory.
GLCM_LEVELS = 2048

#: Samples of the box from which on two threads are worth starting.
_WORTH = 200_000

FloatArray = npt.NDArray[np.float64]


@dataclass
class _Found:
    """Features by tag; averages leave out matrices that are empty."""

    values: dict[str, float]

    def put(self, family: str, aggregation: str, rows: Iterable[FloatArray]) -> None:
        names = FEATURES[family]
        table = np.array([row[: len(names)] for row in rows]).reshape(-1, len(names))
        table = table[~np.isnan(table).all(axis=1)]
        mean = table.mean(axis=0) if len(table) else np.full(len(names), np.nan)
        prefix = FAMILIES[family]
        self.values.update({f"{prefix}_{tag}_{aggregation}": float(v) for tag, v in zip(names, mean, strict=True)})


def _emphasis(matrix: Any, samples: int) -> FloatArray:
    result: FloatArray = emphasis_features(*sparse(matrix), float(samples))
    return result


def texture(
    levels: Levels,
    region: npt.NDArray[np.uint8],
    count: int,
    families: Sequence[str],
    aggregations: Sequence[str],
    threads: int = 1,
) -> dict[str, float]:
    """Return the texture features of a region by tag.

    Parameters
    ----------
    levels
        uint8 or uint16 (z + 2, y + 2, x + 2): 0 outside the intensity mask, with one empty sample on every side.
    region
        uint8, same shape: not 0 inside the morphological mask, which border distances are measured in.
    count
        Number of levels n.
    families
        Of `FAMILIES`.
    aggregations
        Of `AGGREGATIONS`.
    threads
        Threads that may run at once.
    """
    found = _Found({})
    wanted = [f for f in FAMILIES if f in families]
    if any(a.startswith("3D") for a in aggregations):
        _in_space(found, levels, region, count, wanted, aggregations, threads)
    if any(a.startswith("2") for a in aggregations):
        _in_slices(found, levels, region, count, wanted, aggregations)
    return found.values


def _in_space(
    found: _Found, levels: Levels, region: Any, count: int, families: Sequence[str], aggregations: Sequence[str], threads: int
) -> None:
    samples = int(np.count_nonzero(levels))
    swept, zoned = bool({"glcm", "glrlm", "ngtdm", "ngldm"} & set(families)), bool({"glszm", "gldzm"} & set(families))

    def find_zones() -> Any:
        return zone_matrices(levels, border_distance(region, False), count)

    def pass_over(budget: int) -> Matrices:
        return sweep(levels, count, pairs="glcm" in families, runs="glrlm" in families, threads=budget)

    both, matrices = None, None
    if swept and zoned and threads > 1 and levels.size >= _WORTH:  # each takes about half of the time
        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(find_zones)
            matrices, both = pass_over(threads - 1), waiting.result()
    else:
        matrices = pass_over(threads) if swept else None
        both = find_zones() if zoned else None
    if matrices is not None:
        _of_sweep(found, matrices, samples, families, aggregations)
    for family, triples in zip(("glszm", "gldzm"), both or (), strict=False):
        if family in families:
            found.put(family, "3D", [emphasis_features(*triples, float(samples))])


def _of_sweep(found: _Found, matrices: Matrices, samples: int, families: Sequence[str], aggregations: Sequence[str]) -> None:
    """Put the features of the matrices of one pass in space."""
    if "glcm" in families:
        _both(found, "glcm", "3D", aggregations, matrices.pairs, cooccurrence_features)
    if "glrlm" in families:
        if "3D_avg" in aggregations:
            found.put("glrlm", "3D_avg", (_emphasis(m, samples) for m in matrices.runs))
        if "3D_comb" in aggregations:
            found.put("glrlm", "3D_comb", [_emphasis(matrices.runs.sum(axis=0), len(matrices.runs) * samples)])
    if "ngtdm" in families:
        found.put("ngtdm", "3D", [tone_features(matrices.occurrences, matrices.differences)])
    if "ngldm" in families:
        found.put("ngldm", "3D", [_emphasis(matrices.dependences, samples)])


def _both(found: _Found, family: str, where: str, aggregations: Sequence[str], matrices: Any, features: Any) -> None:
    """Put the average over directions and the features of the merged matrix."""
    if f"{where}_avg" in aggregations:
        found.put(family, f"{where}_avg", (features(m) for m in matrices))
    if f"{where}_comb" in aggregations:
        found.put(family, f"{where}_comb", [features(matrices.sum(axis=0))])


def _slices(levels: Levels, count: int, families: Sequence[str]) -> Iterator[tuple[int, int, Matrices]]:
    """Yield (plane, samples, matrices) of every slice with samples."""
    for plane in range(len(levels) - 2):
        samples = int(np.count_nonzero(levels[plane + 1]))
        if samples:
            bounds = (plane, plane + 1)
            yield (
                plane,
                samples,
                sweep(levels, count, in_plane=True, pairs="glcm" in families, runs="glrlm" in families, planes=bounds),
            )


def _in_slices(
    found: _Found, levels: Levels, region: Any, count: int, families: Sequence[str], aggregations: Sequence[str]
) -> None:
    rows: dict[tuple[str, str], list[FloatArray]] = {}
    sums: dict[str, Any] = {}
    sizes: dict[int, int] = {}
    flat = {a for a in aggregations if a.startswith("2D")}
    thick = {a for a in aggregations if a.startswith("2_5D")}
    for plane, samples, here in _slices(levels, count, families):
        sizes[plane] = samples
        for key, more in _of_slice(here, samples, families, flat):
            rows.setdefault(key, []).extend(more)
        if thick:
            parts = {
                "glcm": here.pairs, "glrlm": here.runs, "occurrences": here.occurrences, "differences": here.differences,
                "dependences": here.dependences,
            }  # fmt: skip
            sums = {name: matrix + sums[name] if sums else matrix for name, matrix in parts.items()}
    if sizes:
        _merged(rows, sums, sum(sizes.values()), families, thick)
        if {"glszm", "gldzm"} & set(families):
            _zones_in_slices(rows, levels, region, count, sizes, families, bool(flat), bool(thick))
    for (family, aggregation), kept in rows.items():
        found.put(family, aggregation, kept)


def _of_slice(
    here: Matrices, samples: int, families: Sequence[str], flat: set[str]
) -> Iterator[tuple[tuple[str, str], list[FloatArray]]]:
    """Yield what one slice adds to the averages over slices (2D)."""
    if "glcm" in families:
        if "2D_avg" in flat:
            yield ("glcm", "2D_avg"), [cooccurrence_features(m) for m in here.pairs]
        if "2D_comb" in flat:
            yield ("glcm", "2D_comb"), [cooccurrence_features(here.pairs.sum(axis=0))]
    if "glrlm" in families:
        if "2D_avg" in flat:
            yield ("glrlm", "2D_avg"), [_emphasis(m, samples) for m in here.runs]
        if "2D_comb" in flat:
            yield ("glrlm", "2D_comb"), [_emphasis(here.runs.sum(axis=0), 4 * samples)]
    if flat and "ngtdm" in families:
        yield ("ngtdm", "2D"), [tone_features(here.occurrences, here.differences)]
    if flat and "ngldm" in families:
        yield ("ngldm", "2D"), [_emphasis(here.dependences, samples)]


def _merged(rows: dict[Any, Any], sums: dict[str, Any], total: int, families: Sequence[str], thick: set[str]) -> None:
    """Add the rows of the matrices summed over slices (2.5D)."""
    if "glcm" in families:
        if "2_5D_avg" in thick:
            rows["glcm", "2_5D_avg"] = [cooccurrence_features(m) for m in sums["glcm"]]
        if "2_5D_comb" in thick:
            rows["glcm", "2_5D_comb"] = [cooccurrence_features(sums["glcm"].sum(axis=0))]
    if "glrlm" in families:
        if "2_5D_avg" in thick:
            rows["glrlm", "2_5D_avg"] = [_emphasis(m, total) for m in sums["glrlm"]]
        if "2_5D_comb" in thick:
            rows["glrlm", "2_5D_comb"] = [_emphasis(sums["glrlm"].sum(axis=0), 4 * total)]
    if thick and "ngtdm" in families:
        rows["ngtdm", "2_5D"] = [tone_features(sums["occurrences"], sums["differences"])]
    if thick and "ngldm" in families:
        rows["ngldm", "2_5D"] = [_emphasis(sums["dependences"], total)]


def _zones_in_slices(
    rows: dict[Any, Any], levels: Levels, region: Any, count: int, sizes: dict[int, int], families: Sequence[str], flat: bool,
    thick: bool,
) -> None:  # fmt: skip
    steps = border_distance(region, True)
    slices = [zone_matrices(levels, steps, count, in_plane=True, planes=(plane, plane + 1)) for plane in sizes]
    for kind, family in enumerate(("glszm", "gldzm")):
        if family not in families:
            continue
        each = [both[kind] for both in slices]
        if flat:
            rows[family, "2D"] = [emphasis_features(*t, float(n)) for t, n in zip(each, sizes.values(), strict=True)]
        if thick:
            rows[family, "2_5D"] = [emphasis_features(*joined(each), float(sum(sizes.values())))]
