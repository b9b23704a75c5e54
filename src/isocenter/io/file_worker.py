"""What the children that read foreign containers share: limits on themselves, one request in, messages out.

A message is the length of its JSON part and of its bytes (two big-endian words of 32 and 64 bits), then both. The parent's
side is `isocenter.io.file_child`.
"""

from __future__ import annotations

import json
import os
import struct
import sys
from collections.abc import Callable, Iterator
from typing import Any

__all__ = ["HEAD", "Message", "UnreadError", "serve"]

#: Lengths in front of every message.
HEAD = struct.Struct(">IQ")
#: Plain facts, and bytes.
Message = tuple[dict[str, Any], Any]


class UnreadError(Exception):
    """A sound file of a kind that is not read; the text is the sentence for the user, without the file's name."""


def _limit_memory(extra: int) -> None:
    """Allow this process `extra` bytes above what it has mapped now."""
    try:
        import resource

        with open("/proc/self/statm", encoding="ascii") as handle:
            mapped = int(handle.read().split()[0]) * resource.getpagesize()
        _, hard = resource.getrlimit(resource.RLIMIT_AS)
        wanted = mapped + extra
        resource.setrlimit(resource.RLIMIT_AS, (wanted if hard == resource.RLIM_INFINITY else min(wanted, hard), hard))
    except (ImportError, OSError, ValueError):  # only Linux tells; elsewhere the parent's time limit stands alone
        return


def serve(handler: Callable[[dict[str, Any]], Iterator[Message]]) -> None:
    """Answer the one request that the parent sends, then end.

    Parameters
    ----------
    handler
        Turns a request into messages.
    """
    sink = os.fdopen(os.dup(1), "wb")
    quiet = os.open(os.devnull, os.O_WRONLY)
    os.dup2(quiet, 1)  # libraries that print must not write into the answers
    os.dup2(quiet, 2)

    def send(facts: dict[str, Any], data: Any = b"") -> None:
        body = json.dumps(facts).encode()
        view = memoryview(data).cast("B")
        sink.write(HEAD.pack(len(body), len(view)))
        sink.write(body)
        sink.write(view)

    try:
        request = json.loads(sys.stdin.buffer.read())
        _limit_memory(int(request["memory"]))
        try:
            for facts, data in handler(request):
                send(facts, data)
            send({"end": True})
        except UnreadError as error:
            send({"error": str(error)[:400], "kind": "unsupported"})
        except Exception as error:  # noqa: BLE001  whatever a library raises on bad bytes, the parent gets a sentence
            send({"error": f"{type(error).__name__}: {error}"[:300], "kind": "format"})
        sink.flush()
    except (BrokenPipeError, KeyboardInterrupt):
        return
    finally:
        os._exit(0)  # nothing to tidy up; libraries that were fed bad bytes may crash while they unload
