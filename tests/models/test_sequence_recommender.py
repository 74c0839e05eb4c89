"""RecBole's sequential models with a loss of this package."""

import math
from pathlib import Path

import pytest
import torch
from planted_sequences import ITEMS, QUICK, with_item_classes, write_sequences
from torch.nn.functional import cross_entropy

import recbole_dsl
from recbole_dsl import recommend_for_sequences
from recbole_dsl.common.errors import UsageError
from recbole_dsl.config.run_config import Config
from recbole_dsl.data.pipeline import load_dataset, split_dataset
from recbole_dsl.models.adapters import sequences
from recbole_dsl.models.build import build_model
from recbole_dsl.models.registry import LOSSES
from recbole_dsl.training.trainer import trainer_class

OF_FEATURES = ("GRU4RecF", "SASRecF", "FDSA")
STILL = {"hidden_dropout_prob": 0.0, "attn_dropout_prob": 0.0, "dropout_prob": 0.0}


def _settings(model, **changes):
    settings = {**QUICK, **changes}
    backbone = model.partition("_")[0]
    if backbone in OF_FEATURES:
        settings = with_item_classes(settings)
    own = {"embedding_size", "hidden_size", "inner_size", *STILL}
    known = Config(model, "ring").layered
    return {key: value for key, value in settings.items() if key in known or key not in own}


def _built(model, **changes):
    config = Config(model, "ring", config_dict=_settings(model, **changes))
    data = split_dataset(config, load_dataset(config))
    return config, data, build_model(config, data.train._dataset)


@pytest.fixture
def ring(own_folder):
    return write_sequences(own_folder)


def _batch(data):
    return next(iter(data.train))


# Learning ----------------------------------------------------------------------------------------

CASES = [(f"{model}_{loss}", 1) for model in sequences.FITTING for loss in ("SL", "DSL")]
CASES += [(f"GRU4Rec_{loss}", 1) for loss in LOSSES if loss not in ("SL", "DSL")]
CASES += [(f"GRU4Rec_{loss}", 16) for loss in ("SL", "DSL", "BPR", "SLatK")]


OF_LOSS = {
    "AdapTau": {"tau": 0.1},  # which it sets itself only where fewer pairs are training rows
    "LLPAUC": {"alpha": 1.0, "beta": 1.0},  # less leaves the worst-scored positives aside
}
# Their score of an item after another is that of the other after the one: they cannot tell what
# comes next from what came before, and both are among the best.
SYMMETRIC = {"NPE", "HRM", "SINE"}


@pytest.mark.slow
@pytest.mark.parametrize(("model", "block"), CASES)
def test_learns_what_comes_next(model, block, ring):
    encoder, _, loss = model.partition("_")
    settings = {"train_neg_sample_args": {"sample_num": 8, "block": block}, "epochs": 40}
    settings |= {"topk": [1, 3], "stopping_step": 40, **OF_LOSS.get(loss, {})}
    if encoder in SYMMETRIC:
        settings |= {"MAX_ITEM_LIST_LENGTH": 1, "valid_metric": "Recall@3"}
        settings |= {"high_order": 1} if encoder == "HRM" else {}
    config, data, recommender = _built(model, **settings)
    trainer = trainer_class(config)(config, recommender)
    trainer.fit(data.train, data.valid, saved=False, show_progress=False)
    trainer.tensorboard.close()
    losses = [epoch["train_loss"] for epoch in trainer.recorder.epochs_done]
    assert all(map(math.isfinite, losses))
    best = trainer.recorder.best_valid
    if encoder in SYMMETRIC:
        assert best["recall@3"] > 0.5  # by chance 1/4
    else:
        assert best["recall@1"] > 0.4  # by chance 1/12


# Equal to RecBole --------------------------------------------------------------------------------


