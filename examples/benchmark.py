"""Two models, each tuned with the same number of trials, then compared over seeds and users.

    python examples/benchmark.py

As the command `recbole_dsl benchmark` does it. The report is in saved/example: report.html,
table.md and table.tex.
"""

import sys
from pathlib import Path

from recbole_dsl.__main__ import main as recbole_dsl

MODELS = """
MF_SL: {train_neg_sample_args: {sample_num: 50}, search: {tau: [0.1, 0.2]}}
MF_BPR: {search: {learning_rate: [0.001, 0.01]}}
"""


def main():
    Path("models.yaml").write_text(MODELS)
    return recbole_dsl(
        [
            "benchmark", "--models_file=models.yaml", "--dataset=ml-100k", "--seeds=1,2",
            "--tune=2", "--epochs=2", "--embedding_size=16", "--train_batch_size=8192",
            "--output=saved/example",
        ]
    )  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
