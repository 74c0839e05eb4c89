"""A training step off the CPU: on one device, and without a wait for it, for every pair.

Most needs no GPU: torch's meta device takes every branch that is not the CPU's, knows shapes but no
values, refuses to mix with CPU tensors, and fails wherever Python would read a value or the shape
of a result would depend on values, the two things for which a step on a GPU would wait.
"""

import functools
from contextlib import contextmanager, nullcontext

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

import recbole_dsl
from recbole_dsl.backbones import graph
from recbole_dsl.config.run_config import Config
from recbole_dsl.data.pipeline import load_dataset, split_dataset
from recbole_dsl.data.sampling.negative_sampler import NegativeSampler
from recbole_dsl.losses import SoftmaxLoss
from recbole_dsl.models.registry import LOSSES, pair_names

GPU = "cuda"
SMALL = {"state": "ERROR", "embedding_size": 8, "train_batch_size": 64}


class NoHiddenWait(TorchDispatchMode):
    """Fails where the meta device lets pass what a GPU waits for: masks as indices, and copies."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        leaves = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, torch.Tensor)]
        name = func.overloadpacket._qualified_op_name.removeprefix("aten::")
        if name.startswith("index"):
            indices = [leaf for leaf in tree_leaves(args[1]) if isinstance(leaf, torch.Tensor)]
            assert not any(index.dtype == torch.bool for index in indices), f"{name}: a mask"
        out = func(*args, **(kwargs or {}))
        made = [leaf for leaf in tree_leaves(out) if isinstance(leaf, torch.Tensor)]
        assert len({leaf.device.type for leaf in leaves + made}) < 2, f"{name} between devices"
        return out


@pytest.fixture(scope="module")
def training_rows():
    config = Config("MF_SL", "ml-100k", config_dict=SMALL)
    return split_dataset(config, load_dataset(config)).train


def _product(matrix, dense):
    """torch has no CSR product on the meta device; this is its shape."""
    assert matrix.device == dense.device and matrix.shape[1] == len(dense)
    return dense.new_empty(matrix.shape[0], dense.shape[1])


class OnMeta:
    """The meta device, with stand-ins for what it lacks."""

    def __init__(self, monkeypatch):
        monkeypatch.setattr(graph, "_multiply", _product)
        # No generator, and no autocast: these tests are in float32.
        monkeypatch.setattr(NegativeSampler, "generator", None)
        monkeypatch.setattr(torch, "autocast", lambda *args, **options: nullcontext())
        self.device, self.no_wait = "meta", NoHiddenWait


class OnGPU:
    """A GPU, whose driver says where it is waited for."""

    def __init__(self, monkeypatch):
        self.device = GPU

    @contextmanager
    def no_wait(self):
        torch.cuda.synchronize()
        torch.cuda.set_sync_debug_mode("error")
        try:
            yield
        finally:
            torch.cuda.set_sync_debug_mode("default")


def _step(place, training_rows, pair, **settings):
    """Loss and gradients of one batch off the CPU."""
    if pair.endswith("_BC"):
        settings["bias_epochs"] = 1
    config = Config(pair, "ml-100k", config_dict={**SMALL, **settings})
    model = config.model_class(config, training_rows._dataset)
    model.begin_epoch(0, training_rows)  # between epochs a loss may wait
    model.to(place.device).train()
    batch = next(iter(training_rows)).to(place.device)
    model.calculate_loss(batch)  # a generator and the libraries' handles are made once
    with place.no_wait():
        loss = model.calculate_loss(batch)
        loss.backward()
    for parameter in model.parameters():
        assert parameter.grad is None or parameter.grad.device.type == place.device
    assert loss.device.type == place.device and loss.shape == ()


@pytest.fixture(params=[OnMeta, pytest.param(OnGPU, marks=pytest.mark.gpu)])
def step_elsewhere(request, training_rows, monkeypatch):
    """(pair, settings) -> one step of the pair, on each of the places."""
    return functools.partial(_step, request.param(monkeypatch), training_rows)


NEGATIVES = [{"sample_num": 20}, {"sample_num": 20, "block": 16}, {"sample_num": "all"}]
# Not slow: a few, MF_DSL with each kind of negatives.
STEPS = [
    pytest.param(
        pair,
        negatives,
        marks=[] if pair in few else pytest.mark.slow,
        id=f"{pair}-{'-'.join(map(str, negatives.values()))}",
    )
    for negatives, few in zip(
        NEGATIVES,
        (["MF_DSL", "LightGCN_DSL"], ["MF_DSL"], ["MF_DSL"]),
        strict=True,
    )
    for pair in pair_names()
]


@pytest.mark.parametrize(("pair", "negatives"), STEPS)
def test_a_step_does_not_wait(pair, negatives, step_elsewhere):
    step_elsewhere(pair, train_neg_sample_args=negatives)


@pytest.mark.parametrize(
    ("pair", "settings"),
    [
        ("MF_BSL", {"form": "user"}),
        ("MF_InfoNCE", {"log_q": "corrected"}),
        ("MF_DSL", {"alpha": 1.0, "score": "dot"}),
        *(
            ("MF_DSL", {"beta": -1.0, "similarity": similarity, "train_neg_sample_args": negatives})
            for similarity in ("embeddings", "co_occurrence")
            for negatives in NEGATIVES
        ),
        ("MF_SL", {"train_neg_sample_args": {"distribution": "popularity", "sample_num": 20}}),
        ("MF_SL", {"train_noise": {"false_negative": 0.5}}),
        ("MF_SL", {"reg_weight": 1e-4, "positive_in_denominator": True}),
        ("MF_SL", {"learner": "sparse_adam", "train_neg_sample_args": {"block": 16}}),
        ("NGCF_SL", {"node_dropout": 0.1, "message_dropout": 0.1}),
    ],
)
def test_nor_does_one_with_other_settings(pair, settings, step_elsewhere):
    step_elsewhere(pair, **settings)


def _reads(self, pos, neg):
    return pos.mean() if pos.mean() > 0 else neg.mean()


def _makes_a_shape_of_values(self, pos, neg):
    return torch.masked_select(neg, neg > 0).mean()


def _indexes_by_a_mask(self, pos, neg):
    neg = neg.clone()
    neg[neg > 0] = 0.0
    return neg.mean()


def _copies(self, pos, neg):
    return (pos * torch.ones(len(pos)).to(pos.device)).mean()


@pytest.mark.parametrize(
    ("forward", "error", "message"),
    [
        (_reads, RuntimeError, "cannot be called on meta tensors"),
        (_makes_a_shape_of_values, NotImplementedError, "masked_select"),
        (_indexes_by_a_mask, AssertionError, "a mask"),
        (_copies, AssertionError, "between devices"),
    ],
)
def test_a_wait_would_be_noticed(forward, error, message, training_rows, monkeypatch):
    monkeypatch.setattr(SoftmaxLoss, "forward", forward)
    with pytest.raises(error, match=message):
        _step(OnMeta(monkeypatch), training_rows, "MF_SL")


def _loss_and_gradients(model, batch):
    model.zero_grad()
    loss = model.calculate_loss(batch)
    loss.backward()
    return [loss.detach().cpu()] + [p.grad.cpu() for p in model.parameters() if p.grad is not None]


# Without noise, dropout or the random buckets of SCE, all of which are drawn on the device.
STILL = [
    f"{backbone}_{loss}"
    for backbone in ("MF", "LightGCN", "LightGCN++")
    for loss in LOSSES
    if loss != "SCE"
]


@pytest.mark.gpu
@pytest.mark.parametrize("pair", STILL)
def test_a_gpu_finds_the_cpus_loss_and_gradients(pair, training_rows, monkeypatch):
    kappa = {"beta": -1.0} if pair.endswith("_DSL") else {}
    config = Config(pair, "ml-100k", config_dict={**SMALL, **kappa})
    model = config.model_class(config, training_rows._dataset)
    model.begin_epoch(0, training_rows)
    batch = next(iter(training_rows))
    drawn = model.sampler(batch[model.USER_ID], 20)
    monkeypatch.setattr(model, "draw_negatives", lambda users, leave_out: drawn.to(users.device))
    here = _loss_and_gradients(model, batch)
    there = _loss_and_gradients(model.to(GPU), batch.to(GPU))
    for mine, its in zip(here, there, strict=True):
        torch.testing.assert_close(its, mine, rtol=1e-3, atol=1e-5)


@pytest.mark.gpu
@pytest.mark.parametrize("amp", [False, True])
@pytest.mark.parametrize("pair", ["MF_DSL", "LightGCN_DSL", "XSimGCL_SL"])
def test_a_gpu_learns_what_a_cpu_can_load(pair, amp):
    settings = {"epochs": 3, "state": "ERROR", "show_progress": False, "enable_amp": amp}
    result = recbole_dsl.run(pair, "ml-100k", config_dict={**settings, "device": GPU})
    assert result["valid"]["ndcg@10"] > 0.1
    path = result["checkpoint"]
    here, there = (recbole_dsl.load(path, device).model.embed() for device in ("cpu", GPU))
    for mine, its in zip(here, there, strict=True):
        torch.testing.assert_close(its.cpu(), mine, rtol=1e-3, atol=1e-4)


@pytest.mark.gpu
@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="needs two GPUs")
def test_two_gpus_learn_together():
    settings = {"epochs": 3, "state": "ERROR", "nproc": 2, "gpu_id": "0,1"}
    result = recbole_dsl.run("LightGCN_DSL", "ml-100k", config_dict=settings)
    assert result["valid"]["ndcg@10"] > 0.1
