"""The child that decodes compressed frames: it may crash, hang or swell, and is then replaced.

It is run as a script, reads requests from its input and answers on its output; nothing it says is trusted.
A message is the length of its JSON part and of its bytes (two big-endian 32-bit words), then both.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import struct
import sys
from typing import Any, BinaryIO

_EXTENDED = "1.2.840.10008.1.2.4.51"


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


def _decode(request: dict[str, Any], stream: bytes) -> tuple[dict[str, Any], bytes]:
    import numpy as np
    from pydicom.encaps import encapsulate
    from pydicom.pixels import get_decoder
    from pydicom.uid import UID

    if request["syntax"] == _EXTENDED and request["stored"] > 8:
        return _twelve_bits(stream)
    decoder = get_decoder(request["syntax"])
    array, meta = decoder.as_array(
        encapsulate([stream], has_bot=False),
        raw=True,
        index=0,
        transfer_syntax_uid=UID(request["syntax"]),
        rows=request["rows"],
        columns=request["columns"],
        number_of_frames=1,
        samples_per_pixel=request["samples"],
        bits_allocated=request["allocated"],
        bits_stored=request["stored"],
        pixel_representation=int(request["signed"]),
        photometric_interpretation=request["photometric"],
        planar_configuration=0,
        pixel_keyword="PixelData",
    )
    little = np.ascontiguousarray(array.astype(array.dtype.newbyteorder("<"), copy=False))
    answer = {"dtype": little.dtype.str, "shape": list(little.shape), "photometric": str(meta["photometric_interpretation"])}
    return answer, little.tobytes()


def _twelve_bits(stream: bytes) -> tuple[dict[str, Any], bytes]:
    """Decode 12-bit JPEG, for which the core's codecs have no decoder; the extra ``wsi`` brings one."""
    import numpy as np

    try:
        imagecodecs = importlib.import_module("imagecodecs")
    except ImportError:
        raise ValueError('12-bit JPEG needs the package imagecodecs: pip install "isocenter[wsi]"') from None
    array = np.ascontiguousarray(imagecodecs.jpeg_decode(stream)).astype("<u2")
    return {"dtype": array.dtype.str, "shape": list(array.shape), "photometric": "MONOCHROME2"}, array.tobytes()


def _serve(source: BinaryIO, sink: BinaryIO) -> None:
    while True:
        head = source.read(8)
        if len(head) < 8:
            return
        text, count = struct.unpack(">II", head)
        request = json.loads(source.read(text))
        stream = source.read(count)
        _limit_memory(int(request["memory"]))
        try:
            answer, data = _decode(request, stream)
        except Exception as error:  # noqa: BLE001  whatever a codec raises, the parent gets a sentence and this child lives on
            answer, data = {"error": f"{type(error).__name__}: {error}"[:300]}, b""
        body = json.dumps(answer).encode()
        sink.write(struct.pack(">II", len(body), len(data)))
        sink.write(body)
        sink.write(data)
        sink.flush()


def main() -> None:
    """Serve requests until the parent closes the pipe."""
    sink = os.fdopen(os.dup(1), "wb")
    quiet = os.open(os.devnull, os.O_WRONLY)
    os.dup2(quiet, 1)  # codecs that print must not write into the answers
    os.dup2(quiet, 2)
    with contextlib.suppress(BrokenPipeError, KeyboardInterrupt):
        _serve(sys.stdin.buffer, sink)


if __name__ == "__main__":
    main()
