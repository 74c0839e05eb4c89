"""The runs of ir_benchmark.py: what has been found, what is chosen, and what comes next."""

from ir_benchmark_plan import further_trials, space, split_of, trials

SELECTION_SEED, SEEDS, PROTOCOL = 2020, (2020, 2021, 2022), 2


def model_name(backbone, loss):
    """MF and "BSL, row" -> MF_BSL."""
    return f"{backbone}_{loss.split(',')[0]}"


def found(rows, stage, dataset, backbone, loss):
    """The finished runs of a stage of this study, with settings that it can try today."""
    wanted = (PROTOCOL, stage, dataset, model_name(backbone, loss), loss)
    names = ("protocol", "stage", "dataset", "model", "loss")
    runs = [row for row in rows if tuple(row.get(name) for name in names) == wanted]
    possible = space(dataset, loss)
    return [row for row in runs if row["settings"] in possible]


def chosen(rows, dataset, backbone, loss):
    """The trial with the best validation NDCG@20, None before there is one."""
    runs = found(rows, "selection", dataset, backbone, loss)
    return max(runs, key=lambda row: row["valid"]["ndcg@20"], default=None)


def _trial_job(dataset, backbone, loss, settings, cost):
    shifted = {"valid_shift": 1.0} if split_of(dataset) == "popularity" else {}
    return {
        "protocol": PROTOCOL, "stage": "selection", "dataset": dataset,
        "model": model_name(backbone, loss), "loss": loss, "seed": SELECTION_SEED,
        "settings": settings, "cost": cost, "schedule": {"stopping_step": 5, **shifted},
    }  # fmt: skip


def selection_jobs(dataset, backbone, losses, cost):
    """The first trials of each loss, one job each."""
    for loss in losses:
        for settings in trials(dataset, loss):
            yield _trial_job(dataset, backbone, loss, settings, cost)


def further_jobs(rows, dataset, backbone, losses, cost):
    """The trials of each loss next to its best ones; none before all of the first are there."""
    for loss in losses:
        first = trials(dataset, loss)
        runs = found(rows, "selection", dataset, backbone, loss)
        runs = [row for row in runs if row["settings"] in first and row["cost"] == cost]
        if len(runs) == len(first):
            runs.sort(key=lambda row: row["valid"]["ndcg@20"], reverse=True)
            for settings in further_trials(dataset, loss, [row["settings"] for row in runs]):
                yield _trial_job(dataset, backbone, loss, settings, cost)


def final_jobs(rows, dataset, backbone, losses):
    """The chosen settings of each loss on all training rows, one job a seed."""
    for loss in losses:
        best = chosen(rows, dataset, backbone, loss)
        if best is None:
            continue
        schedule = {"benchmark_valid": 0, "epochs": best["best_epoch"] + 1}
        for seed in SEEDS:
            yield {**_job(best), "stage": "final", "seed": seed, "schedule": schedule}


def check_jobs(rows, dataset, backbone, losses, cost):
    """The final runs once more with another cost: the settings and epochs stay as they are."""
    for job in final_jobs(rows, dataset, backbone, losses):
        if job["cost"] != cost:
            yield {**job, "stage": "check", "cost": cost}


def _job(row):
    names = ("protocol", "dataset", "model", "loss", "settings", "cost")
    return {name: row[name] for name in names}