@pytest.mark.parametrize("model", ["SASRec", "GRU4Rec"])
def test_all_items_as_negatives_are_recboles_cross_entropy(model, ring):
    """SL of inner products at tau 1, with the positive in the denominator and every other item as a
    negative, is RecBole's CE but for the padding item, which that counts as a class too."""
    _, data, ours = _built(
        f"{model}_SL", score="dot", tau=1.0, positive_in_denominator=True,
        train_neg_sample_args={"sample_num": "all"}, **STILL,
    )  # fmt: skip
    recboles = ours.encoder.model.double()
    ours, batch = ours.double().train(), _batch(data)

    logits = recboles(batch[recboles.ITEM_SEQ], batch[recboles.ITEM_SEQ_LEN])
    logits = logits @ recboles.item_embedding.weight.T
    assert float(recboles.calculate_loss(batch).detach()) == pytest.approx(
        float(cross_entropy(logits, batch["item_id"]).detach()), abs=1e-12
    )
    expected = cross_entropy(logits[:, 1:], batch["item_id"] - 1)
    wanted = torch.autograd.grad(expected, [*recboles.parameters()])
    loss = ours.calculate_loss(batch)
    found = torch.autograd.grad(loss, [*recboles.parameters()])
    # Ours is of a mean, over I - 1 columns, the positive's left out, and the positive
    constant = math.log(ours.n_items)
    assert float(loss.detach()) == pytest.approx(float(expected.detach()) - constant, abs=1e-6)
    for one, other in zip(found, wanted, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("model", sorted(sequences.FITTING))
def test_scores_are_those_of_recboles_model(model, ring):
    settings = {"score": "dot"}
    _, data, ours = _built(f"{model}_SL", **settings)
    ours.eval()
    batch = _batch(data)
    recboles = ours.encoder.model
    assert type(recboles).__name__ == model
    expected = recboles.full_sort_predict(batch).view(len(batch), -1)
    found = ours.full_sort_predict(batch).view(len(batch), -1)
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(
        ours.predict(batch), found.gather(1, batch["item_id"].unsqueeze(1)).squeeze(1)
    )


@pytest.mark.parametrize("model", ["GRU4Rec_SL", "GRU4Rec_gBCE"])  # a cosine, an inner product
def test_evaluation_makes_the_item_table_once_and_anew_after_training(model, ring):
    _, data, ours = _built(model)
    batch, names = _batch(data), list(ours.state_dict())
    with torch.no_grad():
        before = ours.eval().full_sort_predict(batch)
        table = ours._items()
        assert ours._items() is table and list(ours.state_dict()) == names
        ours.train()
        ours.encoder.model.item_embedding.weight.neg_()
        after = ours.eval().full_sort_predict(batch)
    assert not torch.allclose(before, after)
    expected = ours.vectors(batch) @ ours.item_table().T
    torch.testing.assert_close(after, expected.detach().view(-1))


def test_a_users_vector_is_that_of_the_last_training_row(ring):
    _, data, ours = _built("GRU4Rec_SL")
    users, items = ours.epoch_view(data.train).tables()
    rows = data.train._dataset.inter_feat
    user = int(rows["user_id"][0])
    last = rows[(rows["user_id"] == user).nonzero().squeeze(1)[-1:]]
    with torch.no_grad():
        expected = ours.eval().vectors(last)[0]
    torch.testing.assert_close(users[user], expected)
    assert users[0].abs().sum() == 0 and len(items) == ours.n_items


@pytest.mark.parametrize("model", ["Caser", "NextItNet", "GCSAN", "HGN", "FOSSIL"])
def test_the_models_own_penalty_is_added(model, ring):
    weight = [0.3, 0.2] if model == "HGN" else 0.3
    _, data, ours = _built(f"{model}_SL", reg_weight=weight)
    ours.eval()
    batch, recboles = _batch(data), ours.encoder.model
    tables = ours.batch_tables(batch)
    tables = tuple(table.detach() for table in tables)
    penalty = ours.encoder.penalty(batch, tables[0]).detach()
    assert penalty.shape == () and float(penalty) > 0
    logits = tables[0] @ tables[1].T
    ce = cross_entropy(logits, batch["item_id"])
    torch.testing.assert_close(recboles.calculate_loss(batch).detach().sum(), ce + penalty)
    zero = torch.zeros(())
    torch.testing.assert_close(ours.own_terms(zero, batch, tables).detach(), penalty)


# Negatives ---------------------------------------------------------------------------------------


def test_the_next_item_is_never_a_negative(ring):
    _, data, ours = _built("GRU4Rec_SL", train_neg_sample_args={"sample_num": 200})
    batch = _batch(data)
    drawn = ours.batch_inputs(batch, ours.batch_tables(batch), ("negatives",)).negatives
    assert drawn.min() > 0
    others = torch.stack([torch.bincount(row, minlength=ours.n_items) > 0 for row in drawn])
    assert not others.gather(1, batch["item_id"].unsqueeze(1)).any()
    assert (others.sum(dim=1) == ours.n_items - 2).all()  # the user's history is among them


def test_a_users_history_is_no_negative_where_it_is_excluded(ring):
    negatives = {"sample_num": 200, "exclude": "history"}
    _, data, ours = _built("GRU4Rec_SL", train_neg_sample_args=negatives)
    batch = _batch(data)
    drawn = ours.batch_inputs(batch, ours.batch_tables(batch), ("negatives",)).negatives
    rows = data.train._dataset.inter_feat
    for user, row in zip(batch["user_id"].tolist(), drawn, strict=True):
        of_user = rows["user_id"] == user
        history = set(rows["item_id"][of_user].tolist())
        history |= set(rows["item_id_list"][of_user].flatten().tolist()) - {0}
        assert history.isdisjoint(row.tolist())
        assert len(set(row.tolist())) == ours.n_items - 1 - len(history)


# Settings ----------------------------------------------------------------------------------------


def test_recboles_own_settings_keep_their_names(ring):
    config = Config("SASRec_DSL", "ring")
    assert config["n_heads"] == 2 and config.origins["n_heads"] == "RecBole model/SASRec.yaml"
    assert config["tau"] == Config("MF_DSL", "ring")["tau"]
    assert config["eval_args"]["split"] == {"LS": "valid_and_test"}
    assert config["repeatable"] is True
    assert config["train_neg_sample_args"]["exclude"] == "target"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"loss_type": "BPR"}, "loss_type is not a setting of SASRec_DSL"),
        ({"initialization": "spectral"}, "initialization is not a setting of SASRec_DSL"),
        ({"eval_args": {"order": "RO"}}, "needs eval_args: {order: TO}, got 'RO'"),
        ({"transform": "mask_itemseq"}, "transform mask_itemseq is for RecBole's own models"),
        ({"train_neg_sample_args": {"exclude": "all"}}, "must be target or history, got 'all'"),
        ({"train_noise": {"false_negative": 0.5}}, "{exclude: history}, got target"),
        ({"learner": "sparse_adam"}, "SASRec has gradients for more than these rows"),
    ],
)
def test_settings_that_do_not_go_with_it(settings, message, ring):
    with pytest.raises(UsageError, match=message):
        _built("SASRec_DSL", **settings)


