import numpy as np
import pytest
import torch
from threadpoolctl import threadpool_limits

from recbole_dsl.backbones import normalized_bipartite
from recbole_dsl.backbones.spectral import spectral_vectors, start_from


def _rows(n_users, n_items, share, seed=0):
    """Interactions drawn at random, without those of the padding rows 0."""
    drawn = np.random.default_rng(seed).random((n_users, n_items)) < share
    drawn[0], drawn[:, 0] = False, False
    users, items = drawn.nonzero()
    return torch.from_numpy(users), torch.from_numpy(items), n_users, n_items


def _groups():
    """150 users and 100 items in four groups of unequal sizes, with taste for the own one."""
    generator = np.random.default_rng(1)
    group_u, group_i = (generator.choice(4, n, p=[0.4, 0.3, 0.2, 0.1]) for n in (151, 101))
    share = np.where(group_u[:, None] == group_i, 0.5, 0.05)
    drawn = generator.random(share.shape) < share
    drawn[0], drawn[:, 0] = False, False
    users, items = drawn.nonzero()
    return torch.from_numpy(users), torch.from_numpy(items), 151, 101


def _blocks(n_blocks=4, size=15, share=0.6):
    """Users who have each item of their own block with probability ``share``, and no other."""
    users, items, *shape = _rows(n_blocks * size + 1, n_blocks * size + 1, share)
    own = (users - 1) // size == (items - 1) // size
    return users[own], items[own], *shape


def _by_numpy(users, items, n_users, n_items, size):
    """The docstring's equations by numpy.linalg.svd, from a matrix made entry by entry."""
    matrix = np.zeros((n_users, n_items))
    for user, item in zip(users.tolist(), items.tolist(), strict=True):
        matrix[user, item] = 1
    degrees = matrix.sum(axis=1, keepdims=True) * matrix.sum(axis=0, keepdims=True)
    matrix = np.divide(matrix, np.sqrt(degrees), where=matrix > 0, out=np.zeros_like(matrix))
    left, sigma, right = np.linalg.svd(matrix)
    root = np.sqrt(sigma[:size])
    return left[:, :size] * root, right[:size].T * root


@pytest.mark.parametrize(
    ("rows", "size"),
    [
        (_rows(20, 13, 0.4), 5),
        (_rows(9, 30, 0.3), 8),
        (_rows(9, 30, 0.3, seed=3), 6),
        (_groups(), 4),  # of more dimensions than the randomised SVD looks at
    ],
)
def test_the_vectors_are_those_of_the_exact_svd_but_for_the_signs(rows, size):
    found = spectral_vectors(*rows, size)
    exact = [torch.from_numpy(side) for side in _by_numpy(*rows, size)]
    signs = torch.sign((found[0] * exact[0]).sum(dim=0))
    for ours, theirs in zip(found, exact, strict=True):
        assert ours.dtype == torch.float32
        torch.testing.assert_close(ours.double() * signs, theirs, atol=1e-4, rtol=0)


def test_their_products_are_the_matrix_that_lightgcn_propagates_with():
    rows = _rows(12, 9, 0.4)
    user, item = spectral_vectors(*rows, 9)
    torch.testing.assert_close(user @ item.T, normalized_bipartite(*rows)[0].to_dense())


def test_a_repeated_interaction_counts_once():
    users, items, *shape = _rows(12, 9, 0.4)
    twice = spectral_vectors(users.repeat(2), items.repeat(2), *shape, 4)
    for ours, theirs in zip(twice, spectral_vectors(users, items, *shape, 4), strict=True):
        assert torch.equal(ours, theirs)


def test_they_depend_on_the_interactions_alone_and_draw_no_number_of_a_run():
    rows, found = _rows(400, 300, 0.03), []
    for seed in (1, 2):
        torch.manual_seed(seed)
        np.random.seed(seed)
        before = torch.get_rng_state(), np.random.get_state()[1].copy()
        found.append(spectral_vectors(*rows, 16))
        assert torch.equal(torch.get_rng_state(), before[0])
        assert np.array_equal(np.random.get_state()[1], before[1])
    assert torch.equal(found[0][0], found[1][0]) and torch.equal(found[0][1], found[1][1])


