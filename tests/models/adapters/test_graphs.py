"""RecBole's general models as backbones of a loss of this package."""

import os

import pytest
import torch

from recbole_dsl.common.errors import UsageError
from recbole_dsl.config.run_config import Config
from recbole_dsl.data.pipeline import load_dataset, split_dataset
from recbole_dsl.models.adapters import fitting, graphs
from recbole_dsl.models.adapters.backbones import RecBoleGraph
from recbole_dsl.models.build import build_model
from recbole_dsl.models.registry import BACKBONES, LOSSES
from recbole_dsl.models.resolve import resolve_model
from recbole_dsl.models.settings import options_of
from recbole_dsl.training.trainer import trainer_class

# RecBole's SpectralCF, once in a process
pytestmark = pytest.mark.filterwarnings("ignore:Creating a tensor from a list")

NAMES = fitting.names(BACKBONES)["general"]
SMALL = {
    "epochs": 2, "state": "ERROR", "embedding_size": 8, "train_batch_size": 64,
    "learning_rate": 0.05, "topk": [1], "metrics": ["Recall"], "valid_metric": "Recall@1",
    "benchmark_filename": ["train", "valid", "test"], "group_metrics": None,
    "train_neg_sample_args": {"sample_num": 8},
}  # fmt: skip
OF_MODEL = {"NCL": {"num_clusters": 4, "warm_up_step": 1, "ssl_reg": 0.01, "proto_reg": 0.01}}


def _needs_faiss():
    """Skips where Faiss lacks, unless CI says that it must be there."""
    if not os.environ.get("RECBOLE_DSL_NEEDS_FAISS"):
        pytest.importorskip("faiss")


def _built(model, **changes):
    settings = {**SMALL, **OF_MODEL.get(model.partition("_")[0], {}), **changes}
    config = Config(model, "board", config_dict=settings)
    data = split_dataset(config, load_dataset(config))
    return config, data, build_model(config, data.train._dataset)


@pytest.mark.slow
@pytest.mark.parametrize("loss", ["SL", "DSL"])
@pytest.mark.parametrize("name", NAMES)
def test_trains(name, loss, checkerboard):
    if name == "NCL":
        _needs_faiss()
    config, data, model = _built(f"{name}_{loss}")
    assert isinstance(model.backbone, RecBoleGraph)
    trainer = trainer_class(config)(config, model)
    before = [parameter.clone() for parameter in model.parameters()]
    trainer.fit(data.train, data.valid, saved=False, show_progress=False)
    trainer.tensorboard.close()
    first, last = (epoch["train_loss"] for epoch in trainer.recorder.epochs_done)
    assert last < first
    moved = [not torch.equal(*pair) for pair in zip(before, model.parameters(), strict=True)]
    assert any(moved) and trainer.recorder.best_valid["recall@1"] >= 0


@pytest.mark.parametrize("name", NAMES)
def test_scores_are_those_of_recboles_model(name, checkerboard):
    _, _, ours = _built(f"{name}_SL", score="dot")
    ours.eval()
    recboles = ours.backbone.model
    assert type(recboles).__name__ == fitting.recbole_name(name)
    users = {"user_id": torch.arange(1, ours.n_users)}
    expected = recboles.full_sort_predict(users).view(-1)
    torch.testing.assert_close(ours.full_sort_predict(users), expected)


def _own_loss(name, **changes):
    _, data, ours = _built(f"{name}_SL", reg_weight=0.0, **changes)
    ours.train()  # where SGL draws its graphs
    batch = next(iter(data.train))
    batch["neg_item_id"] = torch.ones_like(batch["item_id"])
    return ours, batch


def test_the_contrast_of_sgl_is_recboles_as_a_mean(checkerboard):
    ours, batch = _own_loss("SGL")
    model = ours.backbone.model
    found = ours.own_terms(torch.zeros(()), batch, ours.batch_tables(batch))
    user, item = model(model.train_graph)
    columns = (batch[name] for name in ("user_id", "item_id", "neg_item_id"))
    rest = model.calc_bpr_loss(user, item, *columns)
    expected = (model.calculate_loss(batch) - rest) / len(batch)
    torch.testing.assert_close(found, expected.reshape(()), rtol=1e-4, atol=1e-5)
    assert float(found.detach()) > 0


