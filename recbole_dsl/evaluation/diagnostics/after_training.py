"""Diagnostics of a run, once its best epoch's weights are in the model."""

from logging import getLogger
from pathlib import Path
from typing import Any

from recbole_dsl.common import distributed
from recbole_dsl.common.terminal import say
from recbole_dsl.evaluation.diagnostics import page, report


def page_path(path: Path) -> Path:
    """The page beside a result file or a checkpoint: ``<stem>.diagnostics.html``."""
    stem = path.stem if path.suffix in (".json", ".pth") else path.name
    return path.with_name(f"{stem}.diagnostics.html")


def diagnose(config: Any, model: Any, train: Any, result_path: Path | None) -> dict[str, Any]:
    """Diagnostics of a run's model, in all of its processes, worked out by the main one.

    Args:
        config, model, train: as in :func:`recbole_dsl.evaluation.diagnostics.report.diagnose`.
        result_path: the result file, beside which the page goes; None: no page.
    Returns:
        dict of plain data: what :func:`report.diagnose` returns, and ``page``, the path of the page
        or None.
    """
    found = None
    if distributed.world().main:
        found = report.diagnose(config, model, train, config["diagnostics_rows"])
        path = None if result_path is None else page_path(result_path)
        getLogger().info(report.text(found))
        if path:
            page.write(path, {found["model"]: found})
            say(f"Diagnostics: {path}")
        found["page"] = None if path is None else str(path)
    return distributed.from_main(found)
