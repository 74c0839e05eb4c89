"""What the benchmarks share: side-by-side timing, the machine's own rates, and their pages.

A figure is a ratio of two medians taken in turn (A B A B ...) in one process, since the speed of a
shared machine drifts. The floor of a step is its floating-point operations over the matrix-product
rate, plus the bytes it must move over the copy rate, both measured here in the same process.
"""

import statistics
import time
from datetime import date
from pathlib import Path

import torch

from recbole_dsl.common.machine import in_words
from recbole_dsl.experiments.benchmark.report import made_with
from recbole_dsl.experiments.result import machine as machine_of
from recbole_dsl.experiments.result import versions

HERE = Path(__file__).resolve().parent
RESULTS = HERE.parent.parent / "docs" / "results"  # the pages that these scripts write


def in_turn(functions, rounds, warmup=1):
    """Call each function in turn, ``rounds`` times after ``warmup`` rounds that do not count.

    Args:
        functions: name -> function without arguments.
    Returns:
        dict: name -> list of seconds, in the order measured.
    """
    seconds = {name: [] for name in functions}
    for turn in range(warmup + rounds):
        for name, function in functions.items():
            started = time.perf_counter()
            function()
            if turn >= warmup:
                seconds[name].append(time.perf_counter() - started)
    return seconds


def ratio(slow, fast):
    """Median of the ratios of two lists of seconds, pair by pair."""
    return statistics.median(a / b for a, b in zip(slow, fast, strict=True))


def matrix_product_rate(m, k, n, rounds=20):
    """Floating-point operations a second of an (m, k) @ (k, n) product in float32."""
    a, b, out = torch.randn(m, k), torch.randn(k, n), torch.empty(m, n)
    seconds = in_turn({"product": lambda: torch.mm(a, b, out=out)}, rounds, warmup=3)["product"]
    return 2 * m * k * n / statistics.median(seconds)


def copy_rate(floats=1 << 24, rounds=10):
    """Bytes a second that a copy of float32 moves, read and written bytes both counted."""
    source, target = torch.randn(floats), torch.empty(floats)
    seconds = in_turn({"copy": lambda: target.copy_(source)}, rounds, warmup=2)["copy"]
    return 2 * source.nbytes / statistics.median(seconds)


def machine():
    """One line for what is measured in this process: processor, threads, versions, date."""
    found = in_words(machine_of(torch.device("cpu")))
    libraries = made_with.versions([{"versions": versions()}])
    return f"{found}; {libraries}; {date.today():%d %B %Y}."


def markdown_table(head, rows):
    """Lines of a Markdown table."""
    lines = [f"| {' | '.join(head)} |", "|" + "---|" * len(head)]
    return [*lines, *(f"| {' | '.join(str(cell) for cell in row)} |" for row in rows)]


def page_of(store):
    """The page of a store of runs: of the same name in docs/results, or beside a store that lies
    elsewhere than here, as in tests and trials."""
    folder = RESULTS if store.resolve().parent == HERE else store.parent
    return folder / f"{store.stem}.md"


def write_page(path, name, lines):
    """Replace what stands in a page between the marks of a table; the rest is written by hand.

    The marks are ``<!-- NAME -->`` and ``<!-- end of NAME -->``; a page without them gets them at
    its end, and a missing page is made.
    """
    path = Path(path)
    start, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
    text = path.read_text(encoding="utf-8") if path.exists() else f"# {path.stem}\n"
    if start not in text:
        text = f"{text.rstrip()}\n\n{start}\n{end}\n"
    before, rest = text.split(start, 1)
    after = rest.split(end, 1)[1]
    body = "\n".join(lines)
    path.write_text(f"{before}{start}\n\n{body}\n\n{end}{after}", encoding="utf-8")
