"""A replay memory, against a list of all that ever happened."""

from functools import partial

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium import spaces
from scipy.stats import chisquare
from stable_baselines3.common.vec_env import DummyVecEnv

from ludus.agents.data import replay_buffer as replay_module
from ludus.agents.data.env_adapters import EnvAdapter, SelfPlayWorld, SimulatorAdapter, VecEnvAdapter
from ludus.agents.data.replay_buffer import ReplayTensors, check_room
from ludus.agents.nn.actor_critic import each
from ludus.agents.runtime import hardware
from ludus.agents.runtime.threads import undivided
from ludus.envs import Game, OptionError, Simulator, state
from ludus.envs.rng import below, chance

CPU, GAMMA = torch.device("cpu"), 0.9


@pytest.fixture(autouse=True)
def one_core():
    """For operations as small as these, threads only wait for each other."""
    with undivided():
        yield


# -- games -------------------------------------------------------------------------------------------------------------


def begin(s, random):
    s.bits = below(random, 4096)


def go_on(s, action, random):
    s.bits = below(random, 4096)
    return 1.0 * below(random, 7) - 3.0, chance(random, 0.2)


def show(s, planes):
    for k in range(12):
        planes[k // 6, k % 6 // 2, k % 2] = (s.bits >> k) & 1


def allow(s, allowed):
    for k in range(4):
        allowed[k] = k == s.bits % 4 or (s.bits >> (4 + k)) % 2 == 1


LOTTERY = Game(
    "Lottery", 1, state(bits="i4"), reset=begin, step=go_on, observe=show, draw=lambda s, canvas: None, legal=allow,
    shape=(2, 3), planes=("even", "odd"), actions=("a", "b", "c", "d"),
)  # fmt: skip


class Rooms(gymnasium.Env):
    """Observations and legal actions at random; an episode ends by the rules, or is cut off, at random."""

    observation_space = spaces.Dict(
        {"place": spaces.Box(-1, 1, (2,), np.float32), "walls": spaces.Box(0, 9, (3,), np.uint8)}
    )
    action_space = spaces.Discrete(3)

    def __init__(self, cuts):
        self.cuts = cuts

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        return self._look(), {}

    def _look(self):
        self.mask = self.np_random.random(3) < 0.6
        self.mask[self.np_random.integers(3)] = True
        place, walls = self.np_random.uniform(-1, 1, 2), self.np_random.integers(0, 10, 3)
        return {"place": place.astype(np.float32), "walls": walls.astype(np.uint8)}

    def action_masks(self):
        return self.mask

    def step(self, action):
        assert self.mask[action]
        over, cut = self.np_random.random(2) < (0.1, self.cuts)
        return self._look(), float(self.np_random.normal()), bool(over), bool(cut and not over), {}


def simulated(game, games=4, turned=False, **options):
    sim = Simulator(game, games, seed=5, mode="python", **options)
    sim.reset()
    return (SimulatorAdapter if sim.num_players == 1 else SelfPlayWorld)(sim, turned)


def rooms(cuts, games=4):
    env = DummyVecEnv([lambda: Rooms(cuts)] * games)
    env.seed(3)
    return VecEnvAdapter(env, CPU, env.reset())


PIXELS = {"obs_type": "grayscale", "size": 8}
WORLDS = {  # a adapter, and how many frames its observations have
    "planes": (partial(simulated, "FrozenLake"), 1),
    "stacked planes": (partial(simulated, "FrozenLake", frame_stack=3), 3),
    "masks": (partial(simulated, LOTTERY), 1),
    "stacks and masks": (partial(simulated, LOTTERY, frame_stack=2), 2),
    "one game": (partial(simulated, LOTTERY, 1, frame_stack=3), 3),
    "floats": (partial(simulated, "CartPole", frame_stack=2), 2),
    "pixels": (partial(simulated, "Catch", 2, **PIXELS), 1),
    "stacked pixels": (partial(simulated, "Catch", 2, **PIXELS, frame_stack=3), 3),
    "stacked and turned": (partial(simulated, "Catch", 2, turned=True, **PIXELS, frame_stack=3), 3),
    "stacked, coloured and turned": (partial(simulated, "Catch", 1, True, obs_type="rgb", size=8, frame_stack=2), 2),
    "turns": (partial(simulated, "KuhnPoker"), 1),
    "long turns": (partial(simulated, "TicTacToe"), 1),
    "together": (partial(simulated, "PongDuel", 2, frame_stack=3), 3),
    "dictionaries": (lambda max_episode_steps: rooms(1 / (max_episode_steps or 9)), 1),
}

# -- the list ----------------------------------------------------------------------------------------------------------


class History:
    """All steps of a adapter, and what the definition says of transitions of n of them."""

    def __init__(self, adapter, n_steps, start=0):
        self.start = start  # the row of the first step
        self.adapter, self.n_steps, self.steps, self.known = adapter, n_steps, [], {}
        self.turns = isinstance(adapter, SelfPlayWorld) and adapter.turns
        self.generator = torch.Generator().manual_seed(7)

    def play(self, replay):
        """One step of random legal actions, into both."""
        adapter, now = self.adapter, {"obs": self._copy(self.adapter.obs), "mask": self._copy(self.adapter.mask)}
        replay.begin(adapter)
        chances = (
            torch.ones(adapter.num_envs, replay_choices(adapter)) if adapter.mask is None else adapter.mask.float()
        )
        actions = torch.multinomial(chances, 1, generator=self.generator).squeeze(1)
        adapter.step(actions)
        replay.end(adapter, actions)
        told = ("reward", "terminated", "truncated", "final_obs", "signs")
        self.steps.append(
            {**now, "action": actions.clone(), **{name: self._copy(getattr(adapter, name)) for name in told}}
        )

    def break_off(self):
        """What the games show now is what the last steps led to, where they did not end an episode."""
        last = self.steps[-1]
        for game in range(self.adapter.num_envs):
            if not last["terminated"][game] and not last["truncated"][game]:
                last["truncated"][game] = True
                each_with(lambda final, obs, g=game: final[g].copy_(obs[g]), last["final_obs"], self.adapter.obs)
        last["broken"] = True

    def transition(self, time, game):
        if (time, game) not in self.known:
            self.known[time, game] = self._transition(time, game)
        return self.known[time, game]

    def _transition(self, time, game):
        here = self.steps[time]
        total, weight, cut = 0.0, 1.0, False
        for step in self.steps[time : time + self.n_steps]:
            total += weight * float(step["reward"][game])
            weight *= GAMMA * (1.0 if step["signs"] is None else float(step["signs"][game]))
            over, cut = bool(step["terminated"][game]), bool(step["truncated"][game])
            if self.turns and cut and not step.get("broken"):  # counts as a draw
                over, cut = True, False
            if over:
                weight = 0.0
            if over or cut:
                break
        else:
            following = self.steps[time + self.n_steps]
        mask = None if here["mask"] is None else here["mask"][game]
        if weight == 0.0:
            after, next_mask = None, None  # of no account
        elif cut:
            after, next_mask = (
                each(lambda x: x[game], step["final_obs"]),
                torch.ones_like(mask) if mask is not None else None,
            )
        else:
            after = each(lambda x: x[game], following["obs"])
            next_mask = None if mask is None else following["mask"][game]
        obs = each(lambda x: x[game], here["obs"])
        return obs, here["action"][game], total, weight, after, mask, next_mask

    def drawable(self, rows, stack):
        """Times of which all frames are in the last `rows` rows, and what followed is known."""
        played = len(self.steps)
        return range(max(0, played - rows) + stack - 1, played - self.n_steps)

    @staticmethod
    def _copy(value):
        return None if value is None else each(torch.clone, value)


def replay_choices(adapter):
    return len(adapter.sim.actions) if hasattr(adapter, "sim") else 3


def each_with(function, first, second):
    if isinstance(first, dict):
        for name in first:
            function(first[name], second[name])
    else:
        function(first, second)


def same(ours, rows):
    """Whether a batch of observations consists of these; exactly, since nothing is computed."""
    if isinstance(ours, dict):
        return all(same(ours[name], [row[name] for row in rows]) for name in ours)
    return ours.dtype == rows[0].dtype and torch.equal(ours, torch.stack(rows))


def place_of(replay, time, game):
    return time % replay.steps * replay.games + game


def assert_same(replay, history, times):
    """The memory's transitions of all games at these times are those of the list."""
    if not len(times):
        return
    places = [(time, game) for time in times for game in range(replay.games)]
    indices = torch.tensor([place_of(replay, time + history.start, game) for time, game in places])
    batch = replay.at(indices)
    obs, actions, returns, weights, after, masks, next_masks = zip(
        *(history.transition(*p) for p in places), strict=True
    )
    assert same(batch.obs, obs)
    assert batch.actions.tolist() == [int(action) for action in actions]
    assert torch.allclose(batch.returns, torch.tensor(returns), atol=1e-5)
    assert torch.allclose(batch.discounts, torch.tensor(weights), atol=1e-6)
    assert torch.equal(batch.indices, indices) and torch.equal(batch.weights, torch.ones(len(indices)))
    going = [k for k, weight in enumerate(weights) if weight != 0.0]
    if going:
        assert same(each(lambda x: x[going], batch.next_obs), [after[k] for k in going])
    if masks[0] is None:
        assert batch.masks is batch.next_masks is None
    else:
        assert same(batch.masks, masks)
        assert not going or same(batch.next_masks[going], [next_masks[k] for k in going])


def memory_of(adapter, rows, stack=1, n_steps=1, **options):
    choices = replay_choices(adapter)
    axis = 0 if options.pop("turned", False) else -1
    return ReplayTensors(
        adapter, rows, choices=choices, n_steps=n_steps, gamma=GAMMA, frame_stack=stack, stack_axis=axis, **options
    )


def on_a_gpu(replay, adapter, monkeypatch):
    """The CPU, taken for a GPU: what is written for one runs on the other."""
    monkeypatch.setattr(hardware, "GPUS", ("cuda", "cpu"))
    replay.finals = replay_module.FinalObservations(replay, adapter)
    return replay


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


def start_again(adapter):
    """New episodes in all games."""
    if isinstance(adapter, VecEnvAdapter):
        adapter.observe(adapter.env.reset())
    else:
        adapter.sim.reset()


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
    assert kept > 40 and kept <= replay.finals.room <= 4 * kept


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
            sizes.add(replay.finals.room)
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
    assert replay.finals.counted == (name == "dictionaries")
    obs = replay.finals.obs
    for _ in range(4 * rows):
        history.play(replay)
        assert_same(replay, history, history.drawable(rows, stack))
    assert replay.finals.counted or replay.finals.obs is obs, "graphs know where it was"


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
    monkeypatch.setattr(replay_module, "available_memory", lambda device: 3_000_000_000)
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
    monkeypatch.setattr(replay_module, "available_memory", lambda device: None)  # the system does not tell
    assert check_room(SPACES[kind], 10**9, stack, CPU) > 3_000_000_000


@pytest.mark.parametrize("prioritized", [False, True])
@pytest.mark.parametrize("stack", [1, 3])
def test_a_memory_takes_what_is_said_beforehand(stack, prioritized):
    """Final observations and masks aside."""
    adapter = simulated("FrozenLake", frame_stack=stack)
    replay = memory_of(adapter, 1000, stack, prioritized=prioritized)
    tensors = [value for value in vars(replay).values() if isinstance(value, torch.Tensor)]
    tensors += [replay.finals.places, replay.finals.counts] + (replay.tree.levels if prioritized else [])
    taken = sum(tensor.numel() * tensor.element_size() for tensor in tensors)
    space = spaces.Box(0, 1, adapter.sim.obs_shape, np.uint8)
    said = check_room(space, 4000, stack, CPU)
    assert taken <= said <= 1.3 * taken
