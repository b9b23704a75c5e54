"""MINC 1 and 2: the values and the world of nibabel, in LPS; what lies or leads elsewhere is refused."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest

from isocenter.io.budget import Budget
from isocenter.io.door import inspect, read

h5py = pytest.importorskip("h5py", reason="MINC 2 is an extra")

SAMPLES = Path(nibabel.__file__).parent / "tests" / "data"
REFUSED = {"minc1-no-att.mnc": "no step", "minc2-no-att.mnc": "no step", "minc2_baddim.mnc": "in its header"}
OBLIQUE = np.array([[0.8, 0.6, 0.0], [-0.6, 0.8, 0.0], [0.0, 0.0, 1.0]])


def _same(path: Path) -> None:
    """Compare an image with nibabel's reading of it."""
    theirs: Any = nibabel.load(path)
    values = np.asarray(theirs.dataobj)
    image = read(path)
    affine = np.diag([-1.0, -1.0, 1.0, 1.0]) @ np.asarray(theirs.affine)
    assert np.allclose(image.geometry.affine, affine, atol=1e-6)
    assert image.shape == values.shape
    assert np.allclose(image.array, values, rtol=1e-6, atol=1e-5 * max(1.0, float(np.abs(values).max())) * 1e-1)


@pytest.mark.parametrize("name", sorted(p.name for p in SAMPLES.glob("*.mnc")) or ["none"])
def test_nibabels_own_files(name: str) -> None:
    if name == "none":
        pytest.skip("this nibabel came without its test data")
    if name in REFUSED:
        (refusal,) = inspect(SAMPLES / name).refusals
        assert REFUSED[name] in refusal.reason
        return
    _same(SAMPLES / name)


def minc2(
    path: Path, order: tuple[str, ...] = ("zspace", "yspace", "xspace"), steps: tuple[float, ...] = (3.0, 2.0, 1.0), cosines: Any = None,
    stored: Any = None, **image_attributes: Any,
) -> Path:  # fmt: skip
    """Write a MINC 2 file, 16 bits with a range for every slice."""
    shape = (4, 5, 6)
    rng = np.random.default_rng(1)
    stored = rng.integers(0, 4000, shape).astype(np.uint16) if stored is None else stored
    with h5py.File(path, "w") as file:
        root = file.create_group("minc-2.0")
        dimensions = root.create_group("dimensions")
        for k, (name, step, length) in enumerate(zip(order, steps, stored.shape, strict=True)):
            one = dimensions.create_dataset(name, data=0, dtype="i4")
            one.attrs.update(
                {
                    "start": -7.0 * (k + 1),
                    "step": step,
                    "length": np.int32(length),
                    "units": np.bytes_("mm"),
                    "spacing": np.bytes_("regular__"),
                }
            )
            one.attrs["dimorder"] = np.bytes_("")
            if cosines is not None:
                one.attrs["direction_cosines"] = cosines["xyz".index(name[0])]
        image = root.create_group("image").create_group("0")
        data = image.create_dataset("image", data=stored, chunks=True, compression="gzip")
        data.attrs.update(
            {
                "dimorder": np.bytes_(",".join(order)),
                "valid_range": np.array([0.0, 4000.0]),
                "signtype": np.bytes_("unsigned"),
                **image_attributes,
            }
        )
        for name, value in (("image-min", -10.0), ("image-max", 90.0)):
            limit = image.create_dataset(name, data=value + np.arange(stored.shape[0], dtype=float))
            limit.attrs["dimorder"] = np.bytes_(order[0])
    return path


@pytest.mark.parametrize(
    ("order", "steps", "cosines"),
    [
        (("zspace", "yspace", "xspace"), (3.0, 2.0, 1.0), None),
        (("zspace", "yspace", "xspace"), (-3.0, 2.0, -1.0), OBLIQUE),
        (("yspace", "zspace", "xspace"), (3.0, -2.0, -1.0), None),
        (("yspace", "zspace", "xspace"), (3.0, 2.0, 1.0), OBLIQUE),
        (("xspace", "zspace", "yspace"), (-3.0, -2.0, 1.0), OBLIQUE),
    ],
)
def test_orders_steps_and_directions_of_minc2(
    tmp_path: Path, order: tuple[str, ...], steps: tuple[float, ...], cosines: Any
) -> None:
    _same(minc2(tmp_path / "a.mnc", order, steps, cosines))


def minc1(path: Path, order: tuple[str, ...], steps: tuple[float, ...]) -> Path:
    """Write a MINC 1 file with SciPy's netCDF."""
    from scipy.io import netcdf_file

    shape = (4, 5, 6)
    stored = np.random.default_rng(1).integers(0, 4000, shape).astype(">i2")
    with netcdf_file(str(path), "w") as file:
        for name, length in zip(order, shape, strict=True):
            file.createDimension(name, length)
        for k, (name, step) in enumerate(zip(order, steps, strict=True)):
            axis = file.createVariable(name, "i", ())
            axis.start, axis.step, axis.units, axis.spacing = -7.0 * (k + 1), step, "mm", "regular__"
            axis.direction_cosines = OBLIQUE["xyz".index(name[0])]
        image = file.createVariable("image", "h", order)
        image[:] = stored
        image.signtype, image.valid_range = "signed__", np.array([0.0, 4000.0])
        for name, value in (("image-min", -10.0), ("image-max", 90.0)):
            file.createVariable(name, "d", order[:1])[:] = value + np.arange(4.0)
    return path


