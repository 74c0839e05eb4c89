import pytest

from recbole_dsl.common.errors import UsageError
from recbole_dsl.config.run_config import Config


def test_unknown_datasets_get_the_nearest_name(tmp_path):
    with pytest.raises(UsageError, match="unknown dataset 'ml-10k': .*; did you mean ml-100k?"):
        Config("MF_SL", "ml-10k")
    (tmp_path / "dataset" / "mine").mkdir(parents=True)
    with pytest.raises(UsageError, match="dataset 'mine': dataset/mine has no mine.inter"):
        Config("MF_SL", "mine")
    for parts, message in (
        (["train", "valid", "test"], "has no mine.train.inter, mine.valid.inter, mine.test.inter"),
        (["train", "test"], "has no mine.train.inter, mine.test.inter"),
        (["train"], r"benchmark_filename must name three parts.*, or two.* got \['train'\]"),
    ):
        with pytest.raises(UsageError, match=message):
            Config("MF_SL", "mine", config_dict={"benchmark_filename": parts})


@pytest.mark.parametrize("name", ["./shop", "../shop", "shop/", ".", "..", "/shop", "a\\b"])
def test_a_dataset_is_a_name_and_no_path(name, make_dataset):
    make_dataset("shop", [("u", "i")])
    with pytest.raises(UsageError, match="dataset must be the name of a folder in data_path, got"):
        Config("MF_SL", name)
