"""ISMRM raw data: the image of the k-space that is read is the phantom that was measured, in its place."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

h5py = pytest.importorskip("h5py", reason="raw data are an extra")

from isocenter.core.raw import Raw  # noqa: E402  after the check for the extra
from isocenter.io.budget import Budget  # noqa: E402  after the check for the extra
from isocenter.io.door import inspect, read_study  # noqa: E402  after the check for the extra
from tests.io.raw_files import NAVIGATOR, NOISE, REVERSE, image_of, kspace_of, row, save, xml  # noqa: E402  after the check for the extra

NY, NX = 24, 32


def phantom(coils: int = 2, ny: int = NY, nx: int = NX) -> Any:
    """Return an object off centre, seen by coils of different phase: (coils, ny, nx)."""
    y, x = np.mgrid[:ny, :nx]
    body = 1.0 * ((y - 10) ** 2 + (x - 20) ** 2 < 40) + 0.5 * ((y > 15) & (x < 10))
    return np.stack([body * np.exp(1j * (k + 0.05 * x)) for k in range(coils)])


def raw(path: Path, name: str = "kspace") -> Raw:
    inventory = inspect(path)
    assert not inventory.refusals, inventory.refusals
    value = {item.name: item for item in inventory.items}[name].load()
    assert isinstance(value, Raw)
    return value


def cartesian(truth: Any, order: Any = None, **changes: Any) -> list[Any]:
    k = kspace_of(truth)
    return [
        row(k[:, line], int(line), scan_counter=n, **changes)
        for n, line in enumerate(order if order is not None else range(k.shape[1]))
    ]


def test_the_image_of_the_kspace_is_the_phantom(tmp_path: Path) -> None:
    order = np.random.default_rng(0).permutation(NY)
    value = raw(save(tmp_path / "a.h5", cartesian(phantom(), order), xml(NY, NX)))
    assert value.axes == ("coil", "line", "readout") and value.kind == "kspace" and value.modality == "MR"
    assert np.allclose(image_of(value.array), phantom(), atol=1e-5)
    assert value.acquisition["trajectory"] == "cartesian" and value.acquisition["repetition_time_ms"] == 500
    assert value.geometry is not None and value.geometry.spacing == pytest.approx((5.0, 2.0, 1.5))
    # The sample of index n // 2 lies at the stated position.
    assert value.geometry.to_world([[0, NY // 2, NX // 2]])[0] == pytest.approx((3, -4, 20))


def test_oversampling_reversed_readouts_and_partial_echoes_come_to_their_places(tmp_path: Path) -> None:
    wide = phantom(1, NY, 2 * NX)
    k = kspace_of(wide)
    rows: list[Any] = []
    for line in range(NY):
        if line % 2:  # as echo-planar imaging measures them
            rows.append(row(k[:, line, ::-1], line, flags=REVERSE, center_sample=NX - 1))
        else:
            rows.append(row(k[:, line], line))
    value = raw(save(tmp_path / "a.h5", rows, xml(NY, NX, 2, "epi")))
    assert value.array.shape == (1, NY, 2 * NX)
    assert np.allclose(image_of(value.array), wide, atol=1e-5)
    assert value.acquisition["readout_oversampling"] == pytest.approx(2.0)
    short = [row(k[:, line, 10:], line, center_sample=NX - 10) for line in range(NY)]
    partial = raw(save(tmp_path / "b.h5", short, xml(NY, NX, 2)))
    assert np.allclose(partial.array[:, :, 10:], k[:, :, 10:], atol=1e-3) and not partial.array[:, :, :10].any()
    padded = [row(np.pad(k[:, n], ((0, 0), (4, 2))), n, discard_pre=4, discard_post=2, center_sample=NX + 4) for n in range(NY)]
    assert np.allclose(raw(save(tmp_path / "c.h5", padded, xml(NY, NX, 2))).array, k, atol=1e-3)


def test_lines_that_were_not_measured_are_zero_and_told(tmp_path: Path) -> None:
    k = kspace_of(phantom())
    # Partial Fourier: 16 lines, the counter 4 is the centre.
    rows = [row(k[:, NY // 2 - 4 + n], n) for n in range(16)]
    path = save(tmp_path / "a.h5", rows, xml(NY, NX, centre=4))
    (item,) = inspect(path).items
    assert any("8 of 24 lines were not measured" in p.text for p in item.problems)
    found = item.load().array
    assert np.allclose(found[:, 8:], k[:, 8:], atol=1e-3) and not found[:, :8].any()


def test_noise_navigators_flags_slices_and_contrasts(tmp_path: Path) -> None:
    truth = phantom()
    rng = np.random.default_rng(1)
    rows = [row(rng.normal(size=(2, 40)) + 0j, 0, flags=NOISE) for _ in range(3)]
    for part in range(2):
        for contrast in range(2):
            scale = 1 + part + 10 * contrast
            rows += cartesian(scale * truth, slice=part, contrast=contrast, position=(3, -4, 20 + 7 * part))
    rows.append(row(np.ones((2, NX)), 0, flags=NAVIGATOR))
    path = save(tmp_path / "a.mrd", rows, xml(NY, NX))
    value = raw(path)
    assert value.axes == ("echo", "slice", "coil", "line", "readout")
    for part in range(2):
        for contrast in range(2):
            assert np.allclose(image_of(value.array[contrast, part]), (1 + part + 10 * contrast) * truth, atol=1e-4)
    assert value.geometry is not None and value.geometry.shape == (2, NY, NX)
    assert value.geometry.spacing == pytest.approx((7.0, 2.0, 1.5))
    assert value.acquisition["flag_axes"] == ["echo", "slice", "line"] and value.acquisition["flags"].shape == (2, 2, NY)
    noise = raw(path, "noise")
    assert noise.array.shape == (3, 2, 40) and 0.5 < float(noise.array.real.std()) < 1.5
    assert any("1 acquisitions that are no image data" in p.text for i in inspect(path).items for p in i.problems)
    study = read_study(path)
    assert isinstance(study["kspace"], Raw)


def test_a_radial_trajectory_comes_in_cycles_per_mm(tmp_path: Path) -> None:
    radii = (np.arange(NX) - NX // 2) / NX
    spokes = np.linspace(0, np.pi, 8, endpoint=False)
    rows = [
        row(np.ones((1, NX)) * n, n, trajectory=np.stack([radii * np.cos(a), radii * np.sin(a)], 1)) for n, a in enumerate(spokes)
    ]
    value = raw(save(tmp_path / "a.h5", rows, xml(NX, NX, trajectory="radial")))
    places = value.acquisition["trajectory"]
    assert places.shape == (8, NX, 2)
    assert places[0, 0] == pytest.approx((-0.5 / 1.5, 0.0), abs=1e-6) and places[4, 0] == pytest.approx(
        (0.0, -0.5 / 2.0), abs=1e-6
    )
    assert np.allclose(value.array[0, 3], 3)


def test_spirals_of_a_simulator_keep_their_coordinates(shared: Callable[[str], Path]) -> None:
    value = raw(shared("kspace") / "ismrmrd_spiral" / "signals_spiralout_clean_slc30.h5")
    assert value.array.shape == (1, 15, 4940)  # the sixteenth acquisition is marked as a dummy
    places = value.acquisition["trajectory"]
    # From the centre outwards to 0.5 / mm, for 220 samples in 220 mm; the centre holds the most signal.
    radius = np.hypot(places[..., 0], places[..., 1])
    assert radius[:, 0].max() < 1e-4 and radius.max() == pytest.approx(0.5, abs=0.005)
    assert (np.abs(value.array[0]).argmax(axis=1) < 50).all()


ENTITY = '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><ismrmrdHeader>&a;</ismrmrdHeader>'
LAUGHS = '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><ismrmrdHeader>&b;</ismrmrdHeader>'


def _external(path: Path) -> None:
    with h5py.File(path, "a") as file:
        file["dataset/more"] = h5py.ExternalLink("/etc/hostname", "/x")


def _soft(path: Path) -> None:
    with h5py.File(path, "a") as file:
        file["again"] = h5py.SoftLink("/dataset")


def _loop(path: Path) -> None:
    with h5py.File(path, "a") as file:
        file["dataset/self"] = file["dataset"]


def _short(path: Path) -> None:
    with h5py.File(path, "a") as file:
        one = file["dataset/data"][3]
        one["data"] = one["data"][:10]
        file["dataset/data"][3] = one


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:3000])


@pytest.mark.parametrize(
    ("spoil", "told"), [(_external, "external link"), (_soft, "soft link"), (_cut, "cannot be read")], ids=["external", "soft", "cut"]
)  # fmt: skip
def test_links_and_damage_are_refused(tmp_path: Path, spoil: Callable[[Path], None], told: str) -> None:
    path = save(tmp_path / "a.h5", cartesian(phantom()), xml(NY, NX))
    spoil(path)
    (refusal,) = inspect(path).refusals
    assert told in refusal.reason and "a.h5" in refusal.reason


def test_a_group_within_itself_does_no_harm_and_a_short_readout_is_refused(tmp_path: Path) -> None:
    path = save(tmp_path / "a.h5", cartesian(phantom()), xml(NY, NX))
    _loop(path)
    assert np.allclose(image_of(raw(path).array), phantom(), atol=1e-5)
    _short(path)
    (item,) = inspect(path).items
    with pytest.raises(ValueError, match="acquisition 4 holds 10 numbers"):
        item.load()


@pytest.mark.parametrize(
    ("header", "told"),
    [
        (ENTITY, "entity"), (LAUGHS, "entity"), ("<a><b></a>", "XML"), ("<ismrmrdHeader/>", "encodedSpace"),
        (xml(NY, NX).replace("<x>32</x>", "<x>99999999999</x>"), "expected a number"), (xml(NY, NX, trajectory="spiral"), "without its coordinates"),
        (xml(100_000, NX, nz=100_000), "would take"),
    ],
    ids=["entity", "laughs", "broken", "empty", "huge", "spiral", "budget"],
)  # fmt: skip
def test_a_bad_header_is_refused(tmp_path: Path, header: str, told: str) -> None:
    inventory = inspect(save(tmp_path / "a.h5", cartesian(phantom()), header))
    assert not inventory.items and told in inventory.refusals[0].reason
    assert "root:" not in inventory.refusals[0].reason


@pytest.mark.parametrize(
    "change", [{"center_sample": 60_000}, {"discard_pre": 60_000}, {"active_channels": 0}, {"position": (np.nan, 0, 0)}]
)
def test_an_acquisition_that_lies_is_refused(tmp_path: Path, change: dict[str, Any]) -> None:
    rows = cartesian(phantom())
    rows[2] = row(kspace_of(phantom())[:, 2], 2, **change)
    (refusal,) = inspect(save(tmp_path / "a.h5", rows, xml(NY, NX))).refusals
    assert "acquisition 3" in refusal.reason


def test_other_hdf5_budget_and_missing_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with h5py.File(tmp_path / "o.h5", "w") as file:
        file["x"] = [1, 2, 3]
    assert "0 measurements" in inspect(tmp_path / "o.h5").refusals[0].reason
    path = save(tmp_path / "a.h5", cartesian(phantom()), xml(NY, NX))
    assert inspect(path, budget=Budget(max_voxels=100)).refusals[0].kind == "budget"
    monkeypatch.setitem(sys.modules, "h5py", None)
    assert 'pip install "isocenter[raw]"' in inspect(path).refusals[0].reason
