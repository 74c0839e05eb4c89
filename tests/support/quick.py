"""Settings of runs that take a moment, and where the repository lies; shared by all tests."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "run_recbole_dsl.py"

# Any model: one epoch of few steps, nothing on the terminal.
QUICK = {"epochs": 1, "state": "ERROR", "show_progress": False, "train_batch_size": 8192}
# A <Backbone>_<Loss>: short vectors and few negatives too.
QUICK_PAIR = {**QUICK, "embedding_size": 16, "train_neg_sample_args": {"sample_num": 20}}
# Sixty epochs on the checkerboard, which a model can learn to the last row.
CHECKERBOARD = {
    "embedding_size": 16,
    "train_batch_size": 50,
    "learning_rate": 0.05,
    "epochs": 60,
    "eval_step": 60,
    "state": "ERROR",
    "topk": [1, 5],
    "valid_metric": "Recall@1",
    "benchmark_filename": ["train", "valid", "test"],
}
