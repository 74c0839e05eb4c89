"""Diagnostics of trained models from their checkpoints, side by side on one page."""

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from recbole_dsl.common.files import check_writable, write_atomically
from recbole_dsl.evaluation.diagnostics import page, report
from recbole_dsl.evaluation.diagnostics.after_training import page_path
from recbole_dsl.experiments.checkpoint_settings import model_of
from recbole_dsl.experiments.load_checkpoint import load
from recbole_dsl.models.resolve import resolve_model
from recbole_dsl.models.settings import check_has_diagnostics
from recbole_dsl.training import checkpoint


def diagnose_checkpoints(
    paths: Sequence[str],
    *,
    rows: int = 100000,
    output: str | Path | None = None,
    device: str = "auto",
    model: str | None = None,
    data_path: str | None = None,
) -> tuple[dict[str, Any], Path]:
    """Diagnose checkpoints on one page; the numbers go to a JSON file beside it.

    Where they were not trained on the same rows, a warning says so on standard error and the page.

    Args:
        paths: of the checkpoints.
        rows: how many training rows are measured at most, drawn at random.
        output: the page; None: beside the first checkpoint.
        device: auto, cpu or cuda:N.
        model: the model as the runs were told it, for a class or loss of your own.
        data_path: the folder of the datasets; None: the default. Neither is taken from a
            checkpoint.
    Returns:
        (label -> what :func:`report.diagnose` returns, path of the page).
    Raises:
        UsageError: no checkpoint of ours, a model without diagnostics, data that has changed.
    """
    output = Path(output) if output else page_path(Path(paths[0]))
    check_writable(output)
    fingerprints = {}
    for path in paths:  # before any data is read
        state = checkpoint.read(path)
        spec = resolve_model(model_of(state, path, model))
        check_has_diagnostics(f"{path}: {spec.name}", spec.loss)
        fingerprints[path] = state["fingerprint"]
    warnings = _why_not_comparable(fingerprints)
    for line in warnings:
        print(f"warning: {line}", file=sys.stderr)
    models, settings = [], {} if data_path is None else {"data_path": data_path}
    for path in paths:
        loaded = load(path, device, model=model, settings=settings)
        models.append(report.diagnose(loaded.config, loaded.model, loaded.dataset, rows))
    found = dict(zip(_labels(models, paths), models, strict=True))
    page.write(output, found, warnings)
    numbers = json.dumps(found, indent=2, allow_nan=False) + "\n"
    write_atomically(
        output.with_suffix(".json"), lambda temporary: temporary.write_text(numbers, "utf-8")
    )
    return found, output


def _why_not_comparable(fingerprints: Mapping[str, str]) -> list[str]:
    """A sentence where checkpoints were trained on other rows than the first one.

    Args:
        fingerprints: path of a checkpoint -> that of its training rows.
    """
    (first, of_first), *others = fingerprints.items()
    differ = [path for path, of_other in others if of_other != of_first]
    if not differ:
        return []
    were = "was" if len(differ) == 1 else "were"
    return [
        f"{', '.join(differ)} {were} not trained on the rows of {first} (another dataset, split or "
        "noise): a popularity group is not the same items in all models, and their values cannot "
        "be compared"
    ]


def _labels(models: Sequence[dict[str, Any]], paths: Sequence[str]) -> list[str]:
    """The models' names; those that several have, with their file's."""
    names = [one["model"] for one in models]
    alike = [name for name in names if names.count(name) > 1]
    return [
        f"{name} ({path})" if name in alike else name
        for name, path in zip(names, paths, strict=True)
    ]