def test_the_contrast_of_ncl_is_recboles(checkerboard):
    _needs_faiss()
    ours, batch = _own_loss("NCL")
    model = ours.backbone.model
    for epoch, terms in ((0, 1), (1, 2)):  # warm_up_step: 1
        ours.backbone.begin_epoch(epoch)
        found = ours.own_terms(torch.zeros(()), batch, ours.batch_tables(batch))
        expected = sum(model.calculate_loss(batch)[1 : 1 + terms])
        torch.testing.assert_close(found, expected)
        assert float(found.detach()) > 0


def test_ncl_that_goes_on_between_two_clusterings_has_clusters(checkerboard):
    _needs_faiss()
    ours, batch = _own_loss("NCL", m_step=5)
    ours.backbone.begin_epoch(3)
    found = ours.own_terms(torch.zeros(()), batch, ours.batch_tables(batch))
    assert float(found.detach()) > 0


def test_the_independence_of_dgcfs_factors_is_recboles(checkerboard, monkeypatch):
    ours, batch = _own_loss("DGCF", cor_weight=0.5)
    model = ours.backbone.model
    ids = [1, 2, 3, 4], [4, 3, 2, 1]
    monkeypatch.setattr(graphs.dgcf, "sample_cor_samples", lambda *sizes: ids)
    found = ours.own_terms(torch.zeros(()), batch, ours.batch_tables(batch))
    with_it = model.calculate_loss(batch)
    model.cor_weight = 0.0
    expected = with_it - model.calculate_loss(batch)
    torch.testing.assert_close(found, expected.reshape(()))
    assert float(found.detach()) > 0


def test_ncl_needs_no_more_clusters_than_users(checkerboard):
    with pytest.raises(UsageError, match="num_clusters of NCL must be at most 21, .* got 1,000"):
        _built("NCL_SL", num_clusters=1000)


# Names -------------------------------------------------------------------------------------------


def test_a_name_that_both_have_is_ours():
    assert resolve_model("LightGCN_DSL").parts[0].origin == "recbole_dsl"
    found = resolve_model("recbole.LightGCN_DSL")
    assert (found.backbone, found.name) == ("recbole.LightGCN", "recbole.LightGCN_DSL")
    assert found.parts[0].origin == "RecBole" and not found.is_sequential
    assert resolve_model("LightGCN").source == "recbole"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("BERT4Rec_DSL", "RecBole's BERT4Rec cannot .*: it learns to fill in masked items"),
        ("EASE_SL", "RecBole's EASE cannot be trained with a loss of recbole_dsl: it has no vec"),
        ("DeepFM_SL", "RecBole's DeepFM .*: it is neither sequential nor a general model"),
        ("BPR_DSL", "RecBole's BPR .*: it is matrix factorization: MF_<Loss> is that"),
        ("SASRec_DLS", "unknown loss 'DLS' in model 'SASRec_DLS' .*did you mean SASRec_DSL"),
        ("SASRek_DSL", "unknown model 'SASRek_DSL'; did you mean SASRec_DSL"),
        ("recbole.EASE_SL", "RecBole's EASE cannot"),
        ("recbole.MF_SL", "unknown model 'recbole.MF_SL'"),
    ],
)
def test_names_that_do_not_fit(name, message):
    with pytest.raises(UsageError, match=message):
        resolve_model(name)


@pytest.mark.parametrize("name", [n for table in fitting.names(BACKBONES).values() for n in table])
def test_a_setting_of_the_model_hides_none_of_the_losses(name, checkerboard):
    """Each of RecBole's settings is there, by its name or by the model's, for every loss."""
    of_file = set(fitting.settings(name, ()))
    for loss in LOSSES:
        config = Config(f"{name}_{loss}", "board")
        clashes = fitting.renamed(name, options_of(loss))
        layer = f"RecBole model/{fitting.recbole_name(name)}.yaml"
        for key in of_file - {"reg_weight"}:
            assert config.origins[clashes.get(key, key)] == layer, (loss, key)
