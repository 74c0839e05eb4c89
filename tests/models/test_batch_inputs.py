"""What the model layer offers a loss, against tensors built the plain way."""

import pytest
import torch

from recbole_dsl.data.sampling.negative_sampler import NegativeSampler
from recbole_dsl.data.sampling.user_items import UserPositives
from recbole_dsl.models.batch_inputs import OFFERED, BatchInputs

U, N_ITEMS, D = 9, 30, 5
TRAIN_USERS = torch.arange(1, U).repeat_interleave(6)
TRAIN_ITEMS = torch.randint(
    1, N_ITEMS, (len(TRAIN_USERS),), generator=torch.Generator().manual_seed(1)
)
ROWS = torch.tensor([0, 7, 3, 14, 40, 41, 20, 33])  # of the training data: a user comes twice
USERS, ITEMS = TRAIN_USERS[ROWS], TRAIN_ITEMS[ROWS]
POSITIVES = UserPositives(TRAIN_USERS, TRAIN_ITEMS, U, N_ITEMS)


def _inputs(block=1, cosine=False, tables=None, names=OFFERED, sparse=False, drawn=None):
    """A batch and its tables; what it draws is appended to ``drawn``."""
    sampler = NegativeSampler(
        TRAIN_USERS, TRAIN_ITEMS, U, N_ITEMS, distribution="uniform", alpha=1.0, seed=3
    )
    tables = tables or (torch.randn(U, D).double(), torch.randn(N_ITEMS, D).double())
    drawn = [] if drawn is None else drawn

    def draw():
        if block == "all":
            drawn.append(sampler.all_but_positives(USERS))
        elif block == "replaced":
            drawn.append(sampler.all_with_positives_replaced(USERS))
        else:
            drawn.append(sampler(USERS, 12) if block == 1 else sampler.shared(USERS, 12, block))
        return drawn[-1]

    return BatchInputs(
        names,
        USERS,
        ITEMS,
        tables,
        cosine=cosine,
        draw=draw,
        in_batch_positive=lambda: POSITIVES.among(USERS, ITEMS),
        sparse=sparse,
    ), tables


def test_every_offered_name_is_there_and_described():
    inputs, _ = _inputs()
    assert set(inputs.select()) == set(OFFERED)
    assert {"pos", "neg", "users", "items", "negatives", "in_batch", "item_table"} < set(OFFERED)


@pytest.mark.parametrize("block", [1, 3, 4, 100])
def test_scores_and_similarities_are_those_of_the_ids(block):
    drawn = []
    inputs, (user, item) = _inputs(block, drawn=drawn)
    negatives = inputs.negatives
    assert negatives.shape == (8, 12)
    pairs = zip(USERS.tolist(), negatives, strict=True)
    expected = torch.stack([torch.stack([user[u] @ item[j] for j in row]) for u, row in pairs])
    torch.testing.assert_close(inputs.neg, expected)
    torch.testing.assert_close(inputs.pos, (user[USERS] * item[ITEMS]).sum(dim=1))
    similarity = torch.cosine_similarity(item[ITEMS].unsqueeze(1), item[negatives], dim=2)
    torch.testing.assert_close(inputs.item_similarity, similarity)
    assert [isinstance(one, torch.Tensor) for one in drawn] == [block == 1]  # once, in blocks


@pytest.mark.parametrize("block", [1, 3, 4, 100])
def test_gradients_are_those_of_the_plain_look_up(block):
    tables = tuple(
        t.double().requires_grad_() for t in (torch.randn(U, D), torch.randn(N_ITEMS, D))
    )
    inputs, (user, item) = _inputs(block, tables=tables)
    weight = torch.randn(8, 12).double()
    actual = torch.autograd.grad((inputs.neg * weight).sum() + inputs.pos.sum(), tables)
    neg = (user[USERS].unsqueeze(1) * item[inputs.negatives]).sum(dim=2)
    pos = (user[USERS] * item[ITEMS]).sum(dim=1)
    expected = torch.autograd.grad((neg * weight).sum() + pos.sum(), tables)
    for ours, theirs in zip(actual, expected, strict=True):
        torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize("block", [1, 3, "all"])
def test_the_order_in_which_a_loss_names_its_inputs_does_not_change_gradients(block):
    names, found = ("pos", "neg", "item_similarity"), []
    for order in (names, names[::-1]):
        tables = tuple(
            torch.randn(n, D, generator=torch.Generator().manual_seed(n)).requires_grad_()
            for n in (U, N_ITEMS)
        )
        given = _inputs(block, tables=tables, names=order, cosine=True)[0].select()
        loss = given["neg"].logsumexp(dim=1).sum() - given["pos"].sum()
        found.append(torch.autograd.grad(loss, tables))
    for ours, theirs in zip(*found, strict=True):
        torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize("cosine", [True, False])
