"""Archives by own rules: hazards that are made here, in the hands of `unpack` alone."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import stat
import tarfile
import zipfile
from pathlib import Path

import pytest

from isocenter.core.errors import BudgetError, FormatError, InputError, UnsupportedError
from isocenter.io.archive import Unpacked, kind_of, unpack
from isocenter.io.budget import Budget


def unpacked(path: Path, budget: Budget | None = None) -> dict[str, bytes]:
    """Return the files of an archive by their place."""
    kind = kind_of(path.read_bytes()[:4096], path)
    assert kind is not None
    result: Unpacked = unpack(path, kind, budget or Budget())
    found = {str(p.relative_to(result.folder)): p.read_bytes() for p in result.folder.rglob("*") if p.is_file()}
    result.remove()
    assert not result.folder.exists()
    return found


def zipped(path: Path, *entries: tuple[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in entries:
            archive.writestr(zipfile.ZipInfo(name), data, method)
    return path


def tarred(path: Path, *entries: tuple[tarfile.TarInfo, bytes], format: int = tarfile.PAX_FORMAT, mode: str = "w") -> Path:
    with tarfile.open(path, mode, format=format) as archive:  # type: ignore[call-overload]  # the mode is chosen by the caller
        for entry, data in entries:
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return path


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2])
def test_zip(method: int, tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", ("x/y/a b.dcm", b"1" * 5000), ("b.dcm", b"2"), ("Größe.nii", b"3"), method=method)
    assert unpacked(path) == {"x/y/a b.dcm": b"1" * 5000, "b.dcm": b"2", "Größe.nii": b"3"}


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
@pytest.mark.parametrize("format", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_tar(mode: str, format: int, tmp_path: Path) -> None:
    long = "/".join(["folder"] * 14 + ["a.dcm"])
    suffix = mode.partition(":")[2]
    path = tarred(
        tmp_path / f"a.tar.{suffix}", (tarfile.TarInfo("b.dcm"), b"2" * 700), (tarfile.TarInfo(long), b"1" * 512), format=format, mode=mode
    )  # fmt: skip
    assert unpacked(path) == {"b.dcm": b"2" * 700, long: b"1" * 512}


@pytest.mark.parametrize(
    "name", ["../a", "x/../../a", "/a", "//a", "\\a", "x\\a", "C:/a", "c:a", "x/..", "..", "/".join("d" * 40) + "/a"]
)
def test_names_that_lead_elsewhere(name: str, tmp_path: Path) -> None:
    with pytest.raises(FormatError, match=r"a\.zip: entry .* refused whole"):
        unpacked(zipped(tmp_path / "a.zip", ("good.dcm", b"1"), (name, b"2")))
    with pytest.raises(FormatError, match=r"a\.tar: entry .* refused whole"):
        unpacked(tarred(tmp_path / "a.tar", (tarfile.TarInfo("good.dcm"), b"1"), (tarfile.TarInfo(name), b"2")))


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE, b"S", b"Z"]
)
def test_tar_holds_regular_files_only(kind: bytes, tmp_path: Path) -> None:
    entry = tarfile.TarInfo("a")
    entry.type, entry.linkname = kind, "/etc/passwd"
    with pytest.raises(FormatError, match="expected regular files only"):
        unpacked(tarred(tmp_path / "a.tar", (entry, b"")))


@pytest.mark.parametrize("mode", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR, stat.S_IFSOCK])
def test_zip_holds_regular_files_only(mode: int, tmp_path: Path) -> None:
    entry = zipfile.ZipInfo("a")
    entry.external_attr = (mode | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(entry, "/etc/passwd")
    with pytest.raises(FormatError, match="link or a device"):
        unpacked(tmp_path / "a.zip")


def test_names_that_collide_are_kept_apart(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="Duplicate name"):
        path = zipped(tmp_path / "a.zip", ("a.dcm", b"1"), ("a.dcm", b"2"), ("A.DCM", b"3"))
    assert sorted(unpacked(path).values()) == [b"1", b"2", b"3"]


def test_a_file_and_a_folder_of_one_name(tmp_path: Path) -> None:
    with pytest.raises(InputError):
        unpacked(zipped(tmp_path / "a.zip", ("a", b"1"), ("a/b", b"2")))


def test_signs_and_lengths_of_names(tmp_path: Path) -> None:
    found = unpacked(zipped(tmp_path / "a.zip", ("\x1b[31m.dcm", b"1"), ("n" * 250 + ".dcm", b"2"), ("a\nb.dcm", b"3")))
    assert all(name.isprintable() and len(name) <= 100 for name in found)
    assert len(found) == 3


def test_limits(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", *[(f"{k}.dcm", b"x") for k in range(20)])
    with pytest.raises(BudgetError, match="20 entries"):
        unpacked(path, Budget(max_entries=19))
    bomb = zipped(tmp_path / "b.zip", ("a.dcm", bytes(50 << 20)))
    with pytest.raises(BudgetError, match="bomb"):
        unpacked(bomb, Budget(ratio_floor=1 << 20))
    assert len(unpacked(bomb)["a.dcm"]) == 50 << 20
    with pytest.raises(BudgetError, match="disk space"):
        unpacked(bomb, Budget(max_unpacked=1 << 20))
    for packed, name in ((gzip.compress, "c.tar.gz"), (bz2.compress, "c.tar.bz2"), (lzma.compress, "c.tar.xz")):
        tarred(tmp_path / "c.tar", (tarfile.TarInfo("a.dcm"), bytes(50 << 20)))
        (tmp_path / name).write_bytes(packed((tmp_path / "c.tar").read_bytes()))
        with pytest.raises(BudgetError, match="bomb"):
            unpacked(tmp_path / name, Budget(ratio_floor=1 << 20))


def test_an_entry_that_lies_about_its_size(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", ("a.dcm", bytes(100_000)))
    data = bytearray(path.read_bytes())
    central = data.rindex(b"PK\x01\x02")
    for size in (10, 200_000):
        data[central + 24 : central + 28] = size.to_bytes(4, "little")
        path.write_bytes(data)
        with pytest.raises(FormatError, match=r"a\.zip"):
            unpacked(path)


def test_an_encrypted_archive_is_not_read(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", ("a.dcm", b"12345"), method=zipfile.ZIP_STORED)
    data = bytearray(path.read_bytes())
    data[data.rindex(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(data)
    with pytest.raises(UnsupportedError, match="encrypted"):
        unpacked(path)


@pytest.mark.parametrize("name", ["a.zip", "a.tar", "a.tar.gz"])
def test_every_truncation_is_refused_and_leaves_nothing(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = bytes(range(256)) * 20
    if name == "a.zip":
        path = zipped(tmp_path / name, ("a.dcm", content), ("b.dcm", content))
    else:
        mode = "w:gz" if name.endswith("gz") else "w"
        path = tarred(tmp_path / name, (tarfile.TarInfo("a.dcm"), content), (tarfile.TarInfo("b.dcm"), content), mode=mode)
    data = path.read_bytes()
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    end = len(data) - 30 if name == "a.zip" else len(data) * 9 // 10 if name == "a.tar.gz" else 11_000
    for keep in range(600 if name == "a.tar" else 20, end, 97):
        path.write_bytes(data[:keep])
        if name == "a.tar" and keep in range(5632, 6144):  # cut before the second header: nothing tells that there was one
            continue
        with pytest.raises(InputError):
            unpacked(path)
        assert list(folder.iterdir()) == []
