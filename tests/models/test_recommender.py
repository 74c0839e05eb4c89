"""The model of a backbone and a loss; test_matrix.py trains every one."""

import pytest
import torch
from quick import CHECKERBOARD
from recbole.data.interaction import Interaction
from torch.utils._python_dispatch import TorchDispatchMode

import recbole_dsl
from recbole_dsl.common.errors import UsageError
from recbole_dsl.config.run_config import Config
from recbole_dsl.data.pipeline import load_dataset, split_dataset
from recbole_dsl.models.recommender import PairRecommender
from recbole_dsl.models.registry import BACKBONES

NEGATIVES = {"train_neg_sample_args": {"sample_num": 8}}
KAPPA = {"beta": -1.0}  # DSL's similarities too, which its defaults are without


def _model(name, dataset, **changes):
    settings = {**CHECKERBOARD, **NEGATIVES, **changes}
    config = Config(name, dataset, config_dict=settings)
    train = split_dataset(config, load_dataset(config)).train
    torch.manual_seed(0)
    return PairRecommender(config, train._dataset), next(iter(train))


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


@pytest.mark.parametrize("name", ["MF_SL", "LightGCN_DSL"])
def test_another_score_at_test_leaves_training_alone(name, checkerboard):
    plain, batch = _model(name, checkerboard)
    other, _ = _model(name, checkerboard, test_score="dot")
    assert torch.equal(plain.calculate_loss(batch), other.calculate_loss(batch))
    plain.eval(), other.eval()
    user, item = other.tables()
    expected = (user[batch["user_id"]] * item[batch["item_id"]]).sum(dim=1)
    torch.testing.assert_close(other.predict(batch), expected)
    assert not torch.allclose(plain.predict(batch), expected)
    full = other.full_sort_predict(batch).view(len(batch), -1)
    torch.testing.assert_close(full.gather(1, batch["item_id"].unsqueeze(1)).squeeze(1), expected)
    for ours, theirs in zip(other.embed("cosine"), plain.embed(), strict=True):
        assert torch.equal(ours, theirs)


def test_a_run_ranks_by_the_score_of_test(checkerboard):
    """On trained vectors, whose lengths a cosine loss leaves where they are."""
    settings = {**CHECKERBOARD, **NEGATIVES, "epochs": 2, "eval_step": 1, "topk": [5]}
    settings.update(valid_metric="NDCG@5", embedding_size=4)
    by_score = [
        recbole_dsl.run("MF_SL", checkerboard, config_dict={**settings, **more}, saved=False)
        for more in ({}, {"test_score": "cosine"}, {"test_score": "dot"})
    ]
    losses = [[epoch["train_loss"] for epoch in result["epochs"]] for result in by_score]
    assert losses[0] == losses[1] == losses[2]
    assert by_score[0]["test"] == by_score[1]["test"] != by_score[2]["test"]
    assert by_score[2]["settings"]["test_score"]["value"] == "dot"


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


@pytest.mark.parametrize("block", [1, 7])
def test_negatives_are_drawn_in_the_blocks_of_the_setting(block, checkerboard):
    args = {"sample_num": 8, "block": block}
    model, batch = _model("MF_SL", checkerboard, train_neg_sample_args=args)
    drawn = model.draw_negatives(batch["user_id"])
    if block == 1:
        assert drawn.shape == (50, 8)
    else:
        assert drawn.block == 7 and drawn.shared.shape == (8, 8)


def test_what_evaluation_and_diagnostics_ask_of_the_model(checkerboard):
    model, batch = _model("LightGCN_SL", checkerboard)
    assert model.ranks_by_inner_product
    users, items = model.eval().embed()
    full = model.full_sort_predict(batch).view(len(batch), -1)
    torch.testing.assert_close(full, users[batch["user_id"]] @ items.T)
    _, scores = next(model.epoch_view(None).score_blocks())
    torch.testing.assert_close(scores, users[1:] @ items.T)


@pytest.mark.slow
@pytest.mark.parametrize("block", [4, 1000])
def test_shared_negatives_train_too(block, checkerboard, synchronous):
    settings = {**CHECKERBOARD, **KAPPA, "train_neg_sample_args": {"sample_num": 8, "block": block}}
    result = recbole_dsl.run("MF_DSL", checkerboard, config_dict=settings, saved=False)
    assert result["test"]["recall@1"] == 1.0


SPARSE = {"learner": "sparse_adam", "train_neg_sample_args": {"sample_num": 8, "block": 50}}


@pytest.mark.slow
@pytest.mark.parametrize("name", ["MF_SL", "MF_DSL", "MF_BSL", "MF_DirectAU", "MF_BC"])
def test_row_sparse_adam_learns_the_checkerboard(name, checkerboard):
    settings = {**CHECKERBOARD, **SPARSE, **(KAPPA if name == "MF_DSL" else {}), "reg_weight": 1e-4}
    result = recbole_dsl.run(name, checkerboard, config_dict=settings, saved=False)
    assert result["test"]["recall@1"] == 1.0


def test_row_sparse_adam_moves_the_rows_of_the_batch_and_no_other(checkerboard):
    model, batch = _model("MF_SL", checkerboard, **SPARSE)
    few = batch[:2]
    before = [parameter.detach().clone() for parameter in model.parameters()]
    optimizer = torch.optim.SparseAdam(list(model.parameters()), lr=0.1)
    drawn = model.sampler.shared(few["user_id"], 8, 50)
    model.draw_negatives = lambda users, leave_out: drawn
    model.train().calculate_loss(few).backward()
    optimizer.step()
    touched = {*few["item_id"].tolist(), *drawn.shared.flatten().tolist(), *drawn.own.tolist()}
    for old, new, ids in zip(
        before, model.parameters(), (set(few["user_id"].tolist()), touched), strict=True
    ):
        moved = set((old != new.detach()).any(dim=1).nonzero().flatten().tolist())
        assert moved and moved <= ids


