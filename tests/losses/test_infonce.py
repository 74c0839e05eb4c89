import math

import pytest
import torch
from loss_cases import at_extremes

from recbole_dsl.losses import TrainingRows
from recbole_dsl.losses.infonce import (
    InfoNCELoss,
    info_nce_corrected_loss,
    info_nce_loss,
    log_share,
)
from recbole_dsl.losses.sl import softmax_loss, softmax_loss_with_positive

FULL = dict(tau=0.2, log_q="standard", positive_in_denominator=True, mask_positives=True)
FORMS = pytest.mark.parametrize("with_positive", [True, False])


def _batch(rows=6, dtype=torch.float64):
    scores = torch.rand(rows, rows, dtype=dtype) * 2 - 1
    negative = torch.rand(rows, rows) < 0.6
    negative[0] = False  # a row without a negative is in every test that draws a batch
    return scores, negative, torch.rand(rows, dtype=dtype) * 3 - 4


def _loop(scores, negative, log_q, tau, with_positive):
    """The equation of the docstring, in plain Python, row by row."""
    losses = []
    for b, row in enumerate(scores.tolist()):
        s = [f / tau - q for f, q in zip(row, log_q.tolist(), strict=True)]
        columns = [c for c in range(len(row)) if c != b and negative[b, c]]
        if with_positive or not columns:
            columns.append(b)
        losses.append(-s[b] + math.log(sum(math.exp(s[c]) for c in columns) / len(columns)))
    return torch.tensor(losses, dtype=torch.float64)


def _off_diagonal(scores):
    rows = len(scores)
    return scores[~torch.eye(rows, dtype=torch.bool)].view(rows, rows - 1)


def test_hand_value():
    # Row 0: gap 0.1 at tau 0.1, and an item half as likely in the batch counts double: e * 2.
    scores = torch.tensor([[0.2, 0.3], [0.0, 0.0]])
    every, log_q = torch.ones(2, 2).bool(), torch.tensor([0.5, 0.25]).log()
    alone = info_nce_loss(scores, every, log_q, tau=0.1, positive_in_denominator=False)
    torch.testing.assert_close(alone, torch.tensor([math.log(2 * math.e), math.log(0.5)]))
    both = info_nce_loss(scores, every, log_q, tau=0.1, positive_in_denominator=True)
    expected = torch.tensor([math.log((1 + 2 * math.e) / 2), math.log((1 + 0.5) / 2)])
    torch.testing.assert_close(both, expected)


@FORMS
def test_agrees_with_a_plain_loop(with_positive):
    scores, negative, log_q = _batch()
    options = dict(tau=0.3, positive_in_denominator=with_positive)
    for q in (log_q, None):
        expected = _loop(scores, negative, torch.zeros(6) if q is None else q, 0.3, with_positive)
        torch.testing.assert_close(info_nce_loss(scores, negative, q, **options), expected)


@FORMS
def test_all_columns_without_log_q_is_softmax_loss_with_those_scores(with_positive):
    scores, _, _ = _batch()
    every = torch.ones(6, 6, dtype=torch.bool)
    actual = info_nce_loss(scores, every, None, tau=0.2, positive_in_denominator=with_positive)
    form = softmax_loss_with_positive if with_positive else softmax_loss
    expected = form(scores.diagonal(), _off_diagonal(scores), tau=0.2)
    torch.testing.assert_close(actual, expected)


@FORMS
def test_the_same_q_for_all_items_changes_nothing(with_positive):
    scores, negative, _ = _batch()
    options = dict(tau=0.2, positive_in_denominator=with_positive)
    flat = info_nce_loss(scores, negative, torch.full((6,), -7.3).double(), **options)
    torch.testing.assert_close(flat, info_nce_loss(scores, negative, None, **options))


@FORMS
def test_the_diagonal_is_never_a_negative(with_positive):
    scores, negative, log_q = _batch()
    other = negative ^ torch.eye(6, dtype=torch.bool)
    options = dict(tau=0.2, positive_in_denominator=with_positive)
    ours, theirs = (info_nce_loss(scores, n, log_q, **options) for n in (negative, other))
    assert torch.equal(ours, theirs)


