"""The command line of the benchmark: what it does, in order, and how it ends."""

import sys

from recbole_dsl.benchmark import entries, options
from recbole_dsl.settings import UsageError

_HELP = """\
usage: python -m recbole_dsl.benchmark --model=A,B,... [--dataset=NAME,...] [--seeds=0..4]
                                       [--jobs=N] [--output=FOLDER] [--tune=TRIALS]
                                       [--KEY=VALUE ...]

Trains and tests every model on every dataset with every seed, under one protocol, and reports
means, deviations and tests of significance. A run that is in the store of FOLDER is not run again:
the same command goes on where it was stopped, and a longer one does what is missing.

  -m, --model         models, separated by commas: <Backbone>_<Loss>, any model of RecBole,
                      package.module:Class, or labels of --models_file
  --models_file       YAML file with a section of settings for each label (below)
  -d, --dataset       datasets, separated by commas (default: ml-100k)
  --seeds             such as 0..4 or 1,5,7 (default: 2020..2022)
  --KEY=VALUE         any setting of a run, for all models; a model that has no such setting runs
                      without it. Over --config_files and the models file. train_neg_sample_args
                      reaches RecBole's models too: better given per model (below)
  --config_files      YAML files of settings for all models, separated by blanks
  --tune              first tune every model on every dataset, with so many trials each (below)
  --tune_seconds      and no trial starts once those of a model on a dataset have taken so long
  --tune_sampler      tpe (default; hopeless trials end early), random or grid
  --jobs              runs, or studies, at once, each with its share of the CPU cores (default: 1)
  --output            folder of store and report (default: saved/benchmark)
  --reference         label that the others are tested against (default: the first)
  --alternative       two-sided (default), or better: that the reference is better
  --retry_failed      run again what has failed; else a failed run, or study, stays one
  --keep_checkpoints  keep each run's checkpoint, in its folder
  --report            run nothing: report again what the last command asked for
  --help              this text

FOLDER gets results.jsonl, a line for each finished run; runs/ with the log, the result file and the
metrics by user of each; tuning/ with the study of each model and dataset; table.md, table.csv,
table.tex and report.html. Ctrl-C loses the runs and trials in flight. A run that fails is recorded
with its error, and the others go on.

All seeds share one split, drawn by split_seed 2020. --split_seed=None is RecBole's way: the seed
draws the split too. All models must agree in split, filters, metrics and masks. Where a file of the
dataset or any setting changes, a run counts as another one.

The models file, in the shape of a property file:

  LightGCN_SL:
    tau: 0.15
  DSL shielded:                             # a label of your own
    model: LightGCN_DSL
    config_files: [tuned/LightGCN_DSL.yaml]
    beta: -3
  BPR:
    search:                                 # what --tune tries; read by --tune alone
      learning_rate: 1e-4..1e-2 log
      embedding_size: [32, 64, 128]
  Pop:
    train_neg_sample_args: {distribution: None}
    train_batch_size: 64

--tune selects on validation alone, with the first of the seeds for all trials; all runs of the
model then have the best settings, which the report lists with what each model got. It tries the
search: ranges of the model's section, else of its property files, less what is given a value.
RecBole's models have none there: without a section they run with their defaults, 0 trials, and the
report says so. Ranges are written as for python -m recbole_dsl.tuning. The same command goes on
with a study that was stopped; a larger --tune adds trials to it.

train_neg_sample_args, given for all, also says how many negatives RecBole's models draw for each
positive, as rows of their batches. RecBole's Pop counts the batches in which an item occurs,
whether as a positive or as a negative: large batches and many negatives flatten it. With the two
lines of its section above it counts most training rows (95 % of ml-100k's), and no negatives.

Exit code: 0; 1 if a run has failed; 2 for bad input; 130 or 143 if stopped.

  python -m recbole_dsl.benchmark --model=LightGCN_DSL,LightGCN_SL,BPR,EASE --seeds=0..4 --jobs=2
  python -m recbole_dsl.benchmark --models_file=models.yaml --dataset=ml-100k --epochs=50
  python -m recbole_dsl.benchmark --model=MF_SL,BPR --eval_args="{split: {PS: [0.7, 0.1, 0.2]}}" \\
      --test_sets="[iid, popularity]"
  python -m recbole_dsl.benchmark --models_file=models.yaml --tune=20 --tune_seconds=3600
  python -m recbole_dsl.benchmark --report --output=saved/benchmark
"""


