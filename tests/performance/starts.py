"""Spectral against random start: validation by seconds of training, and the final test.

    python tests/performance/starts.py --data=FOLDER --dataset=amazon2014-health --models=MF_SL

FOLDER holds <dataset>/<dataset>.{train,test}.inter, made by `recbole_dsl import`; ml-100k, which
RecBole ships, is split at random, 80/10/10. Both starts (`initialization: xavier_uniform` and
`spectral`) get the same trials, one for each learning rate, with one seed; validation NDCG@20 on
10 % of the training rows chooses the learning rate and the epoch. The chosen one then runs with
each seed, which draws weights, negatives and validation rows, and is tested at its best epoch. No
trial reads a test metric. Each finished run is a line of starts.jsonl beside this file, with its
validation curve; a second call does what is missing. Table and curves go to
docs/results/starts.md and starts.svg.
"""

import argparse
import itertools
import math
import statistics
from pathlib import Path

import plotly.graph_objects as go
from measuring import RESULTS, markdown_table, write_page
from plotly.subplots import make_subplots
from quality_picture import save_svg
from stored_runs import read_store, run_all

from recbole_dsl.common.html_page import COLOURS
from recbole_dsl.experiments.benchmark.report import made_with

HERE = Path(__file__).parent
STORE = HERE / "starts.jsonl"
STARTS = {"random": "xavier_uniform", "spectral": "spectral"}
LEARNING_RATES = (0.003, 0.01, 0.03, 0.1)
SEEDS = (2020, 2021, 2022)
SHARES = (0.9, 0.95, 0.99)  # of the random start's best validation, to which epochs are counted

# Temperatures found before, the same for both starts; DSL's other options likewise.
_TAUS = {"amazon2014-electronic-popularity": 0.1}
# Of few items, all: with as many draws, most rows would have to replace some of a shared draw.
_NEGATIVES = dict.fromkeys(("amazon2014-health", "ml-100k"), "{sample_num: all}")
_BETAS = {"amazon2014-electronic-popularity": -3.0}


def fixed_settings(dataset, model):
    """What all runs of a model on a data set share."""
    settings = {
        "tau": _TAUS.get(dataset, 0.2),
        "train_neg_sample_args": _NEGATIVES.get(dataset, "{block: 1024}"),
        "epochs": 100,
        "stopping_step": 5,
    }
    if model.endswith("_DSL"):
        settings.update(beta=_BETAS.get(dataset, 1.0), gamma=1.0)
    if dataset == "ml-100k":
        settings["eval_args"] = "{split: {RS: [0.8, 0.1, 0.1]}}"
    return settings


def job_of(stage, dataset, model, seed, start, rate):
    """One run, as :func:`stored_runs.report_of` takes it."""
    settings = {"initialization": STARTS[start], "learning_rate": rate}
    job = {
        "stage": stage, "dataset": dataset, "model": model, "seed": seed, "start": start,
        "settings": settings, "schedule": fixed_settings(dataset, model),
    }  # fmt: skip
    if dataset == "ml-100k":  # without the preset's split, but with its sizes and metrics
        job["schedule"] = {
            "metrics": "[Recall, NDCG]", "topk": "[20]", "valid_metric": "NDCG@20",
            "embedding_size": 64, "train_batch_size": 1024, **job["schedule"],
        }  # fmt: skip
        job["config_files"] = None
    return job


def row_of(job, report):
    """The job's line: its validation curve over seconds of training; tested only in the end."""
    seconds = itertools.accumulate(epoch["train_seconds"] for epoch in report["epochs"])
    curve = [
        [round(spent, 3), round(epoch["valid"]["ndcg@20"], 6)]
        for spent, epoch in zip(seconds, report["epochs"], strict=True)
    ]
    row = dict(job, best_epoch=report["best_epoch"], valid=report["valid"], curve=curve)
    if job["stage"] == "final":
        row["test"] = report["test"]
    row.update({name: report[name] for name in ("versions", "machine")})
    return row


def found(rows, stage, dataset, model, start):
    """The finished runs of a stage."""
    wanted = (stage, dataset, model, start)
    return [r for r in rows if (r["stage"], r["dataset"], r["model"], r["start"]) == wanted]


def chosen_rate(rows, dataset, model, start):
    """The learning rate with the best validation NDCG@20."""
    trials = found(rows, "selection", dataset, model, start)
    best = max(trials, key=lambda row: row["valid"]["ndcg@20"])
    return best["settings"]["learning_rate"]