@FORMS
def test_the_order_of_the_rows_is_irrelevant(with_positive):
    scores, negative, log_q = _batch()
    options = dict(tau=0.2, positive_in_denominator=with_positive)
    order = torch.randperm(6)
    turned = info_nce_loss(
        scores[order][:, order], negative[order][:, order], log_q[order], **options
    )
    torch.testing.assert_close(turned, info_nce_loss(scores, negative, log_q, **options)[order])


@FORMS
def test_every_column_repeated_changes_nothing_without_the_positive(with_positive):
    # Values compare across B: with the positive, its own share falls from 1/4 to 1/7.
    gap = torch.rand(3, dtype=torch.float64)
    small, large = (torch.zeros(n, n, dtype=torch.float64) for n in (4, 7))
    small[0, 1:], large[0, 1:] = gap, gap.repeat(2)
    options = dict(tau=0.2, positive_in_denominator=with_positive)
    ours, theirs = (
        info_nce_loss(s, torch.ones_like(s).bool(), None, **options)[0] for s in (small, large)
    )
    if with_positive:
        assert ours < theirs
    else:
        torch.testing.assert_close(ours, theirs)


@FORMS
def test_a_row_without_negatives_is_zero_without_gradient(with_positive):
    scores, negative, log_q = _batch()
    scores.requires_grad_()
    for rows in (slice(0, 6), slice(0, 1)):  # among others, and alone in its batch
        part, columns = scores[rows, rows], negative[rows, rows]
        options = dict(tau=0.01, positive_in_denominator=with_positive)
        loss = info_nce_loss(part, columns, log_q[rows], **options)
        (grad,) = torch.autograd.grad(loss.sum(), scores)
        assert loss[0] == 0
        assert bool((grad[0] == 0).all()) and bool(torch.isfinite(grad).all())


@FORMS
def test_gradient_pulls_the_positive_up_and_pushes_the_counted_columns_down(with_positive):
    scores, negative, log_q = _batch()
    scores.requires_grad_()
    options = dict(tau=0.2, positive_in_denominator=with_positive)
    loss = info_nce_loss(scores, negative, log_q, **options)
    (grad,) = torch.autograd.grad(loss.sum(), scores)
    own = torch.eye(6, dtype=torch.bool)
    some = negative.clone().masked_fill_(own, False).any(dim=1)
    assert bool((grad.diagonal()[some] < 0).all())
    assert bool((grad[negative & ~own] > 0).all())
    assert bool((grad[~negative & ~own] == 0).all())


def test_log_q_presses_less_on_a_popular_item():
    scores = torch.zeros(3, 3, requires_grad=True)
    log_q = torch.tensor([0.1, 0.8, 0.1]).log()
    every = torch.ones(3, 3).bool()
    info_nce_loss(scores, every, log_q, tau=0.2, positive_in_denominator=True).sum().backward()
    assert scores.grad[0, 1] < scores.grad[0, 2]


@FORMS
def test_gradcheck(with_positive):
    scores, negative, log_q = _batch()
    options = dict(tau=0.2, positive_in_denominator=with_positive)
    assert torch.autograd.gradcheck(
        lambda s: info_nce_loss(s, negative, log_q, **options), scores.requires_grad_()
    )


@FORMS
@at_extremes
def test_finite_at_extreme_scores_and_tiny_tau(with_positive, dtype, sign):
    _, negative, log_q = _batch(dtype=dtype)
    scores = torch.full((6, 6), -sign, dtype=dtype).fill_diagonal_(sign).requires_grad_()
    loss = info_nce_loss(scores, negative, log_q, tau=0.01, positive_in_denominator=with_positive)
    loss.sum().backward()
    assert bool(torch.isfinite(loss).all()) and bool(torch.isfinite(scores.grad).all())
    assert loss.dtype == torch.float32


