from __future__ import annotations

import io
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from isocenter.core.errors import SpecError, StepError
from isocenter.core.provenance import Provenance
from isocenter.core.study import Study
from isocenter.pipeline import run
from isocenter.pipeline.cache import Cache
from isocenter.pipeline.progress import Event, Lines
from tests.pipeline import cases
from tests.pipeline.ops._calls import CALLS


@pytest.fixture(autouse=True)
def _fresh() -> None:
    CALLS.clear()


def test_each_step_adds_a_slot_and_nothing_else_changes() -> None:
    one = cases.study()
    done = run.execute(cases.planned(cases.CHAIN, one), one)
    assert list(done.study) == ["image", "median", "noisy", "bright", "numbers"]
    assert list(one) == ["image"]
    assert [s.to for s in done.steps] == ["median", "noisy", "bright", "numbers"]
    assert done.steps[1].notes == ("noise was added",)
    assert done.digests["numbers"] == done.study["numbers"].digest
    assert done.steps[3].inputs == ("noisy", "bright")
    assert all(s.seconds >= 0 and s.peak_bytes > 0 for s in done.steps)


def test_equal_runs_are_bit_equal_and_the_seed_matters() -> None:
    one = cases.study()
    plan = cases.planned(cases.CHAIN, one)
    first, again, other = run.execute(plan, one, seed=3), run.execute(plan, one, seed=3), run.execute(plan, one, seed=4)
    assert first.digests == again.digests
    assert first.digests["noisy"] != other.digests["noisy"]
    assert [s.key for s in first.steps] == [s.key for s in again.steps]


def test_second_run_computes_nothing_and_gives_equal_values(tmp_path: Path) -> None:
    one = cases.study()
    plan = cases.planned(cases.CHAIN, one)
    first = run.execute(plan, one, cache=Cache(tmp_path))
    assert first.computed == 4 and sum(CALLS.values()) == 4
    CALLS.clear()
    second = run.execute(plan, cases.study(), cache=Cache(tmp_path))
    assert sum(CALLS.values()) == 0 and second.computed == 0
    assert first.digests == second.digests
    for slot in first.study:
        assert first.study[slot].provenance == second.study[slot].provenance
    np.testing.assert_array_equal(first.study["noisy"].array, second.study["noisy"].array)
    assert [s.record for s in first.steps] == [s.record for s in second.steps]


def test_cached_values_carry_the_provenance_of_this_study(tmp_path: Path) -> None:
    one = cases.study()
    run.execute(cases.planned(cases.CHAIN, one), one, cache=Cache(tmp_path))
    other = Study("other", {"image": one["image"].replace(provenance=Provenance.read(one["image"].digest, "nifti"))})
    plain = run.execute(cases.planned(cases.CHAIN, other), other)
    cached = run.execute(cases.planned(cases.CHAIN, other), other, cache=Cache(tmp_path))
    assert cached.computed == 0
    assert cached.study["numbers"].provenance == plain.study["numbers"].provenance
    assert cached.study["numbers"].provenance.sources[0].format == "nifti"


def test_changed_parameter_recomputes_what_follows_only(tmp_path: Path) -> None:
    one = cases.study()
    run.execute(cases.planned(cases.CHAIN, one), one, cache=Cache(tmp_path))
    CALLS.clear()
    changed = cases.planned(cases.CHAIN.replace("above: 10", "above: 20"), one)
    done = run.execute(changed, one, cache=Cache(tmp_path))
    assert [s.cached for s in done.steps] == [True, True, False, False]
    assert dict(CALLS) == {"segment.threshold": 1, "features.intensity": 1}


def test_force_computes_afresh(tmp_path: Path) -> None:
    one = cases.study()
    plan = cases.planned(cases.CHAIN, one)
    run.execute(plan, one, cache=Cache(tmp_path))
    assert run.execute(plan, one, cache=Cache(tmp_path), force=True).computed == 4


