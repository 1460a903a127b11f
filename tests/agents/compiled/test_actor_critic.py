"""The default policy as loops, against PyTorch's operations."""

import numpy as np
import pytest
import torch
from gymnasium import spaces
from hypothesis import given, settings
from hypothesis import strategies as st
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
from torch import nn

import ludus
from ludus.agents.compiled.actor_critic import Loss, compile_actor_critic
from ludus.agents.compiled.kernel import Kernel, ThreadPool
from ludus.agents.compiled.planes import shortcut_of
from ludus.agents.compiled.trace import NotCompiled
from ludus.agents.nn.actor_critic import (
    ActorCritic,
    ImpalaPolicy,
    MinAtarPolicy,
    MlpEncoderPolicy,
    MultiInputPolicy,
    forward_step,
)
from ludus.agents.nn.overridden import OverriddenHead
from ludus.agents.ppo.loss import PPO_LOSS, Settings
from ludus.agents.ppo.ppo import PPO
from ludus.agents.runtime.threads import WorkerThreads
from ludus.agents.training.network import CompiledPolicy, TorchNetwork, complete_policy

SHAPE = (3, 4, 2)


def policy_of(sizes, choices=3, kind=MlpEncoderPolicy, shape=SHAPE, space=None, actions=None, **kwargs):
    if issubclass(kind, MlpEncoderPolicy):
        kwargs = {"features_extractor_kwargs": {"sizes": sizes}, **kwargs}
    space, actions = space or spaces.Box(0, 2, shape, np.uint8), actions or spaces.Discrete(choices)
    policy = kind(space, actions, lambda _: 1e-3, **kwargs)
    if policy.use_sde:
        policy.head = OverriddenHead(actions)
    if policy.normalizer is not None:
        policy.normalizer.update(3 + 2 * torch.randn(50, *space.shape))
    policy.shortcut = shortcut_of(policy)
    return policy


NUMBERS = spaces.Box(-np.inf, np.inf, (5,), np.float32)


class Own(BaseFeaturesExtractor):
    """A features extractor of a user's."""

    def __init__(self, space):
        super().__init__(space, 12)
        height, width, channels = space.shape
        self.cnn = nn.Sequential(
            nn.Conv2d(channels, 8, 3),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(8 * (height - 2) * (width - 2), 12),
            nn.ReLU(),
        )

    def forward(self, x):
        return self.cnn(x.permute(0, 3, 1, 2))


def towers_of(*sizes):
    """Actor and critic of Stable-Baselines3's default policy, but for its tanh."""
    return {"kind": ActorCritic, "net_arch": {"pi": [*sizes], "vf": [*sizes]}, "activation_fn": nn.ReLU}


def convolution_of(channels, width, shape=(5, 6, 3)):
    kwargs = {"features_extractor_kwargs": {"channels": channels, "width": width}}
    return {"kind": MinAtarPolicy, "shape": shape, **kwargs}


POLICIES = {
    "one layer": {"sizes": (8,)},
    "two layers": {"sizes": (16, 16)},
    "odd sizes": {"sizes": (5, 7)},
    "three layers": {"sizes": (33, 8, 12)},
    "a tower of one layer": towers_of(9),
    "towers": towers_of(12, 16, 7),
    "convolution": convolution_of(16, 24),
    "an odd convolution": convolution_of(5, 7),
    "a convolution of one place": convolution_of(8, 8, (3, 3, 1)),
    "a layer after the encoder": {"sizes": (8,), "net_arch": [16]},
    "a layer after a convolution": {**convolution_of(8, 8), "net_arch": [16]},
    "MlpPolicy": {"kind": ActorCritic},
    "towers of different widths": {**towers_of(8), "net_arch": {"pi": [8], "vf": [16]}},
    "towers of different depths": {**towers_of(8), "net_arch": {"pi": [8], "vf": [16, 5]}},
    "towers of different depths over an encoder": {"sizes": (9,), "net_arch": {"pi": [], "vf": [16, 5]}},
    "tanh over real numbers": {"kind": ActorCritic, "space": NUMBERS, "net_arch": [9]},
    "normalised numbers": {"sizes": (16,), "space": NUMBERS, "normalize_obs": True},
    "an extractor of a user's": {
        "kind": ActorCritic,
        "shape": (5, 6, 3),
        "features_extractor_class": Own,
        "net_arch": [],
    },
    "one with towers": {"kind": ActorCritic, "shape": (5, 6, 3), "features_extractor_class": Own},
}


