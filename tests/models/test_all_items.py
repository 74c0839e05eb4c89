"""``train_neg_sample_args: {sample_num: all}``: the softmax over the catalogue, in a model."""

import math

import pytest
import torch
from quick import CHECKERBOARD

import recbole_dsl
from recbole_dsl.common.errors import UsageError
from recbole_dsl.config.run_config import Config
from recbole_dsl.data.pipeline import load_dataset, split_dataset
from recbole_dsl.evaluation.diagnostics.row_measures import measure
from recbole_dsl.models import settings as model_settings
from recbole_dsl.models.recommender import PairRecommender

ALL = {"train_neg_sample_args": {"sample_num": "all"}}
SMALL = {**CHECKERBOARD, **ALL}


def _model(name, dataset, **changes):
    """The model in float64 after its state of before an epoch, and a batch of twelve rows."""
    config = Config(name, dataset, config_dict={**SMALL, **changes})
    train = split_dataset(config, load_dataset(config)).train
    torch.manual_seed(0)
    model = PairRecommender(config, train._dataset)
    model.begin_epoch(0, train)
    return model.double().train(), next(iter(train))[:12]


class Rows:
    """The scores of a batch, one by one, from a model's parameters."""

    def __init__(self, model, batch):
        self.users, self.items = batch["user_id"].tolist(), batch["item_id"].tolist()
        tables = (model.backbone.user_embedding.weight, model.backbone.item_embedding.weight)
        cosine = model.score == "cosine"
        self.user, self.item = ([v / v.norm() if cosine else v for v in t] for t in tables)
        positives = model.sampler.positives
        self.taken = {u: set(positives.of(torch.tensor([u]))[1].tolist()) for u in set(self.users)}

    def pos(self, b):
        return (self.user[self.users[b]] * self.item[self.items[b]]).sum()

    def negatives(self, b):
        return [j for j in range(1, len(self.item)) if j not in self.taken[self.users[b]]]

    def neg(self, b):
        """Scores of the row's negatives: all items that are no positive of its user."""
        return [(self.user[self.users[b]] * self.item[j]).sum() for j in self.negatives(b)]

    @property
    def m(self):
        return len(self.item) - 1


def _sum(values):
    return torch.stack(values).sum()


def _sl(rows, b, model):
    return (_sum([((f - rows.pos(b)) / 0.2).exp() for f in rows.neg(b)]) / rows.m).log()


def _bsl(rows, b, model):
    return (_sum([(f / 0.15).exp() for f in rows.neg(b)]) / rows.m).log() - rows.pos(b) / 0.25


def _psl(rows, b, model):
    terms = [(1 + torch.tanh((f - rows.pos(b)) / 2)) ** (2 / 0.2) for f in rows.neg(b)]
    return (_sum(terms) / rows.m).log()


def _slatk(rows, b, model):
    scores = [(rows.user[rows.users[b]] * v).sum() for v in rows.item[1:]]
    quantile = sorted((score.item() for score in scores), reverse=True)[4]
    weight = torch.sigmoid((rows.pos(b) - quantile) / 2.0)
    return weight * _sum([((f - rows.pos(b)) / 0.2).exp() for f in rows.neg(b)]).log()


def _hardness(rows, b, f):
    return torch.sigmoid((f - rows.pos(b)) / 0.2).item()


def _kappa(rows, b, alpha=0.5, beta=2.0):
    """Weights of the row's negatives, their mean being 1 over all items, positives too."""
    logits = {}
    for j in range(1, len(rows.item)):
        similarity = (rows.item[rows.items[b]] * rows.item[j]).sum().item()
        f = (rows.user[rows.users[b]] * rows.item[j]).sum()
        hard = _hardness(rows, b, f) if j in rows.negatives(b) else 0.0
        logits[j] = alpha * hard + beta * similarity
    total = sum(math.exp(value) for value in logits.values())
    return [rows.m * math.exp(logits[j]) / total for j in rows.negatives(b)]


def _competition(rows, b):
    terms = [
        (k * math.exp((f - rows.pos(b)).item() / 0.2), _hardness(rows, b, f))
        for k, f in zip(_kappa(rows, b), rows.neg(b), strict=True)
    ]
    return sum(hard for _, hard in sorted(terms, reverse=True)[:3]) / 3


def _dsl(rows, b, model):
    every = [_competition(rows, c) for c in range(len(rows.users))]
    tau = 0.2 * math.exp(0.7 * (every[b] - sum(every) / len(every)))
    terms = [
        k * ((f - rows.pos(b)) / tau).exp()
        for k, f in zip(_kappa(rows, b), rows.neg(b), strict=True)
    ]
    return (_sum(terms) / rows.m).log()


