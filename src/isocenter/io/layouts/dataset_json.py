"""Data sets that a ``dataset.json`` describes: nnU-Net's layout (both versions of it) and the list of MONAI and the Decathlon.

What the file says is checked before it is followed: its size, its depth, every path (below the folder, no link that leads
elsewhere, a file that stands there), every name.

References
----------
F. Isensee et al., nnU-Net, Nat. Methods 18 (2021) 203-211, and its documentation of the dataset format. M. Antonelli et al.,
The Medical Segmentation Decathlon, Nat. Commun. 13 (2022) 4128. M. J. Cardoso et al., MONAI, arXiv:2211.02701 (2022).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from isocenter.core.errors import FormatError, SpecError
from isocenter.core.text import plain
from isocenter.io.text import one_line, stem

__all__ = ["NAME", "Entry", "Listing", "below", "listing"]

NAME = "dataset.json"
#: The largest description that is read; those in use have some kilobytes, large lists some megabytes.
LARGEST, MOST_CASES, MOST_NAMES, DEEPEST = 1 << 24, 100_000, 4096, 8
_CASE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._ -]{0,199}")
_PARTS = ("training", "validation", "test")


@dataclass(frozen=True)
class Entry:
    """One case.

    Attributes
    ----------
    name
        As the layout calls it.
    images
        Its files: one for each channel, or one that holds all.
    labels
        Its label map, None where it has none.
    part
        ``training``, ``validation`` or ``test``.
    """

    name: str
    images: tuple[Path, ...]
    labels: Path | None
    part: str


@dataclass(frozen=True)
class Listing:
    """What a ``dataset.json`` says.

    Attributes
    ----------
    kind
        ``nnunet`` or ``monai``.
    root
        The folder that holds it; all files lie below.
    name
        Of the data set.
    channels
        Names of the channels in order.
    segments
        Value -> name of what labels show, background left out.
    entries
        The cases, in the order of the list or of their names.
    """

    kind: Literal["nnunet", "monai"]
    root: Path
    name: str
    channels: tuple[str, ...]
    segments: Mapping[int, str]
    entries: tuple[Entry, ...]


def below(root: Path, text: str) -> Path:
    """Return the path that `text` names below `root`.

    Raises
    ------
    FormatError
        If it lies outside of `root`, or nothing stands there; the message is a clause without its source.
    """
    if "\0" in text:
        raise FormatError("the path holds a zero byte; expected the path of a file below the input")
    path = root / text
    try:
        # What counts is where it really lies: neither '..' nor a link leads out of the input.
        if Path(text).is_absolute() or ".." in Path(text).parts or not path.resolve().is_relative_to(root.resolve()):
            raise FormatError(f"'{plain(text, 200)}' lies outside of the input; expected a path below it")
        if not path.exists():
            raise FormatError(f"there is no '{plain(text, 200)}' in the input; expected the path of a file below it")
    except (OSError, RuntimeError) as error:  # a name too long, a loop of links
        raise FormatError(f"'{plain(text, 80)}' cannot be followed; expected the path of a file below the input") from error
    return path


def listing(root: str | Path) -> Listing:
    """Read the description of a data set.

    Parameters
    ----------
    root
        The folder with ``dataset.json``.

    Raises
    ------
    FormatError
        If there is none, or it is no such description.
    SpecError
        With one sentence for each case whose files are not there or lie elsewhere.
    """
    base = Path(root)
    facts = _facts(base)
    if "channel_names" in facts or not isinstance(facts.get("training"), list) or _numbered(base):
        return _nnunet(base, facts)
    return _monai(base, facts)


def _facts(base: Path) -> dict[str, Any]:
    path = base / NAME
    try:
        if path.stat().st_size > LARGEST:
            raise FormatError(
                f"{plain(base.name)}: {NAME} has more than {LARGEST >> 20} MiB: expected a description of a data set."
            )
        text = path.read_text(encoding="utf-8-sig")
        _shallow(text, base)
        facts = json.loads(text)
    except (OSError, ValueError, RecursionError) as error:
        if isinstance(error, FormatError):
            raise
        raise FormatError(
            f"{plain(base.name)}: {NAME} cannot be read ({plain(error, 100)}): expected the description of a data set."
        ) from error
    if not isinstance(facts, dict):
        raise FormatError(f"{plain(base.name)}: {NAME} holds no object: expected channels, labels and cases.")
    return facts


def _shallow(text: str, base: Path) -> None:
    """Refuse a description nested deeper than any sound one, before a parser follows it."""
    depth = 0
    for mark in re.finditer(r'"(?:[^"\\]|\\.)*"|[\[{]|[\]}]', text):
        if mark[0] in "[{":
            depth += 1
            if depth > DEEPEST:
                raise FormatError(f"{plain(base.name)}: {NAME} is nested deeper than {DEEPEST} levels: expected lists of cases.")
        elif mark[0] in "]}":
            depth -= 1


def _numbered(base: Path) -> bool:
    """Return whether files of channels are numbered as nnU-Net does."""
    folder = base / "imagesTr"
    return folder.is_dir() and next(folder.glob("*_0000.*"), None) is not None


def _names(facts: Mapping[str, Any], base: Path) -> tuple[tuple[str, ...], dict[int, str]]:
    """Return the channels in order, and what the values of labels mean."""
    raw = facts.get("channel_names") or facts.get("modality") or {"0": "image"}
    table = raw if isinstance(raw, dict) else dict(enumerate(raw)) if isinstance(raw, list) else {"0": raw}
    labels = facts.get("labels", {})
    if not isinstance(labels, dict) or max(len(table), len(labels)) > MOST_NAMES:
        raise FormatError(f"{plain(base.name)}: {NAME} gives no table of labels or too long a one: expected names and values.")
    segments: dict[int, str] = {}
    try:
        channels = [one_line(table[key], 64) for key in sorted(table, key=int)]
        for key, value in labels.items():
            values, name = ([key], value) if str(key).isdigit() else (value if isinstance(value, list) else [value], key)
            for one in values:  # a region of nnU-Net is a union: each of its values keeps the first name that is its own
                number = int(one)
                if number > 0 and (not isinstance(value, list) or number not in segments):
                    segments[number] = one_line(name, 64)
    except (ValueError, TypeError) as error:
        raise FormatError(
            f"{plain(base.name)}: {NAME} numbers its channels or labels by '{plain(error, 60)}': expected whole numbers."
        ) from error
    return tuple(channels), {value: segments[value] for value in sorted(segments) if value <= 65_535}


def _title(facts: Mapping[str, Any], base: Path) -> str:
    return one_line(facts.get("name") or base.resolve().name, 120)


def _nnunet(base: Path, facts: Mapping[str, Any]) -> Listing:
    channels, segments = _names(facts, base)
    ending = str(facts.get("file_ending", ".nii.gz"))
    if not re.fullmatch(r"(\.[A-Za-z0-9]{1,8}){1,3}", ending):
        raise FormatError(
            f"{plain(base.name)}: {NAME} gives the file ending '{plain(ending, 40)}': expected one such as .nii.gz."
        )
    if not (base / "labelsTr").is_dir():
        raise FormatError(f"{plain(base.name)}: expected an object in {NAME}, and folders imagesTr and labelsTr beside it.")
    problems: list[str] = []
    entries: list[Entry] = []
    for part, images, labels in (("training", "imagesTr", "labelsTr"), ("test", "imagesTs", "labelsTs")):
        for case in _cases(base, images, labels, ending):
            files = [base / images / f"{case}_{k:04d}{ending}" for k in range(len(channels))]
            missing = [path for path in files if not _own(base, path)]
            if missing:
                problems.append(
                    f"case '{plain(case, 100)}': there is no {images}/{plain(missing[0].name, 100)}; expected one for its mask."
                )
                continue
            mask = base / labels / f"{case}{ending}"
            entries.append(Entry(case, tuple(files), mask if _own(base, mask) else None, part))
    if problems:
        raise SpecError(problems, plain(base.name))
    return Listing("nnunet", base, _title(facts, base), channels, segments, tuple(entries))


def _own(base: Path, path: Path) -> bool:
    """Return whether a regular file stands at a path, no link and below the folder."""
    return path.is_file() and not path.is_symlink() and path.resolve().is_relative_to(base.resolve())


def _cases(base: Path, images: str, labels: str, ending: str) -> Iterator[str]:
    """Yield the names of the cases that a pair of folders holds, in order."""
    found = {p.name.removesuffix(ending) for p in (base / labels).glob(f"*{ending}") if not p.name.startswith(".")}
    for path in (base / images).glob(f"*_0000{ending}"):
        found.add(path.name.removesuffix(ending).removesuffix("_0000"))
    for name in sorted(found):
        if _CASE.fullmatch(name):
            yield name


def _monai(base: Path, facts: Mapping[str, Any]) -> Listing:
    channels, segments = _names(facts, base)
    problems: list[str] = []
    entries: list[Entry] = []
    seen: set[str] = set()
    for part in _PARTS:
        rows = facts.get(part, [])
        if not isinstance(rows, list) or len(rows) > MOST_CASES:
            raise FormatError(f"{plain(base.name)}: '{part}' of {NAME} is no list of at most {MOST_CASES:,} cases: expected one.")
        for number, row in enumerate(rows, 1):
            try:
                entry = _entry(base, row, part)
                if entry.name in seen:
                    raise FormatError(f"'{plain(entry.name, 100)}' stands in the list already; expected each case once")
                seen.add(entry.name)
                entries.append(entry)
            except FormatError as error:
                problems.append(f"{part} {number}: {error}.")
    if problems:
        raise SpecError(problems[:20], plain(base.name))
    return Listing("monai", base, _title(facts, base), channels, segments, tuple(entries))


def _entry(base: Path, row: Any, part: str) -> Entry:
    """Return one row of a list: a path, or an object with ``image`` and perhaps ``label``."""
    fields = row if isinstance(row, dict) else {"image": row}
    images = fields.get("image")
    texts = images if isinstance(images, list) else [images]
    label = fields.get("label")
    wanted = [*texts, *([] if label is None else [label])]
    if not texts or len(texts) > MOST_NAMES or not all(isinstance(text, str) and text for text in wanted):
        raise FormatError("its image or label is no path; expected the path of a file below the folder")
    paths = tuple(below(base, str(text)) for text in texts)
    mask = None if label is None else below(base, str(label))
    if not all(path.is_file() for path in (*paths, *([mask] if mask else []))):
        raise FormatError(f"'{plain(texts[0], 100)}' or its label is no file; expected one")
    name = stem(paths[0])
    return Entry(re.sub(r"_0000$", "", name) if len(paths) > 1 else name, paths, mask, part)
