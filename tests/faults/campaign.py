"""Odd settings, changed files, kills and altered checkpoints, many of each, counted by outcome.

    python tests/faults/campaign.py            # 2,000, 400, 110 and 200 cases; about an hour
    python tests/faults/campaign.py --kinds=files --files=5000 --seed=7

Accepted: what the case says was done, and is checked (rows, weights and results against a second
reading). Refused: one line, and nothing was written. Anything else is a fault, shown with an
example; the exit code is 1 then. `--page` writes the counts to campaign.md beside this file.
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


def page_lines(counted, seed, seconds):
    """The counts as Markdown: one table of all kinds, one of the cases of each."""
    from measuring import machine, markdown_table

    rows = []
    for kind, counts in counted.items():
        total = by_outcome(counts)
        fine = [total.pop(outcome, 0) for outcome in FINE]
        rows.append([kind, sum(fine) + total.total(), *fine, total.total()])
    lines = [machine(), f"Seed {seed}, {seconds / 60:.0f} minutes.", ""]
    lines += markdown_table(["kind", "cases", *FINE, "faults"], rows)
    for kind, counts in counted.items():
        outcomes = sorted(by_outcome(counts))
        cases = sorted({case for case, _ in counts})
        cells = [[case, *(counts[case, outcome] for outcome in outcomes)] for case in cases]
        if len(cases) > 60:  # pairs of changes: too many to read
            continue
        lines += ["", f"### {kind}", "", *markdown_table(["case", *outcomes], cells)]
    return lines


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kinds", default=",".join(GENERATORS), help="separated by commas")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--page", action="store_true", help="write campaign.md")
    for kind, (_, number) in GENERATORS.items():
        parser.add_argument(f"--{kind}", type=int, default=number, help="number of cases")
    given = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"
    started, counted, wrong = time.monotonic(), {}, []
    for kind in given.kinds.split(","):
        counted[kind], faults = run(kind, getattr(given, kind), given.seed)
        wrong += faults
        total = by_outcome(counted[kind])
        print(f"{kind}: {', '.join(f'{n:,} {what}' for what, n in sorted(total.items()))}")
    for case, outcome, example in wrong:
        print(f"{outcome} | {case} | {example}")
    if given.page:
        from measuring import write_page

        lines = page_lines(counted, given.seed, time.monotonic() - started)
        write_page(HERE / "campaign.md", "counts", lines)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
