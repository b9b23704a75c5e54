"""Watching several trainings of one run: progress in words, one page of curves that stays up to date, checkpoints that can be trusted."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from isocenter.core.provenance import digest_array, digest_json
from isocenter.io import atomic
from isocenter.learn.train.history import EpochRow, History
from isocenter.view.live import training_page

__all__ = ["Watch"]

Say = Callable[[str, int, int], None]

#: What the checkpoints in a folder belong to.
_KEY = "key.txt"


class Watch:
    """Told of every epoch of every training of a run.

    Parameters
    ----------
    say
        Told the same in words, with how many epochs are done and of how many.
    folder
        Where ``curves.html`` and a folder for each training go; None keeps nothing.
    total
        Epochs of all trainings together.
    facts
        Plain values and arrays that decide the trainings: checkpoints of others are thrown away.
    """

    def __init__(self, say: Say | None, folder: Path | None, total: int, facts: Sequence[Any] = ()) -> None:
        self.say, self.folder, self.total, self.done = say, folder, total, 0
        self.histories: dict[str, History] = {}
        if folder is None:
            return
        digests = [
            [digest_array(np.ascontiguousarray(a), ["sample"]) for a in f] if isinstance(f, list) else digest_json(f)
            for f in facts
        ]
        key = digest_json(digests) + "\n"
        held = folder / _KEY
        if folder.is_dir() and not (held.is_file() and held.read_text(encoding="utf-8") == key):
            shutil.rmtree(folder)
        atomic.make_folder(folder)
        atomic.write_text(held, key)

    def folder_of(self, name: str) -> Path | None:
        """Return where a training keeps its checkpoint and its curves."""
        return None if self.folder is None else self.folder / name.replace(", ", "-").replace(" ", "-")

    def told(self, name: str) -> Callable[[EpochRow], None]:
        """Return what a training calls after each epoch."""
        history = self.histories.setdefault(name, History())

        def row(one: EpochRow) -> None:
            history.rows.append(one)
            self.done += 1
            self._draw(False)
            if self.say is not None:
                scores = "".join(f", {k.replace('_', ' ')} {v:.3f}" for k, v in list(one.scores.items())[:1])
                self.say(f"{name}, epoch {one.epoch}: loss {one.loss:.3f}{scores}", self.done, self.total)

        return row

    def ended(self, name: str, history: History) -> None:
        """Take the whole history of a training: what was resumed told nothing of its first epochs."""
        self.done += len(history.rows) - len(self.histories.get(name, History()).rows)
        self.histories[name] = history

    def close(self) -> None:
        """Write the page as it stays, and throw the checkpoints away, with the key to them: what they led to is kept elsewhere."""
        self._draw(True)
        if self.folder is not None:
            for path in [self.folder / _KEY, *sorted(self.folder.rglob("last.pt"))]:
                path.unlink()

    def _draw(self, done: bool) -> None:
        if self.folder is not None:
            page = training_page({name: h.columns() for name, h in self.histories.items()}, done=done)
            atomic.write_bytes(self.folder / "curves.html", page)
