import numpy as np
import pytest
import torch
from scipy.stats import chisquare

from recbole_dsl.data.sampling import independent
from recbole_dsl.data.sampling.independent import draw_by_rejection, draw_directly
from recbole_dsl.data.sampling.negative_sampler import NegativeSampler
from recbole_dsl.data.sampling.shared_negatives import (
    draw_shared,
    draw_with_spares,
    n_spares,
    negative_ids,
)

# Five users (0 is padding), eight items (0 is padding, 7 has no training row).
USERS = torch.tensor([1, 1, 1, 2, 2, 3, 3, 3, 3, 3, 4, 4])
ITEMS = torch.tensor([1, 3, 6, 2, 3, 1, 2, 3, 4, 5, 6, 6])
SIZE = (5, 8)
POSITIVES = {u: set(ITEMS[u == USERS].tolist()) for u in range(5)}


def _sampler(
    distribution="uniform",
    alpha=1.0,
    seed=1,
    users=USERS,
    items=ITEMS,
    size=SIZE,
    **options,
):
    return NegativeSampler(
        users, items, *size, distribution=distribution, alpha=alpha, seed=seed, **options
    )


def _ids(draw, sampler, users, m):
    """(B, M) negatives by one of the ways of drawing; shared ones in blocks of 7 rows."""
    block = (7,) if draw in _SHARED else ()
    return negative_ids(draw(sampler.tables, users, m, *block, sampler.generator), len(users))


_SHARED = (draw_shared, draw_with_spares)


@pytest.fixture(params=[draw_directly, draw_by_rejection, *_SHARED])
def draw(request):
    return request.param


@pytest.mark.parametrize("distribution", ["uniform", "popularity"])
def test_draws_have_shape_and_are_never_padding_nor_positive(distribution, draw):
    users = torch.tensor([1, 2, 3, 4, 3, 1])
    draws = _ids(draw, _sampler(distribution), users, 500)
    assert draws.shape == (6, 500) and draws.dtype == torch.int64
    for user, row in zip(users.tolist(), draws.tolist(), strict=True):
        allowed = set(range(1, 8)) - POSITIVES[user]
        assert set(row) <= allowed
        if distribution == "uniform":
            assert set(row) == allowed


def test_a_user_without_training_rows_draws_from_all_items(synchronous):
    draws = _sampler()(torch.tensor([0]), 500)
    assert set(draws.flatten().tolist()) == set(range(1, 8))


