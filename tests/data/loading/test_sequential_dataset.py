"""Rows of sequences, equal to those that RecBole's own loops make."""

import numpy as np
import pytest
import torch
from recbole.data.dataset import SequentialDataset as RecBoleSequentialDataset

from recbole_dsl.config.run_config import Config
from recbole_dsl.data.loading import sequential_dataset
from recbole_dsl.data.loading.sequential_dataset import SequentialDataset
from recbole_dsl.data.pipeline import load_dataset

COLUMNS = ["user_id", "item_id", "timestamp", "words", "place"]


@pytest.fixture
def shop(make_dataset, own_folder):
    """Users with 1 to 30 rows in any order of time, with words and numbers in sequences."""
    rng = np.random.default_rng(3)
    name = make_dataset("shop", [])
    lines = ["\t".join(["user_id:token", "item_id:token", "timestamp:float", "words:token_seq",
                        "place:float_seq"])]  # fmt: skip
    for user in range(12):
        for _ in range(int(rng.integers(1, 30)) if user else 1):
            words = " ".join(f"w{word}" for word in rng.integers(0, 9, rng.integers(1, 4)))
            place = " ".join(f"{value:.3f}" for value in rng.random(2))
            time, item = rng.integers(0, 40), rng.integers(0, 15)
            lines.append(f"u{user}\ti{item}\t{time}\t{words}\t{place}")
    (own_folder / "dataset/shop/shop.inter").write_text("\n".join(lines) + "\n")
    return name


@pytest.mark.parametrize("longest", [1, 4, 50])
@pytest.mark.parametrize("numerical", [None, ["timestamp"]])
def test_rows_are_recboles(shop, longest, numerical, monkeypatch):
    monkeypatch.setattr(sequential_dataset, "_CELLS", 64)  # several blocks
    settings = {
        "MAX_ITEM_LIST_LENGTH": longest,
        "load_col": {"inter": COLUMNS},
        "train_neg_sample_args": None,
        "numerical_features": numerical or [],
        "state": "ERROR",
    }
    config = Config("GRU4Rec", shop, config_dict=settings)
    ours, theirs = load_dataset(config), RecBoleSequentialDataset(config)
    assert type(ours) is SequentialDataset
    for dataset in (ours, theirs):
        dataset._change_feat_format()
    assert len(ours) == len(theirs) > 50
    assert set(ours.inter_feat.columns) == set(theirs.inter_feat.columns)
    for name in theirs.inter_feat.columns:
        one, other = ours.inter_feat[name], theirs.inter_feat[name]
        assert one.dtype == other.dtype and torch.equal(one, other), name
