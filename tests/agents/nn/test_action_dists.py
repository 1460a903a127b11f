"""Action heads against PyTorch's own distributions."""

import pytest
import torch
from gymnasium import spaces

from ludus.agents.nn.action_dists import head_of, masked
from ludus.envs import OptionError

SPACES = {
    "Discrete": spaces.Discrete(4),
    "MultiDiscrete": spaces.MultiDiscrete([3, 2, 4]),
    "MultiBinary": spaces.MultiBinary(3),
    "Box": spaces.Box(-1, 1, (2, 2)),
}


def reference(space, params):
    """The same distribution from torch.distributions, with a batch of shape (B,)."""
    d = torch.distributions
    if isinstance(space, spaces.Discrete):
        return d.Categorical(logits=params)
    if isinstance(space, spaces.MultiBinary):
        return d.Independent(d.Bernoulli(logits=params), 1)
    mean, log_std = params.chunk(2, -1)
    return d.Independent(d.Normal(mean, log_std.exp()), 1)


def drawn(space, count=50, seed=0):
    generator, head = torch.Generator().manual_seed(seed), head_of(space)
    params = torch.randn(count, head.size, generator=generator)
    return head, params, head.sample(params, head.noise((count,), generator))


@pytest.mark.parametrize("name", ["Discrete", "MultiBinary", "Box"])
def test_log_prob_and_entropy(name):
    space = SPACES[name]
    head, params, actions = drawn(space)
    theirs = reference(space, params)
    flat = actions.flatten(1) if name == "Box" else actions.float() if name == "MultiBinary" else actions
    assert torch.allclose(head.log_prob(params, actions), theirs.log_prob(flat), atol=1e-5)
    assert torch.allclose(head.entropy(params), theirs.entropy(), atol=1e-5)


def test_several_choices_are_independent():
    head, params, actions = drawn(SPACES["MultiDiscrete"])
    parts = [torch.distributions.Categorical(logits=p) for p in params.split([3, 2, 4], -1)]
    log_prob = sum(part.log_prob(a) for part, a in zip(parts, actions.unbind(-1), strict=True))
    assert torch.allclose(head.log_prob(params, actions), log_prob, atol=1e-5)
    assert torch.allclose(head.entropy(params), sum(part.entropy() for part in parts), atol=1e-5)


@pytest.mark.parametrize("name", SPACES)
def test_actions_have_the_shape_and_kind_of_the_space(name):
    space = SPACES[name]
    head, params, actions = drawn(space)
    assert actions.shape == (50, *head.action_shape) == (50, *space.shape)
    assert actions.dtype == head.action_dtype
    assert head.mode(params).shape == actions.shape
    if name != "Box":
        assert all(space.contains(action) for action in actions.numpy().astype(space.dtype))


@pytest.mark.parametrize("name", SPACES)
def test_judge_is_log_prob_and_entropy(name):
    head, params, actions = drawn(SPACES[name])
    log_prob, entropy = head.log_prob_and_entropy(params, actions)
    assert torch.equal(log_prob, head.log_prob(params, actions)) and torch.equal(entropy, head.entropy(params))


@pytest.mark.parametrize("name", SPACES)
def test_sequences_are_judged_as_batches(name):
    head, params, actions = drawn(SPACES[name], 12)
    log_prob = head.log_prob(params.unflatten(0, (3, 4)), actions.unflatten(0, (3, 4)))
    assert torch.allclose(log_prob.flatten(), head.log_prob(params, actions))


def test_sampling_follows_the_probabilities():
    generator, head = torch.Generator().manual_seed(0), head_of(spaces.Discrete(3))
    probabilities = torch.tensor([0.1, 0.2, 0.7])
    actions = head.sample(probabilities.log().expand(30_000, 3), head.noise((30_000,), generator))
    assert torch.allclose(
        torch.bincount(actions, minlength=3) / 30_000, probabilities, atol=0.01
    )  # > 3 standard errors


def test_the_mode_is_the_likeliest():
    head, params, _ = drawn(SPACES["Discrete"])
    assert torch.equal(head.mode(params), params.argmax(-1))
    gauss = head_of(SPACES["Box"])
    assert torch.equal(gauss.mode(torch.arange(8.0).reshape(1, 8)), torch.arange(4.0).reshape(1, 2, 2))


def test_forbidden_actions_are_never_taken():
    generator, head = torch.Generator().manual_seed(0), head_of(spaces.Discrete(5))
    mask = torch.rand(2000, 5, generator=generator) < 0.5
    mask[:, 2] = True  # at least one is legal
    params = masked(10 * torch.randn(2000, 5, generator=generator), mask).requires_grad_()
    actions = head.sample(params, head.noise((2000,), generator))
    assert mask.gather(1, actions.unsqueeze(1)).all()
    entropy = head.entropy(params)
    assert entropy.isfinite().all() and (entropy <= mask.sum(1).log() + 1e-5).all()
    (gradient,) = torch.autograd.grad((head.log_prob(params, actions) + entropy).sum(), params)
    assert gradient.isfinite().all() and (gradient[~mask] == 0).all()


def test_other_spaces_are_refused():
    with pytest.raises(OptionError, match="policies act in Discrete, MultiDiscrete, MultiBinary and Box spaces"):
        head_of(spaces.Text(3))