@pytest.mark.parametrize("user", [1, 2, 3, 4])
def test_uniform_draws_pass_a_chi_square_test(user, draw):
    # A block's rows share draws and are not independent: one row a block then.
    rows = 1 if draw in _SHARED else 20
    draws = _ids(draw, _sampler(), torch.full((rows,), user), 20_000 // rows)
    allowed = sorted(set(range(1, 8)) - POSITIVES[user])
    counts = np.bincount(draws.flatten().numpy(), minlength=8)[allowed]
    assert chisquare(counts).pvalue > 1e-3


@pytest.mark.parametrize("alpha", [1.0, 0.5, 0.0])
@pytest.mark.parametrize("user", [1, 2, 4])
def test_popularity_draws_follow_training_counts(user, alpha, draw):
    rows = 1 if draw in _SHARED else 20
    sampler = _sampler("popularity", alpha)
    draws = _ids(draw, sampler, torch.full((rows,), user), 20_000 // rows)
    training = np.bincount(ITEMS.numpy(), minlength=8)
    allowed = [i for i in range(1, 8) if i not in POSITIVES[user] and training[i]]
    weights = training[allowed] ** alpha
    counts = np.bincount(draws.flatten().numpy(), minlength=8)[allowed]
    assert counts.sum() == draws.numel()
    assert chisquare(counts, weights / weights.sum() * counts.sum()).pvalue > 1e-3


def test_same_seed_same_draws_and_other_random_code_does_not_matter():
    users = torch.tensor([1, 2, 3])
    first = _sampler(seed=5)(users, 50)
    torch.rand(3)
    assert torch.equal(first, _sampler(seed=5)(users, 50))
    assert not torch.equal(first, _sampler(seed=6)(users, 50))


def test_consecutive_draws_differ():
    sampler = _sampler()
    users = torch.tensor([1, 2, 3])
    assert not torch.equal(sampler(users, 50), sampler(users, 50))


def test_rows_of_a_block_share_their_draws_and_blocks_do_not():
    users = torch.tensor([0, 0, 0, 0, 0])  # no positives: nothing is replaced
    ids = negative_ids(_sampler().shared(users, 40, 2), 5)
    assert torch.equal(ids[0], ids[1]) and torch.equal(ids[2], ids[3])
    assert not torch.equal(ids[0], ids[2]) and not torch.equal(ids[2], ids[4])


def test_one_negative_is_found_where_nearly_everything_is_positive():
    items = torch.arange(1, 3000)
    sampler = _sampler(users=torch.ones_like(items), items=items, size=(2, 3001))
    assert sampler(torch.tensor([1]), 5).tolist() == [[3000] * 5]
    for draw in (draw_directly, draw_by_rejection, *_SHARED):
        assert _ids(draw, sampler, torch.tensor([1]), 5).tolist() == [[3000] * 5]


def test_spares_make_up_for_the_positives_of_the_heaviest_user():
    items = torch.arange(1, 61)  # of 100 items
    sampler = _sampler(users=torch.ones_like(items), items=items, size=(3, 101))
    assert n_spares(sampler.tables, 20) == 20  # no more than the negatives themselves
    users = torch.tensor([2, 1])
    drawn = draw_with_spares(sampler.tables, users, 400, 2, sampler.generator)
    (shared,) = drawn.shared
    assert shared.shape == (800,)
    ids = negative_ids(drawn, 2)
    assert torch.equal(ids[0], shared[:400])  # no positives: the first ones as they come
    left = shared[shared > 60]
    assert torch.equal(ids[1], left[torch.arange(400) % len(left)])


def test_there_are_spares_enough_for_chance():
    items = torch.arange(1, 31)  # of 100 items
    sampler = _sampler(users=torch.ones_like(items), items=items, size=(2, 101))
    users = torch.ones(3000, dtype=torch.int64)
    drawn = draw_with_spares(sampler.tables, users, 100, 1, sampler.generator)
    assert drawn.shared.shape[1] < 200, "or there is nothing to prove"
    columns = drawn.columns.sort(dim=1).values
    assert bool((columns.diff(dim=1) > 0).all())  # none is used twice


def test_large_batches_times_catalogues_draw_directly(monkeypatch):
    users = torch.tensor([1, 2])
    by_mask, directly = (
        draw(sampler.tables, users, 50, sampler.generator)
        for draw, sampler in ((draw_by_rejection, _sampler()), (draw_directly, _sampler()))
    )
    assert not torch.equal(by_mask, directly)
    assert torch.equal(_sampler()(users, 50), by_mask)
    monkeypatch.setattr(independent, "_LARGEST_MASK", 8)
    assert torch.equal(_sampler()(users, 50), directly)


def test_agrees_with_a_random_mask_on_larger_data(draw):
    users, items = torch.randint(1, 40, (3000,)), torch.randint(1, 200, (3000,))
    taken = torch.zeros(40, 200, dtype=torch.bool)
    taken[users, items] = True
    taken[:, 0] = True
    for distribution in ("uniform", "popularity"):
        sampler = _sampler(distribution, 0.75, users=users, items=items, size=(40, 200))
        rows = torch.arange(40).repeat(4)
        draws = _ids(draw, sampler, rows, 300)
        assert not bool(taken[rows.unsqueeze(1), draws].any())


def test_a_user_who_has_everything_is_named():
    users, items = torch.tensor([1, 1, 2]), torch.tensor([1, 2, 1])
    with pytest.raises(ValueError, match=r"1 training user\(s\), the first with id 1, have every"):
        _sampler(users=users, items=items, size=(3, 3))


def test_an_unknown_distribution_is_refused():
    with pytest.raises(ValueError, match="uniform or popularity, got 'poplarity'"):
        _sampler("poplarity")


@pytest.mark.parametrize(("distribution", "alpha"), [("uniform", 1.0), ("popularity", 0.5)])
@pytest.mark.parametrize("rate", [0.3, 1.0, 4.0])
def test_false_negatives_follow_their_weight(distribution, alpha, rate, synchronous):
    last = USERS.argmax()  # whose positives stand behind those of others
    items = torch.cat([ITEMS, ITEMS[last].repeat(6)])  # a popular item, a positive once
    users = torch.cat([USERS, USERS[last].repeat(6)])
    user, size = int(USERS[last]), SIZE
    sampler = _sampler(distribution, alpha, 3, users, items, size, false_negative=rate)
    weights = torch.bincount(items, minlength=size[1]).double().pow(alpha)
    weights[torch.bincount(items, minlength=size[1]) == 0] = 0
    if distribution == "uniform":
        weights = torch.ones(size[1], dtype=torch.float64)
    weights[0] = 0
    own = items[users == user].unique()
    weights[own] *= rate
    drawn = sampler(torch.full((200,), user), 500)
    counts = torch.bincount(drawn.view(-1), minlength=size[1]).double()
    there = weights > 0
    assert int(counts[~there].sum()) == 0
    expected = weights[there] / weights.sum() * counts.sum()
    assert chisquare(counts[there], expected).pvalue > 1e-3
    share = float(weights[own].sum() / weights.sum())
    assert float(sampler.noise[user]) == pytest.approx(share, rel=1e-3)  # weights are rounded


def test_without_false_negatives_draws_are_what_they_were():
    plain, zero = _sampler(seed=5), _sampler(seed=5, false_negative=0.0)
    assert torch.equal(plain(USERS, 9), zero(USERS, 9))


def test_false_negatives_and_blocks_of_rows_exclude_each_other():
    sampler = _sampler(false_negative=0.5)
    with pytest.raises(ValueError, match="not for blocks of rows"):
        sampler.shared(USERS, 4, 2)
    with pytest.raises(ValueError, match="false_negative must be >= 0, got -1"):
        _sampler(false_negative=-1)


def test_nothing_is_kept_in_a_checkpoint():
    assert not _sampler().state_dict() and not _sampler(false_negative=0.5).state_dict()
