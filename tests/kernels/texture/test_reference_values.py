"""Every texture value of the IBSI digital phantom, in all six aggregations (408 values)."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np

from isocenter.kernels.texture.cooccurrence import COOCCURRENCE, DIRECTIONS_2D, DIRECTIONS_3D, cooccurrence, cooccurrence_features
from isocenter.kernels.texture.emphasis import DEPENDENCES, DISTANCES, RUNS, ZONES, emphasis_features, sparse
from isocenter.kernels.texture.neighbours import TONES, neighbours, tone_features
from isocenter.kernels.texture.runs import runs
from isocenter.kernels.texture.zones import distance_triples, size_triples, zones


def emphasis(matrix: Any, samples: int) -> Any:
    return emphasis_features(*sparse(matrix), float(samples))


def computed(levels: Any, mask: Any) -> dict[str, float]:
    count, total = int(levels.max()), int(mask.sum())
    found: dict[str, float] = {}

    def put(family: str, names: Iterable[str], how: str, rows: Iterable[Any]) -> None:
        mean = np.mean(np.array(list(rows)), axis=0)
        found.update({f"{family}_{name}_{how}": float(v) for name, v in zip(names, mean, strict=False)})

    slices = [levels[k : k + 1] for k in range(len(levels)) if levels[k].any()]
    masks = [mask[k : k + 1] for k in range(len(levels)) if levels[k].any()]
    sizes = [int((s > 0).sum()) for s in slices]

    space = cooccurrence(levels, count, DIRECTIONS_3D)
    plane = np.array([cooccurrence(s, count, DIRECTIONS_2D) for s in slices])
    put("cm", COOCCURRENCE, "3D_avg", [cooccurrence_features(c) for c in space])
    put("cm", COOCCURRENCE, "3D_comb", [cooccurrence_features(space.sum(0))])
    put("cm", COOCCURRENCE, "2D_avg", [cooccurrence_features(c) for s in plane for c in s])
    put("cm", COOCCURRENCE, "2D_comb", [cooccurrence_features(s.sum(0)) for s in plane])
    put("cm", COOCCURRENCE, "2_5D_avg", [cooccurrence_features(c) for c in plane.sum(0)])
    put("cm", COOCCURRENCE, "2_5D_comb", [cooccurrence_features(plane.sum((0, 1)))])

    space = runs(levels, count, DIRECTIONS_3D)
    plane = np.array([runs(s, count, DIRECTIONS_2D) for s in slices])
    put("rlm", RUNS, "3D_avg", [emphasis(r, total) for r in space])
    put("rlm", RUNS, "3D_comb", [emphasis(space.sum(0), 13 * total)])
    put("rlm", RUNS, "2D_avg", [emphasis(r, n) for s, n in zip(plane, sizes, strict=True) for r in s])
    put("rlm", RUNS, "2D_comb", [emphasis(s.sum(0), 4 * n) for s, n in zip(plane, sizes, strict=True)])
    put("rlm", RUNS, "2_5D_avg", [emphasis(r, total) for r in plane.sum(0)])
    put("rlm", RUNS, "2_5D_comb", [emphasis(plane.sum((0, 1)), 4 * total)])

    each = [zones(s, m, True) for s, m in zip(slices, masks, strict=True)]
    joined = tuple(np.concatenate([z[k] for z in each]) for k in range(3))
    for family, names, triples in (("szm", ZONES, size_triples), ("dzm", DISTANCES, distance_triples)):
        put(family, names, "3D", [emphasis_features(*triples(zones(levels, mask, False)), float(total))])
        put(family, names, "2D", [emphasis_features(*triples(z), float(n)) for z, n in zip(each, sizes, strict=True)])
        put(family, names, "2_5D", [emphasis_features(*triples(joined), float(total))])  # type: ignore[arg-type]  # three arrays

    seen, away, alike = neighbours(levels, count, False)
    put("ngt", TONES, "3D", [tone_features(seen, away)])
    put("ngl", DEPENDENCES, "3D", [emphasis(alike, total)])
    near = [neighbours(s, count, True) for s in slices]
    put("ngt", TONES, "2D", [tone_features(a, b) for a, b, _ in near])
    put("ngl", DEPENDENCES, "2D", [emphasis(c, n) for (_, _, c), n in zip(near, sizes, strict=True)])
    put("ngt", TONES, "2_5D", [tone_features(sum(a for a, _, _ in near), sum(b for _, b, _ in near))])
    put("ngl", DEPENDENCES, "2_5D", [emphasis(sum(c for _, _, c in near), total)])
    return found


def test_digital_phantom(shared: Callable[[str], Path]) -> None:
    import nibabel

    folder = shared("ibsi")
    image = np.asarray(nibabel.load(folder / "1_digital_phantom/image/phantom.nii.gz").dataobj).transpose(2, 1, 0)
    mask = np.asarray(nibabel.load(folder / "1_digital_phantom/mask/mask.nii.gz").dataobj).transpose(2, 1, 0) > 0
    found = computed(np.where(mask, image, 0).astype(np.int32), mask)
    wrong, compared = [], 0
    with (folder / "1_reference_values/ibsi_1_dig_phantom.csv").open(newline="") as handle:
        for row in csv.DictReader(handle, delimiter=";"):
            tag = row["tag"]
            if tag.split("_")[0] not in ("cm", "rlm", "szm", "dzm", "ngt", "ngl"):
                continue
            compared += 1
            # The references are stated to three significant digits, so that is where they are compared.
            if abs(float(f"{found[tag]:.3g}") - float(row["reference value"])) > float(row["tolerance"]) + 1e-12:
                wrong.append((tag, found[tag], row["reference value"]))
    assert compared == 408
    assert wrong == []


def test_flat_and_single_regions_are_defined() -> None:
    flat = np.ones((3, 3, 3), np.int32)
    for levels in (flat, flat[:1, :1, :1]):
        values = computed(levels, levels > 0)
        single = levels.size == 1
        assert all(np.isfinite(v) for name, v in values.items() if not single or name.split("_")[0] not in ("cm", "ngt"))
    assert computed(flat, flat > 0)["ngt_coarseness_3D"] == 1e6
    assert computed(flat, flat > 0)["cm_corr_3D_comb"] == 1.0
