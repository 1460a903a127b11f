"""What a user's `forward` may do with its layers, and the reasons that are given where there are no loops."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from gymnasium import spaces
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
from torch import nn

from ludus.agents.compiled.build import build, inputs_of
from ludus.agents.compiled.kernel import ThreadPool
from ludus.agents.compiled.trace import NotCompiled
from tests.agents.compiled.networks import compare, compiled, planes_space, samples_of

SPACE = planes_space(5, 6, 3)


class Own(BaseFeaturesExtractor):
    """Layers for planes, and a forward that is given."""

    def __init__(self, forward):
        super().__init__(SPACE, 4)
        self.conv, self.first, self.second = nn.Conv2d(3, 4, 3), nn.Linear(48, 8), nn.Linear(8, 4)
        self.norm, self.scale, self.body, self.stored = nn.LayerNorm(8), 2.0, forward, None

    def forward(self, x):
        return self.body(self, x)


def functional(self, x):
    x = torch.relu(self.conv(x.permute(0, 3, 1, 2)))
    return self.second(F.silu(self.norm(self.first(torch.flatten(x, 1)))))


def reshaped(self, x):
    x = self.conv(x.float().movedim(-1, 1).contiguous()).relu()
    return self.second(torch.tanh(self.norm(self.first(x.reshape(x.shape[0], -1)))))


def turned(self, x):
    """Rows and columns swapped before the convolution, channels last when flattened."""
    x = F.relu(self.conv(x.permute(0, 3, 2, 1)), inplace=True)
    return self.second(self.norm(self.first(x.transpose(1, 3).flatten(1))).tanh())


@pytest.mark.parametrize("forward", [functional, reshaped, turned])
def test_a_chain_compiles_however_it_is_written(forward):
    torch.manual_seed(0)
    module = Own(forward)
    compare(module, *compiled(module, SPACE, ThreadPool(1)), samples_of(SPACE, 37, 0))


def ahead(self, x):
    return self.first(self.conv(x.permute(0, 3, 1, 2)).relu().flatten(1))


def stores(self, x):
    self.stored = ahead(self, x)
    return self.second(self.norm(self.stored))


def differs(self, x):
    x = self.norm(ahead(self, x))
    return self.second(x.relu() if self.training else x.tanh())


def forgets_what_it_changed(self, x):
    x = self.norm(ahead(self, x))
    F.relu(x, inplace=True)
    return self.second(x)


def computed(self, x):
    return F.linear(self.norm(ahead(self, x)), 2 * self.second.weight, self.second.bias)


def mixed(self, x):
    return self.second(self.norm(ahead(self, x.transpose(0, 1).reshape(2, 5, 6, 3))))


def permuted(self, x):
    return self.second(self.norm(ahead(self, x).view(-1, 2, 4).transpose(1, 2).flatten(1)))


def frozen_inside(self, x):
    with torch.no_grad():
        x = ahead(self, x)
    return self.second(self.norm(x))


def frozen_by_a_switch(self, x):
    torch.set_grad_enabled(False)
    x = self.norm(ahead(self, x))
    torch.set_grad_enabled(True)
    return self.second(x)


def half(self, x):
    with torch.autocast("cpu", torch.bfloat16):
        x = ahead(self, x)
    return self.second(self.norm(x.float()))


def changed_through_a_view(self, x):
    x = self.norm(ahead(self, x))
    torch.relu_(x.view(-1, 2, 4))
    return self.second(x)


def fails(self, x):
    raise KeyError("x")


REFUSED = {
    "custom features extractor (mul)": lambda self, x: self.second(self.norm(ahead(self, x)) * self.scale),
    "custom features extractor (rsub)": lambda self, x: self.second(self.norm(1 - ahead(self, x))),
    "custom features extractor (mean)": lambda self, x: self.second(self.norm(ahead(self, x - x.mean()))),
    "custom features extractor (add)": lambda self, x: self.second(self.norm(ahead(self, x)) + self.norm(ahead(self, x))),
    "custom features extractor (gelu)": lambda self, x: self.second(F.gelu(self.norm(ahead(self, x)))),
    "custom features extractor (dropout)": lambda self, x: self.second(F.dropout(self.norm(ahead(self, x)))),
    "custom features extractor (KeyError)": fails,
    "custom features extractor (linear)": forgets_what_it_changed,
    "custom features extractor (linea": changed_through_a_view,
    "a forward without gradients": frozen_inside,
    "a forward without": frozen_by_a_switch,
    "a forward without gradients, or in another precision": half,
    "custom features extractor": lambda self, x: self.second(self.norm(ahead(self, x))).numpy(),
    "a forward that stores what it computes": stores,
    "a network that differs between training and evaluation": differs,
    "a layer whose weights are computed": computed,
    "a layer without a bias": lambda self, x: F.linear(self.norm(ahead(self, x)), self.second.weight),
    "a layer that is used twice": lambda self, x: self.second(self.norm(self.norm(ahead(self, x)))),
    "weights of which forward makes no use": lambda self, x: self.second(ahead(self, x)),
    "operations across the batch": mixed,
    "a fully connected layer over several axes": lambda self, x: self.first(x.permute(0, 3, 1, 2).reshape(-1, 1, 90)),
    "a normalisation over permuted numbers": permuted,
}  # fmt: skip


@pytest.mark.parametrize("reason", [*REFUSED])
def test_what_is_no_chain_is_refused_with_the_reason_and_left_as_it_was(reason):
    module = Own(REFUSED[reason]).train()
    module.norm.eval()
    with pytest.raises(NotCompiled) as raised:
        build(module, SPACE, module)
    assert str(raised.value).startswith(reason)
    assert module.training and not module.norm.training and module.stored is None


def chain(*layers):
    return nn.Sequential(*layers)


def after(network, change):
    change(network)
    return network


MODULES = {
    "GELU": chain(nn.Flatten(), nn.Linear(90, 4), nn.GELU(), nn.Linear(4, 2)),
    "MaxPool2d": chain(nn.MaxPool2d(2), nn.Flatten(), nn.Linear(12, 2)),
    "a hook on a layer": after(
        chain(nn.Flatten(), nn.Linear(90, 4)), lambda network: network[1].register_forward_hook(lambda *_: None)
    ),
    "frozen parameters": after(chain(nn.Flatten(), nn.Linear(90, 4)), lambda network: network[1].bias.requires_grad_(False)),
    "a hook on a parameter": after(
        chain(nn.Flatten(), nn.Linear(90, 4)), lambda network: network[1].weight.register_hook(lambda grad: 0 * grad)
    ),
    "float64 parameters": chain(nn.Flatten(), nn.Linear(90, 4)).double(),
    "a layer without a bias": chain(nn.Flatten(), nn.Linear(90, 4, bias=False)),
    "a layer without weights": chain(nn.Flatten(), nn.Linear(90, 4), nn.LayerNorm(4, elementwise_affine=False)),
    "observations that go through": chain(nn.Flatten(), nn.Tanh(), nn.Linear(90, 4)),
    "a convolution with dilation": chain(nn.Conv2d(5, 4, 2, dilation=2), nn.Flatten(), nn.Linear(16, 4)),
    "a first convolution with a stride": chain(nn.Conv2d(5, 4, 2, stride=2), nn.Flatten(), nn.Linear(12, 4)),
    "a wide convolution after another": chain(
        nn.Conv2d(5, 32, 2), nn.ReLU(), nn.Conv2d(32, 64, 2), nn.Flatten(), nn.Linear(256, 4)
    ),
    "a normalisation over several axes": chain(nn.Conv2d(5, 4, 3), nn.LayerNorm([4, 4, 1]), nn.Flatten(), nn.Linear(16, 4)),
}  # fmt: skip


@pytest.mark.parametrize("reason", [*MODULES])
def test_layers_that_there_are_no_loops_for_are_named(reason):
    with pytest.raises(NotCompiled, match=reason):
        build(MODULES[reason], SPACE, MODULES[reason])


MISFITS = {
    "a layer of another size": chain(nn.Flatten(), nn.Linear(40, 4)),
    "the second one": chain(nn.Flatten(), nn.Linear(90, 6), nn.ReLU(), nn.Linear(5, 4)),
    "planes taken for channels": chain(nn.Conv2d(3, 4, 2), nn.Flatten(), nn.Linear(40, 4)),
    "one channel for all": chain(nn.Conv2d(1, 4, 2), nn.Flatten(), nn.Linear(40, 4)),
    "half of the channels": chain(nn.Conv2d(5, 16, 2), nn.ReLU(), nn.Conv2d(8, 4, 2), nn.Flatten(), nn.Linear(16, 4)),
    "a layer after a smaller image": chain(nn.Conv2d(5, 8, 2), nn.ReLU(), nn.Flatten(), nn.Linear(90, 4)),
    "a convolution larger than the board": chain(nn.Conv2d(5, 4, 7), nn.Flatten(), nn.Linear(40, 4)),
    "a convolution larger than the image": chain(nn.Conv2d(5, 4, 2), nn.Conv2d(4, 4, 6), nn.Flatten(), nn.Linear(4, 4)),
    "a normalisation of another size": chain(nn.Flatten(), nn.Linear(90, 4), nn.LayerNorm(8), nn.Linear(4, 4)),
}  # fmt: skip


@pytest.mark.parametrize("name", [*MISFITS])
def test_layers_that_do_not_fit_are_left_to_pytorch_which_refuses_them(name):
    network = MISFITS[name]
    with pytest.raises(RuntimeError):
        network(torch.zeros(2, *SPACE.shape))
    with pytest.raises(NotCompiled, match=r"does not fit what it reads|larger than what it reads"):
        build(network, SPACE, network)


class Parted(nn.Module):
    """An actor and a critic with layers of their own before one that they share, or whose weights they share."""

    def __init__(self, tied):
        super().__init__()
        self.actor, self.critic, self.left, self.right = (
            nn.Linear(90, 4),
            nn.Linear(90, 4),
            nn.Linear(4, 4),
            nn.Linear(4, 4),
        )
        if tied:
            self.right.weight, self.right.bias = self.left.weight, self.left.bias
        else:
            self.right = self.left

    def forward(self, x):
        x = x.flatten(1)
        return self.left(self.actor(x).relu()), self.right(self.critic(x).relu())


@pytest.mark.parametrize("tied", [False, True])
def test_what_actor_and_critic_share_after_they_part_is_refused(tied):
    network = Parted(tied)
    with pytest.raises(NotCompiled, match=r"a layer that is used twice|a layer of a class"):
        build(network, SPACE, network)


@pytest.mark.parametrize(
    ("space", "reason"),
    [
        (spaces.Discrete(3), "observations in a Discrete space"),
        (spaces.Box(0, 255, (3, 36, 36), np.uint8), "image observations"),
        (spaces.Box(0, 9, (3,), np.int32), "observations of int32"),
    ],
)
def test_observations_that_there_are_no_loops_for_are_named(space, reason):
    with pytest.raises(NotCompiled, match=reason):
        inputs_of(space)


def test_convolutions_over_real_numbers_are_refused():
    network = chain(nn.Conv2d(5, 4, 3), nn.Flatten(), nn.Linear(16, 4))
    with pytest.raises(NotCompiled, match="a convolution over real numbers"):
        build(network, spaces.Box(-1, 1, SPACE.shape, np.float32), network)
