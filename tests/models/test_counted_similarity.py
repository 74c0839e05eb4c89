"""``similarity: co_occurrence`` of DSL in a model, whatever the kind of negatives."""

import math

import pytest
import torch
from quick import CHECKERBOARD

import recbole_dsl
from recbole_dsl.common.errors import UsageError
from recbole_dsl.config.run_config import Config
from recbole_dsl.data.pipeline import load_dataset, split_dataset
from recbole_dsl.losses import dsl_loss
from recbole_dsl.models.recommender import PairRecommender

OPTIONS = {"tau": 0.2, "alpha": 0.5, "beta": -8.0, "gamma": 1.0, "slate_size": 5, "clip": 4.0}
SETTINGS = {**CHECKERBOARD, **OPTIONS, "similarity": "co_occurrence"}
NEGATIVES = [{"sample_num": 8}, {"sample_num": 8, "block": 7}, {"sample_num": "all"}]


def _cosine(one, other):
    return len(one & other) / math.sqrt(len(one) * len(other)) if one and other else 0.0


@pytest.mark.parametrize("negatives", NEGATIVES, ids=str)
def test_a_step_has_the_similarities_of_the_rows_own_items_and_negatives(negatives, checkerboard):
    config = Config(
        "MF_DSL", checkerboard, config_dict={**SETTINGS, "train_neg_sample_args": negatives}
    )
    train = split_dataset(config, load_dataset(config)).train
    model, batch = PairRecommender(config, train._dataset).double(), next(iter(train))
    seen = {}
    model.loss.register_forward_pre_hook(lambda *call: seen.update(call[2]), with_kwargs=True)
    loss = model.calculate_loss(batch)
    assert set(seen) == {"pos", "neg", "items", "negatives"}

    rows = train._dataset.inter_feat
    users = {item: set() for item in range(model.n_items)}
    for user, item in zip(rows["user_id"].tolist(), rows["item_id"].tolist(), strict=True):
        users[item].add(user)
    similar = [
        [_cosine(users[item], users[other]) for other in others]
        for item, others in zip(batch["item_id"].tolist(), seen["negatives"].tolist(), strict=True)
    ]
    similar = torch.tensor(similar).double()
    assert 0 < similar.count_nonzero() < similar.numel()
    expected = dsl_loss(seen["pos"], seen["neg"], similar, **OPTIONS).mean()
    torch.testing.assert_close(loss, expected, rtol=1e-6, atol=1e-7)


@pytest.mark.slow
@pytest.mark.parametrize("negatives", NEGATIVES, ids=str)
def test_learns_the_checkerboard_and_is_loaded_again(negatives, checkerboard):
    settings = {**SETTINGS, "beta": -1.0, "train_neg_sample_args": negatives}
    result = recbole_dsl.run("MF_DSL", checkerboard, config_dict=settings)
    assert result["test"]["recall@1"] == 1.0
    model = recbole_dsl.load(result["checkpoint"]).model
    assert model.loss.inputs == ("pos", "neg", "items", "negatives")
    assert not any("co_occurrence" in name for name in model.state_dict())


def test_another_name_is_refused_with_the_nearest(checkerboard):
    with pytest.raises(UsageError, match="similarity must be .* did you mean co_occurrence"):
        recbole_dsl.run(
            "MF_DSL", checkerboard, config_dict={**SETTINGS, "similarity": "cooccurrence"}
        )
