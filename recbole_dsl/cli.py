"""The command line: flags in, a run or a list out, one line for every mistake."""

import sys

from recbole_dsl.settings import UsageError, properties_dir, split_flags

_HELP = """\
usage: python run_recbole_dsl.py [--model=NAME] [--dataset=NAME] [--config_files="A.yaml B.yaml"]
                                 [--KEY=VALUE ...]

Trains a recommender, chooses its best epoch on validation, tests that one.

  -m, --model         <Backbone>_<Loss> such as LightGCN_DSL (default), any model of RecBole such as
                      LightGCN or EASE, package.module:Class for a model of your own, or
                      <Backbone>_<package.module:Class> for a loss of your own
  -d, --dataset       name of a dataset in RecBole's atomic files (default: ml-100k, which RecBole
                      brings); read from <data_path>/<name>/<name>.inter
  --config_files      YAML files of settings, separated by blanks; later ones win
  --result_file       where the result is written as JSON (default: beside the checkpoint in saved/)
  --KEY=VALUE         any setting of RecBole or of the model, also --KEY VALUE; values are YAML
  --nproc             processes of the run on this machine: one GPU of gpu_id each, or sharing the
                      CPU cores; train_batch_size counts the rows of all processes in one step
  --world_size, --group_offset, --ip, --port
                      several machines: processes on all of them, on those before this one, address
                      and port of the first; on one machine, a free port unless --port names one
  --list              models, losses and backbones, with paper and property file
  --help              this text

Settings, later wins: RecBole's overall, properties/overall.yaml, the model's files (backbone, loss,
pair), the dataset's, --config_files, the command line.

  python run_recbole_dsl.py --model=LightGCN_DSL --dataset=ml-100k
  python run_recbole_dsl.py -m MF_SL --tau=0.1 --train_neg_sample_args="{sample_num: 500}"
  python run_recbole_dsl.py -m MF_SL --eval_args="{split: {PS: [0.7, 0.1, 0.2]}}"
  python run_recbole_dsl.py -m BPR --metrics="[Recall, NDCG]" --topk="[10, 20]" --device=cpu
"""

_SHORT = {"m": "model", "d": "dataset"}


def parse(arguments):
    """The command line as (config files, setting pairs).

    Raises:
        UsageError: a flag that is not one.
    """
    files, pairs = [], []
    for key, text in split_flags(arguments):
        key = _SHORT.get(key, key)
        if len(key) == 1:
            raise UsageError(f"unknown flag -{key}; there are -m (--model) and -d (--dataset)")
        if key == "config_files":
            files += text.split()
        else:
            pairs.append((key, text))
    for name, default in (("model", "LightGCN_DSL"), ("dataset", "ml-100k")):
        if not files and name not in dict(pairs):
            pairs.append((name, default))
    return files, pairs


def describe():
    """The text of --list: the plugin's losses and backbones, and RecBole's models."""
    from recbole_dsl.registry import BACKBONES, LOSSES
    from recbole_dsl.zoo import host_models

    def rows(folder, table):
        for name, item in table.items():
            first_line = sys.modules[item.__module__].__doc__.splitlines()[0]
            summary = first_line.split(": ", 1)[1].rstrip(".")
            yield f"  {name:<12}{summary}"
            yield f"  {'':<12}{item.paper}; properties/{folder}/{name}.yaml"

    names = sorted(host_models("general_recommender"))
    lines, line = [], " "
    for name in names:
        if len(line) + len(name) > 98:
            lines.append(line)
            line = " "
        line += f" {name}"
    return "\n".join(
        [
            "Models: <Backbone>_<Loss>, any backbone with any loss, such as LightGCN_DSL;",
            "        <Backbone>_<module>:<Class> with a loss of your own (README, Add a loss).",
            "",
            "Losses:",
            *rows("loss", LOSSES),
            "",
            "Backbones:",
            *rows("backbone", BACKBONES),
            "",
            f"The files lie in {properties_dir()}.",
            "",
            "RecBole's general models, as RecBole has them (its context-aware, sequential and",
            "knowledge-aware models are passed on too):",
            *lines,
            line,
        ]
    )


def main(arguments=None):
    """Run the command line; returns the exit code: 0, 1 (training failed) or 2 (bad input)."""
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    if any(flag in arguments for flag in ("-h", "--help")):
        print(_HELP, end="")
        return 0
    try:
        if "--list" in arguments:
            print(describe())
            return 0
        files, pairs = parse(arguments)
        from recbole_dsl.launch import ProcessError
        from recbole_dsl.runner import run
        from recbole_dsl.trainer import NonFiniteLossError
    except (UsageError, ImportError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    try:
        run(config_file_list=files, arguments=pairs)
    except UsageError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except (NonFiniteLossError, ProcessError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted; the best checkpoint so far is kept", file=sys.stderr)
        return 130
    return 0
