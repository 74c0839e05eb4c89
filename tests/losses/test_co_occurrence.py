"""Items' similarity by who interacted with them, and DSL's kappa by it."""

import math

import pytest
import torch
from loss_cases import cosines

from recbole_dsl.common.errors import UsageError
from recbole_dsl.losses import DSLLoss, TrainingRows, co_occurrence, dsl_loss
from recbole_dsl.losses.co_occurrence import CoOccurrence

USERS, ITEMS = 40, 60  # the padding rows included
OPTIONS = dict(tau=0.2, alpha=0.5, beta=-8.0, gamma=1.0, slate_size=5, clip=4.0)


def _rows(count=300):
    """Interactions with some twice, and with items that have none."""
    users, items = torch.randint(1, USERS, (count,)), torch.randint(1, ITEMS - 10, (count,))
    return TrainingRows(
        torch.cat([users, users[:50]]), torch.cat([items, items[:50]]), USERS, ITEMS
    )


def _cosine(data, one, other):
    """The equation, with Python's sets."""
    pairs = list(zip(data.users.tolist(), data.items.tolist(), strict=True))
    of_one, of_other = ({u for u, i in pairs if i == item} for item in (one, other))
    if not of_one or not of_other:
        return 0.0
    return len(of_one & of_other) / math.sqrt(len(of_one) * len(of_other))


@pytest.mark.parametrize("cache", [1, 1 << 19])
def test_agrees_with_sets_of_users_in_parts_of_rows_or_at_once(monkeypatch, cache):
    monkeypatch.setattr(co_occurrence, "_CACHE", cache)
    data = _rows()
    items, others = torch.randint(1, ITEMS, (37,)), torch.randint(1, ITEMS, (37, 11))
    items[:3] = ITEMS - 1  # no interaction
    found = CoOccurrence(data)(items, others)
    expected = [
        [_cosine(data, one, other) for other in row]
        for one, row in zip(items.tolist(), others.tolist(), strict=True)
    ]
    torch.testing.assert_close(found, torch.tensor(expected))
    assert torch.equal(CoOccurrence(data)._looked_for(items, others), found)  # off the CPU
    assert (found > 0).any() and (found[:3] == 0).all()


def test_where_no_item_of_a_part_has_an_interaction():
    found = CoOccurrence(_rows())(torch.tensor([ITEMS - 1]), torch.arange(ITEMS).unsqueeze(0))
    assert torch.equal(found, torch.zeros(1, ITEMS))


def test_more_pairs_than_it_can_keep_are_refused_before_any_is_made(monkeypatch):
    data = _rows()
    pairs = sum(len(set(data.items[data.users == user].tolist())) ** 2 for user in range(USERS))
    assert pairs < ITEMS**2
    monkeypatch.setattr(co_occurrence, "MOST_PAIRS", pairs)
    CoOccurrence(data)
    monkeypatch.setattr(co_occurrence, "MOST_PAIRS", pairs - 1)
    with pytest.raises(UsageError, match=f"may have to keep {pairs:,} pairs of items, and can"):
        CoOccurrence(data)


def test_dsl_by_it_is_dsl_with_these_similarities():
    data = _rows()
    loss = DSLLoss(**OPTIONS, similarity="co_occurrence")
    loss.prepare(data)
    assert loss.inputs == ("pos", "neg", "items", "negatives")
    pos, neg = cosines(8, 12, torch.float64)
    items, negatives = torch.randint(1, ITEMS - 10, (8,)), torch.randint(1, ITEMS, (8, 12))
    similar = CoOccurrence(data)(items, negatives).double()
    found = loss(pos, neg, items=items, negatives=negatives)
    assert torch.equal(found, dsl_loss(pos, neg, similar, **OPTIONS).mean())
    assert found != dsl_loss(pos, neg, torch.zeros_like(similar), **OPTIONS).mean()
    view = loss.robust_view(pos, neg, items=items, negatives=negatives)
    of_vectors = DSLLoss(**OPTIONS).robust_view(pos, neg, similar)
    assert torch.equal(view.log_kappa, of_vectors.log_kappa)
    assert torch.equal(view.tau, of_vectors.tau)
    assert not loss.state_dict()  # it follows from the training rows


def test_without_beta_nothing_is_counted_nor_asked_for():
    loss = DSLLoss(**{**OPTIONS, "beta": 0.0}, similarity="co_occurrence")
    loss.prepare(_rows())
    assert loss.inputs == ("pos", "neg")
    assert not list(loss.children())


def test_without_the_items_it_says_what_is_missing():
    loss = DSLLoss(**OPTIONS, similarity="co_occurrence")
    loss.prepare(_rows())
    with pytest.raises(ValueError, match="co_occurrence needs items and negatives"):
        loss(*cosines(8, 12))
