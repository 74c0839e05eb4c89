"""What is said of the machine on which seconds were measured."""

import os
import platform
from pathlib import Path

import pytest

from recbole_dsl.common import machine

CPUINFO = """processor\t: 0
model name\t: Some CPU @ 2.00GHz
flags\t\t: fpu {flags}

processor\t: 1
model name\t: Some CPU @ 2.00GHz
flags\t\t: fpu {flags}
"""


@pytest.fixture
def cpuinfo(monkeypatch):
    """A function that sets the text of /proc/cpuinfo; None: there is no such file."""

    def tell(text):
        monkeypatch.setattr(Path, "exists", lambda _: text is not None)
        monkeypatch.setattr(Path, "read_text", lambda _: text)

    return tell


@pytest.mark.parametrize(
    ("flags", "units"),
    [
        ("", ""),
        ("avx2", " (AVX2)"),
        ("avx2 avx512f", " (AVX-512)"),
        ("avx2 avx512f amx_tile", " (AVX-512, AMX)"),
    ],
)
def test_the_processor_is_named_with_what_matrix_products_depend_on(cpuinfo, flags, units):
    cpuinfo(CPUINFO.format(flags=flags))
    assert machine.processor() == f"Some CPU @ 2.00GHz{units}"


def test_a_system_without_cpuinfo_or_a_model_name_says_what_python_knows(cpuinfo, monkeypatch):
    monkeypatch.setattr(platform, "processor", lambda: "")
    monkeypatch.setattr(platform, "machine", lambda: "arm64")
    cpuinfo(None)
    assert machine.processor() == "arm64"
    cpuinfo("processor\t: 0\nFeatures\t: fp asimd\n")
    assert machine.processor() == "arm64"


def test_cores_are_those_this_process_may_use(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 5, 7}, raising=False)
    assert machine.usable_cores() == 3
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: 12)
    assert machine.usable_cores() == 12


def test_a_machine_in_words():
    found = {"processor": "Some CPU", "cores": 1, "threads": 2, "gpu": None}
    assert machine.in_words(found) == "1 core of Some CPU, 2 threads"
    assert machine.in_words({**found, "gpu": "H"}) == "H, 1 core of Some CPU, 2 threads"
