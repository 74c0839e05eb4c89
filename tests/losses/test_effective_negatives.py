"""The temperature at which a share of the negatives is effective, and DSL's tau from the data."""

import math

import pytest
import torch
from torch.nn.functional import normalize

from recbole_dsl.common.errors import UsageError
from recbole_dsl.losses import DSLLoss, TrainingRows, effective_negatives
from recbole_dsl.losses.adaptau import global_temperature
from recbole_dsl.losses.effective_negatives import (
    ScoreSample,
    effective_share,
    temperature_of_share,
)

OPTIONS = dict(tau=0.2, alpha=0.0, beta=1.0, gamma=1.0)
USERS, ITEMS = 31, 41  # the padding rows included
DATA = TrainingRows(
    torch.arange(1, USERS).repeat_interleave(4),
    torch.arange(120).mul(7).remainder(ITEMS - 1) + 1,
    USERS,
    ITEMS,
)


class View:
    """What a loss sees of a model: its two tables, and the positives' scores."""

    def __init__(self, spread=1.0):
        user = torch.randn(USERS, 6)
        item = torch.randn(ITEMS, 6) + torch.tensor([spread, 0, 0, 0, 0, 0])
        self._tables = normalize(user, dim=1), normalize(item, dim=1)

    def tables(self):
        return self._tables

    def batches(self, names):
        assert tuple(names) == ("pos",)
        users, items = self._tables
        for part in torch.arange(len(DATA.users)).split(50):
            yield {"pos": (users[DATA.users[part]] * items[DATA.items[part]]).sum(dim=1)}


def _share(rows, tau):
    """The equations of effective_share, in plain Python."""
    found = []
    for row in rows.tolist():
        weights = [math.exp(f / tau) for f in row if f > -math.inf]
        shares = [w / sum(weights) for w in weights]
        entropy = -sum(q * math.log(q) for q in shares if q > 0)
        found.append(entropy - math.log(len(weights)))
    return math.exp(sum(found) / len(found))


@pytest.mark.parametrize("tau", [0.05, 0.2, 1.0])
def test_the_share_agrees_with_a_plain_loop(tau):
    scores = torch.rand(6, 30).double() * 2 - 1
    scores[0, :10] = scores[3, 5] = -math.inf
    assert effective_share(scores, tau) == pytest.approx(_share(scores, tau), rel=1e-12)


def test_the_share_is_the_diagnostics_effective_number_of_negatives():
    from recbole_dsl.losses import worst_case

    scores = torch.rand(5, 20).double()
    found = worst_case(scores, torch.full((5,), 0.1).double()).effective_negatives
    expected = (found / 20).log().mean().exp().item()
    assert effective_share(scores, 0.1) == pytest.approx(expected)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_the_temperature_of_a_share_has_that_share(share):
    scores = torch.rand(6, 30) * 2 - 1
    tau = temperature_of_share(scores, share)
    assert _share(scores.double(), tau) == pytest.approx(share, rel=1e-6)
    assert temperature_of_share(3 * scores, share) == pytest.approx(3 * tau, rel=1e-6)


def test_a_share_that_no_temperature_has_gets_the_nearer_end():
    scores = torch.tensor([[0.9, 0.9, -0.9, -0.9]])  # at least half
    assert temperature_of_share(scores, 0.3) == pytest.approx(1e-3, rel=1e-3)
    assert temperature_of_share(torch.zeros(2, 5), 0.5) == pytest.approx(1e-3, rel=1e-3)


def test_the_sample_has_the_scores_of_negatives_alone():
    view = View()
    found = ScoreSample(DATA).scores(view)
    users, items = view.tables()
    expected = users[DATA.users] @ items[1:].T
    own = {(u, i) for u, i in zip(DATA.users.tolist(), DATA.items.tolist(), strict=True)}
    for row, user in enumerate(DATA.users.tolist()):
        for item in range(1, ITEMS):
            if (user, item) in own:
                assert found[row, item - 1] == -math.inf
            else:
                assert found[row, item - 1].item() == pytest.approx(expected[row, item - 1].item())


def test_a_large_sample_is_evenly_spaced_and_bounded(monkeypatch):
    monkeypatch.setattr(effective_negatives, "MOST_ROWS", 10)
    monkeypatch.setattr(effective_negatives, "MOST_ITEMS", 8)
    sample = ScoreSample(DATA)
    assert sample.users.tolist() == DATA.users[::12].tolist()
    assert sample.items.tolist() == list(range(1, ITEMS, 5))
    assert sample.scores(View()).shape == (10, 8)
    every = TrainingRows(torch.ones(40).long(), torch.arange(1, 41), 2, ITEMS)
    assert len(ScoreSample(every).scores(View())) == 0  # a user who has everything


