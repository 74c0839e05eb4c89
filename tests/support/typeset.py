"""LaTeX, for tests that compile what a paper includes."""

import os
import re
import shutil
import subprocess

import pytest

_PAPER = r"""\documentclass[twocolumn]{article}
\usepackage{booktabs}
\begin{document}
%s
\end{document}
"""


def typeset(table, folder):
    """Compile a table in a two-column article; what LaTeX says of boxes that are too wide.

    Skips the test where there is no LaTeX with booktabs, unless RECBOLE_DSL_NEEDS_LATEX is set, as
    in CI.
    """
    found = (
        shutil.which("pdflatex")
        and subprocess.run(["kpsewhich", "booktabs.sty"], capture_output=True, check=False).stdout
    )
    if not found and os.environ.get("RECBOLE_DSL_NEEDS_LATEX"):
        pytest.fail("no LaTeX with booktabs on this machine, and RECBOLE_DSL_NEEDS_LATEX is set")
    if not found:
        pytest.skip("no LaTeX with booktabs on this machine")
    (folder / "paper.tex").write_text(_PAPER % table, encoding="utf-8")
    ended = subprocess.run(
        ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "-no-shell-escape", "paper"],
        cwd=folder, capture_output=True, check=False,
    )  # fmt: skip
    log = (folder / "paper.log").read_text(encoding="latin-1")
    assert ended.returncode == 0 and (folder / "paper.pdf").is_file(), log[-2000:]
    return re.findall(r"^(?:Overfull \\hbox|LaTeX Warning: (?!There were|Label)).*", log, re.M)
