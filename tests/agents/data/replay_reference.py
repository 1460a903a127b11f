"""Games at random, and a list of all their steps as the reference of a replay buffer."""

from functools import partial

import gymnasium
import numpy as np
import torch
from gymnasium import spaces
from stable_baselines3.common.vec_env import DummyVecEnv

from ludus.agents.data import replay_buffer as replay_module
from ludus.agents.data.env_adapters import SelfPlayAdapter, SimulatorAdapter, VecEnvAdapter
from ludus.agents.data.replay_buffer import ReplayTensors
from ludus.agents.nn.actor_critic import each
from ludus.agents.runtime import hardware
from ludus.envs import Game, Simulator, state
from ludus.envs.rng import below, chance

CPU, GAMMA = torch.device("cpu"), 0.9


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
    return (SimulatorAdapter if sim.num_players == 1 else SelfPlayAdapter)(sim, turned)


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
        self.turns = isinstance(adapter, SelfPlayAdapter) and adapter.turns
        self.generator = torch.Generator().manual_seed(7)

    def play(self, replay):
        """One step of random legal actions, into both."""
        adapter, now = self.adapter, {"obs": self._copy(self.adapter.obs), "mask": self._copy(self.adapter.mask)}
        replay.store_obs(adapter)
        chances = (
            torch.ones(adapter.num_envs, replay_choices(adapter)) if adapter.mask is None else adapter.mask.float()
        )
        actions = torch.multinomial(chances, 1, generator=self.generator).squeeze(1)
        adapter.step(actions)
        replay.store_step(adapter, actions)
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
    replay.final_obs = replay_module.FinalObservations(adapter.obs, replay.truncated, adapter.max_episode_steps)
    return replay


def start_again(adapter):
    """New episodes in all games."""
    if isinstance(adapter, VecEnvAdapter):
        adapter.observe(adapter.env.reset())
    else:
        adapter.sim.reset()
