"""Diagnostics of a run, once its best epoch's weights are in the model."""

from logging import getLogger

from recbole_dsl import distributed
from recbole_dsl.diagnostics import page, report


def page_path(path):
    """The page beside a result file or a checkpoint: ``<stem>.diagnostics.html``."""
    stem = path.stem if path.suffix in (".json", ".pth") else path.name
    return path.with_name(f"{stem}.diagnostics.html")


def diagnose(config, model, train, result_path):
    """Diagnostics of a run's model, in all of its processes, worked out by the main one.

    Args:
        config, model, train: as in :func:`recbole_dsl.diagnostics.report.diagnose`.
        result_path: Path of the result file, beside which the page goes; None: no page.
    Returns:
        dict of plain data: what :func:`recbole_dsl.diagnostics.report.diagnose` returns, and
        ``page``, the path of the page or None.
    """
    found = None
    if distributed.world().main:
        found = report.diagnose(config, model, train, config["diagnostics_rows"])
        place = None if result_path is None else page_path(result_path)
        getLogger().info(report.text(found))
        if place:
            page.write(place, {found["model"]: found})
            getLogger().info(f"Diagnostics: {place}")
        found["page"] = None if place is None else str(place)
    return distributed.from_main(found)
