"""Models that come back from their checkpoints."""

import pytest
import torch
from quick import QUICK_PAIR

import recbole_dsl
from recbole_dsl.backbones import spectral
from recbole_dsl.common.errors import UsageError
from recbole_dsl.experiments.load_checkpoint import load
from recbole_dsl.experiments.single_run import run
from recbole_dsl.training import checkpoint


def test_loading_refuses_data_that_has_changed(make_dataset, own_folder):
    pairs = [(f"u{u}", f"i{i}") for u in range(8) for i in range(12) if (u + i) % 3]
    make_dataset("toy", pairs)
    path = run("MF_SL", "toy", config_dict=QUICK_PAIR)["checkpoint"]
    assert load(path).dataset.user_num > 1
    file = own_folder / "dataset" / "toy" / "toy.inter"
    file.write_text(file.read_text() + "u1\ti2\n")
    with pytest.raises(UsageError, match="the training rows of 'toy' are not those it was trained"):
        load(path)


@pytest.mark.slow
def test_loading_does_not_depend_on_later_settings():
    path = run("MF_SL", "ml-100k", config_dict={**QUICK_PAIR, "embedding_size": 8})["checkpoint"]
    loaded = recbole_dsl.load(path)
    assert loaded.config["embedding_size"] == 8
    assert loaded.model.backbone.user_embedding.weight.shape == (944, 8)


def test_loading_makes_no_spectral_start(make_dataset, monkeypatch):
    make_dataset("toy", [(f"u{u}", f"i{i}") for u in range(8) for i in range(12) if (u + i) % 3])
    settings = {**QUICK_PAIR, "initialization": "spectral"}
    result = run("MF_SL", "toy", config_dict=settings)
    monkeypatch.setattr(spectral, "spectral_vectors", None)
    loaded = load(result["checkpoint"])
    assert loaded.config["initialization"] == "spectral"
    state = checkpoint.read(result["checkpoint"])["state_dict"]
    for name, tensor in loaded.model.state_dict().items():
        assert torch.equal(tensor, state[name])


def test_only_our_checkpoints_are_loaded(tmp_path):
    with pytest.raises(UsageError, match="no checkpoint .*none.pth"):
        load(tmp_path / "none.pth")
    (tmp_path / "x.pth").write_text("no checkpoint")
    with pytest.raises(UsageError, match="x.pth is not a checkpoint of recbole_dsl"):
        load(tmp_path / "x.pth")