def epochs_to(curve, value):
    """Epochs until validation first reaches a value; None where it never does."""
    return next((at for at, (_, score) in enumerate(curve, 1) if score >= value), None)


def _shown(values, digits=4):
    spread = statistics.stdev(values) if len(values) > 1 else 0.0
    return f"{statistics.mean(values):.{digits}f} ± {spread:.{digits}f}"


def table(rows):
    """A line for each data set, model and start whose seeds have all run."""
    lines = []
    pairs = dict.fromkeys((row["dataset"], row["model"]) for row in rows)
    for dataset, model in sorted(pairs):
        finals = {start: found(rows, "final", dataset, model, start) for start in STARTS}
        if any(len(runs) < len(SEEDS) for runs in finals.values()):
            continue
        by_seed = {run["seed"]: run for run in finals["random"]}
        for start, runs in finals.items():
            # Both starts of a seed have the same validation rows, and one goal.
            goals = [by_seed[run["seed"]]["valid"]["ndcg@20"] for run in runs]
            reached = []
            for share in SHARES:
                found_at = [
                    epochs_to(run["curve"], share * goal)
                    for run, goal in zip(runs, goals, strict=True)
                ]
                reached.append(", ".join("never" if at is None else str(at) for at in found_at))
            lines.append(
                [
                    dataset, model, start, str(runs[0]["settings"]["learning_rate"]),
                    _shown([run["valid"]["ndcg@20"] for run in runs]),
                    _shown([run["test"]["ndcg@20"] for run in runs]),
                    *reached,
                    f"{statistics.mean(run['best_epoch'] + 1 for run in runs):.0f}",
                ]
            )  # fmt: skip
    head = [
        "data", "model", "start", "learning rate", "valid NDCG@20", "test NDCG@20",
        *(f"epochs to {share:.0%} of the random start's best" for share in SHARES), "best epoch",
    ]  # fmt: skip
    return markdown_table(head, lines)


def figure(rows):
    """Validation NDCG@20 over seconds of training, a panel for each data set and model, one seed.

    Returns:
        plotly.graph_objects.Figure, and its number of rows.
    """
    finals = [r for r in rows if r["stage"] == "final" and r["seed"] == SEEDS[0]]
    panels = sorted({(r["dataset"], r["model"]) for r in finals})
    height = math.ceil(len(panels) / 2)
    drawn = make_subplots(height, 2, subplot_titles=[", ".join(panel) for panel in panels])
    for row in finals:
        place = panels.index((row["dataset"], row["model"]))
        start = list(STARTS).index(row["start"])
        seconds, scores = zip(*row["curve"], strict=True)
        line = go.Scatter(
            x=seconds, y=scores, mode="lines", name=f"{row['start']} start",
            legendgroup=row["start"], showlegend=place == 0, line=dict(color=COLOURS[start]),
        )  # fmt: skip
        drawn.add_trace(line, place // 2 + 1, place % 2 + 1)
    drawn.update_xaxes(title="seconds of training")
    drawn.update_yaxes(title="validation NDCG@20")
    return drawn, height


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True, help="folder of the imported data sets")
    parser.add_argument("--dataset", default="amazon2014-health")
    parser.add_argument("--models", default="MF_SL,MF_DSL")
    parser.add_argument("--rates", default=",".join(map(str, LEARNING_RATES)))
    parser.add_argument("--jobs", type=int, default=2, help="runs at once, one thread each")
    given = parser.parse_args()
    models, rates = given.models.split(","), [float(rate) for rate in given.rates.split(",")]
    cells = list(itertools.product(models, STARTS))
    trials = [
        job_of("selection", given.dataset, model, SEEDS[0], start, rate)
        for (model, start), rate in itertools.product(cells, rates)
    ]
    run_all(trials, given.data, given.jobs, STORE, row_of)
    rows = read_store(STORE)
    rate_of = {cell: chosen_rate(rows, given.dataset, *cell) for cell in cells}
    finals = [
        job_of("final", given.dataset, model, seed, start, rate_of[model, start])
        for (model, start), seed in itertools.product(cells, SEEDS)
    ]
    run_all(finals, given.data, given.jobs, STORE, row_of)
    rows = read_store(STORE)
    lines = [" ".join(made_with.sentences(rows)), "", *table(rows), "", "![curves](starts.svg)"]
    write_page(RESULTS / "starts.md", "table", lines)
    drawn, height = figure(rows)
    save_svg(drawn, RESULTS / "starts.svg", height=120 + 330 * height)
    print("\n".join(lines))


if __name__ == "__main__":
    main()
