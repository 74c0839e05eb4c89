"""What every registered loss must do, whatever its formula."""

import inspect

import pytest
import torch
from loss_cases import at_extremes, default_options
from torch.nn.functional import normalize

from recbole_dsl.data.sampling.user_items import UserPositives
from recbole_dsl.losses import TrainingRows
from recbole_dsl.models.batch_inputs import BatchInputs
from recbole_dsl.models.registry import LOSSES

U, N_ITEMS, D = 7, 40, 5
DATA = TrainingRows(
    torch.arange(1, U).repeat_interleave(5),
    torch.arange(30).remainder(N_ITEMS - 11) + 1,
    U,
    N_ITEMS,
)
USERS, ITEMS = torch.tensor([1, 2, 3, 5]), torch.tensor([2, 7, 12, 24])
# Items from 30 on are nobody's positive.
NEGATIVES = torch.tensor([[31, 33, 30, 38], [36, 37, 35, 39], [38, 30, 31, 34], [34, 32, 36, 30]])

# Losses of score differences alone; the others' equations have an origin.
SHIFT_INVARIANT = {"DSL", "SL", "BSL", "PSL", "AdvInfoNCE", "BPR", "InfoNCE"}
SHIFT_INVARIANT |= {"SLatK", "Talos"}  # of differences to the user's quantile, a score too
# Losses in which a positive or a negative may have no gradient: below a margin, or not selected.
SELECTIVE = {"CCL", "MMCL", "LLPAUC"}
# Options in place of the defaults, whose margins hardly any of the scores below exceeds.
OPTIONS = {
    "CCL": {"margin": -0.2},
    "MMCL": {"margins": [0.3, -0.2, 0.6], "weights": [2.0, 0.5, 4.0]},
}
# Losses that stop the gradient of a scale computed from the scores; their own tests freeze it.
FROZEN = {"DSL": {"alpha": 0.0, "beta": 0.0, "gamma": 0.0}}


def _loss(name, **changes):
    torch.manual_seed(0)
    loss = LOSSES[name](**{**default_options(name), **OPTIONS.get(name, {}), **changes})
    loss.prepare(DATA)
    return loss


def _inputs(loss, tables, negatives=NEGATIVES):
    offered = BatchInputs(
        loss.inputs,
        USERS,
        ITEMS,
        tables,
        cosine=False,  # the tables are of unit length
        draw=lambda: negatives,
        in_batch_positive=lambda: UserPositives(*DATA).among(USERS, ITEMS),
    )
    return offered.select()


def _tables(dtype=torch.float64):
    made = (torch.randn(U, D, dtype=dtype), torch.randn(N_ITEMS, D, dtype=dtype))
    return tuple(normalize(table, dim=1).requires_grad_() for table in made)


def _value(name, loss, tables, negatives=NEGATIVES):
    torch.manual_seed(1)  # for losses that draw at random
    return loss(**_inputs(loss, tables, negatives))


@pytest.fixture(params=LOSSES)
def name(request):
    return request.param


@pytest.fixture(params=[n for n, c in LOSSES.items() if {"pos", "neg"} <= set(c.inputs)])
def scored(request):
    """A loss that is a function of the positives' and the negatives' scores."""
    return request.param


def test_is_a_scalar_and_a_step_down_its_gradient_lowers_it(name):
    loss, tables = _loss(name), _tables()
    value = _value(name, loss, tables)
    assert value.shape == ()
    grads = torch.autograd.grad(value, tables)
    moved = tuple(t - 1e-3 * g for t, g in zip(tables, grads, strict=True))
    loss.eval()
    assert _value(name, loss, moved) < _value(name, loss, tables)


def test_defaults_are_those_of_the_property_file(name):
    parameters = inspect.signature(LOSSES[name]).parameters
    assert all(p.kind is inspect.Parameter.KEYWORD_ONLY for p in parameters.values())
    defaults = {key: p.default for key, p in parameters.items()}
    listed = {key: list(v) if isinstance(v, tuple) else v for key, v in defaults.items()}
    assert listed == default_options(name)
    assert LOSSES[name]().options == LOSSES[name](**default_options(name)).options


def test_gradcheck(name):
    loss = _loss(name, **FROZEN.get(name, {})).eval()
    tables = _tables()
    assert torch.autograd.gradcheck(lambda *t: _value(name, loss, t), tables, fast_mode=True)


@at_extremes
def test_finite_and_in_float32_at_extreme_scores_and_tiny_tau(name, dtype, sign):
    taus = {"tau", "tau_pos", "tau_neg"} & set(default_options(name))
    loss = _loss(name, **dict.fromkeys(taus, 0.01))
    user, item = torch.zeros(U, D, dtype=dtype), torch.zeros(N_ITEMS, D, dtype=dtype)
    user[:, 0], item[:, 0] = 1.0, -sign
    item[ITEMS, 0] = sign
    tables = (user.requires_grad_(), item.requires_grad_())
    value = _value(name, loss, tables)
    value.backward()
    assert torch.isfinite(value) and value.dtype == torch.float32
    for table in tables:
        assert table.grad is None or bool(torch.isfinite(table.grad).all())


