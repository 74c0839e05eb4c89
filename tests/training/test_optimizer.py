import pytest
import torch

from recbole_dsl.training.optimizer import fused


@pytest.mark.parametrize("kind", ["Adam", "AdamW", "SGD", "Adagrad"])
def test_the_fused_form_takes_the_same_steps(kind):
    start = torch.randn(40, 8)
    plain, ours = (torch.nn.Parameter(start.clone()) for _ in range(2))
    options = dict(lr=0.01, weight_decay=0.1)
    steps = [getattr(torch.optim, kind)([parameter], **options) for parameter in (plain, ours)]
    steps[1] = fused(steps[1])
    assert steps[1].param_groups[0]["fused"] and not steps[0].param_groups[0]["fused"]
    for _ in range(20):
        plain.grad = torch.randn(40, 8)
        ours.grad = plain.grad.clone()
        for step in steps:
            step.step()
    assert float((plain.detach() - start).abs().max()) > 0.05
    torch.testing.assert_close(ours, plain, rtol=0, atol=1e-6)


def test_an_optimizer_without_a_fused_form_is_left_alone():
    for kind in (torch.optim.SparseAdam, torch.optim.RMSprop):
        given = kind([torch.nn.Parameter(torch.zeros(2, 2))], lr=0.1)
        assert fused(given) is given
