import numpy as np
import pytest
import scipy.sparse
import torch

from recbole_dsl import checkpoint
from recbole_dsl.settings import UsageError


def _through_a_file(value, path):
    checkpoint.write_atomically(path, lambda p: torch.save({"value": checkpoint.encode(value)}, p))
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


def test_a_failed_write_leaves_the_old_file_and_no_litter(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")

    def fail(temporary):
        temporary.write_text("half")
        raise RuntimeError("disk full")

    with pytest.raises(RuntimeError, match="disk full"):
        checkpoint.write_atomically(path, fail)
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]


def test_what_is_no_checkpoint_is_named(tmp_path):
    with pytest.raises(UsageError, match="no checkpoint .*none.pth"):
        checkpoint.read(tmp_path / "none.pth")
    (tmp_path / "text.pth").write_text("hello")
    with pytest.raises(UsageError, match="text.pth is not a checkpoint of recbole_dsl"):
        checkpoint.read(tmp_path / "text.pth")
    torch.save({"state_dict": {}}, tmp_path / "other.pth")
    with pytest.raises(UsageError, match="other.pth is not a checkpoint of recbole_dsl$"):
        checkpoint.read(tmp_path / "other.pth")
