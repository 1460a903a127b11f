"""A replay buffer's transitions, against a list of all that ever happened."""

import pytest
import torch

from ludus.agents.data.env_adapters import EnvAdapter
from tests.agents.data.replay_reference import (
    GAMMA,
    LOTTERY,
    WORLDS,
    History,
    assert_same,
    memory_of,
    on_a_gpu,
    simulated,
    start_again,
)

pytestmark = pytest.mark.usefixtures("one_core")

# -- what is kept ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("n_steps", "limit", "spare"), [(3, None, 0), (1, 1, 6), (4, 2, 1), (2, 5, 3)])
@pytest.mark.parametrize("name", [*WORLDS])
def test_transitions_are_those_of_a_list_of_all_steps(name, n_steps, limit, spare):
    """For a memory that wraps around several times, at every moment."""
    make, stack = WORLDS[name]
    adapter, rows = make(max_episode_steps=limit), n_steps + stack + 1 + spare
    replay, history = memory_of(adapter, rows, stack, n_steps, turned="turned" in name), History(adapter, n_steps)
    for _ in range(3 * rows + 2):
        history.play(replay)
        assert_same(replay, history, history.drawable(rows, stack))
    assert len(history.known) >= 2 * rows * replay.games
    assert limit not in (1, 2) or any(step["truncated"].any() for step in history.steps)


@pytest.mark.parametrize("limit", [None, 4])
@pytest.mark.parametrize(
    "name", ["masks", "stacks and masks", "stacked and turned", "turns", "together", "dictionaries"]
)
def test_games_that_are_broken_off_led_to_what_they_showed(name, limit):
    """Whatever was reset in between: nothing that comes later counts."""
    make, stack = WORLDS[name]
    adapter, n_steps = make(max_episode_steps=limit), 3
    rows = n_steps + stack + 8
    replay, history = memory_of(adapter, rows, stack, n_steps, turned="turned" in name), History(adapter, n_steps)
    replay.break_off(adapter)  # an empty memory has nothing to break off
    assert not replay.truncated.any()
    for length in (1, 2, 7, 1, 12, 1, 1, 5, 9):
        for _ in range(length):
            history.play(replay)
            assert_same(replay, history, history.drawable(rows, stack))
        history.break_off()
        replay.break_off(adapter)
        replay.break_off(adapter)  # twice is as good as once
        start_again(adapter)
    assert len(history.known) >= 20 * replay.games


def test_masks_after_a_cut_are_all_true_for_nobody_tells_which():
    """The adapter's next mask is that of the next episode."""
    adapter = WORLDS["masks"][0](max_episode_steps=1)
    replay, history = memory_of(adapter, 8), History(adapter, 1)
    for _ in range(6):
        history.play(replay)
    batch = replay.at(torch.arange(16))
    going = batch.discounts > 0
    assert going.any() and batch.next_masks[going].all() and not batch.masks.all()


def test_a_game_of_turns_that_is_cut_off_is_a_draw():
    adapter = WORLDS["long turns"][0](max_episode_steps=3)
    replay, history = memory_of(adapter, 12), History(adapter, 1)
    for _ in range(10):
        history.play(replay)
    discounts = replay.at(torch.arange(9 * replay.games)).discounts.view(3, 3, -1)
    assert torch.equal(discounts, torch.tensor([-GAMMA, -GAMMA, 0.0]).view(1, 3, 1).expand_as(discounts))


@pytest.mark.parametrize("limit", [1, 2])
def test_there_is_room_for_as_many_final_observations_as_come(limit):
    """A memory of many rows, in which nearly all steps end episodes; then of rows in which few do."""
    adapter = simulated(LOTTERY, max_episode_steps=limit)
    replay, history = memory_of(adapter, 40), History(adapter, 1)
    for _ in range(100):
        history.play(replay)
    assert_same(replay, history, history.drawable(40, 1))
    kept = int(replay.truncated.sum())
    assert kept > 40 and kept <= replay.final_obs.room <= 4 * kept