EXACT = [
    ("SL", {"tau": 0.2}, _sl),
    ("SL", {"tau": 0.2, "score": "dot"}, _sl),
    ("BSL", {"form": "row", "tau_pos": 0.25, "tau_neg": 0.15}, _bsl),
    ("PSL", {"tau": 0.2, "surrogate": "tanh"}, _psl),
    ("SLatK", {"tau": 0.2, "tau_weight": 2.0, "weight_gradient": True, "k": 5}, _slatk),
    (
        "DSL",
        # clip far from acting: the equation without it
        {"tau": 0.2, "alpha": 0.5, "beta": 2.0, "gamma": 0.7, "slate_size": 3, "clip": 1e6},
        _dsl,
    ),
]


def _loss_and_gradients(loss, model):
    model.zero_grad()
    loss.backward()
    return [loss.detach(), *(p.grad.clone() for p in model.backbone.parameters())]


@pytest.mark.parametrize(("loss", "options", "row_loss"), EXACT)
def test_is_the_loss_over_all_items_but_the_users_positives(loss, options, row_loss, checkerboard):
    model, batch = _model(f"MF_{loss}", checkerboard, **options)
    ours = _loss_and_gradients(model.calculate_loss(batch), model)
    rows = Rows(model, batch)
    plain = _sum([row_loss(rows, b, model) for b in range(len(rows.users))]) / len(rows.users)
    theirs = _loss_and_gradients(plain, model)
    # SLatK keeps its quantiles in float32, of scores in float64.
    accuracy = 1e-6 if loss == "SLatK" else 1e-12
    for mine, its in zip(ours, theirs, strict=True):
        torch.testing.assert_close(mine, its, rtol=accuracy, atol=accuracy)


def test_a_step_of_such_a_loss_draws_nothing_and_repeats_itself(checkerboard):
    model, batch = _model("MF_DSL", checkerboard, beta=-1.0)
    state = model.sampler.generator.get_state()
    assert torch.equal(model.calculate_loss(batch), model.calculate_loss(batch))
    assert torch.equal(model.sampler.generator.get_state(), state)


def test_other_losses_take_the_mean_over_the_users_negatives_in_the_long_run(checkerboard):
    model, batch = _model("MF_BPR", checkerboard, tau=0.5, score="cosine")
    rows = Rows(model, batch)

    def row_loss(b):
        terms = [(1 + ((f - rows.pos(b)) / 0.5).exp()).log() for f in rows.neg(b)]
        return _sum(terms) / len(terms)

    exact = _sum([row_loss(b) for b in range(len(rows.users))]) / len(rows.users)
    with torch.no_grad():
        drawn = torch.stack([model.calculate_loss(batch) for _ in range(400)])
    assert drawn.std() > 0
    assert abs(drawn.mean() - exact.detach()) < 4 * drawn.std() / 20  # of 400 draws


QUICK = ["MF_SL", "MF_DSL", "MF_BCE"]
SLOW = ["LightGCN_SL", "MF_BSL", "MF_PSL", "MF_SLatK", "MF_AdvInfoNCE", "MF_BC", "MF_AdapTau"]


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", [*QUICK, *(pytest.param(name, marks=pytest.mark.slow) for name in SLOW)]
)
def test_learns_the_checkerboard(name, checkerboard):
    result = recbole_dsl.run(name, checkerboard, config_dict=SMALL, saved=False)
    assert result["test"]["recall@1"] == 1.0


@pytest.mark.slow
def test_half_precision_learns_it_too(checkerboard):
    settings = {**SMALL, "enable_amp": True}
    result = recbole_dsl.run("MF_SL", checkerboard, config_dict=settings, saved=False)
    assert result["test"]["recall@1"] == 1.0


def test_diagnostics_have_finite_scores_of_as_many_negatives_as_items(checkerboard):
    model, _ = _model("MF_DSL", checkerboard)
    users = torch.arange(1, 13)
    items = torch.stack([model.sampler.positives.of(u.view(1))[1][0] for u in users])
    columns = {"user_id": users, "item_id": items}
    found = measure(model, columns, rows=12, batch_size=5, seed=1)
    assert found.negatives == model.n_items - 1 and found.identity_error < 1e-9
    assert all(bool(torch.isfinite(value).all()) for value in found.values.values())
    assert float(found.mass["drawn"].sum()) == 12 * found.negatives


def test_row_sparse_adam_is_refused(checkerboard):
    remedy = "draw negatives once for many rows, .* block: 1024}, or use learner: adam"
    with pytest.raises(UsageError, match=f"with sample_num: all .* a row for every item; {remedy}"):
        _model("MF_SL", checkerboard, learner="sparse_adam")


def test_too_many_scores_for_a_step_are_refused_with_what_to_lower(checkerboard, monkeypatch):
    monkeypatch.setattr(model_settings, "_LARGEST_SCORES", 50 * 21)
    _model("MF_SL", checkerboard)
    monkeypatch.setattr(model_settings, "_LARGEST_SCORES", 50 * 21 - 1)
    message = "scores 20 items for each of 50 rows, .* train_batch_size to at most 49, or sample_n"
    with pytest.raises(UsageError, match=message) as caught:
        _model("MF_SL", checkerboard)
    assert "\n" not in str(caught.value)
    _model("MF_InfoNCE", checkerboard)  # has no negatives
