"""The curves of trainings as one self-contained page: it loads itself anew while they go on, and stays as it is at the end."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape

from isocenter.view.text import clean

__all__ = ["training_page"]

_WIDE, _HIGH, _LEFT, _BASE = 300.0, 150.0, 54.0, 22.0

_STYLE = """
:root { color-scheme: light dark; }
body { font: 14px/1.4 system-ui, sans-serif; margin: 1.2rem; max-width: 70rem; }
h1 { font-size: 1.2rem; } h2 { font-size: 1rem; margin: 1.2rem 0 .2rem; }
.pair { display: flex; flex-wrap: wrap; gap: 1rem; } figure { margin: 0; } figcaption { font-size: .85rem; }
svg { max-width: 100%; height: auto; } path { fill: none; stroke: #0b7a8a; stroke-width: 1.6; }
.axis { stroke: #8795a1; stroke-width: 1; } text { font: 11px system-ui, sans-serif; fill: currentColor; }
"""


def training_page(trainings: Mapping[str, Mapping[str, Sequence[float]]], *, done: bool, every: int = 5) -> bytes:
    """Return the page of trainings: loss and the validation score of each over its epochs.

    Parameters
    ----------
    trainings
        Name -> curves, as `learn.train.history.History.columns` gives them: ``epoch``, ``loss``, ``learning_rate`` and the validation
        scores, the one that chooses first; NaN where there is none.
    done
        Whether they have ended: the page no longer loads itself anew.
    every
        Seconds between two looks until then.
    """
    refresh = "" if done else f'<meta http-equiv="refresh" content="{every}">'
    state = "Ended." if done else f"Going on; this page looks again every {every} seconds."
    parts = [
        '<!doctype html><html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"{refresh}<title>Training curves</title><style>{_STYLE}</style></head><body>",
        f"<h1>Training curves</h1><p>{state} The validation score is of cases of the training part that a network does not learn from; "
        "greater is better, and the marked epoch is the one that is kept.</p>",
    ]
    for name, columns in trainings.items():
        scores = [n for n in columns if n not in ("epoch", "loss", "learning_rate")]
        if name:
            parts.append(f"<h2>{escape(clean(name, 200))}</h2>")
        parts.append('<div class="pair">')
        for k, what in enumerate(["loss", *scores]):
            parts.append(_chart(what.replace("_", " "), columns["epoch"], columns[what], mark=k == 1))
        parts.append("</div>")
    return "\n".join([*parts, "</body></html>\n"]).encode("utf-8")


def _chart(what: str, epochs: Sequence[float], values: Sequence[float], *, mark: bool) -> str:
    points = [(float(e), float(v)) for e, v in zip(epochs, values, strict=True) if math.isfinite(v)]
    if not points:
        return ""
    low, high = min(v for _, v in points), max(v for _, v in points)
    span, last = (high - low) or 1.0, max(e for e, _ in points)

    def place(e: float, v: float) -> tuple[float, float]:
        across = _LEFT + (_WIDE - _LEFT - 8.0) * ((e - 1.0) / (last - 1.0) if last > 1.0 else 0.5)
        return across, 10.0 + (_HIGH - _BASE - 14.0) * (high - v) / span

    line = " ".join(f"{'M' if k == 0 else 'L'}{x:.1f} {y:.1f}" for k, (x, y) in enumerate(place(e, v) for e, v in points))
    dots = [points[-1]] if not mark else [max(points, key=lambda p: (p[1], -p[0]))]
    circles = "".join('<circle cx="{:.1f}" cy="{:.1f}" r="3.2" fill="#c2571a"/>'.format(*place(*p)) for p in dots)
    words = f"{clean(what, 60)}: {points[-1][1]:.4g} at epoch {int(points[-1][0])}"
    if mark:
        words += f", best {dots[0][1]:.4g} at epoch {int(dots[0][0])}"
    base = _HIGH - _BASE
    return (
        f'<figure><svg viewBox="0 0 {_WIDE:.0f} {_HIGH:.0f}" width="{_WIDE:.0f}" role="img" aria-label="{escape(words)}">'
        f'<path class="axis" d="M{_LEFT} 6 V{base} H{_WIDE - 6}"/>'
        f'<text x="{_LEFT - 4}" y="14" text-anchor="end">{high:.2g}</text>'
        f'<text x="{_LEFT - 4}" y="{base - 2}" text-anchor="end">{low:.2g}</text>'
        f'<text x="{_LEFT}" y="{_HIGH - 8}">1</text><text x="{_WIDE - 8}" y="{_HIGH - 8}" text-anchor="end">epoch {last:.0f}</text>'
        f'<path d="{line}"/>{circles}</svg><figcaption>{escape(words)}</figcaption></figure>'
    )
