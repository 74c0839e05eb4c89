"""Every backbone with every loss learns the checkerboard, through RecBole's training loop."""

import math

import pytest
import torch
from recbole.utils import init_seed

from recbole_dsl.config.run_config import Config
from recbole_dsl.data.pipeline import load_dataset, split_dataset
from recbole_dsl.models.registry import BACKBONES, LOSSES, pair_names
from recbole_dsl.training.trainer import trainer_class

SMALL = {
    "epochs": 20,
    "eval_step": 20,
    "state": "ERROR",
    "embedding_size": 8,
    "train_batch_size": 90,
    "learning_rate": 0.1,
    "topk": [1],
    "metrics": ["Recall"],
    "valid_metric": "Recall@1",
    "benchmark_filename": ["train", "valid", "test"],
}
OF_LOSS = {  # by design less than 1 leaves the worst-scored positives and most negatives aside
    "LLPAUC": {"alpha": 1.0, "beta": 1.0},
}
OF_BACKBONE = {  # or the contrast of 40 nodes outweighs the loss
    "SimGCL": {"lambda": 0.02, "n_layers": 3},  # two even out the start, see _start_wrong
    "XSimGCL": {"lambda": 0.02},
}

# Every pair with negatives shared by blocks of 32, 32 and 26 rows; every loss on MF and every
# backbone with two losses with negatives for each row.
CASES = [(name, 32) for name in pair_names()]
CASES += [(f"MF_{loss}", 1) for loss in LOSSES]
CASES += [(f"{name}_{loss}", 1) for name in BACKBONES if name != "MF" for loss in ("SL", "DSL")]


def _parities(dataset, field):
    """(n,) of 0 and 1: the parity of each user or item by internal id; the padding has 0."""
    tokens = dataset.id2token(field, range(1, dataset.num(field)))
    return torch.tensor([0, *(int(token[1:]) % 2 for token in tokens)])


def _start_wrong(model, users, items):
    """Start with users nearest to the items of the other parity.

    A graph's propagation alone brings those of one parity together, without any training.
    """
    away = torch.full((model.backbone.user_embedding.embedding_dim,), 0.5)
    with torch.no_grad():
        model.backbone.user_embedding.weight += (2 * users - 1).unsqueeze(1) * away
        model.backbone.item_embedding.weight -= (2 * items - 1).unsqueeze(1) * away


def _ranked_above(model, held_out, users, items):
    """Share of the other parity's items that score below a user's held-out item, mean over users:
    one for the even users, one for the odd ones. By chance 0.5."""
    ids = held_out["user_id"]
    with torch.no_grad():
        scores = model.eval().full_sort_predict({"user_id": ids}).view(len(ids), -1)
    scored = scores.gather(1, held_out["item_id"].unsqueeze(1))
    other = items.unsqueeze(0) != users[ids].unsqueeze(1)
    other[:, 0] = False
    above = ((scored > scores) & other).sum(dim=1) / other.sum(dim=1)
    return [float(above[users[ids] == parity].mean()) for parity in (0, 1)]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "block"), CASES)
def test_learns_the_checkerboard(name, block, checkerboard):
    backbone, loss = name.split("_")
    settings = {**SMALL, **OF_LOSS.get(loss, {}), **OF_BACKBONE.get(backbone, {})}
    settings["train_neg_sample_args"] = {"sample_num": 8, "block": block}
    config = Config(name, checkerboard, config_dict=settings)
    split = split_dataset(config, load_dataset(config))
    train, valid = split.train, split.valid
    init_seed(config["seed"], config["reproducibility"])
    model = config.model_class(config, train._dataset)
    board = [_parities(train._dataset, field) for field in ("user_id", "item_id")]
    if backbone != "MF":
        _start_wrong(model, *board)
    held_out = valid._dataset.inter_feat
    assert max(_ranked_above(model, held_out, *board)) < 0.7

    trainer = trainer_class(config)(config, model)
    trainer.fit(train, valid, saved=False, show_progress=False)
    trainer.tensorboard.close()
    losses = [epoch["train_loss"] for epoch in trainer.recorder.epochs_done]
    assert len(losses) == 20 and all(map(math.isfinite, losses)) and losses[-1] < losses[0]
    assert all(bool(torch.isfinite(parameter).all()) for parameter in model.parameters())
    assert min(_ranked_above(model, held_out, *board)) > 0.9
    best = trainer.recorder.best_valid["recall@1"]
    assert 0.5 < best <= 1.0  # by chance 1/11: ten others are not masked
