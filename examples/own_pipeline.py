"""A pipeline of one's own in ten lines of YAML: loaded, planned from headers alone, and run on a phantom.

Run it with ``python examples/own_pipeline.py``.
"""

from __future__ import annotations

import isocenter as iso
from isocenter.core.operation import Spec
from isocenter.core.study import Study
from isocenter.pipeline import plan, run, spec
from isocenter.testing.phantoms.chest_ct import chest_ct

STEPS = """
name: body-size
steps:
  - {op: segment.body, from: image, to: body}
  - {op: features.shape, from: [image, body], to: body_shape}
  - {op: features.intensity, from: [image, body], to: body_intensity}
"""


def main() -> None:
    """Print the plan, then two numbers."""
    study = Study("phantom-1", {"image": chest_ct().image})
    pipeline = spec.load(STEPS)
    planned = plan.plan(pipeline, {"image": Spec.of(study["image"])})
    print(f"{pipeline.name}: {len(pipeline.steps)} steps, about {planned.cost.seconds:.1f} s on one core")
    outcome = run.execute(planned, study)
    shape: iso.Features = outcome.study["body_shape"]
    print(f"The body takes {shape['volume_voxel'] / 1e6:.1f} litres in the field of view.")


if __name__ == "__main__":
    main()