def samples_of(count, choices, generator, shape=SHAPE, space=None):
    """A rollout of `count` steps; most bytes are 0, as in games."""
    if space is None:
        obs = torch.randint(0, 3, (count, *shape), generator=generator)
        obs[torch.rand(obs.shape, generator=generator) > 0.3] = 0
        obs = obs.to(torch.uint8)
    else:
        obs = 3 + 4 * torch.randn(count, *space.shape, generator=generator)
    columns = torch.randn(count, 4, generator=generator)
    columns[:, 0] = -1.0 + 0.3 * columns[:, 0]  # log-probabilities
    return {
        "obs": obs,
        "actions": torch.randint(0, choices, (count,), generator=generator),
        "columns": columns,
    }


@settings(deadline=None, max_examples=30)
@given(
    st.sampled_from([*POLICIES]), st.integers(1, 9), st.integers(1, 200),
    st.sampled_from([None, 0.3]), st.sampled_from([1, 2, 3]), st.booleans(), st.booleans(),
    st.integers(0, 2**16),
)  # fmt: skip
def test_gradients_as_pytorch_finds_them(kind, choices, samples, clip_vf, threads, masked, in_loops, seed):
    """Whether the loss is a loop, too, or in PyTorch's operations between those of the network."""
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    given = {"sizes": (), **POLICIES[kind]}
    policy, pool = policy_of(choices=choices, **given), ThreadPool(threads)
    data = samples_of(300, choices, generator, given.get("shape", SHAPE), given.get("space"))
    if masked:
        data["masks"] = torch.rand(300, choices, generator=generator) < 0.5
        data["masks"].scatter_(1, data["actions"].unsqueeze(1), True)
    rows = torch.randperm(300, generator=generator)[:samples]
    options = Settings(clip_range=0.2, clip_range_vf=clip_vf, ent_coef=0.01, vf_coef=0.5)
    arguments = (data, rows, data["columns"][rows], options)
    loss = PPO_LOSS if in_loops else Loss(PPO_LOSS.parts, PPO_LOSS.function)
    ours, parts = CompiledPolicy(policy, loss, compile_actor_critic(policy, pool), WorkerThreads(1)).gradients(
        *arguments
    )
    theirs, other_parts = TorchNetwork(policy, PPO_LOSS, WorkerThreads(1)).gradients(*arguments)
    for (name, weight), mine, other in zip(policy.named_parameters(), ours, theirs, strict=True):
        assert mine.shape == weight.shape
        assert torch.allclose(mine, other, atol=2e-5, rtol=1e-4), name
    assert torch.allclose(parts, other_parts, atol=1e-5, rtol=1e-4)
    pool.close()


@pytest.mark.parametrize("kind", ["two layers", "towers", "convolution", "normalised numbers", "one with towers"])
@pytest.mark.parametrize("games", [1, 16, 21])
def test_decisions_as_pytorch_makes_them(games, kind):
    given = {"sizes": (), **POLICIES[kind]}
    policy = policy_of(**given)
    shape, space = given.get("shape", SHAPE), given.get("space")
    obs = samples_of(games, 3, torch.Generator().manual_seed(games), shape, space)["obs"]
    network = CompiledPolicy(policy, PPO_LOSS, compile_actor_critic(policy, ThreadPool(2)), WorkerThreads(1))
    network.refresh()
    mask = torch.ones(games, 3, dtype=torch.bool)
    mask[:, 1] = False
    with torch.no_grad():
        for mask_or_not in (None, mask):
            ours, theirs = network.forward(obs, None, mask_or_not), forward_step(policy, obs, None, mask_or_not)
            assert ours[2] is theirs[2] is None
            assert all(torch.allclose(ours[k], theirs[k], atol=1e-5) for k in (0, 1))
        policy.action_net.bias += 1.0  # new weights are noticed
        network.refresh()
        assert torch.allclose(network.forward(obs)[0], forward_step(policy, obs)[0], atol=1e-5)


@pytest.mark.parametrize(
    ("kwargs", "reason"),
    [
        ({"memory": "lstm"}, "recurrent"),
        ({"share_features_extractor": False}, "separate features extractors"),
        ({"features_dim": None}, "frozen parameters"),
        ({"kind": ActorCritic, "activation_fn": nn.GELU}, "GELU"),
        (
            {"use_sde": True, "kind": ActorCritic, "actions": spaces.Box(-1, 1, (2,))},
            "a policy with methods of its own",
        ),
        ({"kind": ActorCritic, "actions": spaces.Box(-1, 1, (2,))}, "actions that are not Discrete"),
        ({"kind": MultiInputPolicy, "space": spaces.Dict({"a": spaces.Discrete(2)})}, "observations in a Dict space"),
        ({"kind": ImpalaPolicy}, "MaxPool2d"),
    ],
)
def test_other_policies_are_for_pytorch(kwargs, reason):
    frozen = kwargs.pop("features_dim", 0) is None
    policy = policy_of((8, 8), **kwargs)
    if frozen:
        policy.action_net.bias.requires_grad_(False)
    with pytest.raises(NotCompiled, match=reason):
        compile_actor_critic(policy, ThreadPool(1))


