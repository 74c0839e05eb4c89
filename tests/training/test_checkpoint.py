import numpy as np
import pytest
import scipy.sparse
import torch
from quick import QUICK_PAIR

from recbole_dsl.common.errors import UsageError
from recbole_dsl.config.run_config import Config
from recbole_dsl.data.pipeline import load_dataset, split_dataset
from recbole_dsl.training import checkpoint


def _through_a_file(value, path):
    torch.save({"value": checkpoint.encode(value)}, path)
    return checkpoint.decode(torch.load(path, weights_only=True)["value"])


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
        checkpoint.encode({"a": object()})


def test_a_failed_write_leaves_the_old_file_and_no_litter(checkerboard, own_folder, monkeypatch):
    config = Config("MF_SL", checkerboard, config_dict=QUICK_PAIR)
    train = split_dataset(config, load_dataset(config)).train
    model = config.model_class(config, train._dataset)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    path = own_folder / "model" / "a.pth"

    def write(epoch):
        given = dict(config=config, model=model, optimizer=optimizer, cur_step=2)
        checkpoint.write(path, **given, epoch=epoch, best_valid_score=0.5, extra={"more": 1})

    write(4)
    state = checkpoint.read(path)
    assert list(state) == [
        "recbole_dsl", "model", "dataset", "config", "origins", "epoch", "cur_step",
        "best_valid_score", "state_dict", "other_parameter", "optimizer", "more",
    ]  # fmt: skip
    assert (state["model"], state["epoch"], state["cur_step"]) == ("MF_SL", 4, 2)

    def fail(state, temporary):
        temporary.write_text("half")
        raise RuntimeError("disk full")

    monkeypatch.setattr(torch, "save", fail)
    with pytest.raises(RuntimeError, match="disk full"):
        write(5)
    assert checkpoint.read(path)["epoch"] == 4 and list(path.parent.iterdir()) == [path]


def test_what_is_no_checkpoint_is_named(tmp_path):
    with pytest.raises(UsageError, match="no checkpoint .*none.pth"):
        checkpoint.read(tmp_path / "none.pth")
    (tmp_path / "text.pth").write_text("hello")
    with pytest.raises(UsageError, match="text.pth is not a checkpoint of recbole_dsl"):
        checkpoint.read(tmp_path / "text.pth")
    torch.save({"state_dict": {}}, tmp_path / "other.pth")
    with pytest.raises(UsageError, match="other.pth is not a checkpoint of recbole_dsl$"):
        checkpoint.read(tmp_path / "other.pth")
