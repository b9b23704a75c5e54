# What type checkers and editors see of the lazy facade; tests/house keeps it equal to the table in __init__.py.
from isocenter._facade import op as op
from isocenter._facade import run as run
from isocenter._version import __version__ as __version__
from isocenter.core.errors import IsocenterError as IsocenterError
from isocenter.core.geometry import Geometry as Geometry
from isocenter.core.image import Image as Image
from isocenter.core.labels import LabelMap as LabelMap
from isocenter.core.labels import MaskStack as MaskStack
from isocenter.core.labels import Segment as Segment
from isocenter.core.points import Boxes as Boxes
from isocenter.core.points import Contour as Contour
from isocenter.core.points import Contours as Contours
from isocenter.core.points import Mesh as Mesh
from isocenter.core.points import Points as Points
from isocenter.core.provenance import Provenance as Provenance
from isocenter.core.pyramid import Pyramid as Pyramid
from isocenter.core.raw import Raw as Raw
from isocenter.core.results import Features as Features
from isocenter.core.results import Prediction as Prediction
from isocenter.core.results import Score as Score
from isocenter.core.results import Scores as Scores
from isocenter.core.signal import Signal as Signal
from isocenter.core.study import Study as Study
from isocenter.core.transform import Affine as Affine
from isocenter.core.transform import Displacement as Displacement
from isocenter.core.transform import Transform as Transform
from isocenter.io.door import inspect as inspect
from isocenter.io.door import open as open
from isocenter.io.door import read as read
from isocenter.io.door import read_labels as read_labels
from isocenter.io.door import read_study as read_study
from isocenter.io.door import write as write
from isocenter.ops import classify as classify
from isocenter.ops import correct as correct
from isocenter.ops import denoise as denoise
from isocenter.ops import detect as detect
from isocenter.ops import edit as edit
from isocenter.ops import enhance as enhance
from isocenter.ops import evaluate as evaluate
from isocenter.ops import explain as explain
from isocenter.ops import features as features
from isocenter.ops import filter as filter
from isocenter.ops import forensics as forensics
from isocenter.ops import fuse as fuse
from isocenter.ops import plan as plan
from isocenter.ops import reconstruct as reconstruct
from isocenter.ops import register as register
from isocenter.ops import resample as resample
from isocenter.ops import restore as restore
from isocenter.ops import segment as segment

__all__: list[str]

# At run time the package isocenter.ops, which is callable; that is all a user needs to know of it.
def ops() -> dict[str, str]: ...
