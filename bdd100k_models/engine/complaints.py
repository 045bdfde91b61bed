"""What OpenCV's decoders say of a damaged picture, which nobody hears else.

They give its pixels as if it were whole, the rest of it grey or garbage. All that tells is a line
without a name that libjpeg or libpng prints to the C library's ``stderr``. That stream alone, which
neither Python nor torch writes to, is led to a file in memory here; asking whether the file has
grown costs a microsecond a picture, where decoding it a second time would cost milliseconds.

Seen with OpenCV 4.11. Where the C library is another one than glibc, nothing is heard.
"""

from __future__ import annotations

import ctypes
import os
import platform
import re
import sys
import threading
from dataclasses import dataclass

_DAMAGE = re.compile(rb"Corrupt JPEG data[^\n]*|Premature end of JPEG file|libpng error[^\n]*")
#: Pictures that one process tells of; whoever has more knows by then.
_TOLD = 10


@dataclass
class _Stream:
    """The file in the place of ``stderr``, and how much of it is read."""

    file: int | None
    process: int
    read: int = 0


_stream: _Stream | None = None
_lock = threading.Lock()
_told: set[str] = set()


def listen() -> None:
    """Hear the decoders from now on; a process that was forked needs to say so itself."""
    global _stream
    if _stream is not None and _stream.process == os.getpid():
        return
    with _lock:
        if _stream is None or _stream.process != os.getpid():
            _stream = _Stream(_redirected(), os.getpid())


def heard() -> str | None:
    """What a decoder has complained of since the last call; what is no damage is passed on."""
    if _stream is None or _stream.file is None:
        return None
    if os.fstat(_stream.file).st_size == _stream.read:
        return None
    with _lock:
        size = os.fstat(_stream.file).st_size
        text = os.pread(_stream.file, size - _stream.read, _stream.read)
        _stream.read = size
    match = _DAMAGE.search(text)
    if match is None:
        os.write(2, text)
        return None
    return match.group().decode("ascii", "replace")


def tell(path: str, complaint: str) -> None:
    """Tell on stderr, once, that a picture is damaged; no more than some of a process."""
    if path in _told or len(_told) > _TOLD:
        return
    _told.add(path)
    line = f"note: {path} is damaged ({complaint}); what can be read of it is used"
    if len(_told) > _TOLD:
        line = "note: more pictures are damaged, and not named"
    print(line, file=sys.stderr, flush=True)


def _redirected() -> int | None:
    """The C library's ``stderr`` now goes to this file in memory; None where that cannot be."""
    if platform.libc_ver()[0] != "glibc":
        return None
    try:
        file = os.memfd_create("complaints")
    except OSError:
        return None
    library = ctypes.CDLL(None)
    library.fdopen.restype = ctypes.c_void_p
    library.fdopen.argtypes = (ctypes.c_int, ctypes.c_char_p)
    library.setbuf.argtypes = (ctypes.c_void_p, ctypes.c_void_p)
    stream = library.fdopen(file, b"a")
    library.setbuf(stream, None)
    ctypes.c_void_p.in_dll(library, "stderr").value = stream
    return file
