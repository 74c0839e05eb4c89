"""What every registered loss must do, whatever its formula."""

import subprocess
import sys

import pytest
import torch

from recbole_dsl import settings
from recbole_dsl.registry import LOSSES


def _options(name):
    cls = LOSSES[name]
    values = settings.read_yaml(settings.properties_dir() / "loss" / f"{name}.yaml")
    accepted = cls.__init__.__kwdefaults__ or {}
    assert not accepted, "defaults of options live in the YAML alone"
    names = [n for n in cls.__init__.__code__.co_varnames if n != "self"]
    return {n: values[n] for n in names if n in values}


def _loss(name, **changes):
    return LOSSES[name](**{**_options(name), **changes})


def _inputs(loss, rows=4, negatives=6, dtype=torch.float64):
    made = {
        "pos": torch.rand(rows, dtype=dtype) * 2 - 1,
        "neg": torch.rand(rows, negatives, dtype=dtype) * 2 - 1,
        "item_similarity": torch.rand(rows, negatives, dtype=dtype) * 2 - 1,
    }
    return {name: made[name] for name in loss.inputs}


@pytest.fixture(params=LOSSES)
def name(request):
    return request.param


def test_adding_a_constant_to_all_scores_changes_nothing(name):
    loss = _loss(name)
    inputs = _inputs(loss)
    moved = dict(inputs, pos=inputs["pos"] + 0.3, neg=inputs["neg"] + 0.3)
    torch.testing.assert_close(loss(**inputs), loss(**moved))


def test_the_order_of_the_negatives_is_irrelevant(name):
    loss = _loss(name)
    inputs = _inputs(loss)
    order = torch.randperm(6)
    turned = {k: v[:, order] if v.dim() == 2 else v for k, v in inputs.items()}
    torch.testing.assert_close(loss(**inputs), loss(**turned))


def test_gradient_pulls_the_positive_up_and_pushes_the_negatives_down(name):
    loss = _loss(name)
    inputs = {k: v.requires_grad_() for k, v in _inputs(loss).items()}
    loss(**inputs).backward()
    assert bool((inputs["pos"].grad < 0).all())
    assert bool((inputs["neg"].grad > 0).all())


def test_gradcheck(name):
    # DSL stops the gradient of its scales, so its own check freezes them (test_dsl.py); with
    # alpha = gamma = 0 they do not depend on the scores and the plain check holds.
    loss = _loss(name, **({"alpha": 0.0, "gamma": 0.0} if name == "DSL" else {}))
    inputs = _inputs(loss)
    fixed = {k: v for k, v in inputs.items() if k not in ("pos", "neg")}
    scores = [inputs[k].requires_grad_() for k in ("pos", "neg")]
    assert torch.autograd.gradcheck(lambda p, n: loss(pos=p, neg=n, **fixed), scores)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_finite_at_extreme_scores_and_tiny_tau(name, dtype, sign):
    loss = _loss(name, tau=0.01)
    inputs = _inputs(loss, dtype=dtype)
    inputs["pos"] = torch.full_like(inputs["pos"], sign).requires_grad_()
    inputs["neg"] = torch.full_like(inputs["neg"], -sign).requires_grad_()
    value = loss(**inputs)
    value.backward()
    assert torch.isfinite(value)
    for key in ("pos", "neg"):
        assert bool(torch.isfinite(inputs[key].grad).all())


@pytest.mark.parametrize("tau", [0, -0.1, float("nan"), float("inf"), "0.1", True, None])
def test_bad_temperatures_are_refused(name, tau):
    with pytest.raises(ValueError, match="tau must be"):
        _loss(name, tau=tau)


@pytest.mark.parametrize(
    ("pos", "neg", "message"),
    [
        ((3,), (4, 5), r"pos must be \(B,\) and neg \(B, M\) .* got \(3,\) and \(4, 5\)"),
        ((4, 1), (4, 5), r"got \(4, 1\) and \(4, 5\)"),
        ((4,), (4,), r"got \(4,\) and \(4,\)"),
        ((4,), (4, 0), "M >= 1"),
    ],
)
def test_bad_shapes_are_refused_and_never_broadcast(name, pos, neg, message):
    loss = _loss(name)
    made = {"pos": torch.zeros(pos), "neg": torch.zeros(neg), "item_similarity": torch.zeros(neg)}
    with pytest.raises(ValueError, match=message):
        loss(**{key: made[key] for key in loss.inputs})


def test_mixed_dtypes_are_refused(name):
    loss = _loss(name)
    inputs = _inputs(loss)
    inputs["pos"] = inputs["pos"].float()
    with pytest.raises(ValueError, match="must share dtype and device, got torch.float32"):
        loss(**inputs)


def test_says_its_paper_and_its_options(name):
    loss = _loss(name)
    assert loss.paper
    assert all(f"{key}={value}" in repr(loss) for key, value in _options(name).items())


@pytest.mark.parametrize("room", ["losses", "backbones", "sampling", "registry", "settings"])
def test_pure_rooms_import_without_recbole(room):
    code = f"import sys, recbole_dsl.{room}; assert 'recbole' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