def _prepared(**options):
    loss = DSLLoss(**OPTIONS, **options)
    loss.prepare(DATA)
    return loss


def _inputs():
    pos, neg = torch.rand(8) * 2 - 1, torch.rand(8, 12) * 2 - 1
    return dict(pos=pos, neg=neg, item_similarity=torch.rand(8, 12))


@pytest.mark.parametrize("share", [0.3, 0.6])
def test_dsl_has_the_temperature_of_the_share_from_the_first_epoch_on(share):
    loss, inputs = _prepared(base_tau="effective_share", effective_share=share), _inputs()
    for epoch in range(2):
        view = View(spread=float(epoch))
        loss.begin_epoch(epoch, view)
        tau = temperature_of_share(ScoreSample(DATA).scores(view), share)
        assert loss.tau == pytest.approx(tau)
        plain = DSLLoss(**{**OPTIONS, "tau": loss.tau})
        torch.testing.assert_close(loss(**inputs), plain(**inputs), rtol=0, atol=0)
        torch.testing.assert_close(
            loss.robust_view(**inputs).tau, plain.robust_view(**inputs).tau, rtol=0, atol=0
        )


def test_the_score_gap_is_adap_taus_closed_form():
    loss, view = _prepared(base_tau="score_gap"), View()
    sizes = dict(n_users=USERS - 1, n_items=ITEMS - 1, n_rows=120)
    for epoch in (0, 9):
        loss.begin_epoch(epoch, view)
        assert loss.tau == global_temperature(0.7, **sizes) == 0.7 / math.log(5)
    users, items = (table.double() for table in view.tables())
    users[1:31] += 2 * items[DATA.items[:120:4]]  # so that positives score above others
    view._tables = users, items
    everywhere = sum((u @ i).item() for u in users[1:] for i in items[1:]) / (30 * 40)
    positives = [(users[u] @ items[i]).item() for u, i in zip(DATA.users, DATA.items, strict=True)]
    gap = sum(positives) / 120 - everywhere
    loss.begin_epoch(10, view)
    assert gap > 0 and loss.tau == pytest.approx(gap / math.log(5))
    view._tables = users, -items
    loss.begin_epoch(11, view)
    assert loss.tau == pytest.approx(gap / math.log(5))  # a gap below 0 is not used


def test_a_density_that_the_closed_form_does_not_fit_is_refused():
    dense = TrainingRows(
        torch.arange(1, 4).repeat_interleave(3), torch.arange(1, 4).repeat(3), 4, 4
    )
    with pytest.raises(UsageError, match="must be below 1/2"):
        DSLLoss(**OPTIONS, base_tau="score_gap").prepare(dense)


def test_a_checkpoint_keeps_the_temperature_and_a_given_one_has_no_buffer():
    loss = _prepared(base_tau="effective_share")
    loss.begin_epoch(0, View())
    again = _prepared(base_tau="effective_share")
    assert again.tau == OPTIONS["tau"] != loss.tau
    again.load_state_dict(loss.state_dict())
    assert again.tau == loss.tau
    given = _prepared()
    given.begin_epoch(0, None)
    assert given.tau == 0.2 and not given.state_dict()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"base_tau": "share"}, "base_tau must be one of 'given', 'effective_share', 'score_gap'"),
        ({"effective_share": 1.0}, r"effective_share must be in \(0, 1\), got 1.0"),
        ({"effective_share": "x"}, "effective_share must be a finite number, got 'x'"),
    ],
)
def test_bad_options_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        DSLLoss(**OPTIONS, **change)


@pytest.mark.slow
@pytest.mark.parametrize("base_tau", ["effective_share", "score_gap"])
def test_a_run_trains_with_it_and_goes_on_with_it(base_tau):
    from quick import QUICK_PAIR

    import recbole_dsl

    settings = {**QUICK_PAIR, "base_tau": base_tau, "effective_share": 0.3, "epochs": 3}
    result = recbole_dsl.run("MF_DSL", "ml-100k", config_dict=settings)
    _, model, _ = recbole_dsl.load(result["checkpoint"])
    assert model.loss.tau != 0.2 and 0.01 < model.loss.tau < 1
    again = recbole_dsl.run("MF_DSL", "ml-100k", config_dict=settings)
    assert again["test"] == result["test"]
    other = recbole_dsl.run("MF_DSL", "ml-100k", config_dict={**settings, "tau": 0.3})
    assert (other["test"] == result["test"]) and result["settings"]["base_tau"]["value"] == base_tau
