"""A benchmark from its request to its report: tune, run what is missing, report."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from recbole_dsl.evaluation.settings import reported
from recbole_dsl.experiments.benchmark import entries, execution, plan, store, tuning
from recbole_dsl.experiments.benchmark.jobs import StoppedBySignal
from recbole_dsl.experiments.benchmark.plan import Plan, Run
from recbole_dsl.experiments.benchmark.progress import Estimate, Kind, Progress
from recbole_dsl.experiments.benchmark.report import formats, tables, tuning_table, write
from recbole_dsl.experiments.benchmark.report.paper_table import check_columns
from recbole_dsl.experiments.benchmark.request import Request
from recbole_dsl.experiments.benchmark.store import Store
from recbole_dsl.experiments.benchmark.studies import studies
from recbole_dsl.experiments.benchmark.tuning import Outcome
from recbole_dsl.experiments.benchmark.tuning_progress import TuningProgress


class Ended(NamedTuple):
    """How a benchmark ended: whether a run has failed, and the signal that stopped it or None."""

    failed: bool
    signal: int | None = None


def benchmark(request: Request) -> Ended:
    """Tune where that is asked for, run what is missing, and report.

    Raises:
        UsageError: something in the request is wrong, or in the data; nothing has been run or
            written.
    """
    if request.report_only:
        stored = store.read_plan(request.output)
        if request.columns is not None:
            stored["columns"] = request.columns
        if request.alternative is not None:
            stored["alternative"] = request.alternative
        if request.reference is not None:
            labels = list(dict.fromkeys(run["label"] for run in stored["runs"]))
            stored["reference"] = entries.choose_reference(labels, request.reference)
        return Ended(_report(request.output, stored, None))
    models = entries.entries(request.models, request.models_file)
    reference = entries.choose_reference([entry.label for entry in models], request.reference)

    def make_plan(tuned: Mapping[tuple[str, str], Outcome]) -> Plan:
        return plan.make(
            models, request.datasets, request.seeds, request.config_files, request.shared, tuned
        )

    checked = make_plan({})
    for values in checked.protocol.values():
        check_columns(request.columns or (), reported(values["metrics"], values["topk"]))
    to_tune = None if request.tune is None else studies(models, request)
    for note in checked.notes:  # before hours of tuning
        print(f"note: {note}", file=sys.stderr)
    if not (request.output / store.RESULTS).exists():  # a benchmark that goes on has read it
        plan.check_data_of(models, request.datasets, request.config_files, request.shared)
    opened = Store(request.output)
    try:
        stored_plan, stopped = None, None
        try:
            tuned: Mapping[tuple[str, str], Outcome] = {}
            if to_tune is not None:
                progress = TuningProgress(request.jobs)
                tuned = tuning.outcomes(to_tune, request.jobs, progress, request.retry_failed)
                checked = make_plan(tuned)
            stored_plan = _plain(checked, tuned, reference, request)
            store.write_plan(request.output, stored_plan)
            _run_missing(checked, opened, request)
        except StoppedBySignal as signal:
            stopped = signal.number
        # Stopped while tuning, there is no plan yet of what to report. Stopped while a record was
        # being written, the file has more of it than this process.
        records = opened.records if stopped is None else None
        failed = False if stored_plan is None else _report(request.output, stored_plan, records)
        if stopped is not None:
            print("stopped; the same command goes on from here", file=sys.stderr)
        return Ended(failed, stopped)
    finally:
        opened.close()


def _plain(
    checked: Plan, tuned: Mapping[tuple[str, str], Outcome], reference: str, request: Request
) -> dict[str, Any]:
    """All that a report needs beside the records, as plain data."""
    runs = [
        {key: value for key, value in run._asdict().items() if key != "tuning"}
        for run in checked.runs
    ]
    return dict(
        runs=runs,
        protocol=checked.protocol,
        budget=checked.budget,
        tuning=list(tuned.values()),
        notes=checked.notes,
        reference=reference,
        alternative=request.alternative,
        columns=request.columns or [],
    )


def _run_missing(checked: Plan, opened: Store, request: Request) -> None:
    if opened.dropped_line:
        print("the last line of the store was torn; its run is run again", file=sys.stderr)
    missing = [run for run in checked.runs if _is_missing(run, opened, request.retry_failed)]
    n_done = len(checked.runs) - len(missing)
    if n_done:
        print(f"{n_done} of {len(checked.runs)} runs are there already", file=sys.stderr)
    seconds: dict[Kind, list[float]] = {}
    for record in opened.records.values():
        if record["status"] == "ok":
            kind = (record["label"], record["dataset"])
            seconds.setdefault(kind, []).append(record["wall_seconds"])
    estimate = Estimate([(run.label, run.dataset) for run in missing], request.jobs, seconds)
    metrics = {name: values["valid_metric"].lower() for name, values in checked.protocol.items()}
    progress = Progress(len(checked.runs), n_done, estimate, metrics)
    try:
        execution.run_missing(missing, opened, request.jobs, progress, request.keep_checkpoints)
    finally:
        progress.close()


def _is_missing(run: Run, opened: Store, retry_failed: bool) -> bool:
    record = opened.records.get(run.key)
    return record is None or (record["status"] == "failed" and retry_failed)


def _report(
    folder: Path, stored_plan: dict[str, Any], records: dict[str, dict[str, Any]] | None
) -> bool:
    """Write and print the report; whether a run has failed.

    Args:
        records: key -> record; None: those of the store's file.
    """
    if records is None:
        records, _ = store.read(folder / store.RESULTS)
    summaries, paths = write.write(folder, stored_plan, records)
    measured = [summary for summary in summaries if summary.labels]
    if measured:
        print("\n".join(write.protocol_lines(stored_plan)) + "\n")
        if stored_plan.get("tuning"):
            print(formats.tuning(stored_plan) + "\n")
        print(formats.terminal(measured, bold=sys.stdout.isatty()))
        print("\n" + "\n".join(f"wrote {path}" for path in paths))
    missing = sum(summary.missing for summary in summaries)
    if missing:
        print(f"{missing} of {len(stored_plan['runs'])} runs are missing", file=sys.stderr)
    failed = tuning_table.failures(stored_plan)
    failed += [line for summary in summaries for line in tables.failures(summary)]
    for line in failed:
        print(f"failed: {line}", file=sys.stderr)
    return bool(failed)
