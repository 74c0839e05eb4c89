"""Odd settings, changed files, kills and altered checkpoints, many of each, counted by outcome.

    python tests/faults/campaign.py            # 2,000, 400, 110 and 200 cases; about an hour
    python tests/faults/campaign.py --kinds=files --files=5000 --seed=7

Accepted: what the case says was done, and is checked (rows, weights and results against a second
reading). Refused: one line, and nothing was written. Anything else is a fault, shown with an
example; the exit code is 1 then. `--page` writes the counts of these kinds to
docs/results/faults.md.
"""

import argparse
import collections
import os
import sys
import time
from pathlib import Path

import altered_checkpoints
import file_cases
import kills
import odd_settings
from tqdm import tqdm

HERE = Path(__file__).parent
sys.path.append(str(HERE.parent / "performance"))  # where measuring.py is

GENERATORS = {
    "settings": (odd_settings.cases, 2000),
    "files": (file_cases.cases, 400),
    "kills": (kills.cases, 110),
    "checkpoints": (altered_checkpoints.cases, 200),
}
FINE = ("accepted", "refused", "as undisturbed", "had ended")


def run(kind, number, seed):
    """Run so many cases of a kind.

    Returns:
        (Counter of (case, outcome), list of (case, outcome, example) of the faults).
    """
    counts, faults = collections.Counter(), []
    for case, outcome, example in tqdm(GENERATORS[kind][0](number, seed), kind, total=number):
        counts[case, outcome] += 1
        if outcome not in FINE:
            faults.append((case, outcome, example))
    return counts, faults


def by_outcome(counts):
    """Outcome -> cases."""
    total = collections.Counter()
    for (_, outcome), number in counts.items():
        total[outcome] += number
    return total


def page_lines(counts, seed, seconds):
    """The counts of a kind as Markdown, by case where there are few kinds of cases."""
    from measuring import machine, markdown_table

    total = by_outcome(counts)
    outcomes = sorted(total)
    rows = [["all", total.total(), *(total[outcome] for outcome in outcomes)]]
    cases = sorted({case for case, _ in counts})
    for case in cases if len(cases) <= 60 else ():  # pairs of changes are too many to read
        found = [counts[case, outcome] for outcome in outcomes]
        rows.append([case, sum(found), *found])
    said = f"Seed {seed}, {seconds / 60:.0f} min. {machine()}"
    return [*markdown_table(["case", "cases", *outcomes], rows), "", said]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kinds", default=",".join(GENERATORS), help="separated by commas")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--page", action="store_true", help="write docs/results/faults.md")
    for kind, (_, number) in GENERATORS.items():
        parser.add_argument(f"--{kind}", type=int, default=number, help="number of cases")
    given = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"
    wrong = []
    for kind in given.kinds.split(","):
        started = time.monotonic()
        counts, faults = run(kind, getattr(given, kind), given.seed)
        wrong += faults
        total = by_outcome(counts)
        print(f"{kind}: {', '.join(f'{n:,} {what}' for what, n in sorted(total.items()))}")
        if given.page:
            from measuring import RESULTS, write_page

            lines = page_lines(counts, given.seed, time.monotonic() - started)
            write_page(RESULTS / "faults.md", kind, lines)
    for case, outcome, example in wrong:
        print(f"{outcome} | {case} | {example}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