def test_all_items_are_scored_once_and_positives_left_out(cosine, synchronous):
    tables = tuple(torch.randn(n, D).double().requires_grad_() for n in (U, N_ITEMS))
    inputs, _ = _inputs("all", tables=tables, cosine=cosine)
    user, item = (torch.nn.functional.normalize(t, dim=1) if cosine else t for t in tables)
    assert torch.equal(inputs.negatives, torch.arange(1, N_ITEMS).expand(8, -1))
    similarity = torch.cosine_similarity(item[ITEMS].unsqueeze(1), item[1:], dim=2)
    torch.testing.assert_close(inputs.item_similarity, similarity.detach())
    taken = torch.zeros(U, N_ITEMS, dtype=torch.bool)
    taken[TRAIN_USERS, TRAIN_ITEMS] = True
    expected = (user[USERS] @ item[1:].T).masked_fill(taken[USERS, 1:], -torch.inf)
    torch.testing.assert_close(inputs.neg, expected)
    for ours, theirs in zip(
        torch.autograd.grad(inputs.neg.logsumexp(dim=1).sum() + inputs.pos.sum(), tables),
        torch.autograd.grad(
            expected.logsumexp(dim=1).sum() + (user[USERS] * item[ITEMS]).sum(), tables
        ),
        strict=True,
    ):
        torch.testing.assert_close(ours, theirs)


def test_replaced_positives_are_scored_as_what_replaces_them(synchronous):
    tables = tuple(torch.randn(n, D).double().requires_grad_() for n in (U, N_ITEMS))
    inputs, (user, item) = _inputs("replaced", tables=tables)
    ids = inputs.negatives
    assert ids.shape == (8, N_ITEMS - 1)
    expected = (user[USERS].unsqueeze(1) * item[ids]).sum(dim=2)
    torch.testing.assert_close(inputs.neg, expected)
    weight = torch.randn(expected.shape).double()
    for ours, theirs in zip(
        torch.autograd.grad((inputs.neg * weight).sum(), tables),
        torch.autograd.grad((expected * weight).sum(), tables),
        strict=True,
    ):
        torch.testing.assert_close(ours, theirs)


def test_blocks_hold_positives_of_some_rows_which_are_replaced():
    drawn = []
    inputs, _ = _inputs(100, drawn=drawn)
    inputs.select()
    assert len(drawn[0].rows) > 0  # or the tests above prove nothing of the replacing
    taken = set(zip(TRAIN_USERS.tolist(), TRAIN_ITEMS.tolist(), strict=True))
    pairs = zip(USERS.tolist(), inputs.negatives.tolist(), strict=True)
    assert not {(u, j) for u, row in pairs for j in row} & taken


def test_cosines_are_inner_products_of_unit_vectors_and_similarity_has_no_gradient():
    tables = tuple((3 * torch.randn(n, D)).double().requires_grad_() for n in (U, N_ITEMS))
    user, item = (torch.nn.functional.normalize(table, dim=1) for table in tables)
    for block in (1, 3, 4, 100):  # all items, items once, the rows looked up
        inputs, _ = _inputs(block, cosine=True, tables=tables)
        assert not inputs.item_similarity.requires_grad
        expected = (item[ITEMS].unsqueeze(1) * item[inputs.negatives]).sum(dim=2)
        torch.testing.assert_close(inputs.item_similarity, expected.detach())
        expected = (user[USERS].unsqueeze(1) * item[inputs.negatives]).sum(dim=2)
        torch.testing.assert_close(inputs.neg, expected)
        torch.testing.assert_close(inputs.item_table, item)


@pytest.mark.parametrize("cosine", [True, False])
def test_row_sparse_gradients_are_the_dense_ones(cosine):
    found = []
    for sparse in (True, False):
        tables = tuple(
            torch.randn(n, D, generator=torch.Generator().manual_seed(n)).requires_grad_()
            for n in (U, N_ITEMS)
        )
        inputs, _ = _inputs(3, cosine=cosine, tables=tables, names=("pos", "neg"), sparse=sparse)
        loss = sum((value.square() * 0.3 + value).sum() for value in inputs.select().values())
        loss.backward()
        assert tables[0].grad.is_sparse == tables[1].grad.is_sparse == sparse
        found.append([table.grad.to_dense() if sparse else table.grad for table in tables])
    for ours, theirs in zip(*found, strict=True):
        torch.testing.assert_close(ours, theirs)


def test_the_batch_against_itself():
    inputs, (user, item) = _inputs()
    torch.testing.assert_close(inputs.in_batch, user[USERS] @ item[ITEMS].T)
    torch.testing.assert_close(inputs.in_batch.diagonal(), inputs.pos)
    taken = torch.zeros(U, N_ITEMS, dtype=torch.bool)
    taken[TRAIN_USERS, TRAIN_ITEMS] = True
    assert torch.equal(inputs.in_batch_positive, taken[USERS][:, ITEMS])
    assert bool(inputs.in_batch_positive.diagonal().all())


def test_nothing_is_drawn_for_a_loss_without_negatives():
    drawn = []
    inputs, _ = _inputs(names=("pos", "in_batch", "user_vectors", "item_vectors"), drawn=drawn)
    inputs.select()
    assert not drawn