def benchmark(asked):
    """Run what is missing and report.

    Args:
        asked: :class:`recbole_dsl.benchmark.options.Options`.
    Returns:
        The exit code: 0, 1 if a run has failed, 128 + the number of the signal that stopped it.
    Raises:
        UsageError: something asked for is wrong; nothing has been run or written.
    """
    from recbole_dsl.benchmark import execution, plan, store

    if asked.report_only:
        return _report(asked.output, store.read_plan(asked.output), None)
    found = entries.entries(asked.models, asked.models_file)
    reference = entries.choose_reference([entry.label for entry in found], asked.reference)
    given = (found, asked.datasets, asked.seeds, asked.config_files, asked.shared)
    made = plan.make(*given)
    studies = None if asked.tune is None else _studies(found, asked)
    opened = store.Store(asked.output)
    try:
        tuned, known, stopped = {}, None, None
        try:
            if studies is not None:
                tuned = _tune(studies, asked)
                made = plan.make(*given, tuned)
            known = dict(
                runs=[_without_tuning(run) for run in made.runs],
                protocol=made.protocol,
                budget=made.budget,
                tuning=list(tuned.values()),
                notes=made.notes,
                reference=reference,
                alternative=asked.alternative,
            )
            store.write_plan(asked.output, known)
            _run_missing(made, opened, asked)
        except execution.Stopped as signal:
            stopped = signal.number
        # Stopped while tuning, there is no plan yet of what to report. Stopped while a record was
        # being written, the file knows more of it than this process.
        records = opened.records if stopped is None else None
        code = 0 if known is None else _report(asked.output, known, records)
        if stopped is not None:
            print("stopped; the same command goes on from here", file=sys.stderr)
            return 128 + stopped
        return code
    finally:
        opened.close()


def _studies(found, asked):
    from recbole_dsl.benchmark import tuning

    return tuning.studies(found, asked)


def _tune(studies, asked):
    from recbole_dsl.benchmark import tuning
    from recbole_dsl.benchmark.trials import TuningProgress

    return tuning.outcomes(studies, asked.jobs, TuningProgress(asked.jobs), asked.retry_failed)


def _without_tuning(run):
    return {key: value for key, value in run._asdict().items() if key != "tuning"}


def _run_missing(made, opened, asked):
    from recbole_dsl.benchmark import execution
    from recbole_dsl.benchmark.progress import Estimate, Progress

    for note in made.notes:
        print(f"note: {note}", file=sys.stderr)
    if opened.torn:
        print("the last line of the store was torn; its run is run again", file=sys.stderr)
    missing = [run for run in made.runs if _to_run(opened.records.get(run.key), asked)]
    there = len(made.runs) - len(missing)
    if there:
        print(f"{there} of {len(made.runs)} runs are there already", file=sys.stderr)
    took = {}
    for record in opened.records.values():
        if record["status"] == "ok":
            kind = (record["label"], record["dataset"])
            took.setdefault(kind, []).append(record["wall_seconds"])
    kinds = [(run.label, run.dataset) for run in missing]
    metrics = {name: values["valid_metric"].lower() for name, values in made.protocol.items()}
    progress = Progress(len(made.runs), there, Estimate(kinds, asked.jobs, took), metrics)
    try:
        execution.run_all(missing, opened, asked.jobs, progress, asked.keep_checkpoints)
    finally:
        progress.close()


def _to_run(record, asked):
    return record is None or (record["status"] == "failed" and asked.retry_failed)


def _report(folder, known, records):
    """Write and print the report; the exit code."""
    from recbole_dsl.benchmark import budget, formats, report, store, tables

    if records is None:
        records, _ = store.read(folder / store.RESULTS)
    summaries, paths = report.write(folder, known, records)
    measured = [summary for summary in summaries if summary.labels]
    if measured:
        print("\n".join(report.protocol_lines(known)) + "\n")
        if known.get("tuning"):
            print(formats.tuning(known) + "\n")
        print(formats.terminal(measured, bold=sys.stdout.isatty()))
        print("\n" + "\n".join(f"wrote {path}" for path in paths))
    missing = sum(summary.missing for summary in summaries)
    if missing:
        print(f"{missing} of {len(known['runs'])} runs are missing", file=sys.stderr)
    failed = budget.failures(known)
    failed += [line for summary in summaries for line in tables.failures(summary)]
    for line in failed:
        print(f"failed: {line}", file=sys.stderr)
    return 1 if failed else 0


def main(arguments=None):
    """Run the command line; returns the exit code."""
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    if any(flag in arguments for flag in ("-h", "--help")):
        print(_HELP, end="")
        return 0
    try:
        return benchmark(options.parse(arguments))
    except (UsageError, ImportError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted; nothing was run", file=sys.stderr)
        return 130
