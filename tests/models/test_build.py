import pytest
from configs import config_of

from recbole_dsl.common.errors import UsageError
from recbole_dsl.config import host_checks
from recbole_dsl.data import pipeline
from recbole_dsl.models.build import build_model


@pytest.mark.slow
def test_a_model_of_recboles_that_cannot_be_built_is_one_line():
    config = config_of("SASRec", train_neg_sample_args=None, n_heads=3, state="ERROR")
    train = pipeline.split_dataset(config, pipeline.load_dataset(config)).train._dataset
    with pytest.raises(UsageError, match="SASRec cannot be built with these settings: ") as caught:
        build_model(config, train)
    assert "\n" not in str(caught.value)


def test_what_does_not_fit_into_memory_is_one_line(checkerboard):
    config = config_of("MF_SL", embedding_size=10**13, state="ERROR")
    train = pipeline.split_dataset(config, pipeline.load_dataset(config)).train._dataset
    with pytest.raises(UsageError, match="MF_SL cannot be built .* memory"):
        build_model(config, train)


@pytest.mark.slow
def test_ncl_needs_as_many_users_and_items_as_clusters(monkeypatch):
    monkeypatch.delitem(host_checks._NEEDED_BY, "NCL")  # Faiss is not needed to build it
    config = config_of("NCL", num_clusters=945, state="ERROR")
    train = pipeline.split_dataset(config, pipeline.load_dataset(config)).train._dataset
    with pytest.raises(UsageError) as caught:
        build_model(config, train)
    assert str(caught.value) == (
        "num_clusters of NCL must be at most 944, with 943 users and 1,682 items, got 945"
    )
    build_model(config_of("NCL", num_clusters=944, state="ERROR"), train)
