"""``recbole_dsl benchmark``: models x datasets x seeds under one protocol, and a report."""

from recbole_dsl.cli.benchmark_options import OPTIONS, benchmark_request
from recbole_dsl.cli.command import Command
from recbole_dsl.cli.parser import Arguments, Option


def _work(given: Arguments) -> int:
    request = benchmark_request(given)
    from recbole_dsl.experiments.benchmark.benchmark import benchmark

    ended = benchmark(request)
    return 128 + ended.signal if ended.signal is not None else int(ended.failed)


COMMAND = Command(
    name="benchmark",
    summary="train and test many models under one protocol, with tests of significance",
    usage=["--model=A,B,... [--dataset=NAME,...] [--seeds=0..4] [--KEY=VALUE ...]"],
    about="""
    Trains and tests every model on every dataset with every seed, under one protocol, and reports
    means, deviations and tests of significance. A run that is in the store of the output folder is
    not run again: the same command goes on where it was stopped, and a longer one does what is
    missing. Ctrl-C loses the runs and trials in flight. A run that fails is recorded with its
    error, and the others go on.

    The output folder gets results.jsonl, a line for each finished run; runs/ with the log, the
    result file and the metrics by user of each; tuning/ with the study of each model and dataset;
    table.md, table.csv, table.tex and report.html, whose plots need the plotly file beside it.

    table.tex is for a paper of two columns: a row for each model, a group of columns for each
    dataset and test set, the best in bold, the second best underlined, a mark where a model differs
    from the reference. It needs the package booktabs.

    All seeds share one split, drawn by split_seed 2020. --split_seed=None is RecBole's way: the
    seed draws the split too. All models must agree in split, filters, metrics and masks. Where a
    file of the dataset or any setting changes, a run counts as another one.

    --tune chooses on validation alone, with the first of the seeds for all trials; all runs of the
    model then have the best settings, which the report lists with what each model got. It tries the
    search: ranges of the model's section, else of its property files, without those that are given
    a value. RecBole's models have none there: without a section they run with their defaults, 0
    trials, and the report says so. Ranges are written as for recbole_dsl tune. The same command
    goes on with a study that was stopped; a larger --tune adds trials to it.

    The models file has the shape of a property file:

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
    """,
    options=OPTIONS,
    settings=[
        Option(
            "KEY",
            "any setting of a run, for all models, over --config_files and the models file; a "
            "model that has no such setting runs without it",
            "VALUE",
        )
    ],
    settings_about="""
    train_neg_sample_args, given for all, also says how many negatives RecBole's models draw for
    each positive, as rows of their batches: better given per model. RecBole's Pop counts the
    batches in which an item occurs, whether as a positive or as a negative: large batches and many
    negatives flatten it. With the two lines of its section above it counts most training rows (95 %
    of ml-100k's), and no negatives.
    """,
    examples=[
        "--model=LightGCN_DSL,LightGCN_SL,BPR,EASE --seeds=0..4 --jobs=2",
        "--models_file=models.yaml --dataset=ml-100k --epochs=50",
        '--model=MF_SL,BPR --eval_args="{split: {PS: [0.7, 0.1, 0.2]}}" \\\n'
        '      --test_sets="[iid, popularity]"',
        "--models_file=models.yaml --tune=20 --tune_seconds=3600",
        "--report --output=saved/benchmark --columns=ndcg@10,recall@10",
    ],
    exit_codes=[(1, "a run or a study has failed")],
    work=_work,
    interrupted="what is stored is kept, and the same command goes on from there",
)

main = COMMAND.run