# The corrected logQ correction -------------------------------------------------------------------


def _corrected_loop(scores, negative, log_q, tau):
    """The paper's loss row by row, with 1 - Q(b) the share of the columns that are left.

    Values, less the constant in the logarithm, and the gradient of their sum.
    """
    rows, values, grads = len(scores), [], []
    for b, row in enumerate(scores.tolist()):
        columns = [c for c in range(rows) if c != b and negative[b, c]]
        grad = [0.0] * rows
        n, own = len(columns), math.exp(row[b] / tau)
        left = n / (rows - 1)
        terms = {c: math.exp(row[c] / tau) / (math.exp(log_q[c].item()) / left) for c in columns}
        total, value = sum(terms.values()), 0.0
        if columns:
            p = own / (own + total / n)
            value = -(1 - p) * math.log(own / (total / n))
            grad[b] = -(1 - p) / tau
            for c in columns:
                grad[c] = (1 - p) * terms[c] / total / tau
        values.append(value)
        grads.append(grad)
    return (torch.tensor(x, dtype=torch.float64) for x in (values, grads))


@pytest.mark.parametrize("tau", [0.1, 0.3, 1.0])
def test_corrected_values_and_gradients_agree_with_a_plain_loop(tau):
    scores, negative, log_q = _batch()
    scores.requires_grad_()
    loss = info_nce_corrected_loss(scores, negative, log_q, tau=tau)
    (grad,) = torch.autograd.grad(loss.sum(), scores)
    values, gradient = _corrected_loop(scores, negative, log_q, tau)
    torch.testing.assert_close(loss, values, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(grad, gradient, rtol=1e-12, atol=1e-12)
    assert loss[0] == 0 and bool((grad[0] == 0).all())  # it has no negative


def test_corrected_with_every_item_once_is_the_full_softmax():
    """Each other item drawn once, and each as likely: the estimate is the sum over all items."""
    items, tau = 6, 0.2
    scores = (torch.rand(items, items).double() * 2 - 1).requires_grad_()
    every = torch.ones(items, items).bool()
    log_q = torch.full((items,), 1 / (items - 1), dtype=torch.float64).log()
    loss = info_nce_corrected_loss(scores, every, log_q, tau=tau)
    (grad,) = torch.autograd.grad(loss.sum(), scores)
    full = torch.nn.functional.cross_entropy(scores / tau, torch.arange(items), reduction="sum")
    torch.testing.assert_close(grad, torch.autograd.grad(full, scores)[0], rtol=1e-12, atol=1e-12)


def test_corrected_and_standard_without_the_positive_differ_by_the_weight_alone():
    scores, negative, log_q = _batch()
    scores.requires_grad_()
    loss = info_nce_corrected_loss(scores, negative, log_q, tau=0.2)
    (grad,) = torch.autograd.grad(loss.sum(), scores)
    other = info_nce_loss(scores, negative, log_q, tau=0.2, positive_in_denominator=False)
    (plain,) = torch.autograd.grad(other.sum(), scores)
    weight = grad.diagonal()[1:] / plain.diagonal()[1:]
    assert bool((weight > 0).all() and (weight < 1).all())
    torch.testing.assert_close(grad[1:], weight.unsqueeze(1) * plain[1:])


def test_corrected_does_not_depend_on_how_popular_the_positive_is():
    scores, negative, log_q = _batch()
    rarer = log_q.clone()
    rarer[3] -= 2
    values = [info_nce_corrected_loss(scores, negative, q, tau=0.2)[3] for q in (log_q, rarer)]
    assert values[0] == values[1]


def test_corrected_weighs_a_row_less_the_better_its_positive_is_found():
    pulls = []
    for positive in (-0.5, 0.2, 0.9):
        scores = torch.zeros(3, 3).fill_diagonal_(positive).requires_grad_()
        every, log_q = torch.ones(3, 3).bool(), torch.full((3,), 1 / 3).log()
        loss = info_nce_corrected_loss(scores, every, log_q, tau=0.2)
        pulls.append(torch.autograd.grad(loss.sum(), scores)[0][0, 0].item())
    assert pulls[0] < pulls[1] < pulls[2] < 0


def _mean_gradient(function, scores, positive, q, tau, columns, batches):
    """Gradient with respect to the user's scores of all items, mean over batches drawn from q."""
    total = torch.zeros_like(scores)
    for _ in range(batches):
        drawn = torch.multinomial(q, columns - 1, replacement=True)
        items = torch.cat([torch.tensor([positive]), drawn])
        matrix = scores[items].expand(columns, columns).clone().requires_grad_()
        negative = (items != positive).expand(columns, columns)
        loss = function(matrix, negative, q[items].log(), tau=tau)[0]
        (grad,) = torch.autograd.grad(loss, matrix)
        total.index_add_(0, items, grad[0])
    return total / batches


@pytest.mark.parametrize("positive", [0, 4, 9], ids=["popular", "middling", "rare"])
def test_corrected_gradient_is_nearer_to_the_full_softmax_than_the_standard_one(positive):
    torch.manual_seed(1)
    tau, columns, batches = 0.3, 65, 400
    scores = torch.rand(10).double() - 0.5
    scores[positive] = 0.9  # found more often than not: where the weight of a row matters
    scores.requires_grad_()
    q = 1 / torch.arange(1, 11).double()  # Zipf's law: the popular item is ten times as frequent
    q = q / q.sum()
    loss = torch.nn.functional.cross_entropy(scores / tau, torch.tensor(positive))
    (full,) = torch.autograd.grad(loss, scores)

    def standard(*args, tau):
        return info_nce_loss(*args, tau=tau, positive_in_denominator=True)

    errors = [
        (_mean_gradient(one, scores.detach(), positive, q, tau, columns, batches) - full).norm()
        for one in (standard, info_nce_corrected_loss)
    ]
    assert errors[0] > 0.3 * full.norm()  # 0.5 to 1.8 times the gradient, by the item's popularity
    assert errors[1] < 0.05 * full.norm()


@at_extremes
def test_corrected_is_finite_at_extreme_scores_and_tiny_tau(dtype, sign):
    _, negative, log_q = _batch(dtype=dtype)
    scores = torch.full((6, 6), -sign, dtype=dtype).fill_diagonal_(sign).requires_grad_()
    loss = info_nce_corrected_loss(scores, negative, log_q, tau=0.01)
    loss.sum().backward()
    assert bool(torch.isfinite(loss).all()) and bool(torch.isfinite(scores.grad).all())
    assert loss.dtype == torch.float32


def test_corrected_of_a_batch_of_one_row_is_zero():
    scores = torch.rand(1, 1, requires_grad=True)
    loss = info_nce_corrected_loss(scores, torch.ones(1, 1).bool(), torch.zeros(1), tau=0.1)
    loss.sum().backward()
    assert loss.item() == 0 and scores.grad.item() == 0


@pytest.mark.parametrize("mask", [True, False])
def test_corrected_module_leaves_out_the_rows_own_item_and_hands_on(mask):
    loss = InfoNCELoss(log_q="corrected", mask_positives=mask)
    loss.prepare(TrainingRows(torch.tensor([1, 1, 2]), torch.tensor([1, 2, 1]), 3, 3))
    scores, positive = torch.rand(3, 3), torch.eye(3).bool()
    positive[0, 1] = True
    inputs = {"in_batch": scores, "in_batch_positive": positive, "items": torch.tensor([1, 2, 1])}
    negative = torch.tensor([[0, 1, 0], [1, 0, 1], [0, 1, 0]]).bool()  # rows 0 and 2: item 1
    if mask:
        negative = negative & ~positive
    log_q = torch.tensor([2 / 3, 1 / 3, 2 / 3]).log()
    actual = loss(**{name: inputs[name] for name in loss.inputs})
    expected = info_nce_corrected_loss(scores, negative, log_q, tau=0.2)
    torch.testing.assert_close(actual, expected.mean())


def test_log_share_counts_training_rows_and_is_finite_for_unseen_items():
    share = log_share(torch.tensor([1, 1, 1, 2]), 4).exp()
    torch.testing.assert_close(share, torch.tensor([0.25, 0.75, 0.25, 0.25]))


@pytest.mark.parametrize("log_q", [True, False, "True", "False", "standard", "none"])
@pytest.mark.parametrize("mask", [True, False])
def test_module_asks_for_what_its_options_need_and_hands_it_on(log_q, mask):
    loss = InfoNCELoss(**dict(FULL, log_q=log_q, mask_positives=mask))
    log_q = str(log_q) in ("True", "standard")  # the flag of earlier versions keeps its meaning
    assert loss.options["log_q"] == ("standard" if log_q else "none")
    assert ("items" in loss.inputs) == log_q
    assert ("in_batch_positive" in loss.inputs) == mask
    rows = TrainingRows(torch.tensor([1, 1, 2]), torch.tensor([1, 2, 1]), 3, 3)
    loss.prepare(rows)
    scores = torch.rand(3, 3)
    positive = torch.eye(3).bool()
    positive[0, 1] = True
    inputs = {"in_batch": scores, "in_batch_positive": positive, "items": torch.tensor([1, 2, 1])}
    actual = loss(**{name: inputs[name] for name in loss.inputs})
    expected = info_nce_loss(
        scores,
        ~positive if mask else torch.ones(3, 3).bool(),
        torch.tensor([2 / 3, 1 / 3, 2 / 3]).log() if log_q else None,
        tau=0.2,
        positive_in_denominator=True,
    )
    torch.testing.assert_close(actual, expected.mean())
    assert not loss.state_dict()


@pytest.mark.parametrize(
    ("log_q", "given"),
    [("standard", ("in_batch",)), ("corrected", ("in_batch",)), ("none", ("items",))],
)
def test_inputs_that_do_not_fit_the_options_are_refused(log_q, given):
    loss = InfoNCELoss(**dict(FULL, log_q=log_q, mask_positives=False))
    with pytest.raises(ValueError, match="inputs must be .*'in_batch'"):
        loss(**dict.fromkeys(given, torch.zeros(2, 2)))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"log_q": 1}, "log_q must be one of 'none', 'standard', 'corrected', got 1"),
        ({"log_q": None}, "log_q must be one of 'none', 'standard', 'corrected', got None"),
        (
            {"log_q": "corrected", "positive_in_denominator": False},
            "log_q 'corrected' needs positive_in_denominator True, got False",
        ),
        ({"positive_in_denominator": None}, "positive_in_denominator must be True or False"),
        ({"mask_positives": "no"}, "mask_positives must be True or False, got 'no'"),
    ],
)
def test_bad_options_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        InfoNCELoss(**{**FULL, **change})


@pytest.mark.parametrize(
    ("scores", "negative", "log_q", "message"),
    [
        ((2, 3), (2, 3), (2,), r"scores must be \(B, B\), got \(2, 3\)"),
        ((3,), (3,), (3,), r"scores must be \(B, B\), got \(3,\)"),
        ((3, 3), (3, 1), (3,), r"negative must have the shape of scores, \(3, 3\), got \(3, 1\)"),
        ((3, 3), (3, 3), (3, 1), r"log_q must have the shape of .*\(3,\), got \(3, 1\)"),
    ],
)
def test_bad_shapes_are_refused_and_never_broadcast(scores, negative, log_q, message):
    tensors = torch.zeros(scores), torch.zeros(negative).bool(), torch.zeros(log_q)
    with pytest.raises(ValueError, match=message):
        info_nce_loss(*tensors, tau=0.1, positive_in_denominator=True)


def test_a_mask_that_is_not_bool_is_refused():
    with pytest.raises(ValueError, match="negative must be bool, got torch.float32"):
        info_nce_loss(
            torch.zeros(2, 2), torch.ones(2, 2), None, tau=0.1, positive_in_denominator=True
        )