@pytest.mark.parametrize("damage", ["flip", "cut", "empty", "swap"])
def test_a_damaged_cache_entry_is_computed_again(tmp_path: Path, damage: str) -> None:
    one = cases.study()
    plan = cases.planned(cases.CHAIN, one)
    first = run.execute(plan, one, cache=Cache(tmp_path))
    cache = Cache(tmp_path)
    path = cache.path(first.steps[1].key)
    data = bytearray(path.read_bytes())
    if damage == "flip":
        data[-5] ^= 1
    elif damage == "cut":
        data = data[: len(data) // 2]
    elif damage == "empty":
        data = bytearray()
    else:
        data = bytearray(cache.path(first.steps[0].key).read_bytes())
    path.write_bytes(data)
    second = run.execute(plan, one, cache=cache)
    assert [s.cached for s in second.steps] == [True, False, True, True]
    assert cache.damaged == 1
    assert second.digests == first.digests
    assert run.execute(plan, one, cache=Cache(tmp_path)).computed == 0


def test_a_failing_step_names_itself_and_keeps_what_was_done(tmp_path: Path) -> None:
    one = cases.study()
    text = cases.CHAIN + "  - {op: denoise.broken, from: noisy}\n"
    plan = cases.planned(text, one)
    with pytest.raises(
        StepError, match=r"Step 'broken' \(denoise.broken, line 7\) failed: ZeroDivisionError: seven by nothing"
    ) as caught:
        run.execute(plan, one, cache=Cache(tmp_path))
    assert "numbers" in caught.value.outcome.study
    assert len(Cache(tmp_path)) == 4


def test_a_plan_with_problems_does_not_run() -> None:
    one = cases.study()
    plan = cases.planned("name: a\nsteps: [{op: features.intensity}]", one)
    with pytest.raises(SpecError, match="region"):
        run.execute(plan, one)


def test_progress_tells_every_step() -> None:
    one = cases.study()
    events: list[Event] = []
    run.execute(cases.planned(cases.CHAIN, one), one, progress=events.append)
    assert [e.kind for e in events] == ["begin", *["start", "done"] * 4, "end"]
    assert [e.fraction for e in events] == sorted(e.fraction for e in events) and events[-1].fraction == 1.0
    stream = io.StringIO()
    run.execute(cases.planned(cases.CHAIN, one), one, progress=Lines(stream))
    assert "case-1: step 3/4 bright (segment.threshold) done" in stream.getvalue()


def test_the_cache_stays_within_its_size(tmp_path: Path) -> None:
    one = cases.study()
    first = run.execute(cases.planned(cases.CHAIN, one), one, cache=Cache(tmp_path))
    sizes = [Cache(tmp_path).path(s.key).stat().st_size for s in first.steps]
    most = max(sizes) + 10
    cache = Cache(tmp_path, max_bytes=most)
    for seed in (2, 3):
        other = cases.study(seed)
        run.execute(cases.planned(cases.CHAIN, other), other, cache=cache)
        assert sum(p.stat().st_size for p in tmp_path.rglob("*.isocenter")) <= most


def test_a_result_that_cannot_be_kept_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file where the folder should be")
    one = cases.study()
    events: list[Event] = []
    done = run.execute(cases.planned(cases.CHAIN, one), one, cache=Cache(tmp_path / "cache"), progress=events.append)
    assert done.computed == 4
    assert any("not kept in the cache" in e.text for e in events)


_CHILD = """
import sys
from pathlib import Path
from isocenter.core.provenance import Provenance
from isocenter.core.study import Study
from isocenter.pipeline import run
from isocenter.pipeline.cache import Cache
from tests.pipeline import cases

text = "name: slow\\nsteps:\\n" + "".join(f"  - {{op: denoise.noisy, to: n{k}, with: {{pause: 0.05}}}}\\n" for k in range(4))
for seed in range(5):
    one = cases.study(seed)
    done = run.execute(cases.planned(text, one), one, cache=Cache(Path(sys.argv[1])))
    print(sorted(done.digests.items()), flush=True)
"""


def _child(folder: Path) -> subprocess.Popen[str]:
    root = Path(__file__).resolve().parents[2]
    env = {**os.environ, "PYTHONPATH": str(root)}
    return subprocess.Popen([sys.executable, "-c", _CHILD, str(folder)], stdout=subprocess.PIPE, text=True, cwd=root, env=env)


def test_killed_at_any_moment_then_resumed_equals_undisturbed(tmp_path: Path) -> None:
    undisturbed = _child(tmp_path / "whole")
    expected = undisturbed.communicate()[0]
    assert undisturbed.returncode == 0 and expected.count("n3") == 5
    moments = random.Random(7)
    hit = 0
    for _ in range(5):
        with _child(tmp_path / "killed") as child:
            assert child.stdout is not None
            child.stdout.readline()  # the first study is done: now it is inside the work
            time.sleep(moments.uniform(0.0, 0.25))
            child.send_signal(signal.SIGKILL)
        hit += child.returncode == -signal.SIGKILL
    assert hit >= 3
    resumed = _child(tmp_path / "killed")
    assert resumed.communicate()[0] == expected
    names = sorted(p.name for p in (tmp_path / "whole").rglob("*.isocenter"))
    assert sorted(p.name for p in (tmp_path / "killed").rglob("*.isocenter")) == names and len(names) == 20
