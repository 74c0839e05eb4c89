"""What a loss sees of the model between two epochs."""

import torch
from quick import QUICK_PAIR

from recbole_dsl.config.run_config import Config
from recbole_dsl.data.pipeline import load_dataset, split_dataset
from recbole_dsl.models import epoch_view as view_module
from recbole_dsl.models.recommender import PairRecommender

QUICK = {
    **QUICK_PAIR,
    "benchmark_filename": ["train", "valid", "test"],
    "train_batch_size": 50,
    "train_neg_sample_args": {"sample_num": 4},
}


def _view(name, dataset, **changes):
    config = Config(name, dataset, config_dict={**QUICK, **changes})
    train = split_dataset(config, load_dataset(config)).train
    model = PairRecommender(config, train._dataset).train()
    return model, model.epoch_view(train)


def test_score_blocks_cover_every_user_once(checkerboard, monkeypatch):
    model, view = _view("LightGCN_SL", checkerboard)
    monkeypatch.setattr(view_module, "_SCORES", 3 * model.n_items)
    blocks = list(view.score_blocks())
    assert [len(users) for users, _ in blocks] == [3, 3, 3, 3, 3, 3, 2]
    assert torch.cat([users for users, _ in blocks]).tolist() == list(range(1, model.n_users))
    user, item = model.embed()
    expected = (user @ item.T)[1:]
    actual = torch.cat([scores for _, scores in blocks])
    torch.testing.assert_close(actual, expected)
    assert not actual.requires_grad and model.training


def test_a_loss_sees_the_score_it_trains_on_not_the_one_of_test(checkerboard):
    model, view = _view("MF_SL", checkerboard, test_score="dot")
    user, item = model.embed("cosine")
    (_, scores), *_ = view.score_blocks()
    torch.testing.assert_close(scores, (user @ item.T)[1:])
    tables = view.tables()
    assert torch.equal(tables[0], user) and torch.equal(tables[1], item)
    assert not tables[0].requires_grad


def test_a_loss_sees_scores_without_the_noise_of_training(checkerboard):
    model, view = _view("XSimGCL_SL", checkerboard)
    noisy, _ = model.embed()
    (_, scores), *_ = view.score_blocks()
    assert model.training
    user, item = model.eval().embed()
    assert not torch.equal(noisy, user)
    torch.testing.assert_close(scores, (user @ item.T)[1:])


def test_batches_are_one_pass_over_the_training_rows_without_gradient(checkerboard):
    _, view = _view("MF_SL", checkerboard)
    batches = list(view.batches(("users", "pos", "negatives")))
    assert [len(batch["users"]) for batch in batches] == [50, 50, 50, 30]
    counts = torch.bincount(torch.cat([batch["users"] for batch in batches]))
    assert counts[1:].tolist() == [9] * 20
    assert not batches[0]["pos"].requires_grad and batches[0]["negatives"].shape == (50, 4)