def test_they_do_not_depend_on_the_number_of_threads():
    rows, found = _rows(3000, 2000, 0.01), []  # enough for several threads to be used
    for threads in (1, 2):
        with threadpool_limits(threads):
            found.append(spectral_vectors(*rows, 32))
    assert torch.equal(found[0][0], found[1][0]) and torch.equal(found[0][1], found[1][1])


def test_each_dimensions_largest_entry_is_positive():
    user, _ = spectral_vectors(*_rows(60, 40, 0.2), 6)
    assert bool((user.gather(0, user.abs().argmax(dim=0, keepdim=True)) > 0).all())


@pytest.mark.parametrize("size", [7, 8, 20])
def test_dimensions_that_the_interactions_do_not_have_are_zero(size):
    rows = _rows(30, 7, 0.5)  # six items and the padding: rank 6
    user, item = spectral_vectors(*rows, size)
    assert user.shape == (30, size) and item.shape == (7, size)
    assert bool(user[:, :6].any(dim=0).all()) and bool(item[:, :6].any(dim=0).all())
    assert not bool(user[:, 6:].any()) and not bool(item[:, 6:].any())
    torch.testing.assert_close(user @ item.T, normalized_bipartite(*rows)[0].to_dense())


def test_rows_without_interactions_are_zero_up_to_rounding():
    users, items, n_users, n_items = _rows(40, 30, 0.2)
    user, item = spectral_vectors(users, items, n_users + 3, n_items + 2, 10)
    for side, empty in ((user, [0, 40, 41, 42]), (item, [0, 30, 31])):
        filled = torch.ones(len(side), dtype=torch.bool)
        filled[empty] = False
        assert float(side[empty].norm(dim=1).max()) < 1e-6 < float(side[filled].norm(dim=1).min())


def test_no_interaction_gives_zeros():
    nothing = torch.empty(0, dtype=torch.int64)
    assert not any(bool(side.any()) for side in spectral_vectors(nothing, nothing, 5, 4, 3))


def test_held_out_items_of_a_users_own_block_rank_above_all_others():
    users, items, n_users, n_items = _blocks()
    user, item = (
        torch.nn.functional.normalize(side, dim=1)
        for side in spectral_vectors(users, items, n_users, n_items, 4)
    )
    scores = user @ item.T
    seen = torch.zeros(n_users, n_items, dtype=torch.bool)
    seen[users, items] = True
    block_u, block_i = (torch.arange(n_users) - 1) // 15, (torch.arange(n_items) - 1) // 15
    own = block_u.unsqueeze(1) == block_i
    for row in range(1, n_users):
        held_out = scores[row, own[row] & ~seen[row]]
        assert held_out.min() > scores[row, ~own[row] & (block_i >= 0)].max()


def test_ids_out_of_range_are_refused():
    users, items, n_users, _ = _rows(12, 9, 0.4)
    with pytest.raises(ValueError, match=r"items must lie in \[0, 5\), got ids from 1 to 8"):
        spectral_vectors(users, items, n_users, 5, 4)


def test_rows_get_the_usual_length_and_a_tenth_of_the_random_start():
    table, vectors = torch.randn(5, 3), torch.randn(5, 3)
    vectors[2], vectors[4] = 0, 1e-9
    before = table.tolist()
    start_from(table, vectors, 0.7)
    for row in range(5):
        length = sum(x * x for x in vectors[row].tolist()) ** 0.5
        for d in range(3):
            spectral = 0.7 * float(vectors[row, d]) / length + 0.1 * before[row][d] if length else 0
            expected = before[row][d] if row in (2, 4) else spectral
            assert float(table[row, d]) == pytest.approx(expected, abs=1e-6)