class Cuts(EnvAdapter):
    """Nothing but episodes that are cut off, now seldom, now often."""

    def __init__(self, games, seed):
        self.num_envs, self.rate, self.random = games, 0.0, torch.Generator().manual_seed(seed)
        self.obs, self.final_obs = (torch.zeros(games, 1) for _ in range(2))
        self.reward, self.terminated, self.truncated = torch.zeros(games), *torch.zeros(2, games, dtype=torch.bool)

    def step(self, actions):
        self.obs.normal_(generator=self.random)
        self.final_obs.normal_(generator=self.random)
        self.truncated.copy_(torch.rand(self.num_envs, generator=self.random) < self.rate)
        return int(self.truncated.sum())


@pytest.mark.parametrize("seed", range(4))
def test_what_is_still_needed_outlives_a_growth_of_the_room(seed):
    """Which happens in the midst of a ring of rows, more than once, and nearly fills up then."""
    adapter, sizes = Cuts(2, seed), set()
    replay, history = memory_of(adapter, 12), History(adapter, 1)
    for rate in (0.0, 0.2, 0.3, 0.2, 0.5, 0.4, 0.7, 0.1, 1.0):
        adapter.rate = rate
        for _ in range(20):
            history.play(replay)
            sizes.add(replay.final_obs.room)
            assert_same(replay, history, history.drawable(12, 1)[:3])
    assert len(sizes) >= 3


@pytest.mark.parametrize("name", ["stacks and masks", "turns", "dictionaries"])
@pytest.mark.parametrize("played", [0, 3, 25])
def test_a_memory_goes_on_from_another_ones_state(name, played):
    """Final observations, for which there was more room than at the start, and priorities included."""
    make, stack = WORLDS[name]
    adapter, rows = make(max_episode_steps=2), 12
    first, history = memory_of(adapter, rows, stack, 2, prioritized=True), History(adapter, 2)
    for _ in range(played):
        history.play(first)
    if len(history.drawable(rows, stack)):
        indices = first.sample(9, history.generator).indices
        first.set_priorities(indices, torch.rand(9, generator=history.generator) * 3)
    state = {name: tensor.clone() for name, tensor in first.state().items()}
    assert first.nbytes == sum(tensor.numel() * tensor.element_size() for tensor in state.values())
    second = memory_of(adapter, rows, stack, 2, prioritized=True)
    second.load(state)
    assert_same(second, history, history.drawable(rows, stack))
    assert torch.equal(first.tree.leaves, second.tree.leaves) and torch.equal(first.tree.total, second.tree.total)
    assert torch.equal(first.highest, second.highest)
    for _ in range(30):
        history.play(second)
        assert_same(second, history, history.drawable(rows, stack))


# -- the way of a GPU --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("n_steps", "limit"), [(1, 1), (3, 2), (4, 5)])
@pytest.mark.parametrize("name", ["stacks and masks", "stacked and turned", "turns", "dictionaries"])
def test_a_gpu_gets_the_same(name, n_steps, limit, monkeypatch):
    """Its operations, on the CPU: what they draw, look ahead to and put in its place."""
    make, stack = WORLDS[name]
    adapter, rows = make(max_episode_steps=limit), n_steps + stack + 7
    replay = on_a_gpu(memory_of(adapter, rows, stack, n_steps, turned="turned" in name), adapter, monkeypatch)
    history = History(adapter, n_steps)
    assert replay.final_obs.counted == (name == "dictionaries")
    obs = replay.final_obs.obs
    for _ in range(4 * rows):
        history.play(replay)
        assert_same(replay, history, history.drawable(rows, stack))
    assert replay.final_obs.counted or replay.final_obs.obs is obs, "graphs know where it was"


def test_a_gpu_forgets_what_was_before_games_are_broken_off(monkeypatch):
    adapter = simulated(LOTTERY, frame_stack=2, max_episode_steps=6)
    replay = on_a_gpu(memory_of(adapter, 12, 2, 2), adapter, monkeypatch)
    for _ in range(3):
        history = History(adapter, 2, int(replay.row))
        for _ in range(19):
            history.play(replay)
            times = history.drawable(12, 2)
            assert int(replay.ready) == len(times)
            assert_same(replay, history, times)
            if len(times):
                rows = replay.sample(64, history.generator).indices // replay.games
                assert set(rows.tolist()) <= {(time + history.start) % 12 for time in times}
        replay.break_off(adapter)
        start_again(adapter)
        assert int(replay.ready) == 0
