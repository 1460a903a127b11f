"""Recurrent cores: a sequence is its steps, and what they remember."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from ludus.agents.nn.recurrent import CORES, LstmCore, MinGruCore, _by_doubling, _by_loop

SIZES = st.tuples(st.integers(1, 20), st.integers(1, 4), st.integers(1, 5), st.integers(1, 6))  # T, N, F, H


def by_steps(core, x, starts, state):
    """What `sequence` has to give."""
    outputs = []
    for x_t, start in zip(x, starts, strict=True):
        out, state = core.step(x_t, state * (1 - start).unsqueeze(-1))
        outputs.append(out)
    return torch.stack(outputs), state


def problem(name, sizes, seed, resets):
    """A core, features (T, N, F), starts (T, N) and a state (N, S), in double precision."""
    steps, games, inputs, hidden = sizes
    torch.manual_seed(seed)
    core = CORES[name](inputs, hidden).double()
    x = torch.randn(steps, games, inputs, dtype=torch.float64)
    starts = (torch.rand(steps, games) < resets).double()
    return core, x, starts, torch.randn(games, core.state_size, dtype=torch.float64)


@pytest.mark.parametrize("name", CORES)
@settings(max_examples=50, deadline=None)
@given(SIZES, st.integers(0, 2**32 - 1), st.sampled_from([0.0, 0.2, 1.0]))
def test_sequence_equals_steps(name, sizes, seed, resets):
    core, x, starts, state = problem(name, sizes, seed, resets)
    for tensor in (x, state):
        tensor.requires_grad_()
    weights = torch.randn(len(x) + 1, dtype=torch.float64)
    results, gradients = [], []
    for function in (core.sequence, lambda *arguments: by_steps(core, *arguments)):
        out, last = function(x, starts, state)
        loss = (out.sum((1, 2)) * weights[:-1]).sum() + last.sum() * weights[-1]
        results.append((out, last))
        gradients.append(torch.autograd.grad(loss, [x, state, *core.parameters()]))
    for mine, other in zip((*results[0], *gradients[0]), (*results[1], *gradients[1]), strict=True):
        assert torch.allclose(mine, other, atol=1e-10)


@settings(max_examples=50, deadline=None)
@given(SIZES, st.integers(0, 2**32 - 1), st.sampled_from([0.0, 0.2, 1.0]))
def test_doubling_equals_the_loop(sizes, seed, resets):
    torch.manual_seed(seed)
    steps, games, _, hidden = sizes
    decay = (torch.rand(steps, games, hidden) * (torch.rand(steps, games, 1) >= resets)).requires_grad_()
    enter = torch.randn(steps, games, hidden, requires_grad=True)
    state = torch.randn(games, hidden, requires_grad=True)
    weights = torch.randn(steps, games, hidden)
    loop, doubling = _by_loop(decay, enter, state), _by_doubling(decay, enter, state)
    assert torch.allclose(loop, doubling, atol=1e-5)
    pairs = [torch.autograd.grad((h * weights).sum(), [decay, enter, state]) for h in (loop, doubling)]
    for mine, other in zip(*pairs, strict=True):
        assert torch.allclose(mine, other, atol=1e-4)


def test_lstm_equals_torch():
    core, x, starts, state = problem("lstm", (12, 3, 4, 5), seed=0, resets=0.0)
    reference = torch.nn.LSTM(4, 5).double()
    order = [0, 1, 3, 2]  # torch has cell before output
    with torch.no_grad():
        for ours, theirs in [
            (core.weight_ih, reference.weight_ih_l0),
            (core.weight_hh, reference.weight_hh_l0),
            (core.bias, reference.bias_ih_l0),
        ]:
            theirs.copy_(torch.cat([ours.chunk(4)[i] for i in order]))
        reference.bias_hh_l0.zero_()
    out, last = core.sequence(x, starts, state)
    expected, (hidden, cell) = reference(x, tuple(s.unsqueeze(0).contiguous() for s in state.chunk(2, -1)))
    assert torch.allclose(out, expected) and torch.allclose(last, torch.cat([hidden[0], cell[0]], -1))


def test_mingru_follows_its_paper():
    core, x, _, state = problem("mingru", (1, 3, 4, 5), seed=0, resets=0.0)
    gate, candidate = F.linear(x[0], core.weight, core.bias).chunk(2, -1)
    z = torch.sigmoid(gate)
    out, last = core.step(x[0], state)
    assert torch.allclose(out, (1 - z) * state + z * candidate) and torch.equal(out, last)


@pytest.mark.parametrize("name", CORES)
def test_sizes_and_first_state(name):
    core = CORES[name](7, 16)
    state = core.initial_state(3, "cpu")
    assert core.features_dim == 16 and state.shape == (3, core.state_size) and not state.any()
    out, state = core.step(torch.randn(3, 7), state)
    assert out.shape == (3, 16) and state.shape == (3, core.state_size) and state.any()


def test_cores_begin_orthogonal_and_remembering():
    lstm, mingru = LstmCore(8, 16), MinGruCore(8, 16)
    for block in (*lstm.weight_ih.chunk(4), *lstm.weight_hh.chunk(4), *mingru.weight.chunk(2)):
        assert torch.allclose(torch.linalg.svdvals(block), torch.ones(min(block.shape)), atol=1e-5)
    assert lstm.bias.tolist() == [0.0] * 16 + [1.0] * 16 + [0.0] * 32
    assert mingru.bias.tolist() == [-1.0] * 16 + [0.0] * 16


@pytest.mark.parametrize("name", CORES)
def test_state_stays_in_full_precision_under_autocast(name):
    torch.manual_seed(0)
    core, x, starts = CORES[name](6, 8), torch.randn(20, 3, 6), torch.zeros(20, 3)
    with torch.autocast("cpu", torch.bfloat16):
        out, state = core.sequence(x, starts, core.initial_state(3, "cpu"))
    exact, _ = core.sequence(x, starts, core.initial_state(3, "cpu"))
    assert out.dtype == state.dtype == torch.float32
    assert torch.allclose(out, exact, atol=0.1)


@pytest.mark.parametrize("name", CORES)
def test_remembers_a_bit_over_ten_steps(name):
    """At the first step of an episode a bit is shown, then noise for ten steps: which was it?"""
    torch.manual_seed(0)
    core, head = CORES[name](3, 32), torch.nn.Linear(32, 1)
    optimizer = torch.optim.Adam([*core.parameters(), *head.parameters()], lr=1e-2)
    starts = torch.zeros(11, 64)
    starts[0] = 1.0

    def episodes():
        bit = torch.randint(0, 2, (64,)).float()
        x = torch.randn(11, 64, 3)
        x[:, :, 0], x[0, :, 1] = starts, bit * 2 - 1  # what marks the bit, the bit, noise
        return bit, x

    def answers(x):
        out, _ = core.sequence(x, starts, torch.randn(64, core.state_size))
        return head(out[-1]).squeeze(-1)

    for _ in range(200):
        bit, x = episodes()
        loss = F.binary_cross_entropy_with_logits(answers(x), bit)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    bit, x = episodes()
    assert ((answers(x) > 0).float() == bit).float().mean() > 0.98