def test_settings_with_which_recbole_cannot_build_its_model_are_one_line(ring):
    with pytest.raises(UsageError, match="SASRec_DSL cannot be built with these settings: .*head"):
        _built("SASRec_DSL", hidden_size=9)


def test_a_setting_that_both_have_gets_the_models_name(ring):
    _, _, ours = _built("FOSSIL_DSL", alpha=-0.5, fossil_alpha=0.25)
    assert ours.encoder.model.alpha == 0.25 and ours.loss.options["alpha"] == -0.5
    assert "fossil_alpha" not in Config("FOSSIL_SL", "ring")
    assert Config("FOSSIL_SL", "ring")["alpha"] == 0.6


# A whole run -------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("model", ["GRU4Rec_DSL", "GRU4Rec_gBCE"])
def test_a_run_trains_tests_and_is_loaded_again(model, ring):
    settings = _settings(model, epochs=3)
    settings["group_metrics"] = {"item_popularity": 2, "user_activity": 2}
    settings["diagnostics"] = model == "GRU4Rec_DSL"
    result = recbole_dsl.run(model, "ring", config_dict=settings)
    assert result["epochs"] and result["test"]["recall@1"] >= 0
    assert result["groups"]
    loaded = recbole_dsl.load(result["checkpoint"])
    assert type(loaded.model.encoder.model).__name__ == "GRU4Rec"


@pytest.mark.slow
@pytest.mark.parametrize("model", ["GRU4Rec_DSL", "GRU4Rec_BPR", "Caser_SL"])
def test_a_trained_model_recommends_what_comes_next(model, ring):
    result = recbole_dsl.run(model, "ring", config_dict=_settings(model, epochs=40))
    served = recbole_dsl.load_recommender(result["checkpoint"])
    # A user has had items s, s + 1, ..., s + 8: s + 9 comes next
    lines = Path("dataset/ring/ring.inter").read_text().splitlines()[1:]
    last = {user: int(item[1:]) for user, item, _ in (line.split("\t") for line in lines)}
    table = served.recommend(k=1, exclude=None)
    pairs = table[["user", "item"]].to_numpy()
    right = [item == f"i{(last[user] + 1) % ITEMS}" for user, item in pairs]
    assert len(right) == 60 and sum(right) > 40
    table = served.recommend(["u0"], k=5)
    assert set(table["item"]) == {f"i{(last['u0'] + step) % ITEMS}" for step in (1, 2, 3)}

    loaded = recbole_dsl.load(result["checkpoint"])
    users = ["u1", "u2"] if model.startswith("Caser") else None
    given = [["i3", "i4", "i5", "i6", "i7"], ["i0", "i1"]]
    table = recommend_for_sequences(loaded, given, k=12, users=users)
    assert list(table.columns) == ["sequence", "rank", "item", "score"] and len(table) == 24
    assert "i8" in set(table["item"][:3])
    user = users and users[:1]
    table = recommend_for_sequences(loaded, [["i3", "i4"]], k=12, users=user, exclude=True)
    assert len(table) == 10 and not set(table["item"]) & {"i3", "i4"}
    for given, message in (
        ([["i3", "i44"]], "item_id 'i44' is not in the model's data; did you mean i4"),
        ([[]], "sequence 0 is empty"),
        (["i3", "i4"], "sequence 0 must be a list of items, got 'i3': one sequence is "),
    ):
        with pytest.raises(UsageError, match=message):
            recommend_for_sequences(loaded, given, users=user)
    empty = recommend_for_sequences(loaded, [], users=[] if users else None)
    assert list(empty.columns) == list(table.columns) and not len(empty)
    with pytest.raises(UsageError, match="must be what recbole_dsl.load gives back, got 'saved"):
        recommend_for_sequences("saved/model.pth", [["i3"]])
    if users:
        with pytest.raises(UsageError, match="Caser_SL has a vector for each user: name them"):
            recommend_for_sequences(loaded, [["i1"]])
