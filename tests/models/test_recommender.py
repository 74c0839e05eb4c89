"""The model layer: one contract for every backbone x loss."""

import pytest
import torch
from recbole.data.interaction import Interaction

import recbole_dsl
from recbole_dsl.config import Config
from recbole_dsl.data import load_dataset, split_dataset
from recbole_dsl.models.recommender import PairRecommender
from recbole_dsl.registry import BACKBONES, LOSSES
from recbole_dsl.settings import UsageError

SMALL = {
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
NEGATIVES = {"train_neg_sample_args": {"sample_num": 8}}

# Every loss on MF and every backbone with two losses; test_matrix.py trains the whole product.
PAIRS = [f"MF_{loss}" for loss in LOSSES]
PAIRS += [f"{name}_{loss}" for name in BACKBONES if name != "MF" for loss in ("SL", "DSL")]


def _model(name, dataset, **changes):
    settings = {**SMALL, **NEGATIVES, **changes}
    config = Config(name, dataset, config_dict=settings)
    train = split_dataset(config, load_dataset(config))[0]
    torch.manual_seed(0)
    return PairRecommender(config, train._dataset), next(iter(train))


@pytest.mark.parametrize("name", PAIRS)
def test_learns_a_checkerboard(name, checkerboard):
    settings = {**SMALL, **NEGATIVES}
    if name.endswith("LLPAUC"):
        settings["alpha"] = 1.0  # less leaves the worst-scored positives unlearnt, by design
    result = recbole_dsl.run(name, checkerboard, config_dict=settings, saved=False)
    # The held-out item is the only one of the user's parity that is not masked.
    assert result["test"]["recall@1"] == 1.0
    losses = [epoch["train_loss"] for epoch in result["epochs"]]
    assert losses[-1] < losses[0]


@pytest.mark.parametrize("score", ["cosine", "dot"])
@pytest.mark.parametrize("backbone", BACKBONES)
def test_predict_agrees_with_full_sort_predict_and_with_the_loss(backbone, score, checkerboard):
    model, batch = _model(f"{backbone}_SL", checkerboard, score=score)
    model.eval()
    pairs = model.predict(batch)
    full = model.full_sort_predict(batch).view(len(batch), model.n_items)
    torch.testing.assert_close(pairs, full.gather(1, batch["item_id"].unsqueeze(1)).squeeze(1))
    torch.testing.assert_close(
        model.batch_inputs(batch, model.backbone.embed(), ("pos",)).pos, pairs
    )
    if score == "cosine":
        assert float(full.abs().max()) <= 1 + 1e-6


def test_the_backbones_own_term_is_added(checkerboard):
    model, batch = _model("MF_SL", checkerboard)
    plain = model.calculate_loss(batch)
    seen = []

    def auxiliary_loss(users, items):
        seen.append((users, items))
        return torch.tensor(2.5)

    model, batch = _model("MF_SL", checkerboard)
    model.backbone.auxiliary_loss = auxiliary_loss
    torch.testing.assert_close(model.calculate_loss(batch), plain + 2.5)
    ((users, items),) = seen
    assert torch.equal(users, batch["user_id"]) and torch.equal(items, batch["item_id"])


@pytest.mark.parametrize("block", [4, 1000])
def test_shared_negatives_train_too(block, checkerboard):
    settings = {**SMALL, "train_neg_sample_args": {"sample_num": 8, "block": block}}
    result = recbole_dsl.run("MF_DSL", checkerboard, config_dict=settings, saved=False)
    assert result["test"]["recall@1"] == 1.0


def test_regularisation_is_half_the_squared_length_per_row(checkerboard):
    plain, batch = _model("LightGCN_SL", checkerboard, reg_weight=0.0)
    heavy, _ = _model("LightGCN_SL", checkerboard, reg_weight=0.1)
    user = plain.backbone.user_embedding.weight[batch["user_id"]]
    item = plain.backbone.item_embedding.weight[batch["item_id"]]
    expected = 0.1 * ((user**2).sum(dim=1) + (item**2).sum(dim=1)).mean() / 2
    difference = heavy.calculate_loss(batch) - plain.calculate_loss(batch)
    torch.testing.assert_close(difference, expected)


def test_no_tensor_is_as_large_as_all_negatives_vectors(checkerboard, monkeypatch):
    model, batch = _model("LightGCN_DSL", checkerboard)
    sizes = []
    from torch.utils._python_dispatch import TorchDispatchMode

    class Watch(TorchDispatchMode):
        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            out = func(*args, **(kwargs or {}))
            sizes.extend(
                t.numel()
                for t in (out if isinstance(out, tuple) else (out,))
                if hasattr(t, "numel")
            )
            return out

    with Watch():
        model.calculate_loss(batch).backward()
    rows, negatives, width = len(batch), 8, 16
    assert max(sizes) < rows * negatives * width


def test_cached_embeddings_are_dropped_by_training_and_by_loading(checkerboard):
    model, batch = _model("MF_SL", checkerboard)
    model.eval()
    before = model.predict(batch)
    state = {key: value + torch.randn_like(value) for key, value in model.state_dict().items()}
    model.load_state_dict(state)
    after = model.predict(batch)
    assert not torch.allclose(before, after)
    with torch.no_grad():
        model.train().backbone.user_embedding.weight.neg_()
    torch.testing.assert_close(model.eval().predict(batch), -after)


def test_batches_are_counted_in_positives(checkerboard):
    _, batch = _model("MF_SL", checkerboard)
    assert isinstance(batch, Interaction) and len(batch) == SMALL["train_batch_size"]
    assert "neg_item_id" not in batch


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"score": "cos"}, "MF_DSL: score must be cosine or dot, got 'cos'"),
        ({"tau": 0.0}, "MF_DSL: tau must be > 0, got 0.0"),
        ({"clip": 0.5}, "MF_DSL: clip must be >= 1, got 0.5"),
        ({"embedding_size": 0}, "MF_DSL: embedding_size must be an integer >= 1, got 0"),
    ],
)
def test_bad_options_name_the_model_and_the_range(changes, message, checkerboard):
    with pytest.raises(UsageError, match=message):
        _model("MF_DSL", checkerboard, **changes)


def test_a_loss_for_cosines_refuses_inner_products(checkerboard):
    with pytest.raises(UsageError, match="MF_PSL: score must be cosine, got 'dot'"):
        _model("MF_PSL", checkerboard, score="dot")
