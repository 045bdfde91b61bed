"""What Linux, macOS and Windows do differently, each with a way for all of them.

Nobody else asks which system this is, or imports `fcntl` or `resource`, which Windows lacks.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
from pathlib import Path
from typing import Literal

#: `ioctl` for the IPv4 address of an interface (Linux).
_GET_ADDRESS = 0x8915
#: Parameters of glibc's mallopt.
_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_MAX = -1, -2, -4


def start_method() -> Literal["fork", "spawn"]:
    """How a process for loading or scoring starts.

    A fork shares what is loaded already. Python 3.14 no longer forks on its own; on macOS a fork
    is not safe, as the system's libraries keep threads, and Windows has none.
    """
    return "fork" if hasattr(os, "fork") and sys.platform != "darwin" else "spawn"


def usable_cores() -> tuple[int, ...]:
    """Numbers of the cores that this process may run on; all where the system binds nobody."""
    if hasattr(os, "sched_getaffinity"):
        return tuple(sorted(os.sched_getaffinity(0)))
    return tuple(range(os.cpu_count() or 1))


@functools.cache
def keep_freed_memory() -> None:
    """Keep memory that is freed for what comes, for the rest of the process.

    glibc gives every large block back to the system as it is freed, and pages are cleared anew
    when they are asked for again. Where the C library is another one, nothing happens.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
        glibc = ctypes.CDLL(None).gnu_get_libc_version
    except (AttributeError, OSError, TypeError):
        return
    if glibc is not None:
        mallopt(_M_MMAP_MAX, 0)
        mallopt(_M_TRIM_THRESHOLD, 2**31 - 1)
        mallopt(_M_TOP_PAD, 64 * 2**20)


def interface_of(address: str) -> str | None:
    """The network interface of this machine that has an IPv4 ``address``; None where unknown."""
    try:
        import fcntl
    except ImportError:
        return None
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        for _, name in socket.if_nameindex():
            request = struct.pack("256s", name.encode()[:15])
            try:
                answer = fcntl.ioctl(probe.fileno(), _GET_ADDRESS, request)
            except OSError:  # it has none
                continue
            if socket.inet_ntoa(answer[20:24]) == address:
                return name
    return None


def peak_memory() -> tuple[float, float]:
    """MiB: the most that this process had so far, and that of its finished child that had most."""
    try:
        import resource
    except ImportError:
        import psutil

        return psutil.Process().memory_info().peak_wset / 2**20, 0.0
    unit = 2**20 if sys.platform == "darwin" else 2**10
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
    status = Path("/proc/self/status")
    if status.is_file():
        # ru_maxrss begins with what the parent had when it started this process.
        fields = dict(line.split(":", 1) for line in status.read_text().splitlines())
        own = int(fields["VmHWM"].split()[0]) / 2**10
    return own, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / unit


def point_to(link: Path, target: Path) -> None:
    """Make ``link`` stand for the file ``target`` (relative to the link's folder, or absolute).

    It replaces what stood there. Windows lets few users make symbolic links: there it is a hard
    link, or a copy.
    """
    new = link.with_name(f".{link.name}")
    new.unlink(missing_ok=True)
    try:
        new.symlink_to(target)
    except (OSError, NotImplementedError):
        file = link.parent / target
        try:
            os.link(file, new)
        except OSError:
            shutil.copyfile(file, new)
    new.replace(link)


def end_group(process: subprocess.Popen[bytes]) -> None:
    """End a process that was started as a session, with all that is left of its group."""
    with contextlib.suppress(OSError):
        if hasattr(os, "killpg"):
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
    process.wait()


def ignore_ended_children() -> None:
    """Let no handler be called any more for child processes that end."""
    if hasattr(signal, "SIGCHLD"):
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