@pytest.mark.parametrize("order", [("zspace", "yspace", "xspace"), ("yspace", "zspace", "xspace")])
@pytest.mark.parametrize("steps", [(3.0, 2.0, 1.0), (3.0, -2.0, -1.0)])
def test_orders_steps_and_directions_of_minc1(tmp_path: Path, order: tuple[str, ...], steps: tuple[float, ...]) -> None:
    _same(minc1(tmp_path / "a.mnc", order, steps))


def _external(path: Path) -> None:
    with h5py.File(path, "a") as file:
        del file["minc-2.0/image/0/image"]
        file["minc-2.0/image/0/image"] = h5py.ExternalLink("/etc/passwd", "/x")


def _soft(path: Path) -> None:
    with h5py.File(path, "a") as file:
        file["minc-2.0/again"] = h5py.SoftLink("/minc-2.0")


def _outside(path: Path) -> None:
    with h5py.File(path, "a") as file:
        del file["minc-2.0/image/0/image"]
        file["minc-2.0/image/0"].create_dataset("image", (4, 5, 6), "u2", external=[("/etc/passwd", 0, 240)])


def _virtual(path: Path) -> None:
    with h5py.File(path, "a") as file:
        del file["minc-2.0/image/0/image"]
        layout = h5py.VirtualLayout((4, 5, 6), "u2")
        layout[:] = h5py.VirtualSource("other.h5", "image", (4, 5, 6))
        file["minc-2.0/image/0"].create_virtual_dataset("image", layout)


def _lying(path: Path) -> None:
    with h5py.File(path, "a") as file:
        file["minc-2.0/dimensions/xspace"].attrs["length"] = np.int32(2_000_000_000)


def _huge(path: Path) -> None:
    with h5py.File(path, "a") as file:
        del file["minc-2.0/image/0/image"]
        data = file["minc-2.0/image/0"].create_dataset(
            "image", (100_000, 100_000, 1000), "u2", chunks=(1, 100, 100), compression="gzip"
        )
        data.attrs.update({"dimorder": b"zspace,yspace,xspace"})
        for name, length in zip(("zspace", "yspace", "xspace"), data.shape, strict=True):
            file[f"minc-2.0/dimensions/{name}"].attrs["length"] = np.int32(length)
        for name in ("image-min", "image-max"):
            del file[f"minc-2.0/image/0/{name}"]


def _named_twice(path: Path) -> None:
    with h5py.File(path, "a") as file:
        file["minc-2.0/image/0/image"].attrs["dimorder"] = b"xspace,xspace,xspace"


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (_external, "external link"), (_soft, "soft link"), (_outside, "another file"), (_virtual, "another file"), (_lying, "in its header"),
        (_huge, "would take"), (_named_twice, "one name for each"), (_cut, "cannot be read"),
    ],
)  # fmt: skip
def test_hostile_minc2_is_refused_with_a_sentence(tmp_path: Path, spoil: Callable[[Path], None], told: str) -> None:
    path = minc2(tmp_path / "a.mnc")
    spoil(path)
    inventory = inspect(path)
    assert not inventory.items
    (refusal,) = inventory.refusals
    assert told in refusal.reason and "a.mnc" in refusal.reason


@pytest.mark.parametrize(
    ("at", "value"), [(4, b"\x7f\xff\xff\xff"), (12, b"\x7f\xff\xff\xff"), (8, b"\0\0\0\x63"), (28, b"\x7f\xff\xff\xf0")]
)
def test_a_lying_header_of_minc1_is_refused(tmp_path: Path, at: int, value: bytes) -> None:
    path = minc1(tmp_path / "a.mnc", ("zspace", "yspace", "xspace"), (1.0, 1.0, 1.0))
    data = bytearray(path.read_bytes())
    data[at : at + 4] = value
    path.write_bytes(bytes(data))
    inventory = inspect(path)
    if at == 4:  # the number of records, of which there are none here
        assert inventory.items
    else:
        assert not inventory.items and "a.mnc" in inventory.refusals[0].reason
    path.write_bytes(bytes(data)[:-50])
    assert not inspect(path).items


def test_limits_of_minc1_that_are_text_are_refused(tmp_path: Path) -> None:
    path = minc1(tmp_path / "a.mnc", ("zspace", "yspace", "xspace"), (1.0, 1.0, 1.0))
    data = bytearray(path.read_bytes())
    at = data.index(b"\0\0\0\x06", data.index(b"image-min"))  # the type: double
    data[at + 3] = 2  # text
    path.write_bytes(bytes(data))
    (refusal,) = inspect(path).refusals
    assert "a.mnc: image-min or image-max is text" in refusal.reason


def test_the_budget_holds_before_anything_is_read(tmp_path: Path) -> None:
    for path in (minc2(tmp_path / "a.mnc"), minc1(tmp_path / "b.mnc", ("zspace", "yspace", "xspace"), (1.0, 1.0, 1.0))):
        (refusal,) = inspect(path, budget=Budget(max_voxels=100)).refusals
        assert refusal.kind == "budget"


def test_a_missing_package_is_named_with_its_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = minc2(tmp_path / "a.mnc")
    monkeypatch.setitem(sys.modules, "h5py", None)
    (refusal,) = inspect(path).refusals
    assert 'pip install "isocenter[raw]"' in refusal.reason
