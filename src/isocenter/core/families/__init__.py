"""The families of operations: what goes in, what comes out, and what is guaranteed.

=================  ======================================  =====================================================
family             in -> out                               guaranteed
=================  ======================================  =====================================================
Filter             Image -> Image                          same grid and dims; quantity kept or declared
ReferenceFilter    Image, reference Image -> Image         the same, and identity when both are one
Resampler          Image[, Transform][, grid] -> Image     the requested grid; label maps stay integral
Reconstructor      Raw -> Image                            forward then inverse on a phantom within tolerance
Registrar          fixed, moving -> Transform              identity on equal images
Fuser              Images -> Image                         grids must match, else an error that names both
Segmenter          Image[, region] -> LabelMap             labels in the declared table; grid kept
Editor             LabelMap -> LabelMap                    replays bit-equal
Surfacer           LabelMap -> Mesh                        closed where the mask is
Extractor          Image, region -> Features               unit per column; empty region defined
Measure            Image[, region] -> Scores               scale behaviour declared
Metric             prediction, truth -> Scores             bounds, empty-set convention, a miss never beats a hit
Predictor          Image or Features -> Prediction         probabilities sum to 1
Detector           Image[, region] -> Points or Boxes      positions in mm inside the image
SignalFilter       Signal -> Signal                        channels and rate kept
SignalExtractor    Signal -> Features                      one row per channel; unit per column
Fittable           fit(cohort) -> Operation                fitting never mutates
=================  ======================================  =====================================================

The contract suites in `isocenter.testing.contracts` check every member.
"""

from __future__ import annotations

from isocenter.core.families.finding import Detector, Fittable, Predictor, SignalExtractor, SignalFilter
from isocenter.core.families.grids import Reconstructor, Registrar, Resampler
from isocenter.core.families.images import Filter, Fuser, ReferenceFilter
from isocenter.core.families.labelling import Editor, Segmenter, Surfacer
from isocenter.core.families.measuring import Extractor, Measure, Metric

__all__ = [
    "Detector",
    "Editor",
    "Extractor",
    "Filter",
    "Fittable",
    "Fuser",
    "Measure",
    "Metric",
    "Predictor",
    "Reconstructor",
    "ReferenceFilter",
    "Registrar",
    "Resampler",
    "Segmenter",
    "SignalExtractor",
    "SignalFilter",
    "Surfacer",
]