@pytest.mark.parametrize(
    ("name", "changes", "reason"),
    [
        ("LightGCN_SL", {}, "LightGCN has gradients for more than these rows"),
        ("NGCF_SL", {}, "NGCF has gradients for more than these rows"),
        ("MF_SCE", {}, "SCE scores all items"),
        ("MF_AdvInfoNCE", {}, "AdvInfoNCE has learned parts of its own"),
        ("MF_SL", {"train_neg_sample_args": {"block": 1}}, "the gradient has a row for every item"),
        ("MF_SL", {"weight_decay": 0.1}, "weight_decay would move every row"),
    ],
)
def test_row_sparse_adam_is_refused_where_gradients_are_dense(name, changes, reason, checkerboard):
    with pytest.raises(UsageError, match=f"{name}: learner sparse_adam .*{reason}; .*use .*adam"):
        _model(name, checkerboard, **{**SPARSE, **changes})


def test_regularisation_is_half_the_squared_length_per_row(checkerboard):
    plain, batch = _model("LightGCN_SL", checkerboard, reg_weight=0.0)
    heavy, _ = _model("LightGCN_SL", checkerboard, reg_weight=0.1)
    user = plain.backbone.user_embedding.weight[batch["user_id"]]
    item = plain.backbone.item_embedding.weight[batch["item_id"]]
    expected = 0.1 * ((user**2).sum(dim=1) + (item**2).sum(dim=1)).mean() / 2
    difference = heavy.calculate_loss(batch) - plain.calculate_loss(batch)
    torch.testing.assert_close(difference, expected)


class Watch(TorchDispatchMode):
    """Notes the sizes of all tensors made."""

    def __init__(self):
        super().__init__()
        self.sizes = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        made = out if isinstance(out, tuple) else (out,)
        self.sizes += [t.numel() for t in made if isinstance(t, torch.Tensor) and not t.is_sparse]
        return out


@pytest.mark.parametrize("block", [1, 7, 50])
def test_no_tensor_is_as_large_as_all_negatives_vectors(block, checkerboard):
    args = {"sample_num": 8, "block": block}
    model, batch = _model("LightGCN_DSL", checkerboard, **KAPPA, train_neg_sample_args=args)
    with Watch() as seen:
        model.calculate_loss(batch).backward()
    rows, negatives, width = len(batch), 8, 16
    assert max(seen.sizes) < rows * negatives * width


def test_no_step_of_row_sparse_adam_makes_a_tensor_of_the_tables_size(checkerboard):
    model, batch = _model("MF_DSL", checkerboard, **SPARSE, **KAPPA, embedding_size=64)
    few = batch[:2]
    optimizer = torch.optim.SparseAdam(list(model.parameters()), lr=0.1)
    model.calculate_loss(few).backward()
    optimizer.step()  # makes its moments
    optimizer.zero_grad()
    with Watch() as seen:
        model.calculate_loss(few).backward()
    assert max(seen.sizes) < min(model.n_users, model.n_items) * 64


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


def test_the_start_that_takes_time_is_the_backbones_and_drops_cached_embeddings(checkerboard):
    model, batch = _model("MF_SL", checkerboard, initialization="spectral")
    before = model.eval().predict(batch)
    assert model.initialise() and not model.initialise()
    assert not torch.allclose(model.predict(batch), before)
    assert not _model("MF_SL", checkerboard)[0].initialise()
    model, _ = _model("MF_SL", checkerboard)
    model.backbone = torch.nn.Identity()  # a backbone without such a start
    assert not model.initialise()


def test_the_spectral_start_ranks_the_checkerboard_without_an_epoch(checkerboard):
    settings = {**CHECKERBOARD, **NEGATIVES, "epochs": 0, "embedding_size": 8}
    recall = {
        start: recbole_dsl.run(
            "MF_SL", checkerboard, config_dict={**settings, "initialization": start}, saved=False
        )["test"]["recall@1"]
        for start in ("xavier_uniform", "spectral")
    }
    assert recall["spectral"] == 1.0 and recall["xavier_uniform"] < 0.5


def test_batches_are_counted_in_positives(checkerboard):
    _, batch = _model("MF_SL", checkerboard)
    assert isinstance(batch, Interaction) and len(batch) == CHECKERBOARD["train_batch_size"]
    assert "neg_item_id" not in batch


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"score": "cos"}, "score must be cosine or dot, got 'cos'"),
        ({"tau": 0.0}, "tau must be a number > 0, got 0.0"),
        ({"clip": 0.5}, "clip must be a number >= 1, got 0.5"),
        ({"embedding_size": 0}, "embedding_size must be an integer >= 1, got 0"),
        (
            {"initialization": "svd"},
            "initialization must be xavier_uniform, normal or spectral, got 'svd'",
        ),
    ],
)
def test_bad_options_name_the_model_and_the_range(changes, message, checkerboard):
    with pytest.raises(UsageError, match=message):
        _model("MF_DSL", checkerboard, **changes)


def test_a_loss_for_cosines_refuses_inner_products(checkerboard):
    with pytest.raises(UsageError, match="score must be cosine, got 'dot'"):
        _model("MF_PSL", checkerboard, score="dot")
