"""RecBole's sequential models with eight losses on ml-100k, each tuned alike.

    python tests/performance/sequences.py --jobs=2
    python tests/performance/sequences.py --encoders=GRU4Rec --report

For each encoder one call of `recbole_dsl benchmark`: six trials for each loss, chosen on
validation, then three seeds, tested once. RecBole's own CE and BPR have six learning rates; a loss
with a temperature has two learning rates and three temperatures, as a grid, with its own options at
their defaults (BSL: the positives' temperature, with the negatives' at 0.1). Validation and test
are each user's last two items (leave one out, in order of time), ranked among all items. Encoders
are small and sequences short (SIZES, SHARED), so that a CPU is enough. A second call does what is
missing. Stores are in sequences/ beside this file, the page is docs/results/sequences.md.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path

import yaml
from measuring import RESULTS, markdown_table, write_page

HERE = Path(__file__).parent.resolve()
ROOT = HERE.parent.parent
STORE, PAGE = HERE / "sequences", RESULTS / "sequences.md"
ENCODERS = ("SASRec", "GRU4Rec", "NARM")
SEEDS, TRIALS, METRIC = "2020..2022", 6, "NDCG@10"
SHARED = {
    "MAX_ITEM_LIST_LENGTH": 10,
    "load_col": {"inter": ["user_id", "item_id", "timestamp"]},
    "train_batch_size": 1024,
    "epochs": 60,
    "stopping_step": 5,
    "topk": [10, 20],
    "metrics": ["NDCG", "Recall"],
    "valid_metric": METRIC,
    "show_progress": False,
}
SIZES = {
    "SASRec": {"hidden_size": 64, "inner_size": 64, "n_layers": 1},
    "GRU4Rec": {"embedding_size": 64, "hidden_size": 64},
    "NARM": {"embedding_size": 64, "hidden_size": 64},
}
SIX_RATES = [0.0003, 0.0006, 0.001, 0.002, 0.004, 0.008]
TWO_RATES = [0.001, 0.004]
SOFTMAX = {"train_neg_sample_args": {"sample_num": "all"}}


def sections(encoder):
    """The models file of an encoder: label -> its settings and what is tried."""

    def of_loss(loss, search, **settings):
        return {"model": f"{encoder}_{loss}", **settings, "search": search}

    def grid(name, values):
        return {"learning_rate": TWO_RATES, name: values}

    rates = {"learning_rate": SIX_RATES}
    return {
        f"{encoder}, CE of RecBole": {
            "model": encoder, "loss_type": "CE", "train_neg_sample_args": None, "search": rates,
        },
        f"{encoder}, BPR of RecBole": {
            "model": encoder, "loss_type": "BPR", "search": rates,
            "train_neg_sample_args": {"distribution": "uniform", "sample_num": 1},
        },
        f"{encoder}_SL": of_loss("SL", grid("tau", [0.07, 0.1, 0.2]), **SOFTMAX),
        f"{encoder}_BSL": of_loss("BSL", grid("tau_pos", [0.07, 0.1, 0.2]), tau_neg=0.1, **SOFTMAX),
        f"{encoder}_gBCE": of_loss("gBCE", grid("calibration", [0.5, 0.75, 0.9])),
        f"{encoder}_SCE": of_loss("SCE", grid("tau", [0.1, 0.2, 0.3])),
        f"{encoder}_Talos": of_loss("Talos", grid("tau", [0.05, 0.07, 0.1]), **SOFTMAX),
        f"{encoder}_DSL": of_loss("DSL", grid("tau", [0.07, 0.1, 0.2]), **SOFTMAX),
    }  # fmt: skip


def run(encoder, jobs, report):
    """One benchmark, or its report alone; its files lie with the store."""
    home = STORE / encoder
    home.mkdir(parents=True, exist_ok=True)
    models, shared = home / "models.yaml", home / "shared.yaml"
    models.write_text(yaml.safe_dump(sections(encoder), sort_keys=False))
    shared.write_text(yaml.safe_dump({**SHARED, **SIZES[encoder]}, sort_keys=False))
    home, models, shared = (path.relative_to(ROOT) for path in (home, models, shared))
    command = [
        sys.executable, "-m", "recbole_dsl", "benchmark", f"--models_file={models}",
        f"--config_files={shared}", "--dataset=ml-100k", f"--seeds={SEEDS}",
        f"--tune={TRIALS}", "--tune_sampler=grid", f"--jobs={jobs}",
        f"--output={home}", f"--reference={encoder}_DSL", "--retry_failed",
    ]  # fmt: skip
    ended = subprocess.run([*command, "--report"] if report else command, cwd=ROOT).returncode
    if ended not in (0, 1):  # 1: some runs have failed, and the table says which
        raise SystemExit(ended)


def page():
    """One metric of all encoders, and the tables of each that has one."""
    files = {encoder: STORE / encoder / "table.md" for encoder in ENCODERS}
    tables = {e: path.read_text(encoding="utf-8") for e, path in files.items() if path.exists()}
    lines = [f"## {METRIC} of all", "", *overview(tables), ""]
    for encoder, table in tables.items():
        lines += [f"## {encoder}", "", _inner(table), ""]
    write_page(PAGE, "sequences", lines)


def overview(tables):
    """A line a loss, a column an encoder: the metric of the test as the encoder's table has it.

    Args:
        tables: encoder -> table.md of its benchmark, whose first table is that of the models.
    """
    found = {}
    for encoder, text in tables.items():
        lines = [line for line in text.partition("\n### ")[0].split("\n") if line[:1] == "|"]
        head, _, *rows = ([cell.strip() for cell in line[1:-1].split("|")] for line in lines)
        at = head.index(METRIC.lower())
        found[encoder] = {row[0][len(encoder) :].lstrip(", _"): row[at] for row in rows}
    losses = dict.fromkeys(loss for column in found.values() for loss in column)
    rows = [[loss, *(column.get(loss, "") for column in found.values())] for loss in losses]
    return markdown_table(["loss", *found], rows)


def _inner(table):
    """A benchmark's table under a heading of its own, without those of the whole."""
    table = table.replace("# Benchmark\n", "", 1).replace("\n## ml-100k\n", "", 1)
    return table.replace("\n## Tuning\n", "\n### Tuning\n").strip()


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--encoders", default=",".join(ENCODERS))
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--report", action="store_true", help="run nothing")
    arguments = parser.parse_args()
    print(json.dumps(SHARED))
    for encoder in arguments.encoders.split(","):
        run(encoder, arguments.jobs, arguments.report)
        page()


if __name__ == "__main__":
    main()
