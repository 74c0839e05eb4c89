"""A look at a batch of a loss: the numbers of that batch, and no trace of the look."""

import copy

import pytest
import torch
from loss_cases import cosines

from recbole_dsl.losses import DSLLoss, RowLoss, dsl_scales
from recbole_dsl.training.loss_observer import LossObserver

OPTIONS = dict(tau=0.15, alpha=0.5, beta=-3.0, gamma=1.0, slate_size=4, clip=4.0)


def _inputs(seed=0):
    torch.manual_seed(seed)
    pos, neg = cosines(6, 30)
    return dict(pos=pos.requires_grad_(), neg=neg, item_similarity=torch.rand(6, 30).double())


def test_it_has_the_scales_of_the_batch_it_was_asked_for_and_of_no_other():
    loss = DSLLoss(**OPTIONS)
    observer = LossObserver(loss)
    loss(**_inputs(1))
    assert observer.values() == {}
    observer.observe()
    wanted = _inputs(2)
    loss(**wanted)
    loss(**_inputs(3))
    log_kappa, tau_b = dsl_scales(*(x.detach() for x in wanted.values()), **OPTIONS)
    kappa = log_kappa.exp()
    entropy = -(kappa / 30 * (kappa / 30).log()).sum(dim=1) / torch.tensor(30.0).double().log()
    assert observer.values() == {
        "tau_mean": pytest.approx(float(tau_b.mean())),
        "tau_min": pytest.approx(float(tau_b.min())),
        "tau_max": pytest.approx(float(tau_b.max())),
        "kappa_entropy": pytest.approx(float(entropy.mean())),
        "kappa_max": pytest.approx(float(kappa.max(dim=1).values.mean())),
    }


@pytest.mark.parametrize("centre", ["batch", "running"])
def test_a_look_changes_neither_loss_nor_gradient_nor_state_nor_random_numbers(centre):
    found = []
    for looks in (False, True):
        loss, inputs = DSLLoss(**OPTIONS, centre=centre), _inputs()
        before = torch.get_rng_state()
        if looks:
            observer = LossObserver(loss)
            observer.observe()
        value = loss(**inputs)
        value.backward()
        state = copy.deepcopy(loss.state_dict())
        assert loss.training and torch.equal(torch.get_rng_state(), before)
        found.append((value.detach(), inputs["pos"].grad, *state.values()))
    assert observer.values()["tau_mean"] > 0
    for one, other in zip(*found, strict=True):
        assert torch.equal(one, other)


def test_a_loss_offers_scalars_of_its_own_or_none():
    class Own(RowLoss):
        def forward(self, pos, neg):
            return (neg.mean(dim=1) - pos).mean()

        def statistics(self, pos, neg):
            assert not self.training and not torch.is_grad_enabled()
            return {"gap": (pos - neg.mean(dim=1)).mean()}

    class Silent(Own):
        statistics = RowLoss.statistics

    values = []
    for loss in (Own(), Silent()):
        observer = LossObserver(loss)
        observer.observe()
        out = loss(pos=torch.ones(2), neg=torch.zeros(2, 3))
        values.append(observer.values())
    assert values == [{"gap": pytest.approx(-float(out))}, {}]


def test_a_look_that_fails_leaves_the_loss_in_training_and_no_look_behind():
    class Failing(RowLoss):
        def forward(self, pos):
            return pos.sum()

        def statistics(self, pos):
            raise ValueError("no")

    loss = Failing()
    LossObserver(loss).observe()
    with pytest.raises(ValueError, match="no"):
        loss(pos=torch.ones(1))
    assert loss.training
    loss(pos=torch.ones(1))
