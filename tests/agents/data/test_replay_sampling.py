"""What a replay buffer samples, how often and with which weights, and how large it may be."""

import numpy as np
import pytest
import torch
from gymnasium import spaces
from scipy.stats import chisquare

from ludus.agents.q_learning import off_policy
from ludus.agents.q_learning.off_policy import check_room
from ludus.envs import OptionError
from tests.agents.data.replay_reference import CPU, LOTTERY, History, Rooms, memory_of, place_of, simulated

pytestmark = pytest.mark.usefixtures("one_core")

# -- what is drawn -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("prioritized", [False, True])
@pytest.mark.parametrize(("n_steps", "stack"), [(1, 1), (3, 1), (1, 3), (4, 2)])
def test_nothing_is_drawn_that_is_not_known_or_is_gone(n_steps, stack, prioritized):
    """Transitions of which all frames are there and what followed is known, and those that go next are spared."""
    adapter = simulated(LOTTERY, frame_stack=stack, max_episode_steps=3)
    rows = n_steps + stack + 3
    replay, history = memory_of(adapter, rows, stack, n_steps, prioritized=prioritized), History(adapter, n_steps)
    for played in range(1, 4 * rows):
        history.play(replay)
        times = history.drawable(rows, stack)
        assert int(replay.ready) == len(times)
        if prioritized:  # so that it holds while the next row is written, too
            times = range(max(times.start, played + 1 - rows + stack - 1), times.stop)
            drawable = {place_of(replay, time, game) for time in times for game in range(replay.games)}
            assert set(replay.tree.leaves.nonzero().squeeze(1).tolist()) == drawable
        if len(times):
            batch = replay.sample(200, history.generator)
            assert set(batch.indices.tolist()) <= {place_of(replay, t, game) for t in times for game in range(4)}


def test_all_transitions_are_drawn_equally_often():
    adapter = simulated(LOTTERY, max_episode_steps=3)
    replay, history = memory_of(adapter, 20, n_steps=2), History(adapter, 2)
    for _ in range(47):
        history.play(replay)
    batch = replay.sample(17 * 4 * 200, torch.Generator().manual_seed(1))
    places = [place_of(replay, time, game) for time in history.drawable(20, 1) for game in range(4)]
    counts = torch.bincount(batch.indices, minlength=80)
    assert len(places) == 18 * 4 and counts[places].sum() == len(batch.indices)
    assert chisquare(counts[places].numpy()).pvalue > 1e-3
    again = replay.sample(17 * 4 * 200, torch.Generator().manual_seed(1))
    assert torch.equal(again.indices, batch.indices) and torch.equal(again.weights, torch.ones(len(again.weights)))


def test_priorities_are_what_was_set_and_the_highest_where_nothing_was():
    adapter = simulated(LOTTERY)
    replay, history = memory_of(adapter, 16, prioritized=True), History(adapter, 1)
    expected, highest, random = {}, 1.0, torch.Generator().manual_seed(2)
    for played in range(1, 60):
        history.play(replay)
        if played >= 2:  # what followed the step before is known now
            expected |= {place_of(replay, played - 2, game): highest for game in range(4)}
        for game in range(4):  # what is written over next
            expected.pop(place_of(replay, played, game), None)
        if played >= 2 and played % 3 == 0:
            batch = replay.sample(5, random)
            chosen = list(dict.fromkeys(batch.indices.tolist()))
            priorities = torch.empty(len(chosen)).exponential_(generator=random)
            replay.set_priorities(torch.tensor(chosen), priorities)
            expected |= dict(zip(chosen, priorities.tolist(), strict=True))
            highest = max(highest, float(priorities.max()))
        leaves = replay.tree.leaves
        assert leaves.nonzero().squeeze(1).tolist() == sorted(expected)
        assert all(float(leaves[place]) == priority for place, priority in expected.items())
        assert float(replay.tree.total) == pytest.approx(sum(expected.values()))
    assert highest > 2.0


