"""The process's memory: the allocator that training wants, its size and its peak."""

import ctypes
import resource
import sys
from pathlib import Path

import psutil

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # malloc.h
_KEEP = 1 << 30


def keep_large_blocks():
    """Let glibc reuse blocks of up to 1 GiB instead of returning them to the kernel at each free.

    By default a large temporary is mapped and faulted in anew in every step: a step of LightGCN_DSL
    on ml-100k took 1.11 to 1.20 times as long without this (2 cores, three runs each, in turn).
    Other C libraries have no mallopt and need none.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, _KEEP)
        mallopt(_M_TRIM_THRESHOLD, _KEEP)


def peak_mb():
    """Peak resident memory of this process so far, in MiB."""
    status = Path("/proc/self/status")
    if status.exists():  # where getrusage counts what the parent had when it started this process
        line = next(x for x in status.read_text().splitlines() if x.startswith("VmHWM:"))
        return int(line.split()[1]) / (1 << 10)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1 << 20 if sys.platform == "darwin" else 1 << 10)


def resident_mb():
    """Resident memory of this process now, in MiB."""
    return psutil.Process().memory_info().rss / (1 << 20)
