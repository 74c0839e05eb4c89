"""The tables of docs/results/ir_benchmark.md: our test metrics beside the published ones."""

import csv
import statistics
from dataclasses import dataclass

from ir_benchmark_jobs import SEEDS, chosen, found
from ir_benchmark_plan import LOSSES, split_of
from measuring import HERE, markdown_table

IN_README = ("SL", "BSL, row", "PSL", "SLatK", "Talos", "DSL", "DSL, with beta")
METRICS = ("recall@20", "ndcg@20")

# The published averages run over all users, also those without test rows: users with / all.
AVERAGED_OVER_ALL_USERS = {
    "amazon2014-electronic-popularity": 0.937,
    "amazon2014-cd-popularity": 0.936,
}


def published():
    """(dataset, split, backbone, loss) -> published row."""
    with (HERE / "published.csv").open() as file:
        rows = list(csv.DictReader(file))
    return {(r["dataset"], r["split"], r["backbone"], r["loss"]): r for r in rows}


@dataclass(frozen=True)
class Result:
    """A loss whose final runs are complete.

    Attributes:
        best: the chosen trial's line. cost: what made its runs cheaper.
        test: metric -> a value for each seed, averaged as the published ones are.
        published: metric -> printed figure; None, where no paper has this loss there.
    """

    best: dict
    cost: dict
    test: dict
    published: dict | None

    def against_published(self):
        """NDCG@20 over the published one, less 1; None without one."""
        if self.published is None:
            return None
        return statistics.mean(self.test["ndcg@20"]) / self.published["ndcg@20"] - 1


def results(rows, dataset, backbone):
    """The complete losses of one data set and backbone, in the order of the tables."""
    printed = published()
    for loss in LOSSES:
        best = chosen(rows, dataset, backbone, loss)
        finals = found(rows, "final", dataset, backbone, loss)
        finals = [row for row in finals if row["settings"] == best["settings"]]
        if len(finals) < len(SEEDS):
            continue
        base, name = loss.split(",")[0], dataset.removesuffix("-popularity")
        names = [(name, split_of(dataset), backbone, x) for x in (base, f"{base}-relu")]
        theirs = next((printed[x] for x in names if x in printed), None)
        theirs = theirs and {key: float(theirs[key]) for key in METRICS}
        yield Result(best, finals[0]["cost"], tests_of(finals, dataset), theirs)


def spread(values):
    """Mean and standard deviation, as the tables show them."""
    return f"{statistics.mean(values):.4f} ± {statistics.stdev(values):.4f}"


def _line(result):
    """A row of the table."""
    best, theirs = result.best, result.published
    cells = [best["loss"], ", ".join(f"{k} {v}" for k, v in best["settings"].items())]
    cells += [str(best["best_epoch"] + 1), f"{best['valid']['ndcg@20']:.4f}"]
    cells += [spread(result.test[key]) for key in METRICS]
    if theirs is None:
        return [*cells, "", "", ""]
    cells += [f"{theirs[key]:.4f}" for key in METRICS]
    return [*cells, f"{100 * result.against_published():+.1f} %"]


def table(title, complete):
    """The Markdown table of the complete losses of one data set and backbone."""
    costs = {_cost(result.cost) for result in complete}
    head = ["loss", "chosen on validation", "epochs", "valid NDCG@20", "Recall@20", "NDCG@20"]
    head += ["published Recall@20", "published NDCG@20", "our NDCG@20 against it"]
    lines = markdown_table(head, [_line(result) for result in complete])
    return [f"### {title}", "", *(f"With {x}." for x in sorted(costs)), "", *lines, ""]


def checks_table(rows, complete):
    """The Markdown table of the checks of one data set and backbone: the final runs once more, with
    each row's cost in place of the table's; no lines without one."""
    cells = [cell for result in complete for cell in _checks(rows, result)]
    if not cells:
        return []
    head = ["loss, its settings and epochs as above", "with", "Recall@20", "NDCG@20"]
    return [*markdown_table([*head, "NDCG@20 against the row above"], cells), ""]


def _checks(rows, result):
    """A line for each cost whose runs are complete."""
    best, dataset = result.best, result.best["dataset"]
    backbone = best["model"].split("_")[0]
    runs = found(rows, "check", dataset, backbone, best["loss"])
    runs = [row for row in runs if row["settings"] == best["settings"]]
    for cost in {_cost(row["cost"]): row["cost"] for row in runs}.values():
        test = tests_of([row for row in runs if row["cost"] == cost], dataset)
        if len(test["ndcg@20"]) == len(SEEDS):
            means = [statistics.mean(x["ndcg@20"]) for x in (test, result.test)]
            against = f"{100 * (means[0] / means[1] - 1):+.1f} %"
            yield [best["loss"], _cost(cost), *(spread(test[key]) for key in METRICS), against]


def tests_of(finals, dataset):
    """Metric -> a value for each run, averaged as the published ones are."""
    factor = AVERAGED_OVER_ALL_USERS.get(dataset, 1.0)
    return {key: [row["test"][key] * factor for row in finals] for key in METRICS}


def _cost(cost):
    return ", ".join(f"{key}: {value}" for key, value in cost.items())


def readme_table(lines):
    """The README's rows, of the lines of a table: test NDCG@20, and as published."""
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    head = next(row for row in cells if row[0] == "loss")
    at = [head.index(name) for name in ("loss", "NDCG@20", "published NDCG@20")]
    found = [[row[place] for place in at] for row in cells if row[0] in IN_README]
    return markdown_table(["loss", "test NDCG@20", "published"], found)
