"""Measured on a model as it trains; tests/losses/test_dro.py has the quantities themselves."""

import pytest
import torch
from quick import QUICK_PAIR
from recbole.utils import init_seed

from recbole_dsl.config.run_config import Config
from recbole_dsl.data import pipeline
from recbole_dsl.evaluation.diagnostics import row_measures
from recbole_dsl.evaluation.diagnostics.row_measures import measure, row_values
from recbole_dsl.losses import robust_quantities

SETTINGS = {**QUICK_PAIR, "train_neg_sample_args": {"sample_num": 7}}


def _model(name, board, **settings):
    config = Config(name, board, config_dict={**SETTINGS, **settings})
    train = pipeline.split_dataset(config, pipeline.load_dataset(config)).train
    init_seed(0, True)
    model = config.model_class(config, train._dataset)
    feat = train._dataset.inter_feat
    return model, feat["user_id"], feat["item_id"]


def _measure(model, users, items, **options):
    return measure(model, {"user_id": users, "item_id": items}, **options)


@pytest.mark.parametrize("block", [1, 16])
def test_one_batch_has_the_numbers_of_the_functions_called_directly(checkerboard, block):
    negatives = {"sample_num": 7, "block": block}
    model, users, items = _model("MF_DSL", checkerboard, train_neg_sample_args=negatives)
    n = len(users)
    found = _measure(model, users, items, rows=n, batch_size=n, seed=3)
    order = torch.randperm(n, generator=torch.Generator().manual_seed(3))
    model.eval()
    model.sampler.generator.manual_seed(3)
    batch = {"user_id": users[order], "item_id": items[order]}
    names = ("pos", "neg", "item_similarity", "negatives")
    with torch.no_grad():
        inputs = model.batch_inputs(batch, model.tables(), names).select()
        drawn = inputs.pop("negatives")
        case = robust_quantities(model.loss.robust_view(**inputs))
    assert torch.equal(found.items, items[order]) and found.negatives == 7
    for name, value in row_values(case, inputs["pos"], inputs["item_similarity"]).items():
        torch.testing.assert_close(found.values[name], value, rtol=0, atol=1e-12, msg=name)
    mass = {name: torch.zeros(model.n_items).double() for name in found.mass}
    for row in range(n):
        for j in range(7):
            mass["drawn"][drawn[row, j]] += 1
            mass["prior"][drawn[row, j]] += case.p[row, j]
            mass["worst_case"][drawn[row, j]] += case.q[row, j]
    for name, sums in mass.items():
        torch.testing.assert_close(found.mass[name], sums)
    assert found.identity_error < 1e-10


def test_a_batch_measured_in_parts_has_the_same_numbers(checkerboard, monkeypatch):
    model, users, items = _model("MF_DSL", checkerboard)
    whole = _measure(model, users, items, rows=99, batch_size=40, seed=0)
    monkeypatch.setattr(row_measures, "_CELLS", 25)
    parts = _measure(model, users, items, rows=99, batch_size=40, seed=0)
    assert len(whole.items) == 99
    for name, value in whole.values.items():
        torch.testing.assert_close(parts.values[name], value, rtol=1e-12, atol=1e-14)
    for name, sums in whole.mass.items():
        torch.testing.assert_close(parts.mass[name], sums)


def test_similarity_and_shares_are_weighted_means(checkerboard):
    model, users, items = _model("MF_SL", checkerboard)
    found = _measure(model, users, items, rows=10**6, batch_size=64, seed=0)
    assert len(found.items) == len(users)
    values = found.values
    torch.testing.assert_close(values["drawn_similarity"], values["prior_similarity"])
    assert values["prior_entropy_share"].tolist() == pytest.approx([1.0] * len(users))
    for sums in found.mass.values():
        assert sums[0] == 0
    assert found.mass["drawn"].sum() == 7 * len(users)
    assert found.mass["worst_case"].sum() == pytest.approx(len(users))


def test_one_negative_has_no_share_of_entropy_and_no_division_by_log_one(checkerboard):
    model, users, items = _model("MF_SL", checkerboard, train_neg_sample_args={"sample_num": 1})
    values = measure(
        model, {"user_id": users, "item_id": items}, rows=9, batch_size=4, seed=0
    ).values
    assert "prior_entropy_share" not in values
    assert all(bool(torch.isfinite(value).all()) for value in values.values())
    assert values["effective_negatives"].tolist() == [1.0] * 9


@pytest.mark.parametrize(
    "name",
    ["MF_DSL", "XSimGCL_SL", "MF_SLatK", "MF_Talos", "MF_AdapTau", "MF_AdvInfoNCE", "MF_BC"],
)
@pytest.mark.parametrize("training", [True, False])
def test_nothing_is_disturbed_and_the_same_seed_measures_the_same(checkerboard, name, training):
    model, users, items = _model(name, checkerboard)
    model.train(training)
    model.sampler(users[:4], 5)  # somewhere in its stream
    tensors = {**dict(model.named_buffers()), **dict(model.named_parameters())}
    tensors = {
        key: value.detach() for key, value in tensors.items() if value.layout is torch.strided
    }
    before = {key: value.clone() for key, value in tensors.items()}
    states = model.sampler.generator.get_state(), torch.get_rng_state()
    first, second, other = (
        _measure(model, users, items, rows=50, batch_size=20, seed=seed) for seed in (1, 1, 2)
    )
    assert model.training is training and model.loss.training is training
    assert torch.equal(states[0], model.sampler.generator.get_state())
    assert torch.equal(states[1], torch.get_rng_state())
    for key, value in tensors.items():
        assert torch.equal(value, before[key]), key
    for key, value in first.values.items():
        assert torch.equal(value, second.values[key])
    assert not torch.equal(first.values["payoff"], other.values["payoff"])
    model.train(not training)
    in_other_mode = measure(
        model, {"user_id": users, "item_id": items}, rows=50, batch_size=20, seed=1
    )
    assert torch.equal(first.values["payoff"], in_other_mode.values["payoff"])  # without noise


def test_slatk_weighs_by_quantiles_of_the_model_as_it_stands(checkerboard):
    model, users, items = _model("MF_SLatK", checkerboard, k=3)
    found = _measure(model, users, items, rows=30, batch_size=30, seed=0)
    order = torch.randperm(len(users), generator=torch.Generator().manual_seed(0))[:30]
    with torch.no_grad():
        user, item = model.embed()
        scores = user[users[order]] @ item[1:].T
    third = scores.sort(dim=1, descending=True).values[:, 2].double()
    expected = torch.sigmoid(
        (found.values["positive_score"] - third) / model.loss.options["tau_weight"]
    )
    torch.testing.assert_close(found.values["weight"], expected, rtol=1e-5, atol=1e-6)
