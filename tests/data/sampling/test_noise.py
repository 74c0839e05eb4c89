"""train_noise: what is added to training, what is drawn, and what stays as it was."""

import pytest
import torch
from quick import QUICK_PAIR
from scipy.stats import chisquare

import recbole_dsl
from recbole_dsl.common.errors import UsageError
from recbole_dsl.config.run_config import Config
from recbole_dsl.data.pipeline import load_dataset, split_dataset
from recbole_dsl.data.sampling.noise import false_positives

USERS = torch.tensor([1, 1, 1, 1, 2, 2, 3, 3, 3, 3, 3, 3])
KNOWN = (torch.cat([USERS, torch.tensor([1, 2, 4])]), torch.tensor([*range(1, 13), 20, 21, 22]))
SIZE = (5, 40)
QUICK = {"epochs": 2, "train_neg_sample_args": {"sample_num": 20}, "state": "ERROR"}


def _draw(share=0.5, seed=1, users=USERS, known=KNOWN, size=SIZE):
    rows, items = false_positives(users, known, *size, share=share, seed=seed)
    return users[rows], items


def test_as_many_as_asked_for_all_distinct_and_none_known():
    users, items = _draw(share=4.0)
    assert len(users) == 48
    pairs = set(zip(users.tolist(), items.tolist(), strict=True))
    assert len(pairs) == 48
    assert not pairs & set(zip(*(ids.tolist() for ids in KNOWN), strict=True))
    assert int(items.min()) >= 1 and int(items.max()) < 40
    assert 4 not in users, "a user without training rows gets no noise"


@pytest.mark.slow
def test_users_come_in_proportion_to_their_rows_and_items_uniformly():
    drawn = [_draw(share=0.25, seed=seed) for seed in range(3000)]
    users = torch.cat([users for users, _ in drawn])
    counts = torch.bincount(users, minlength=4)[1:].double()
    rows = torch.bincount(USERS)[1:].double()
    assert chisquare(counts, rows / rows.sum() * counts.sum()).pvalue > 1e-3
    items = torch.cat([items for _, items in drawn])[users == 1]
    free = sorted(set(range(1, 40)) - {1, 2, 3, 4, 20})
    counts = torch.bincount(items, minlength=40)
    assert int(counts[free].sum()) == len(items)
    assert chisquare(counts[free]).pvalue > 1e-3


def test_the_seed_decides():
    assert torch.equal(torch.stack(_draw(seed=3)), torch.stack(_draw(seed=3)))
    assert not torch.equal(torch.stack(_draw(seed=3)), torch.stack(_draw(seed=4)))


def test_more_than_half_of_what_is_free_is_refused():
    with pytest.raises(ValueError, match=r"means 60 interactions, more than half of the 103 pairs"):
        _draw(share=5.0)


def _parts(**changes):
    config = Config("MF_SL", "ml-100k", config_dict={**QUICK_PAIR, **changes})
    return [
        loader._dataset for loader in split_dataset(config, load_dataset(config)).loaders.values()
    ]


def _pairs(part):
    return [part.inter_feat[field].tolist() for field in (part.uid_field, part.iid_field)]


def test_only_the_training_rows_change():
    plain, noisy = _parts(), _parts(train_noise={"false_positive": 0.1})
    added = round(0.1 * len(plain[0]))
    assert len(noisy[0]) == len(plain[0]) + added
    for before, after in zip(_pairs(plain[0]), _pairs(noisy[0]), strict=True):
        assert before == after[: len(before)]
    assert list(map(_pairs, plain[1:])) == list(map(_pairs, noisy[1:]))
    everything = {pair for part in plain for pair in zip(*_pairs(part), strict=True)}
    new = list(zip(*_pairs(noisy[0]), strict=True))[len(plain[0]) :]
    assert len(set(new)) == added and not set(new) & everything
    assert sorted(noisy[0].inter_feat.columns) == sorted(plain[0].inter_feat.columns)


def test_split_seed_draws_the_noise_apart_from_the_training_seed():
    noise = {"train_noise": {"false_positive": 0.05}, "split_seed": 7}
    first, second = (_pairs(_parts(seed=seed, **noise)[0]) for seed in (1, 2))
    assert first == second


@pytest.mark.slow
@pytest.mark.parametrize("model", ["MF_SL", "BPR"])
def test_a_run_with_false_positives_says_so_and_loads_again(model):
    settings = {"epochs": 1, "state": "ERROR", "train_noise": {"false_positive": 0.1}}
    result = recbole_dsl.run(model, "ml-100k", config_dict=settings)
    added = result["train_noise"]["false_positives"]
    assert result["splits"]["train"]["rows"] == pytest.approx(11 * added, abs=11)
    assert result["train_noise"]["seed"] == 2020
    assert len(recbole_dsl.load(result["checkpoint"]).dataset) == result["splits"]["train"]["rows"]


@pytest.mark.slow
def test_a_run_says_how_many_of_its_negatives_were_positives():
    run = {"config_dict": {**QUICK, "epochs": 1, "train_noise": {"false_negative": 1.0}}}
    result = recbole_dsl.run("MF_DSL", "ml-100k", **run, saved=False)
    part = _parts()[0]
    counts = torch.bincount(part.inter_feat[part.uid_field]).double()
    expected = float((counts * counts / (part.item_num - 1)).sum() / counts.sum())
    assert result["train_noise"] == {"positives_among_negatives": pytest.approx(expected)}
    plain = recbole_dsl.run("MF_DSL", "ml-100k", config_dict={**QUICK, "epochs": 1}, saved=False)
    assert plain["train_noise"] is None
    assert plain["epochs"][0]["train_loss"] != result["epochs"][0]["train_loss"]


@pytest.mark.parametrize(
    ("model", "noise", "message"),
    [
        ("BPR", {"false_negative": 1}, "BPR draws its negatives by RecBole's sampler"),
        ("MF_InfoNCE", {"false_negative": 1}, "InfoNCE draws no negatives"),
        ("GRU4Rec", {"false_positive": 1}, "for models of users and items; GRU4Rec"),
        ("FM", {"false_positive": 1}, "for models of users and items; FM"),
    ],
)
def test_models_that_cannot_take_it_get_one_line(model, noise, message):
    with pytest.raises(UsageError, match=message) as caught:
        Config(model, "ml-100k", config_dict={"train_noise": noise})
    assert "\n" not in str(caught.value)


def test_too_much_noise_for_the_data_gets_one_line():
    with pytest.raises(UsageError, match="train_noise: false_positive 30 means"):
        _parts(train_noise={"false_positive": 30})
