"""What a run leaves in its checkpoint for serving, against RecBole's full ranking."""

import shutil

import numpy as np
import pytest
from quick import QUICK, QUICK_PAIR
from recbole.utils.case_study import full_sort_topk

from recbole_dsl import load, load_recommender
from recbole_dsl.common.errors import UsageError
from recbole_dsl.data import pipeline
from recbole_dsl.experiments import serving_section
from recbole_dsl.experiments.single_run import run
from recbole_dsl.training import checkpoint


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "settings"),
    [("MF_SL", {"epochs": 3}), ("LightGCN_BPR", {"test_score": "dot"})],
)
def test_top_20_of_all_users_equals_recboles_full_ranking(model, settings, own_folder):
    path = run(model, "ml-100k", config_dict={**QUICK_PAIR, **settings})["checkpoint"]
    config, trained, dataset = load(path, "cpu")
    loaders = pipeline.split_dataset(config, pipeline.load_dataset(config)).loaders
    shutil.move(path, own_folder / "other.pth")
    recommender = load_recommender(own_folder / "other.pth")
    assert recommender.meta["score"] == trained.test_score
    for part, exclude in (("valid", "train"), ("test", ["train", "valid"])):
        users = loaders[part].held_out.users
        scores, items = full_sort_topk(users.numpy(), trained, loaders[part], 20, config["device"])
        ids = dataset.id2token(dataset.uid_field, users.numpy())
        table = recommender.recommend(ids, 20, exclude=exclude)
        np.testing.assert_array_equal(table["user"], np.repeat(ids, 20))
        np.testing.assert_allclose(table["score"], scores.cpu().numpy().ravel(), atol=1e-6)
        expected = dataset.id2token(dataset.iid_field, items.cpu().numpy()).ravel()
        # torch and NumPy round products differently: scores that are equal but for that may change
        # places, and no others.
        other = np.flatnonzero(table["item"].to_numpy() != expected)
        assert len(other) < 10
        there = table.iloc[other]
        theirs = recommender.score(there["user"], expected[other])
        np.testing.assert_allclose(there["score"], theirs["score"], atol=1e-6)
    assert len(users) == len(recommender.users) == 943


@pytest.mark.slow
def test_a_model_without_vectors_says_so(make_dataset):
    make_dataset("toy", [(f"u{u}", f"i{i}") for u in range(8) for i in range(12) if (u + i) % 3])
    settings = {**QUICK, "train_neg_sample_args": {"sample_num": 1}}
    path = run("BPR", "toy", config_dict=settings)["checkpoint"]
    with pytest.raises(UsageError, match=r"RecBole's own model BPR gives no vectors .*load gives"):
        load_recommender(path)
    assert load(path).model is not None


@pytest.mark.slow
def test_a_checkpoint_holds_the_best_epoch_and_the_items_of_each_part(checkerboard):
    files = {"benchmark_filename": ["train", "valid", "test"], "epochs": 4}
    result = run("MF_SL", checkerboard, tested=False, config_dict={**QUICK_PAIR, **files})
    recommender = load_recommender(result["checkpoint"])
    assert recommender.meta["epoch"] == result["best_epoch"]
    weights = checkpoint.read(result["checkpoint"])["state_dict"]["backbone.user_embedding.weight"]
    unit = weights / weights.norm(dim=1, keepdim=True)
    np.testing.assert_allclose(recommender.user_vectors, unit[1:].numpy(), atol=1e-6)
    left = recommender.recommend(k=20, exclude="train").groupby("user")["item"].apply(set)
    alike = {f"i{n}" for n in range(20)}
    for user, items in left.items():
        n = int(user[1:])
        liked = [item for item in range(20) if (n + item) % 2 == 0]
        held = liked[(n // 2) % len(liked)]
        assert items == alike - {f"i{item}" for item in liked if item != held}
    assert recommender.parts == ("train", "valid", "test")


@pytest.mark.slow
def test_a_section_that_cannot_be_written_costs_neither_result_nor_weights(
    checkerboard, own_folder, monkeypatch
):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(serving_section, "append", full)
    with pytest.raises(OSError, match="No space left"):
        run("MF_SL", checkerboard, config_dict=QUICK_PAIR)
    (saved,) = (own_folder / "saved").glob("*.pth")
    assert saved.with_suffix(".json").is_file()
    assert load(saved).config["loss"] == "SL"