@pytest.mark.parametrize("name", sorted(SHIFT_INVARIANT))
def test_adding_a_constant_to_all_scores_changes_nothing(name):
    loss, tables = _loss(name).eval(), tuple(t.detach() for t in _tables())
    inputs = _inputs(loss, tables)
    shifted = {
        key: value + 0.3 if key in ("pos", "neg", "in_batch") else value
        for key, value in inputs.items()
    }
    before = loss(**inputs)
    if name in ("SLatK", "Talos"):
        loss.quantiles.value += 0.3
    torch.testing.assert_close(before, loss(**shifted))


def test_the_order_of_the_negatives_is_irrelevant(scored):
    loss, tables = _loss(scored).eval(), _tables()
    turned = NEGATIVES[:, torch.tensor([2, 0, 3, 1])]
    torch.testing.assert_close(_value(scored, loss, tables), _value(scored, loss, tables, turned))


def test_gradient_pulls_the_positive_up_and_pushes_the_negatives_down(scored):
    loss = _loss(scored)
    inputs = {key: value.detach() for key, value in _inputs(loss, _tables()).items()}
    for key in ("pos", "neg"):
        inputs[key].requires_grad_()
    loss(**inputs).backward()
    pull, push = -inputs["pos"].grad, inputs["neg"].grad
    if scored in SELECTIVE:
        assert bool((pull >= 0).all()) and bool((pull > 0).any())
        assert bool((push >= 0).all()) and bool((push > 0).any())
    else:
        assert bool((pull > 0).all()) and bool((push > 0).all())


def test_a_better_positive_and_worse_negatives_lower_the_loss(scored):
    loss = _loss(scored).eval()
    inputs = _inputs(loss, tuple(table.detach() for table in _tables()))

    def value(pos, neg):
        scores = {"pos": torch.full((4,), pos), "neg": torch.full((4, 4), neg)}
        return loss(**{**inputs, **scores})

    assert value(0.5, 0.4) < value(0.1, 0.4)
    assert value(0.1, 0.3) < value(0.1, 0.4)


def test_bad_temperatures_are_refused(name):
    for option in default_options(name):
        if option == "tau" or option.startswith("tau_"):
            for bad in (0, -0.1, float("nan"), float("inf"), "0.1", True, None):
                if bad is None and default_options(name)[option] is None:
                    continue  # the loss sets it
                wanted = "> 0" if bad in (0, -0.1) else "a finite number"
                with pytest.raises(ValueError, match=f"{option} must be {wanted}, got {bad!r}"):
                    _loss(name, **{option: bad})


@pytest.mark.parametrize(
    ("pos", "neg", "message"),
    [
        ((3,), (4, 5), r"pos must be \(B,\) and neg \(B, M\) .* got \(3,\) and \(4, 5\)"),
        ((4, 1), (4, 5), r"got \(4, 1\) and \(4, 5\)"),
        ((4,), (4,), r"got \(4,\) and \(4,\)"),
        ((4,), (4, 0), "M >= 1"),
    ],
)
def test_bad_shapes_are_refused_and_never_broadcast(scored, pos, neg, message):
    loss = _loss(scored)
    inputs = _inputs(loss, _tables())
    made = {"pos": torch.zeros(pos), "neg": torch.zeros(neg), "item_similarity": torch.zeros(neg)}
    with pytest.raises(ValueError, match=message):
        loss(**{key: made.get(key, value) for key, value in inputs.items()})


def test_mixed_dtypes_are_refused(scored):
    loss = _loss(scored)
    inputs = _inputs(loss, _tables())
    inputs["pos"] = inputs["pos"].float()
    with pytest.raises(ValueError, match="must share dtype and device, got torch.float32"):
        loss(**inputs)


def test_says_its_paper_and_its_options(name):
    options = default_options(name)
    loss = LOSSES[name](**options)
    assert loss.paper
    assert all(f"{key}={value}" in repr(loss) for key, value in options.items())


def test_losses_that_ignore_minus_infinity_are_the_plain_log_sum_exps():
    names = {name for name, cls in LOSSES.items() if cls.ignores_minus_inf}
    assert names == {"SL", "BSL", "PSL", "DSL", "SLatK", "Talos"}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", [n for n, c in LOSSES.items() if c.ignores_minus_inf])
def test_a_score_of_minus_infinity_has_the_gradients_of_a_negative_that_is_not_there(name, dtype):
    options = {"slate_size": 2} if name == "DSL" else {}  # no more than are left
    loss = _loss(name, **options).eval()
    inputs = {k: v.detach() for k, v in _inputs(loss, _tables(dtype)).items()}
    kept = torch.tensor([[0, 1], [1, 3], [0, 2], [2, 3]])
    some = {k: v.gather(1, kept) if v.shape == (4, 4) else v for k, v in inputs.items()}
    left_out = torch.ones(4, 4, dtype=torch.bool).scatter_(1, kept, False)
    inputs["neg"] = inputs["neg"].masked_fill(left_out, -torch.inf)
    grads = []
    for given in (inputs, some):
        given["pos"], given["neg"] = given["pos"].clone(), given["neg"].clone()
        scores = [given[key].requires_grad_() for key in ("pos", "neg")]
        value = loss(**given)
        assert torch.isfinite(value)
        grads.append(torch.autograd.grad(value, scores))
    (pos, neg), (expected_pos, expected_neg) = grads
    assert not bool(neg[left_out].any())
    torch.testing.assert_close(pos, expected_pos)
    torch.testing.assert_close(neg.gather(1, kept), expected_neg)
