"""The machine on which seconds were measured."""

import os
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

# Flags of /proc/cpuinfo on which the time of a matrix product depends, the widest vectors first.
_VECTORS = {"avx512f": "AVX-512", "avx2": "AVX2"}
_MATRICES = {"amx_tile": "AMX"}


def usable_cores() -> int:
    """How many cores this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def processor() -> str:
    """The processor, with its widest vectors and whether it multiplies matrices where the system
    says so: ``AMD EPYC (AVX-512)``."""
    name, flags = platform.processor() or platform.machine(), set()
    info = Path("/proc/cpuinfo")
    if info.exists():
        lines = (line.partition(":") for line in info.read_text().splitlines())
        values = {key.strip(): value.strip() for key, _, value in lines}
        name, flags = values.get("model name", name), set(values.get("flags", "").split())
    found = [next((text for flag, text in _VECTORS.items() if flag in flags), "")]
    found += [text for flag, text in _MATRICES.items() if flag in flags]
    units = ", ".join(filter(None, found))
    return f"{name} ({units})" if units else name


def in_words(found: Mapping[str, Any]) -> str:
    """A result's ``machine`` as text: ``2 cores of AMD EPYC (AVX-512), 1 thread``.

    Args:
        found: what :func:`recbole_dsl.experiments.result.machine` gives.
    """
    gpu = [found["gpu"]] if found["gpu"] else []
    cores = f"{_counted(found['cores'], 'core')} of {found['processor']}"
    return ", ".join([*gpu, cores, _counted(found["threads"], "thread")])


def _counted(count: int, word: str) -> str:
    return f"{count} {word}" if count == 1 else f"{count} {word}s"
