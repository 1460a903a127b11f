"""Muon: its updates are orthogonal, it learns, and a saved one goes on as if nothing had happened."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from ludus.agents.nn.muon import Muon, orthogonalized


def network(seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(8, 32), nn.Tanh(), nn.Linear(32, 32), nn.Tanh(), nn.Linear(32, 1))


def regression(seed=1):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(256, 8, generator=generator)
    return x, (x[:, :4] * x[:, 4:]).sum(1, keepdim=True)


def descend(net, optimizer, steps):
    """The loss before each step."""
    x, y = regression()
    losses = []
    for _ in range(steps):
        loss = F.mse_loss(net(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


@pytest.mark.parametrize("shape", [(32, 32), (16, 144), (128, 16), (1, 40)])
def test_singular_values_come_near_one(shape):
    matrix = torch.randn(shape, generator=torch.Generator().manual_seed(0)) * 1e-3
    result = orthogonalized(matrix)
    values = torch.linalg.svdvals(result)
    assert result.shape == shape
    assert values.min() > 0.5 and values.max() < 1.3
    left, _, right = torch.linalg.svd(matrix, full_matrices=False)
    assert F.cosine_similarity(result.flatten(), (left @ right).flatten(), dim=0) > 0.97


def test_a_gradient_of_zeros_moves_nothing():
    assert not orthogonalized(torch.zeros(4, 6)).any()


def test_which_parameters_are_hidden():
    net = nn.Sequential(nn.Conv2d(4, 16, 3), nn.Conv2d(16, 8, 3), nn.Linear(8, 8), nn.Linear(8, 3), nn.Linear(8, 1))
    hidden, other = Muon(net.named_parameters()).param_groups
    assert hidden["use_muon"] and hidden["param_names"] == ["1.weight", "2.weight"]
    assert not other["use_muon"] and other["param_names"] == [
        "0.weight", "0.bias", "1.bias", "2.bias", "3.weight", "3.bias", "4.weight", "4.bias"
    ]  # fmt: skip
    assert len(Muon(net.parameters(), heads=0).param_groups[0]["params"]) == 4
    assert not Muon(network()[0].parameters()).param_groups[0]["params"]


def test_first_step_of_each_kind():
    net = network()
    before = [p.detach().clone() for p in net.parameters()]
    descend(net, Muon(net.parameters(), lr=0.01, heads=1), 1)
    moves = [new.detach() - old for new, old in zip(net.parameters(), before, strict=True)]
    gradient = net[2].weight.grad
    assert torch.allclose(moves[2], -0.01 * 0.2 * 32**0.5 * orthogonalized(gradient), atol=1e-6)
    for move in (moves[0], moves[4], moves[5]):
        assert move.abs().max() == pytest.approx(0.01, rel=1e-2)  # Adam's first step is the gradient's sign


def test_adams_part_equals_adam():
    ours, theirs = network(), network()
    descend(ours, Muon([{"params": ours.parameters()}], lr=1e-2), 20)  # a group that does not say use_muon
    descend(theirs, torch.optim.Adam(theirs.parameters(), lr=1e-2, eps=1e-5), 20)
    for mine, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert torch.allclose(mine, other, atol=1e-6)


def test_kernels_of_convolutions_learn():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(2, 8, 3), nn.ReLU(), nn.Conv2d(8, 16, 3), nn.Flatten(), nn.Linear(16 * 4, 1))
    net = net.to(memory_format=torch.channels_last)
    optimizer = Muon(net.parameters(), lr=1e-2, heads=1)
    x = torch.randn(64, 2, 6, 6)
    y = x.square().mean((1, 2, 3)).unsqueeze(1)
    losses = []
    for _ in range(60):
        loss = F.mse_loss(net(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.1 * losses[0]


def test_learns_a_small_regression():
    net = network()
    losses = descend(net, Muon(net.parameters(), lr=1e-2, heads=1), 150)
    assert losses[-1] < 0.02 * losses[0]


@pytest.mark.parametrize("lr", [0.0, torch.tensor(0.0)])
def test_learning_rate_is_read_at_every_step(lr):
    net = network()
    optimizer = Muon(net.parameters(), lr=1e-2, heads=1)
    descend(net, optimizer, 3)
    before = [p.detach().clone() for p in net.parameters()]
    for group in optimizer.param_groups:
        group["lr"] = lr
    descend(net, optimizer, 3)
    assert all(torch.equal(new, old) for new, old in zip(net.parameters(), before, strict=True))
    for group in optimizer.param_groups:
        group["lr"] = lr + 1e-2
    descend(net, optimizer, 1)
    assert all(not torch.equal(new, old) for new, old in zip(net.parameters(), before, strict=True))


def test_state_dict_round_trip_goes_on_identically():
    net, other = network(), network()
    optimizer = Muon(net.parameters(), lr=1e-2, heads=1)
    descend(net, optimizer, 5)
    other.load_state_dict(net.state_dict())
    saved = optimizer.state_dict()
    assert all(isinstance(value, torch.Tensor) for entry in saved["state"].values() for value in entry.values())
    resumed = Muon(other.parameters(), lr=0.5, heads=1)
    resumed.load_state_dict(
        {**saved, "state": {i: {k: v.clone() for k, v in s.items()} for i, s in saved["state"].items()}}
    )
    assert descend(net, optimizer, 10) == descend(other, resumed, 10)
    assert all(torch.equal(mine, theirs) for mine, theirs in zip(net.parameters(), other.parameters(), strict=True))


def test_parameters_without_a_gradient_stay():
    net = network()
    optimizer = Muon(net.parameters(), heads=1)
    assert optimizer.step(lambda: 3.0) == 3.0
    assert not optimizer.state and all(
        torch.equal(a, b) for a, b in zip(net.parameters(), network().parameters(), strict=True)
    )
