"""Cache: results by the key of the step that made them, so that nothing is computed twice and a killed run resumes.

The key is the digest of (operation, version, parameters, input digests, seed): `StepRecord.key`. An entry is one
file, written under a temporary name and renamed, so that several processes may share a folder. Reading verifies
the content's digest and that the entry is the one asked for; a damaged entry is removed and computed again.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from isocenter.core.errors import IsocenterError, ParameterError, UnsupportedError, WriteError
from isocenter.core.provenance import StepRecord, canonical_json
from isocenter.io import atomic, store

__all__ = ["Cache", "Entry"]

_KEY = re.compile(r"sha256:([0-9a-f]{64})")
#: Disk space that is never used up, in bytes.
_RESERVE = 256 << 20


@dataclass(frozen=True)
class Entry:
    """What a cache holds of a step: its result, and the record with the notes it raised."""

    value: Any
    record: StepRecord


class Cache:
    """A folder of results.

    Parameters
    ----------
    folder
        Where; made when the first entry is written.
    max_bytes
        Once the entries take more than this, those used longest ago are removed; None keeps all.

    Attributes
    ----------
    hits, misses, damaged
        How many entries were found, not found, and found damaged.
    """

    def __init__(self, folder: Path | str, *, max_bytes: int | None = None) -> None:
        if max_bytes is not None and max_bytes < 0:
            raise ParameterError(f"Cache of at most {max_bytes} bytes: expected 0 or more.")
        self.folder = Path(folder)
        self.max_bytes = max_bytes
        self.hits = self.misses = self.damaged = 0

    def path(self, key: str) -> Path:
        """Return where the entry of a key lies."""
        found = _KEY.fullmatch(key)
        if not found:
            raise ParameterError(f"Cache key {key[:80]!r}: expected 'sha256:' and 64 hexadecimal digits.")
        name = found.group(1)
        return self.folder / name[:2] / (name + store.SUFFIX)

    def __contains__(self, key: str) -> bool:
        return self.path(key).is_file()

    def get(self, key: str) -> Entry | None:
        """Return the entry of a key, None where there is none or it is damaged (which removes it)."""
        path = self.path(key)
        if not path.is_file():
            self.misses += 1
            return None
        try:
            held = store.load(path)
            record = _record(held["record"])
            if held["key"] != key or record.key != key:
                raise UnsupportedError(f"{path.name}: holds the result of another step.")
        except (OSError, MemoryError):  # gone meanwhile, unreadable now, or no room for it: the entry itself may be sound
            self.misses += 1
            return None
        except Exception:  # noqa: BLE001  # whatever a damaged file does, the step is simply computed again
            self.damaged += 1
            with contextlib.suppress(OSError):
                path.unlink()
            return None
        self.hits += 1
        with contextlib.suppress(OSError):
            os.utime(path)  # used just now
        return Entry(held["value"], record)

    def put(self, key: str, value: Any, record: StepRecord) -> str:
        """Keep a result.

        Parameters
        ----------
        key
            Its key, that of `record`.
        value
            Any noun that `isocenter.io.store` can keep.
        record
            The step that made it, with its notes.

        Returns
        -------
        str
            Why it was not kept (disk full, kind that cannot be stored), empty where it was: a result that is not
            kept is no error.
        """
        path = self.path(key)
        size = int(getattr(value, "nbytes", 0) or getattr(getattr(value, "array", None), "nbytes", 0))
        try:
            atomic.make_folder(path.parent)
            free = shutil.disk_usage(path.parent).free
            if size + _RESERVE > free:
                return f"{free / 2**20:.0f} MiB are free on the disk of the cache, {(size + _RESERVE) / 2**20:.0f} MiB are needed"
            if self.max_bytes is not None and size > self.max_bytes:
                return f"{size / 2**20:.0f} MiB are more than the cache may hold"
            store.save({"key": key, "record": canonical_json(record.to_dict()), "value": value}, path)
        except (UnsupportedError, WriteError, OSError) as error:
            return str(error)
        if self.max_bytes is not None:
            self.prune(self.max_bytes, keep=path)
        return ""

    def prune(self, max_bytes: int, keep: Path | None = None) -> int:
        """Remove the entries used longest ago until the rest takes at most `max_bytes`; return how many went."""
        entries = []
        for path in self._files():
            with contextlib.suppress(OSError):  # another process may have removed it
                state = path.stat()
                entries.append((state.st_mtime_ns, path, state.st_size))
        total = sum(size for _, _, size in entries)
        removed = 0
        for _, path, size in sorted(entries):
            if total <= max_bytes:
                break
            if path == keep:
                continue
            with contextlib.suppress(OSError):
                path.unlink()
                removed += 1
            total -= size
        return removed

    def _files(self) -> Iterator[Path]:
        yield from self.folder.glob(f"[0-9a-f][0-9a-f]/*{store.SUFFIX}")

    def __len__(self) -> int:
        return sum(1 for _ in self._files())


def _record(text: str) -> StepRecord:
    """Return the step record that was stored as JSON."""
    plain = json.loads(text)
    if not isinstance(plain, dict):
        raise IsocenterError("A cache entry without its step.")
    return StepRecord(
        plain["operation"], plain["version"], plain["parameters"], tuple(plain["inputs"]), plain["seed"], tuple(plain["notes"])
    )
