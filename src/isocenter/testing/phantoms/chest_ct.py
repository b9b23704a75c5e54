"""A chest CT of known truth: body, lungs, airways, vessels, heart, bones, nodules; tumour and effusion on request.

The anatomy is fixed in the patient's world (mm, LPS; the middle between the lungs lies at 0, 0, 0), so a grid
only decides what of it is sampled: finer spacing, a smaller field, a tilted gantry or a prone patient show the
same patient. Right is the patient's right: negative L.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from isocenter.core.codes import ANATOMY, MORPHOLOGY, Code
from isocenter.core.errors import ParameterError
from isocenter.core.geometry import Geometry
from isocenter.core.image import Image
from isocenter.core.labels import LabelMap, Segment
from isocenter.core.points import Points
from isocenter.testing.phantoms._canvas import Canvas, Capsule, Cylinder, Ellipsoid, Vector, centered, frame_uid, sourced
from isocenter.testing.phantoms._tree import grow

__all__ = ["LARGE", "NODULES", "SMALL", "ChestCT", "Nodule", "chest_ct"]

#: Shape and spacing (mm) of the two usual sizes.
SMALL: tuple[tuple[int, int, int], Vector] = ((60, 128, 128), (5.0, 2.8, 2.8))
LARGE: tuple[tuple[int, int, int], Vector] = ((150, 256, 256), (2.0, 1.4, 1.4))

BODY, RIGHT, LEFT, AIRWAY, HEART, BONE, TUMOUR, EFFUSION, FIRST_NODULE = 1, 2, 3, 4, 5, 6, 7, 8, 11
_CODES = {
    HEART: (Code("80891009", "SCT", "Heart"), ANATOMY),
    EFFUSION: (Code("60046008", "SCT", "Pleural effusion"), MORPHOLOGY),
}
_NAMES = {
    BODY: "body", RIGHT: "right lung", LEFT: "left lung", AIRWAY: "airway", HEART: "heart", BONE: "bone",
    TUMOUR: "tumour", EFFUSION: "effusion",
}  # fmt: skip


@dataclass(frozen=True)
class Nodule:
    """A round nodule: centre (L, P, S) in mm, diameter in mm, and its value in HU."""

    center: Vector
    diameter: float
    hu: float = 40.0


#: Nodules of the standard patient: two on the right (L < 0), two on the left.
NODULES: tuple[Nodule, ...] = (
    Nodule((-95.0, -20.0, 40.0), 16.0),
    Nodule((-88.0, 35.0, -50.0), 24.0),
    Nodule((96.0, 10.0, 30.0), 12.0),
    Nodule((92.0, 40.0, -30.0), 20.0),
)


@dataclass(frozen=True)
class ChestCT:
    """What `chest_ct` returns.

    Attributes
    ----------
    image
        HU, int16.
    truth
        Disjoint labels: body (soft tissue), right lung, left lung (both without airway, with vessels), airway,
        heart, bone, tumour, effusion, ``nodule 1`` ...; label values do not depend on the options.
    nodules
        Their centres in mm; ``values`` are the diameters in mm.
    volumes
        Volumes in mm^3 by formula, of the shapes as drawn (nothing cut off or painted over): both lungs and every
        nodule, and per mm of height the body.
    """

    image: Image
    truth: LabelMap
    nodules: Points
    volumes: Mapping[str, float]

    def region(self, name: str) -> npt.NDArray[np.bool_]:
        """Return a whole region as people outline it.

        ``right lung`` and ``left lung`` include the nodules in them, ``lungs`` is both, ``body`` is everything
        inside the skin; any other name is that of a segment of `truth`.
        """
        labels = np.asarray(self.truth.array)
        if name == "body":
            return labels > 0
        if name == "lungs":
            return self.region("right lung") | self.region("left lung")
        result = self.truth.mask(name)
        if name in ("right lung", "left lung"):
            for k, center in enumerate(self.nodules.positions):
                if (center[0] < 0) == (name == "right lung"):
                    result |= labels == FIRST_NODULE + k
        return result


@dataclass(frozen=True)
class _Anatomy:
    """The shapes of one patient."""

    skin: Cylinder
    muscle: Cylinder
    lungs: Mapping[int, Ellipsoid]
    heart: Ellipsoid
    airways: Sequence[Capsule]


def _anatomy(size: float) -> _Anatomy:
    lungs = {
        RIGHT: Ellipsoid((-78.0 * size, 0.0, -5.0), (58.0 * size, 80.0 * size, 118.0 * size)),
        LEFT: Ellipsoid((78.0 * size, 0.0, -5.0), (54.0 * size, 80.0 * size, 118.0 * size)),
    }
    carina = (0.0, 12.0, 32.0)
    hila = {RIGHT: (-46.0 * size, 12.0, 6.0), LEFT: (48.0 * size, 12.0, 2.0)}
    airways = [Capsule((0.0, 6.0, 260.0), carina, 9.0, 9.0)]
    for side, hilum in hila.items():
        sign = -1.0 if side == RIGHT else 1.0
        airways.append(Capsule(carina, hilum, 7.0 if side == RIGHT else 6.5, 5.0))
        for l, p, s in ((22.0, -12.0, 42.0), (30.0, 6.0, -8.0), (24.0, 22.0, -42.0)):
            end = (hilum[0] + sign * l * size, hilum[1] + p * size, hilum[2] + s * size)
            airways.append(Capsule(hilum, end, 4.0, 2.5))
    return _Anatomy(
        Cylinder((0.0, 0.0), (170.0 * size, 118.0 * size)),
        Cylinder((0.0, 0.0), (160.0 * size, 108.0 * size)),
        lungs,
        Ellipsoid((26.0 * size, -30.0 * size, -45.0), (52.0 * size, 44.0 * size, 54.0 * size)),
        airways,
    )


def _paint_wall(canvas: Canvas, anatomy: _Anatomy, size: float) -> None:
    """Skin, fat, muscle, ribs and spine."""
    canvas.paint(anatomy.skin, -100.0, BODY)
    canvas.paint(anatomy.muscle, 50.0)
    left, posterior, superior = canvas.world
    # A rib follows the chest wall in a plane that falls towards the front.
    a, b = 154.0 * size, 103.0 * size
    around = np.sqrt((left / a) ** 2 + (posterior / b) ** 2)
    off_wall = (around - 1.0) * np.sqrt(a * b)
    off_plane = np.mod(superior - 0.35 * posterior + 150.0, 28.0) - 14.0
    distance = np.broadcast_to(np.sqrt(off_wall**2 + (0.6 * off_plane) ** 2) - 5.0, canvas.geometry.shape)
    share = np.clip(0.5 - distance / canvas.edge, 0.0, 1.0)
    canvas.values += share * (350.0 - canvas.values)
    canvas.labels[distance <= 0.0] = BONE
    canvas.paint(Cylinder((0.0, 70.0 * size), (20.0, 17.0)), 220.0, BONE)
    canvas.paint(Cylinder((0.0, 92.0 * size), (11.0, 9.0)), 300.0, BONE)
    canvas.paint(Cylinder((0.0, 90.0 * size), (7.0, 6.0)), 20.0, BODY)
    canvas.paint(Ellipsoid((0.0, -97.0 * size, 10.0), (16.0, 5.0, 90.0)), 260.0, BONE)


def _paint_chest(canvas: Canvas, anatomy: _Anatomy, seed: int, blood: float) -> None:
    """Vessels, airways, heart and aorta, into lungs that are painted already."""
    rng = np.random.default_rng([seed, 1])
    for side, lung in anatomy.lungs.items():
        inside = canvas.labels == side
        sign = -1.0 if side == RIGHT else 1.0
        start = (lung.center[0] - sign * 30.0, 0.0, 4.0)
        for direction in ((sign * 0.6, -0.4, 0.8), (sign * 0.8, 0.5, 0.2), (sign * 0.6, 0.3, -0.9)):
            for branch in grow(rng, start, direction, 32.0, 4.5, 4, spread=32.0):
                canvas.paint(branch, blood, None, inside)
    for tube in anatomy.airways:
        canvas.paint(Capsule(tube.start, tube.end, tube.radius + 1.5, tube.end_radius + 1.5), 30.0)
    canvas.paint(anatomy.heart, blood, HEART)
    canvas.paint(Cylinder((26.0, 58.0), (12.0, 12.0)), blood, BODY)
    for tube in anatomy.airways:
        canvas.paint(tube, -1000.0, AIRWAY)


def _paint_disease(
    canvas: Canvas, anatomy: _Anatomy, nodules: Sequence[Nodule], tumour: bool, effusion: float, prone: bool
) -> None:
    """Effusion in the left lung, a tumour at the right wall, and nodules."""
    posterior = canvas.world[1]
    if effusion > 0.0:  # the fluid lies where the patient lies on
        lung = anatomy.lungs[LEFT]
        height = -posterior if prone else posterior
        low = height > lung.radii[1] * (1.0 - 2.0 * effusion)
        wet = low & (canvas.labels == LEFT)
        # Filled to just beyond the wall, lest the blended edge of the air stay behind as a dark rim.
        filled = Ellipsoid(lung.center, tuple(r + canvas.edge for r in lung.radii))  # type: ignore[arg-type]  # three radii
        canvas.paint(filled, 10.0, None, low & np.isin(canvas.labels, (LEFT, BODY)))
        canvas.labels[wet] = EFFUSION
    if tumour:
        mass = Ellipsoid((-118.0, 25.0, 20.0), (26.0, 30.0, 28.0))
        canvas.paint(mass, 45.0, TUMOUR, (canvas.labels == RIGHT) | ((canvas.labels == BODY) & canvas.mask(anatomy.muscle)))
    for k, nodule in enumerate(nodules):
        r = nodule.diameter / 2.0
        canvas.paint(Ellipsoid(nodule.center, (r, r, r)), nodule.hu, FIRST_NODULE + k)


def chest_ct(
    shape: Sequence[int] = SMALL[0],
    spacing: Sequence[float] = SMALL[1],
    *,
    seed: int = 0,
    nodules: Sequence[Nodule] = NODULES,
    tumour: bool = False,
    effusion: float = 0.0,
    contrast: bool = False,
    organs: bool = True,
    table: bool = True,
    prone: bool = False,
    tilt: float = 0.0,
    noise: float = 15.0,
    size: float = 1.0,
    center: Vector = (0.0, 0.0, 0.0),
) -> ChestCT:
    """Return a chest CT with its truth.

    Parameters
    ----------
    shape, spacing
        Slices, rows, columns; mm in that order. `SMALL` (default) and `LARGE` are the usual ones.
    seed
        Of vessels and noise.
    nodules
        Round nodules, in mm; they may lie anywhere.
    tumour
        A mass of 52 x 60 x 56 mm in the right lung, broad at the chest wall.
    effusion
        Share (0 to 1) of the left lung's height that is filled with fluid, from below as the patient lies.
    contrast
        Blood at 250 HU instead of 45 HU.
    organs
        Ribs, spine, heart, vessels and airways; False leaves skin, soft tissue and lungs, whose volumes are then exact.
    table
        A table below the patient.
    prone
        The patient lies on the face: rows run to the right and anterior, the table is anterior.
    tilt
        Gantry tilt in degrees; shears the grid.
    noise
        Standard deviation in HU.
    size
        Scale of the patient (0.8 to 1.2).
    center
        Middle of the field of view (L, P, S) in mm.

    Raises
    ------
    ParameterError
        If a parameter is outside its domain.
    """
    if not 0.0 <= effusion <= 1.0 or not 0.5 <= size <= 1.5 or noise < 0.0:
        raise ParameterError(f"Phantom with effusion {effusion}, size {size}, noise {noise}: expected 0-1, 0.5-1.5 and >= 0.")
    if len(nodules) > 200:
        raise ParameterError(f"Phantom with {len(nodules)} nodules: expected at most 200.")
    geometry = centered(shape, spacing, center, frame_uid("chest", seed, size), tilt=tilt, prone=prone)
    anatomy = _anatomy(size)
    canvas = Canvas(geometry, -1000.0)
    _paint_table(canvas, anatomy, prone, table)
    if organs:
        _paint_wall(canvas, anatomy, size)
    else:
        canvas.paint(anatomy.skin, 40.0, BODY)
    for label, lung in anatomy.lungs.items():
        canvas.paint(lung, -850.0, label)
    if organs:
        _paint_chest(canvas, anatomy, seed, 250.0 if contrast else 45.0)
    _paint_disease(canvas, anatomy, nodules, tumour, effusion, prone)
    if noise > 0.0:
        canvas.values += np.float32(noise) * np.random.default_rng([seed, 2]).standard_normal(geometry.shape, np.float32)
    return _result(canvas, anatomy, nodules, geometry)


def _paint_table(canvas: Canvas, anatomy: _Anatomy, prone: bool, table: bool) -> None:
    if table:
        # Its surface touches the skin and runs as wide as the patient.
        sign = -1.0 if prone else 1.0
        depth = anatomy.skin.radii[1]
        top = Cylinder((0.0, sign * (depth - 40.0)), (230.0, 62.0))
        well = Cylinder((0.0, sign * (depth - 50.0)), (230.0, 58.0))
        under = np.broadcast_to(sign * canvas.world[1] > depth - 45.0, canvas.geometry.shape)
        canvas.paint(top, -300.0, None, under)
        canvas.paint(well, -1000.0, None, under)


def _result(canvas: Canvas, anatomy: _Anatomy, nodules: Sequence[Nodule], geometry: Geometry) -> ChestCT:
    dims = ("z", "y", "x")
    image = Image(np.clip(np.rint(canvas.values), -1024, 3071).astype(np.int16), dims, geometry, modality="CT", quantity="HU")
    names = [f"nodule {k + 1}" for k in range(len(nodules))]
    rows = [Segment(value, name, *_CODES.get(value, (None, None))) for value, name in _NAMES.items()]
    rows += [Segment(FIRST_NODULE + k, name) for k, name in enumerate(names)]
    truth = LabelMap(canvas.labels, dims, geometry, tuple(rows))
    volumes = {
        "right lung": anatomy.lungs[RIGHT].volume,
        "left lung": anatomy.lungs[LEFT].volume,
        "body per mm": anatomy.skin.area,
        **{name: np.pi / 6.0 * n.diameter**3 for name, n in zip(names, nodules, strict=True)},
    }
    points = Points(
        np.array([n.center for n in nodules], dtype=float).reshape(-1, 3),
        tuple(names),
        np.array([n.diameter for n in nodules], dtype=float),
        geometry.frame,
    )
    return ChestCT(sourced(image), sourced(truth), points, volumes)
