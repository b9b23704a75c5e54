"""The child that reads HDF5: the library is large, and a file may ask it to open others (see `isocenter.io.file_child`).

Only what lies in the file itself is read: links to names and to other files, external storage, virtual data sets and
filters that are plug-ins are refused before anything is.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from typing import Any

from isocenter.io.file_worker import Message, UnreadError, serve

__all__ = ["main"]

MOST_OBJECTS, DEEPEST = 10_000, 32
#: Deflate, shuffle, Fletcher-32, szip, n-bit, scale-offset and LZF: those that come with the library.
FILTERS = (1, 2, 3, 4, 5, 6, 32000)
ROWS = 256
PLACES = ("position", "read_dir", "phase_dir", "slice_dir")
COUNTS = (
    "number_of_samples",
    "active_channels",
    "discard_pre",
    "discard_post",
    "center_sample",
    "encoding_space_ref",
    "trajectory_dimensions",
)
LOOPS = ("kspace_encode_step_1", "kspace_encode_step_2", "average", "slice", "contrast", "phase", "repetition", "set", "segment")


def _checked(h5py: Any, path: str) -> Any:
    """Open a file after looking at every link and data set in it."""
    file = h5py.File(path, "r")
    left, seen, count = [(file["/"], 0)], set(), 0
    while left:
        group, depth = left.pop()
        for name in group:
            count += 1
            if count > MOST_OBJECTS or depth > DEEPEST:
                raise UnreadError(f"holds more than {MOST_OBJECTS} objects or {DEEPEST} levels: expected a plain file.")
            link = group.get(name, getlink=True)
            if not isinstance(link, h5py.HardLink):
                kind = "external link" if isinstance(link, h5py.ExternalLink) else "soft link"
                raise UnreadError(f"holds an {kind} ({name!r:.60}): expected data in the file itself; copy them into it." if kind[0] == "e"
                                  else f"holds a {kind} ({name!r:.60}): expected data in the file itself; copy them into it.")  # fmt: skip
            found = group[name]
            if isinstance(found, h5py.Group):
                key = (h5py.h5o.get_info(found.id).fileno, h5py.h5o.get_info(found.id).addr)
                if key not in seen:
                    seen.add(key)
                    left.append((found, depth + 1))
            elif isinstance(found, h5py.Dataset):
                _plain(found, name)
    return file


def _plain(data: Any, name: str) -> None:
    properties = data.id.get_create_plist()
    if data.is_virtual or properties.get_external_count():
        raise UnreadError(f"keeps the data of {name!r:.60} in another file: expected them in the file itself; copy them into it.")
    for k in range(properties.get_nfilters()):
        if properties.get_filter(k)[0] not in FILTERS:
            raise UnreadError(
                f"packs {name!r:.60} with filter {properties.get_filter(k)[0]}, a plug-in: expected deflate; repack it."
            )


def _text(data: Any) -> bytes:
    value = data[()] if data.shape == () else data[0]
    return value if isinstance(value, bytes) else str(value).encode()


# -- ISMRMRD ----------------------------------------------------------------------------------------------


def _measurement(file: Any) -> Any:
    found = [group for name in file if hasattr(group := file[name], "keys") and "data" in group and "xml" in group]
    if len(found) != 1:
        raise UnreadError(
            f"holds {len(found)} measurements of ISMRM raw data (xml and data in one group): expected one; split it."
        )
    return found[0]


def _heads(np: Any, rows: Any) -> Any:
    """Return the fields of acquisition headers that are used, in one fixed layout of 64-bit numbers."""
    head = rows["head"] if rows.dtype.names and "head" in rows.dtype.names else rows
    whole = [
        head["flags"],
        head["scan_counter"],
        head["acquisition_time_stamp"],
        *(head[n] for n in COUNTS),
        *(head["idx"][n] for n in LOOPS),
    ]
    real = [head["sample_time_us"][:, None], *(head[n].reshape(len(head), 3) for n in PLACES)]
    return np.stack([np.asarray(w, np.int64) for w in whole], 1), np.concatenate([np.asarray(r, np.float64) for r in real], 1)


def _ismrmrd_header(h5py: Any, np: Any, request: dict[str, Any]) -> Iterator[Message]:
    with _checked(h5py, request["path"]) as file:
        group = _measurement(file)
        data = group["data"]
        if data.ndim != 1 or len(data) > int(request["most"]):
            raise UnreadError(f"holds {data.shape} acquisitions: expected one row of at most {request['most']}.")
        yield {"rows": len(data), "waveforms": "waveforms" in group}, _text(group["xml"])
        for a in range(0, len(data), 4096):
            whole, real = _heads(np, data.fields(["head"])[a : a + 4096])
            yield (
                {"rows": len(whole)},
                np.ascontiguousarray(whole.astype("<i8")).tobytes() + np.ascontiguousarray(real.astype("<f8")).tobytes(),
            )


def _ismrmrd_samples(h5py: Any, np: Any, request: dict[str, Any]) -> Iterator[Message]:
    with _checked(h5py, request["path"]) as file:
        data = _measurement(file)["data"]
        for a in range(0, len(data), ROWS):
            rows = data[a : a + ROWS]
            samples = [np.asarray(v, "<f4").reshape(-1) for v in rows["data"]]
            places = (
                [np.asarray(v, "<f4").reshape(-1) for v in rows["traj"]]
                if "traj" in rows.dtype.names
                else [np.empty(0, "<f4")] * len(rows)
            )
            for s, t in zip(samples, places, strict=True):
                yield {"samples": len(s), "trajectory": len(t)}, np.concatenate([s, t])


# -- MINC 2 -----------------------------------------------------------------------------------------------


def _plain_value(np: Any, value: Any) -> Any:
    """Return an attribute as text, numbers, or nothing."""
    if isinstance(value, bytes):
        return value.decode("latin-1")[:1000]
    array = np.asarray(value)
    if array.dtype.kind in "iuf" and array.size <= 256:
        return [float(v) for v in array.reshape(-1)] if array.ndim else float(array)
    if array.dtype.kind in "SU" and array.size == 1:
        one = array.reshape(-1)[0]
        return (one.decode("latin-1") if isinstance(one, bytes) else str(one))[:1000]
    return str(value)[:1000] if isinstance(value, str) else None


def _attributes(np: Any, owner: Any) -> dict[str, Any]:
    found = {}
    for name in list(owner.attrs)[:100]:
        try:
            found[name] = _plain_value(np, owner.attrs[name])
        except (TypeError, OSError):  # references to other objects, and types without an equal in NumPy, say nothing here
            continue
    return found


def _minc(h5py: Any, np: Any, request: dict[str, Any]) -> Iterator[Message]:
    with _checked(h5py, request["path"]) as file:
        try:
            root = file["minc-2.0"]
            image = root["image"]["0"]
            stored = image["image"]
        except KeyError:
            raise UnreadError("an HDF5 file without the groups of MINC 2 or ISMRM raw data: expected one of these.") from None
        axes = {}
        for name, owner in root.get("dimensions", {}).items():
            shape = list(getattr(owner, "shape", ()))
            axes[name] = {
                **_attributes(np, owner),
                "values": [float(v) for v in owner[:256]] if len(shape) == 1 and shape[0] <= 256 else None,
            }
        facts = {"axes": axes, "image": _attributes(np, stored), "shape": list(stored.shape), "dtype": stored.dtype.str}
        limits = {n: list(image[n].shape) for n in ("image-min", "image-max") if n in image}
        yield {**facts, "limits": limits, "modality": _modality(np, root)}, b""
        if request["mode"] != "minc-samples":
            return
        for name in ("image-min", "image-max"):
            if name in image:
                yield {"name": name}, np.ascontiguousarray(image[name][()], "<f8").tobytes()
        flat = 1 if stored.ndim < 2 else int(np.prod(stored.shape[1:], dtype=np.int64))
        step = max(1, (16 << 20) // max(1, flat * stored.dtype.itemsize))
        for a in range(0, stored.shape[0] if stored.ndim else 0, step):
            part = np.ascontiguousarray(stored[a : a + step])
            yield {"name": "image"}, part.astype(part.dtype.newbyteorder("<"), copy=False).tobytes()


def _modality(np: Any, root: Any) -> Any:
    info = root.get("info")
    study = None if info is None else info.get("study")
    return None if study is None else _attributes(np, study).get("modality")


def _handle(request: dict[str, Any]) -> Iterator[Message]:
    h5py, np = importlib.import_module("h5py"), importlib.import_module("numpy")
    work = {
        "ismrmrd-header": _ismrmrd_header, "ismrmrd-samples": _ismrmrd_samples, "minc-header": _minc, "minc-samples": _minc,
    }  # fmt: skip
    yield from work[request["mode"]](h5py, np, request)


def main() -> None:
    """Answer one request about an HDF5 file."""
    serve(_handle)