def test_a_policy_that_extracts_features_in_a_way_of_its_own_is_for_pytorch():
    class Own(MlpEncoderPolicy):
        def extract_features(self, obs, features_extractor=None):
            return 2 * super().extract_features(obs, features_extractor)

    complete_policy(policy := policy_of((8, 8), kind=Own), spaces.Discrete(3), torch.device("cpu"))
    with pytest.raises(NotCompiled, match="a policy with methods of its own"):
        compile_actor_critic(policy, ThreadPool(1))


@pytest.mark.parametrize(("precision", "taken"), [("fp32", "fp32"), ("auto", "fp32"), ("bf16", "bf16")])
def test_loops_compute_in_single_precision_alone(precision, taken):
    """Whatever the processor has instructions for: that says nothing of how fast they are."""
    agent = PPO("mlp", ludus.make_sb3("Catch", 4, seed=0), n_steps=8, batch_size=16, precision=precision, device="cpu")
    assert agent.precision == taken
    assert agent.network.why == ("compiled loops" if taken == "fp32" else "PyTorch: bf16")


def test_what_is_not_a_number_comes_through():
    """So that the gradient's norm tells, and training stops."""
    policy = policy_of((8, 8))
    with torch.no_grad():
        policy.features_extractor.layers[1].weight[0, 0] = float("nan")
    data = samples_of(16, 3, torch.Generator().manual_seed(0))
    data["obs"][:] = 1
    options = Settings(clip_range=0.2, clip_range_vf=None, ent_coef=0.0, vf_coef=0.5)
    network = CompiledPolicy(policy, PPO_LOSS, compile_actor_critic(policy, ThreadPool(1)), WorkerThreads(1))
    gradients, parts = network.gradients(data, torch.arange(16), data["columns"], options)
    assert not all(gradient.isfinite().all() for gradient in gradients) and not parts.isfinite().all()


def fill(out, first, last):
    for i in range(first, last):
        out[i] += i
    return 0


def double(out, first, last):
    for i in range(first, last):
        out[2 * i] *= 2.0
        out[2 * i + 1] *= 2.0
    return 0


def test_loops_take_rows_with_gaps_between_them_but_not_within():
    whole = torch.ones(6, 5)
    Kernel(add_index, whole[:, :3], units=6)()
    assert torch.equal(whole[:, :3], 1.0 + torch.arange(6.0)[:, None].expand(6, 3))
    assert torch.equal(whole[:, 3:], torch.ones(6, 2))
    with pytest.raises(AssertionError, match="a loop cannot read"):
        Kernel(add_index, whole.T, units=5)


def add_index(x, first, last):
    for i in range(first, last):
        for j in range(x.shape[1]):
            x[i, j] += i
    return 0


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_a_pool_does_every_unit_of_each_loop_once(threads):
    out, more, pool = torch.zeros(1000), torch.zeros(10), ThreadPool(threads)
    for _ in range(50):  # loops of different lengths by turns
        out.zero_()
        more.zero_()
        pool.run(Kernel(fill, out, units=1000), Kernel(fill, more, units=10), Kernel(double, out, units=500))
        assert torch.equal(out, 2.0 * torch.arange(1000.0)) and torch.equal(more, torch.arange(10.0))
    pool.close()
    pool.run(Kernel(double, more, units=5))
    assert torch.equal(more, 2.0 * torch.arange(10.0))


def test_features_of_a_method_that_was_replaced_are_those_of_the_method():
    agent = ludus.PPO("mlp", ludus.make_sb3("Catch", 4), n_steps=16, batch_size=64, seed=0)
    before = [weight.detach().clone() for weight in agent.policy.features_extractor.parameters()]
    agent.policy.extract_features = lambda obs, *extractors: torch.zeros(len(obs), agent.policy.features_dim)
    agent.learn(128)
    after = agent.policy.features_extractor.parameters()
    assert all(torch.equal(old, new) for old, new in zip(before, after, strict=True))
