import numpy as np
import pytest
import scipy.sparse
import torch
from quick import QUICK_PAIR

from recbole_dsl.common.errors import UsageError
from recbole_dsl.config.run_config import Config
from recbole_dsl.data.pipeline import load_dataset, split_dataset
from recbole_dsl.training import checkpoint, plain_data, sealed_file


def _through_a_file(value, path):
    torch.save({"value": plain_data.encode(value)}, path)
    return plain_data.decode(torch.load(path, weights_only=True)["value"])


def test_what_recboles_models_keep_survives_a_safe_load(tmp_path):
    csr = scipy.sparse.random(5, 4, density=0.5, format="csr", dtype=np.float32)
    value = {
        "csr": csr,
        "matrix": np.matrix([[1.0, 2.0]]),
        "array": np.arange(6).reshape(2, 3),
        "tensor": torch.ones(2),
        "number": np.float64(0.5),
        "nothing": None,
        "list": [1, "a", (True, 2.0)],
    }
    back = _through_a_file(value, tmp_path / "a.pth")
    assert isinstance(back["csr"], scipy.sparse.csr_matrix) and (back["csr"] != csr).nnz == 0
    assert isinstance(back["matrix"], np.matrix) and (back["matrix"] == value["matrix"]).all()
    np.testing.assert_array_equal(back["array"], value["array"])
    assert torch.equal(back["tensor"], value["tensor"])
    assert (back["number"], back["nothing"], back["list"]) == (0.5, None, [1, "a", (True, 2.0)])


def test_objects_are_refused():
    with pytest.raises(TypeError, match="plain data, not object"):
        plain_data.encode({"a": object()})


def test_a_failed_write_leaves_the_old_file_and_no_litter(checkerboard, own_folder, monkeypatch):
    config = Config("MF_SL", checkerboard, config_dict=QUICK_PAIR)
    train = split_dataset(config, load_dataset(config)).train
    model = config.model_class(config, train._dataset)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    path = own_folder / "model" / "a.pth"

    def write(epoch):
        given = dict(config=config, model=model, optimizer=optimizer, cur_step=2)
        checkpoint.write(path, **given, epoch=epoch, best_valid_score=0.5, fingerprint="x")

    write(4)
    state = checkpoint.read(path)
    assert list(state) == [
        "recbole_dsl", "model", "dataset", "config", "origins", "epoch", "cur_step",
        "best_valid_score", "state_dict", "other_parameter", "optimizer", "fingerprint",
    ]  # fmt: skip
    assert (state["model"], state["epoch"], state["cur_step"]) == ("MF_SL", 4, 2)

    def fail(state, temporary):
        temporary.write_text("half")
        raise OSError("disk full")

    monkeypatch.setattr(torch, "save", fail)
    with pytest.raises(OSError, match="disk full"):
        write(5)
    assert checkpoint.read(path)["epoch"] == 4 and list(path.parent.iterdir()) == [path]


def test_what_is_no_checkpoint_is_named(tmp_path):
    with pytest.raises(UsageError, match="no checkpoint .*none.pth"):
        checkpoint.read(tmp_path / "none.pth")
    (tmp_path / "text.pth").write_text("hello")
    with pytest.raises(UsageError, match="text.pth is not a checkpoint of recbole_dsl"):
        checkpoint.read(tmp_path / "text.pth")
    torch.save({"state_dict": {}}, tmp_path / "other.pth")
    with pytest.raises(
        UsageError, match="other.pth is not .*, or an old one: it carries no digest"
    ):
        checkpoint.read(tmp_path / "other.pth")


@pytest.fixture
def trained(checkerboard, own_folder):
    """A checkpoint, as a dict, and a model of its settings."""
    config = Config("MF_SL", checkerboard, config_dict=QUICK_PAIR)
    train = split_dataset(config, load_dataset(config)).train
    model = config.model_class(config, train._dataset)
    path = own_folder / "a.pth"
    given = dict(config=config, model=model, optimizer=torch.optim.SGD(model.parameters(), lr=0.1))
    checkpoint.write(path, **given, epoch=1, cur_step=0, best_valid_score=0.5, fingerprint="x")
    return checkpoint.read(path), model


def _read_again(state, path):
    sealed_file.write(path, state)
    return checkpoint.read(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda state: state.pop("config"), "b.pth is not .*: it lacks config"),
        (lambda state: state.update(more=1), "b.pth is not .*: it has 'more' too much"),
        (lambda state: state.update(epoch="1"), "b.pth is not .*: epoch is a str"),
        (lambda state: state.update(state_dict=None), "b.pth is not .*: state_dict is a NoneType"),
    ],
)
def test_missing_extra_and_wrong_entries_are_named(trained, own_folder, change, message):
    state, _ = trained
    change(state)
    with pytest.raises(UsageError, match=message):
        _read_again(state, own_folder / "b.pth")


ITEMS = "backbone.item_embedding.weight"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda weights: weights.pop(ITEMS), f"lacks the weights {ITEMS}"),
        (lambda weights: weights.update(more=torch.ones(1)), "has the weights 'more'"),
        (lambda weights: weights.update({ITEMS: weights[ITEMS][1:]}), r"\(20, 16\).*\(21, 16\)"),
        (lambda weights: weights.update({ITEMS: weights[ITEMS].double()}), "float64.*float32"),
        (lambda weights: weights.update({ITEMS: weights[ITEMS].to_sparse()}), "no dense tensor"),
        (lambda weights: weights.update({ITEMS: 1.0}), "no dense tensor"),
        (lambda weights: weights[ITEMS].fill_(torch.nan), f"weights {ITEMS} are not finite"),
        (lambda weights: weights[ITEMS].fill_(torch.inf), f"weights {ITEMS} are not finite"),
    ],
)
def test_weights_of_another_model_or_without_numbers_are_refused(
    trained, own_folder, change, message
):
    state, model = trained
    change(state["state_dict"])
    state = _read_again(state, own_folder / "b.pth")
    with pytest.raises(UsageError, match=f"b.pth.*{message}") as error:
        checkpoint.restore(model, state, "b.pth")
    assert "\n" not in str(error.value)


def test_a_checkpoint_sets_no_attribute_that_the_model_does_not_keep_itself(trained):
    state, model = trained
    with pytest.raises(UsageError, match="other_parameter names what this model does not keep"):
        checkpoint.restore(model, {**state, "other_parameter": {"predict": 1}}, "b.pth")
    for part in ({}, {"indices": torch.tensor([9])}):
        csr = {
            "data": torch.ones(1),
            "indices": torch.zeros(1).int(),
            "indptr": torch.tensor([0, 1]),
        }
        forged = {"__recbole_dsl_kind__": "csr", "shape": [1, 2], **csr, **part}
        model.other_parameter_name = ["matrix"] if part else []
        with pytest.raises(UsageError, match="other_parameter"):
            checkpoint.restore(model, {**state, "other_parameter": {"matrix": forged}}, "b.pth")
