"""The command line: diagnostics of one checkpoint, or of several on one page."""

import json
from pathlib import Path

from recbole_dsl import checkpoint, commands, settings
from recbole_dsl.diagnostics import page, report
from recbole_dsl.diagnostics.after_training import page_path
from recbole_dsl.diagnostics.settings import check_loss, check_rows
from recbole_dsl.result import check_writable
from recbole_dsl.settings import UsageError, did_you_mean, split_flags

_HELP = """\
usage: python -m recbole_dsl.diagnostics CHECKPOINT [CHECKPOINT ...] [--KEY=VALUE ...]

Shows what the loss of a trained <Backbone>_<Loss> does to positives and negatives of each
popularity: temperature, entropy of the prior P, effective number of negatives, scores under P and
under the worst case Q, KL(Q || P), and which negatives are pushed down. Means are printed; plots go
to a page that opens anywhere, several checkpoints side by side, and numbers to a JSON file beside
it. For losses that are a log-sum-exp over drawn negatives: DSL, SL, BSL, PSL, SLatK, AdvInfoNCE,
AdapTau, BC, or one of your own with robust_view.

  --rows              training rows to look at, drawn at random (default: 100000)
  --output            the page, a file that ends in .html (default: <checkpoint>.diagnostics.html,
                      beside the first one); it is replaced
  --device            auto (default), cpu or cuda:N
  --help              this text

  python -m recbole_dsl.diagnostics saved/MF_DSL-ml-100k.pth
  python -m recbole_dsl.diagnostics saved/dsl.pth saved/sl.pth --output=dsl-and-sl.html
"""

_FLAGS = ("rows", "output", "device")


def parse(arguments):
    """The command line as (paths of checkpoints, flags).

    Raises:
        UsageError: no checkpoint, one twice, an unknown flag, a flag twice, a value out of range.
    """
    paths, pairs, rest = [], [], list(arguments)
    while rest:
        if not rest[0].startswith("-"):
            paths.append(rest.pop(0))
        else:
            taken = 1 if "=" in rest[0] else 2
            pairs += split_flags(rest[:taken])
            del rest[:taken]
    if not paths:
        raise UsageError("no CHECKPOINT is given: the .pth file that a run has left (see --help)")
    for path in paths:
        if paths.count(path) > 1:
            raise UsageError(f"{path} is given twice")
    given = {}
    for key, text in pairs:
        if key not in _FLAGS:
            raise UsageError(f"unknown flag --{key}{did_you_mean(key, _FLAGS)} (see --help)")
        if key in given:
            raise UsageError(f"--{key} is given twice: {given[key]!r} and {text!r}")
        given[key] = settings.parse_value(key, text) if key == "rows" else text
    check_rows("--rows", given.get("rows", 1))
    if not given.get("output", ".html").endswith(".html"):
        raise UsageError(f"--output must end in .html, got {given['output']!r}")
    return paths, given


def diagnose_checkpoints(paths, *, rows=100000, output=None, device="auto"):
    """Diagnose checkpoints on one page.

    Args:
        paths: of the checkpoints. rows, output, device: as in the help text.
    Returns:
        (label -> what :func:`recbole_dsl.diagnostics.report.diagnose` returns, path of the page).
    Raises:
        UsageError: no checkpoint of ours, a model without diagnostics, data that has changed.
    """
    from recbole_dsl.runner import load  # needs what training needs

    output = Path(output) if output else page_path(Path(paths[0]))
    check_writable(output)
    for path in paths:  # before any data is read
        _check(path)
    models = []
    for path in paths:
        loaded = load(path, device)
        models.append(report.diagnose(loaded.config, loaded.model, loaded.dataset, rows))
    found = dict(zip(_labels(models, paths), models, strict=True))
    page.write(output, found)
    numbers = json.dumps(found, indent=2, allow_nan=False) + "\n"
    checkpoint.write_atomically(
        output.with_suffix(".json"), lambda temporary: temporary.write_text(numbers, "utf-8")
    )
    return found, output


def _check(path):
    from recbole_dsl.zoo import resolve_model

    spec = resolve_model(checkpoint.read(path)["model"])
    check_loss(f"{path}: {spec.name}", spec.loss)


def _labels(models, paths):
    """The models' names; those that several have, with their file's."""
    names = [one["model"] for one in models]
    alike = [name for name in names if names.count(name) > 1]
    return [
        f"{name} ({path})" if name in alike else name
        for name, path in zip(names, paths, strict=True)
    ]


def _work(arguments):
    paths, given = parse(arguments)
    found, output = diagnose_checkpoints(paths, **given)
    lines = [report.text(one) for one in found.values()]
    lines += [f"wrote {path}" for path in (output, output.with_suffix(".json"))]
    return "\n".join(lines)


def main(arguments=None):
    """Run the command line; returns the exit code: 0, or 2 for bad input."""
    return commands.run(_work, _HELP, arguments)
