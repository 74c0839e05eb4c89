"""All items as negatives, the user's positives left out or replaced."""

import math

import pytest
import torch

from recbole_dsl.data.sampling.all_items import AllItems
from recbole_dsl.data.sampling.negative_sampler import NegativeSampler
from recbole_dsl.data.sampling.shared_negatives import SharedNegatives, negative_ids

# Five users (0 is padding, 4 has no row but is asked about), eight items (0 is padding).
USERS = torch.tensor([1, 1, 1, 1, 2, 3, 3, 3, 3, 3])
ITEMS = torch.tensor([1, 3, 7, 7, 2, 1, 2, 3, 4, 5])
N_USERS, N_ITEMS = 5, 8
POSITIVES = {u: set(ITEMS[u == USERS].tolist()) for u in range(N_USERS)}
ROWS = torch.tensor([3, 1, 4, 2, 1])


def _sampler(**options):
    options = {"distribution": "uniform", "alpha": 1.0, "seed": 1, **options}
    return NegativeSampler(USERS, ITEMS, N_USERS, N_ITEMS, **options)


def test_each_row_has_every_item_but_its_users_positives(synchronous):
    found = _sampler().all_but_positives(ROWS)
    assert found.items.tolist() == list(range(1, N_ITEMS))
    assert isinstance(found.left_out, torch.Tensor) != synchronous
    scores = found.leave_out(torch.arange(7.0).repeat(len(ROWS), 1))
    for user, row in zip(ROWS.tolist(), scores.tolist(), strict=True):
        expected = [-math.inf if c + 1 in POSITIVES[user] else float(c) for c in range(7)]
        assert row == expected


def test_leaving_out_draws_nothing(synchronous):
    sampler = _sampler()
    before = sampler.generator.get_state()
    sampler.all_but_positives(ROWS)
    assert torch.equal(sampler.generator.get_state(), before)


def test_replaced_positives_are_negatives_of_the_row_and_the_rest_stays(synchronous):
    found = _sampler().all_with_positives_replaced(ROWS)
    assert isinstance(found, SharedNegatives) == synchronous
    ids = negative_ids(found, len(ROWS))
    assert ids.shape == (len(ROWS), N_ITEMS - 1)
    for user, row in zip(ROWS.tolist(), ids.tolist(), strict=True):
        for column, item in enumerate(row, start=1):
            assert item not in POSITIVES[user]
            assert item == column or column in POSITIVES[user]


def test_every_negative_comes_equally_often_in_the_long_run(synchronous):
    sampler, rows = _sampler(), torch.full((3000,), 3)
    ids = negative_ids(sampler.all_with_positives_replaced(rows), len(rows))
    counts = torch.bincount(ids.flatten(), minlength=N_ITEMS)
    assert counts.sum() == 3000 * 7 and counts[[0, *POSITIVES[3]]].sum() == 0
    torch.testing.assert_close(counts[[6, 7]] / 3000, torch.tensor([3.5, 3.5]), atol=0.1, rtol=0)


def test_the_longest_list_of_positives_fills_its_row():
    positives = _sampler().positives
    assert positives.most == 5
    assert positives.padded(ROWS).tolist() == [
        [1, 2, 3, 4, 5],
        [1, 3, 7, 0, 0],
        [0, 0, 0, 0, 0],
        [2, 0, 0, 0, 0],
        [1, 3, 7, 0, 0],
    ]


@pytest.mark.parametrize("options", [{"distribution": "popularity"}, {"false_negative": 0.5}])
def test_where_items_are_not_alike_it_is_refused(options):
    for method in ("all_but_positives", "all_with_positives_replaced"):
        with pytest.raises(ValueError, match="false_negative must be 0 and the distribution unif"):
            getattr(_sampler(**options), method)(ROWS)


def test_masks_and_cells_leave_out_the_same_and_pass_no_gradient():
    scores = torch.randn(2, 3, dtype=torch.float64, requires_grad=True)
    mask = torch.tensor([[True, False, False], [False, True, True]])
    for left_out in (mask, mask.nonzero(as_tuple=True)):
        found = AllItems(torch.arange(1, 4), left_out).leave_out(scores * 2)
        assert torch.equal(found == -math.inf, mask)
        (grad,) = torch.autograd.grad(found.exp().sum(), scores)
        expected = (2 * (2 * scores.detach()).exp()).masked_fill(mask, 0.0)
        torch.testing.assert_close(grad, expected)
