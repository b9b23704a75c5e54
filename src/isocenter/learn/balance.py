"""Dealing groups into parts of wanted sizes, so that every stratum is spread as evenly as whole groups allow."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

__all__ = ["deal"]

#: At most this many rounds of exchanges; each one lowers the cost, and few are ever needed.
ROUNDS = 400


def deal(
    groups: npt.NDArray[np.intp],
    strata: Sequence[npt.NDArray[np.intp]],
    shares: Sequence[float],
    seed: int,
) -> npt.NDArray[np.intp]:
    """Deal groups into parts.

    Parameters
    ----------
    groups
        Group of each sample, 0 .. groups - 1.
    strata
        One or more classifications of the samples, most important first; each gives a stratum 0 .. k - 1 per sample.
    shares
        Share of each part, positive, summing to 1.
    seed
        Decides which of equally good deals is taken.

    Returns
    -------
    numpy.ndarray
        Part of each *group*.

    Notes
    -----
    Groups are dealt in turn, largest and rarest first, each to the part that is furthest behind; then single groups
    are moved, and pairs exchanged, while that lowers the squared deviation from the wanted counts.
    """
    rng = np.random.default_rng(seed)
    counts, weights = _counts(groups, strata)
    share = np.asarray(shares, dtype=np.float64) / float(np.sum(shares))
    wanted = share[:, None] * counts.sum(axis=0)[None, :]
    order = rng.permutation(len(counts))
    # Rare strata first, then large groups: what is hard to place is placed while there is room.
    total = counts.sum(axis=0)
    rarity = np.array([total[row > 0].min() for row in counts])
    order = order[np.lexsort((rarity[order], -counts[order, -1]))]
    part = np.full(len(counts), -1, dtype=np.intp)
    have = np.zeros_like(wanted)
    for group in order:
        after = have + counts[group]
        rise = (weights * ((after - wanted) ** 2 - (have - wanted) ** 2)).sum(axis=1)
        rise += 1e-9 * rng.random(len(share))
        best = int(np.argmin(rise))
        part[group] = best
        have[best] += counts[group]
    _exchange(counts, part, have, wanted, weights)
    return part


def _counts(
    groups: npt.NDArray[np.intp], strata: Sequence[npt.NDArray[np.intp]]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return samples per group and stratum (the last column is all of them), and the weight of each column."""
    size = int(groups.max()) + 1
    columns, weights = [], []
    for rank, stratum in enumerate(strata):
        table = np.zeros((size, int(stratum.max()) + 1))
        np.add.at(table, (groups, stratum), 1.0)
        columns.append(table)
        weights.append(np.full(table.shape[1], 4.0**-rank))
    columns.append(np.bincount(groups, minlength=size).astype(np.float64)[:, None])
    weights.append(np.array([4.0 ** -len(strata)]))
    return np.hstack(columns), np.concatenate(weights)


def _exchange(
    counts: npt.NDArray[np.float64],
    part: npt.NDArray[np.intp],
    have: npt.NDArray[np.float64],
    wanted: npt.NDArray[np.float64],
    weights: npt.NDArray[np.float64],
) -> None:
    """Move single groups and exchange pairs in place while the cost falls."""
    kinds, kind = np.unique(counts, axis=0, return_inverse=True)
    kind = kind.reshape(-1)
    if len(kinds) > 200:  # a cohort of many unlike patients: moves alone, whose number grows with the groups only
        steps = kinds
    else:
        steps = np.concatenate([kinds, (kinds[:, None] - kinds[None, :]).reshape(-1, kinds.shape[1])])
    parts = len(have)
    for _ in range(ROUNDS):
        present = np.zeros((parts, len(kinds)), dtype=bool)
        present[part, kind] = True
        best = (-1e-9, -1, -1, -1)
        for source in range(parts):
            gap_source = have[source] - wanted[source]
            loss = (weights * (steps**2 - 2.0 * steps * gap_source)).sum(axis=1)
            for target in range(parts):
                if source == target:
                    continue
                gap_target = have[target] - wanted[target]
                change = loss + (weights * (steps**2 + 2.0 * steps * gap_target)).sum(axis=1)
                allowed = present[source]
                if len(steps) > len(kinds):
                    allowed = np.concatenate([allowed, (allowed[:, None] & present[target][None, :]).reshape(-1)])
                change = np.where(allowed, change, np.inf)
                k = int(np.argmin(change))
                if change[k] < best[0]:
                    best = (float(change[k]), source, target, k)
        _, source, target, k = best
        if source < 0:
            return
        leaving = k if k < len(kinds) else (k - len(kinds)) // len(kinds)
        group = np.flatnonzero((part == source) & (kind == leaving))[0]
        moved = [(group, target)]
        if k >= len(kinds):
            back = np.flatnonzero((part == target) & (kind == (k - len(kinds)) % len(kinds)))[0]
            moved.append((back, source))
        for one, to in moved:
            have[part[one]] -= counts[one]
            have[to] += counts[one]
            part[one] = to