@pytest.mark.parametrize("beta", [0.0, 0.4, 1.0])
def test_draws_follow_priorities_and_weights_make_up_for_that(beta):
    """From each of B equal parts of all priorities one draw, so that no count is 2 off; weights (N P)^-beta / the highest."""
    adapter = simulated(LOTTERY)
    replay, history = memory_of(adapter, 30, prioritized=True), History(adapter, 1)
    for _ in range(70):
        history.play(replay)
    drawable = replay.tree.leaves.nonzero().squeeze(1)
    replay.set_priorities(drawable, torch.rand(len(drawable), generator=torch.Generator().manual_seed(0)) ** 3 + 1e-3)
    batch = replay.sample(5000, torch.Generator().manual_seed(0), torch.tensor([beta], dtype=torch.float64))
    chances = replay.tree.leaves / replay.tree.leaves.sum()
    counts = torch.bincount(batch.indices, minlength=120)
    assert ((counts - 5000 * chances).abs() < 2).all()
    weights = (len(drawable) * chances[batch.indices]) ** -beta
    assert torch.allclose(batch.weights, (weights / weights.max()).float(), rtol=1e-5)


def test_nothing_is_drawn_where_nothing_has_a_priority():
    adapter = simulated(LOTTERY)
    replay, history = memory_of(adapter, 9, prioritized=True), History(adapter, 1)
    for _ in range(5):
        history.play(replay)
    replay.set_priorities(torch.arange(36), torch.zeros(36))
    with pytest.raises(OptionError, match=r"^all priorities are zero, so that nothing can be drawn: .*$"):
        replay.sample(3, history.generator)


def test_uniform_priorities_are_no_priorities():
    adapter = simulated(LOTTERY)
    replay, history = memory_of(adapter, 9, prioritized=True), History(adapter, 1)
    for _ in range(20):
        history.play(replay)
    batch = replay.sample(64, torch.Generator().manual_seed(0), 0.7)
    assert torch.equal(batch.weights, torch.ones(64))


# -- room --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("n_steps", "stack"), [(1, 1), (3, 2)])
def test_a_memory_too_small_is_refused_in_one_line(n_steps, stack):
    adapter = simulated(LOTTERY, frame_stack=stack)
    enough = n_steps + stack + 1
    with pytest.raises(OptionError) as caught:
        memory_of(adapter, enough - 1, stack, n_steps)
    assert str(caught.value) == f"buffer_size must be at least {4 * enough}, {enough} steps of every game"
    assert memory_of(adapter, enough, stack, n_steps).steps == enough


SPACES = {
    "planes": spaces.Box(0, 1, (6, 6, 8), np.uint8),
    "floats": spaces.Box(-1, 1, (12,), np.float32),
    "a number": spaces.Discrete(9),
    "a dictionary": Rooms.observation_space,
}


@pytest.mark.parametrize("stack", [1, 4])
@pytest.mark.parametrize("kind", [*SPACES])
def test_more_than_there_is_room_for_is_refused_in_one_line(kind, stack, monkeypatch):
    monkeypatch.setattr(off_policy, "available_memory", lambda device: 3_000_000_000)
    with pytest.raises(
        OptionError, match=r"^buffer_size=1000000000 takes [\d.]+ GB on cpu, where 3.0 GB are left: "
    ) as caught:
        check_room(SPACES[kind], 10**9, stack, CPU)
    message = str(caught.value)
    most = int(message.rsplit("use at most ", 1)[1])
    assert "\n" not in message and most > 10**6
    assert check_room(SPACES[kind], most, stack, CPU) <= 3_000_000_000
    with pytest.raises(OptionError):
        check_room(SPACES[kind], most + 1, stack, CPU)
    monkeypatch.setattr(off_policy, "available_memory", lambda device: None)  # the system does not tell
    assert check_room(SPACES[kind], 10**9, stack, CPU) > 3_000_000_000


@pytest.mark.parametrize("prioritized", [False, True])
@pytest.mark.parametrize("stack", [1, 3])
def test_a_memory_takes_what_is_said_beforehand(stack, prioritized):
    """Final observations and masks aside."""
    adapter = simulated("FrozenLake", frame_stack=stack)
    replay = memory_of(adapter, 1000, stack, prioritized=prioritized)
    tensors = [value for value in vars(replay).values() if isinstance(value, torch.Tensor)]
    tensors += [replay.final_obs.places, replay.final_obs.counts] + (replay.tree.levels if prioritized else [])
    taken = sum(tensor.numel() * tensor.element_size() for tensor in tensors)
    space = spaces.Box(0, 1, adapter.sim.obs_shape, np.uint8)
    said = check_room(space, 4000, stack, CPU)
    assert taken <= said <= 1.3 * taken
