"""``recbole_dsl run``, also ``python run_recbole_dsl.py``: one training with its test."""

import sys

from recbole_dsl.cli import list_models
from recbole_dsl.cli.command import Command
from recbole_dsl.cli.parser import Arguments, Option, as_path_or_true, switch
from recbole_dsl.cli.run_options import (
    ANY_SETTING,
    CONFIG_FILES,
    DATASET,
    LAYERS,
    MODEL,
    files_and_settings,
)


def _work(given: Arguments) -> int:
    if given.options["list"]:
        print(list_models.describe())
        return 0
    from recbole_dsl.experiments.single_run import run

    files, pairs = files_and_settings(given)
    run(
        config_file_list=files,
        arguments=pairs,
        command=sys.argv,
        resume=given.options.get("resume"),
    )
    return 0


COMMAND = Command(
    name="run",
    summary="train a model, choose its best epoch on validation, test that one",
    usage=["[--model=NAME] [--dataset=NAME] [--KEY=VALUE ...]"],
    about="""
    Trains a model, chooses its best epoch on validation and tests that one. A line an epoch and the
    metrics are printed; a checkpoint and a result file (JSON) are written to saved/, all that is
    logged to log/, curves to log_tensorboard/. python run_recbole_dsl.py is the same command.
    """,
    options=[
        MODEL,
        DATASET,
        CONFIG_FILES,
        Option(
            "resume",
            "go on with a run of the same settings that was stopped, from its checkpoint; without "
            "a path, from the newest one in checkpoint_dir, or from the start if there is none",
            "[PATH]",
            read=as_path_or_true,
        ),
        switch("list", "print models, losses and backbones, and run nothing"),
    ],
    settings=[
        ANY_SETTING,
        Option(
            "verbose",
            "whether the terminal shows all that the log file has: every setting, phase and metric",
            "BOOL",
            "False",
        ),
        Option("result_file", "the result file (default: beside the checkpoint)", "PATH"),
        Option(
            "nproc",
            "processes on this machine: one GPU of gpu_id each, or sharing the CPU's cores; "
            "train_batch_size counts the rows of all processes in one step",
            "N",
            "1",
        ),
        Option("world_size", "processes on all machines", "N", "nproc"),
        Option("group_offset", "processes on the machines before this one", "N", "0"),
        Option("ip", "address of the first machine", "ADDRESS", "localhost"),
        Option("port", "port of the first machine (default: a free one, on one machine)", "N"),
    ],
    settings_about=LAYERS,
    examples=[
        "--model=LightGCN_DSL --dataset=ml-100k",
        '-m MF_SL --tau=0.1 --train_neg_sample_args="{sample_num: 500}"',
        '-m MF_SL --eval_args="{split: {PS: [0.7, 0.1, 0.2]}}"',
        "--model=LightGCN_DSL --dataset=ml-100k --resume",
        '-m BPR --metrics="[Recall, NDCG]" --topk="[10, 20]" --device=cpu',
    ],
    exit_codes=[(1, "the loss was not finite, or a process was killed")],
    work=_work,
    interrupted="--resume goes on from the last state kept (checkpoint_every), if there is one",
)

main = COMMAND.run
