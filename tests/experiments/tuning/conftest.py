"""A study that takes a moment: the checkerboard, a few negatives, one or two epochs."""

import pytest

pytest.importorskip("optuna")


@pytest.fixture
def board(checkerboard):
    """Arguments of tune for a quick study."""
    return {
        "model": "MF_SL",
        "dataset": checkerboard,
        "config_dict": {
            "benchmark_filename": ["train", "valid", "test"],
            "epochs": 2,
            "embedding_size": 8,
            "train_neg_sample_args": {"sample_num": 16},
        },
        "ranges": {"tau": [0.1, 0.2, 0.5], "learning_rate": [0.001, 0.01, 0.1]},
    }
