import pytest
from configs import config_of

from recbole_dsl.common.errors import UsageError
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
