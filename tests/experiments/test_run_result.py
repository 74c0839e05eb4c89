"""What a run returns: a dict, and short to look at."""

import copy
import json
import pickle
from html.parser import HTMLParser

import pytest
from quick import QUICK_PAIR

import recbole_dsl
from recbole_dsl.experiments.run_result import Result

DATA = {
    "model": "MF_<b>", "dataset": "a & b", "epochs": [{}, {}], "best_epoch": 1, "seconds": 4.2,
    "valid": {"ndcg@10": 0.25}, "test": {"ndcg@10": 0.125, "auc": 0.5}, "checkpoint": "saved/x.pth",
    "settings": {f"key{number}": {"value": number} for number in range(200)},
}  # fmt: skip


def test_it_is_a_dict_in_every_way():
    result = Result(DATA)
    assert result == DATA and isinstance(result, dict) and {**result} == DATA
    assert json.loads(json.dumps(result)) == DATA
    for other in (pickle.loads(pickle.dumps(result)), copy.deepcopy(result)):
        assert type(other) is Result and other == result


def test_its_text_is_a_few_lines_of_what_matters():
    assert repr(Result(DATA)).splitlines() == [
        "MF_<b> on a & b, epoch 1 of 2, 4 s",
        "        ndcg@10    auc  ",
        "========================",
        "valid    0.2500         ",
        "test     0.1250   0.5000",
        "checkpoint: saved/x.pth",
    ]


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"checkpoint": None}, "test     0.1250   0.5000"),
        ({"valid": None, "test": None, "best_epoch": None}, "nothing was measured"),
        ({"tests": {"iid": {"auc": 0.1}, "popularity": {"auc": 0.2}}}, "test_popularity   "),
        ({"best_epoch": None}, "no epoch chosen"),
    ],
)
def test_what_a_run_lacks_is_left_out(change, text):
    result = Result({**DATA, **change})
    assert text in repr(result) and len(repr(result).splitlines()) <= 7
    _Tags().feed(result._repr_html_())


class _Tags(HTMLParser):
    """Notes the texts, and that every tag is closed in turn."""

    def __init__(self):
        super().__init__()
        self.open, self.texts = [], []

    def handle_starttag(self, tag, attrs):
        self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)


def test_its_html_has_the_same_with_everything_escaped():
    tags = _Tags()
    tags.feed(Result(DATA)._repr_html_())
    assert not tags.open
    assert tags.texts == [
        "MF_<b> on a & b, epoch 1 of 2, 4 s", "ndcg@10", "auc", "valid", "0.2500",
        "test", "0.1250", "0.5000", "checkpoint: ", "saved/x.pth",
    ]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("nproc", [1, 2])
def test_a_run_returns_one_also_from_several_processes(nproc, make_dataset):
    pairs = [(f"u{u}", f"i{i}") for u in range(20) for i in range(25) if (3 * u + i * i) % 5 < 2]
    make_dataset("toy", pairs)
    settings = {**QUICK_PAIR, "train_batch_size": 64, "nproc": nproc, "device": "cpu"}
    result = recbole_dsl.run("MF_SL", "toy", config_dict=settings)
    assert type(result) is Result and len(repr(result).splitlines()) == 6
    assert repr(result).startswith("MF_SL on toy, epoch 0 of 1, ")
    assert result["checkpoint"] in result._repr_html_()
    assert result["best_valid_score"] == result["valid"]["mrr@10"]
