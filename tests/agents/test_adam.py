"""Adam as loops against PyTorch's."""

import copy

import pytest
import torch

from ludus.agents.adam import adam_loops_of
from ludus.agents.muon import Muon


def weights_and(optimizer, *args, **kwargs):
    torch.manual_seed(0)
    weights = [torch.nn.Parameter(torch.randn(*shape)) for shape in ((3, 70), (5,), (1, 1), (64, 4))]
    return weights, optimizer(weights, *args, **kwargs)


@pytest.mark.parametrize("fused", [False, True])
@pytest.mark.parametrize("max_norm", [0.5, 1e9])
def test_steps_like_pytorchs(max_norm, fused):
    ours, optimizer = weights_and(torch.optim.Adam, 3e-3, betas=(0.8, 0.99), eps=1e-5, fused=fused)
    theirs, reference = copy.deepcopy((ours, optimizer))
    for step in range(20):
        gradients = [torch.randn_like(weight) * 10 ** (step % 3 - 1) for weight in ours]
        for group in (*optimizer.param_groups, *reference.param_groups):
            group["lr"] = 3e-3 * (1 - step / 20)
        loops = adam_loops_of(optimizer, ours)  # begun anew from the optimiser's state each time
        norm = loops.norm(gradients)
        loops.step(min(1.0, max_norm / (norm + 1e-6)))
        for weight, gradient in zip(theirs, gradients, strict=True):
            weight.grad = gradient.clone()
        expected = torch.nn.utils.clip_grad_norm_(theirs, max_norm)
        reference.step()
        assert norm == pytest.approx(float(expected), rel=1e-5)
    for mine, other in zip(ours, theirs, strict=True):
        assert torch.allclose(mine, other, atol=1e-6)
        for name, value in reference.state[other].items():
            assert torch.allclose(optimizer.state[mine][name], value, atol=1e-6), name


def test_notices_other_tensors():
    """What a loaded checkpoint brings."""
    weights, optimizer = weights_and(torch.optim.Adam, 1e-2)
    gradients = [torch.ones_like(weight) for weight in weights]
    loops = adam_loops_of(optimizer, weights)
    loops.norm(gradients)
    loops.step(1.0)
    optimizer.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    loops.norm(gradients)
    loops.step(1.0)
    assert {float(optimizer.state[weight]["step"]) for weight in weights} == {2.0}


@pytest.mark.parametrize(
    ("optimizer", "kwargs"),
    [(torch.optim.AdamW, {}), (torch.optim.SGD, {}), (Muon, {}), (torch.optim.Adam, {"amsgrad": True}),
     (torch.optim.Adam, {"weight_decay": 0.1})],
)  # fmt: skip
def test_only_for_adam_alone(optimizer, kwargs):
    weights, made = weights_and(optimizer, 1e-3, **kwargs)
    assert adam_loops_of(made, weights) is None
