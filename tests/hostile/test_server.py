"""The fork server sees what it is there to see: hangs, floods, crashes and tracebacks."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.hostile import server as served

HAZARDS = {
    "hangs": ("import time\ndef main(arguments):\n while True: time.sleep(1)\n", None),
    "spins": ("def main(arguments):\n while True: pass\n", None),
    "floods": ("def main(arguments):\n bytearray(3 << 30)\n", 1),
    "crashes": ("import os\ndef main(arguments):\n os.kill(os.getpid(), 11)\n", -11),
    "raises": ("def main(arguments):\n raise ZeroDivisionError\n", 1),
    "leaves": ("def main(arguments):\n raise SystemExit(3)\n", 3),
}


@pytest.mark.parametrize("name", HAZARDS)
def test_what_a_command_can_do(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text, code = HAZARDS[name]
    package = tmp_path / "isocenter" / "cli"
    package.mkdir(parents=True)
    for folder in (package.parent, package):
        (folder / "__init__.py").touch()
    (package / "main.py").write_text(text, encoding="utf-8")
    # A command of that kind stands in for ours: the child is started with another import path.
    program = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); from tests.hostile import server; server._warm = lambda paths: None; server.main()"
    real = subprocess.Popen
    monkeypatch.setattr(subprocess, "Popen", lambda command, **kept: real([command[0], "-P", "-c", program], **kept))
    with served.Server(tmp_path / "served") as server:
        found = server.run("info", seconds=1.0, memory_mib=512)
    monkeypatch.undo()
    if name in ("hangs", "spins"):
        assert found.code is None or found.code in (-9, -24), found  # ended by the server, or by its limit of CPU time
        assert found.seconds < 6
    else:
        assert found.code == code
    assert ("Traceback" in found.err) == (name in ("floods", "raises"))
    assert json.dumps(found.out) == '""' and os.listdir(tmp_path / "served" / "here") == []
