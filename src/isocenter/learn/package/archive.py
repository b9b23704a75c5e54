"""The container of a package: a zip of few known members, stored plainly, each with its hash; equal content gives equal bytes."""

from __future__ import annotations

import hashlib
import io
import json
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path

from isocenter.core.errors import BudgetError, FormatError, MissingInputError, VerificationError
from isocenter.core.text import plain
from isocenter.io.budget import Budget, readable_size

__all__ = ["SUFFIX", "pack", "unpack"]

#: How the name of a package ends.
SUFFIX = ".isocenter"

#: Members that every package holds, beside the hashes of all of them.
NEEDED = (
    "LICENSE", "card.md", "fingerprint.json", "manifest.json", "pipeline.yaml", "plan.yaml", "selftest/expected.json",
    "selftest/input.safetensors", "weights.safetensors",
)  # fmt: skip
HASHES = "hashes.json"
#: Further members that a package may hold.
_ALLOWED = re.compile(r"scores\.json|selftest/[a-z0-9_]{1,40}\.(json|safetensors)")
_EPOCH = (1980, 1, 1, 0, 0, 0)


def pack(members: Mapping[str, bytes]) -> bytes:
    """Return the bytes of a package.

    Parameters
    ----------
    members
        Name -> content, without the hashes.

    Raises
    ------
    FormatError
        If a member is missing, or has a name that no package has.
    """
    _check_names(members, "a package to be written")
    hashes = {name: hashlib.sha256(data).hexdigest() for name, data in sorted(members.items())}
    whole = {**members, HASHES: (json.dumps(hashes, indent=1, sort_keys=True) + "\n").encode()}
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(whole):
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.create_system, entry.external_attr = 3, 0o100644 << 16  # on every system alike
            archive.writestr(entry, whole[name])
    return target.getvalue()


def unpack(path: Path, budget: Budget | None = None) -> tuple[dict[str, bytes], str]:
    """Read and check every member of a package.

    Parameters
    ----------
    path
        The file.
    budget
        Of memory. Default: `Budget()`.

    Returns
    -------
    members, digest
        Name -> content, without the hashes; ``sha256:...`` of the whole file.

    Raises
    ------
    MissingInputError
        If there is no such file.
    BudgetError
        If it is larger than the budget allows.
    FormatError
        If it is no package, or a member is missing, unknown, repeated, compressed or encrypted.
    VerificationError
        If a member is not the one that was packed.
    """
    if not path.is_file():
        raise MissingInputError(f"{path}: there is no such model package: expected a file that ends in {SUFFIX}.")
    size, most = path.stat().st_size, (budget or Budget()).max_bytes
    if size > most:
        raise BudgetError(f"{path}: takes {readable_size(size)}, more than the {readable_size(most)} allowed for one input.")
    data = path.read_bytes()
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            _check_entries(archive.infolist(), size, path)
            members = {entry.filename: archive.read(entry) for entry in archive.infolist()}
    except (zipfile.BadZipFile, EOFError, ValueError, NotImplementedError, RuntimeError, OSError) as error:
        if isinstance(error, FormatError):
            raise
        raise FormatError(
            f"{path}: is no sound model package ({plain(error, 100)}); get it again from where it was made."
        ) from error
    _check_hashes(members, path)
    return members, f"sha256:{hashlib.sha256(data).hexdigest()}"


def _check_names(names: Mapping[str, bytes], where: str) -> None:
    for name in NEEDED:
        if name not in names:
            raise FormatError(f"{where}: has no '{name}'; expected a whole model package.")
    for name in names:
        if name not in NEEDED and not _ALLOWED.fullmatch(name):
            raise FormatError(f"{where}: holds '{plain(name, 80)}', which no model package has; do not use it.")


def _check_entries(entries: list[zipfile.ZipInfo], size: int, path: Path) -> None:
    seen: set[str] = set()
    for entry in entries:
        if entry.filename in seen:
            raise FormatError(f"{path}: holds '{plain(entry.filename, 80)}' twice; do not use it.")
        seen.add(entry.filename)
        if entry.compress_type != zipfile.ZIP_STORED or entry.flag_bits & 0x1 or entry.file_size != entry.compress_size:
            raise FormatError(
                f"{path}: '{plain(entry.filename, 80)}' is compressed or encrypted; a model package is stored plainly: do not use it."
            )
    # Plain members cannot be larger together than the file, unless they overlap, which is how bombs without compression are made.
    if sum(entry.file_size for entry in entries) > size:
        raise FormatError(f"{path}: its members overlap; do not use it.")


def _check_hashes(members: dict[str, bytes], path: Path) -> None:
    """Compare every member with its hash and take the hashes out."""
    if HASHES not in members:
        raise FormatError(f"{path}: has no '{HASHES}'; expected a whole model package.")
    try:
        hashes = json.loads(members.pop(HASHES))
        known = {str(name): str(value) for name, value in hashes.items()}
    except (ValueError, AttributeError, RecursionError) as error:
        raise FormatError(f"{path}: '{HASHES}' is no table of hashes; do not use it.") from error
    _check_names(members, str(path))
    for name in sorted({*known, *members}):
        if name not in members or name not in known:
            word = "is missing" if name in known else "was added"
            raise VerificationError(f"{path}: member '{plain(name, 80)}' {word} since it was packed; do not use it.")
        if hashlib.sha256(members[name]).hexdigest() != known[name]:
            raise VerificationError(f"{path}: member '{plain(name, 80)}' was changed since it was packed; do not use it.")
