"""``recbole_dsl diagnose``: what the losses of trained models do, by item popularity."""

from typing import Any

from recbole_dsl.cli.command import Command
from recbole_dsl.cli.parser import Arguments, Option, as_count
from recbole_dsl.common.errors import UsageError


def diagnose_arguments(given: Arguments) -> tuple[list[str], dict[str, Any]]:
    """A command line as the arguments of :func:`diagnose_checkpoints`.

    Raises:
        UsageError: no checkpoint, one twice, or an output that is no page.
    """
    paths = given.operands
    if not paths:
        raise UsageError("no CHECKPOINT is given: the .pth file that a run has left (see --help)")
    for path in paths:
        if paths.count(path) > 1:
            raise UsageError(f"{path} is given twice")
    if not given.options.get("output", ".html").endswith(".html"):
        raise UsageError(f"--output must end in .html, got {given.options['output']!r}")
    return paths, given.options


def _work(given: Arguments) -> int:
    paths, options = diagnose_arguments(given)
    from recbole_dsl.evaluation.diagnostics.report import text
    from recbole_dsl.experiments.diagnose_checkpoints import diagnose_checkpoints

    found, page = diagnose_checkpoints(paths, **options)
    print("\n".join(text(one) for one in found.values()))
    print(f"wrote {page}\nwrote {page.with_suffix('.json')}")
    return 0


COMMAND = Command(
    name="diagnose",
    summary="show what the loss of trained models does, by item popularity",
    usage=["CHECKPOINT [CHECKPOINT ...] [--OPTION=VALUE ...]"],
    about="""
    Shows what the loss of a trained <Backbone>_<Loss> does to positives and negatives of each
    popularity: temperature, entropy of the prior P, effective number of negatives, scores under P
    and under the worst case Q, KL(Q || P), and which negatives are pushed down. Means are printed;
    plots go to a page that opens without a network, several checkpoints side by side, and numbers
    to a JSON file beside it.

    For losses that are a log-sum-exp over drawn negatives: DSL, SL, BSL, PSL, SLatK, Talos,
    AdvInfoNCE, AdapTau, BC, or one of your own with robust_view.
    """,
    options=[
        Option("rows", "training rows measured, drawn at random", "N", "100000", read=as_count),
        Option(
            "output",
            "the page, replaced if it is there (default: <checkpoint>.diagnostics.html, beside the "
            "first checkpoint)",
            "FILE.html",
        ),
        Option("device", "auto, cpu or cuda:N", "NAME", "auto"),
        Option(
            "model",
            "the model as the runs were told it; needed for a class or loss of your own, which is "
            "not imported because a checkpoint names it",
            "NAME",
        ),
        Option("data_path", "the folder of the datasets (default: dataset)", "FOLDER"),
    ],
    examples=[
        "saved/MF_DSL-ml-100k.pth",
        "saved/dsl.pth saved/sl.pth --output=dsl-and-sl.html",
    ],
    operands=True,
    work=_work,
)

main = COMMAND.run
