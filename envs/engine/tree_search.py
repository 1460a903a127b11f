"""Monte Carlo tree search for all games of a simulator at once; the loops are in `tree`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from ..arguments import describe, number, seed_of, whole
from ..errors import OptionError
from ..rng import players_streams
from . import kernel, tree
from .compile_cpu import Buffer, Table, compile_cpu
from .look_ahead import check_searchable, has_chance
from .rendering import paint_backdrop, run
from .simulator import Simulator
from .thread_pool import Loop, LoopThreads

MOST_SIMULATIONS = 100_000
MOST_BYTES = 1 << 29  # of trees at once: of more boards, some are searched after the others
BUILT = {"_arrays", "_plant", "_grow", "_table", "_threads"}  # attributes that `_build` makes anew
TWINS = ("records", "raw")  # buffers in the same memory

# Observations (n, *obs_shape) and legal actions (n, A) bool -> priors (n, A) and values (n,) for the mover, both float32.
# What it is given is overwritten afterwards.
Guide = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]


class Found(NamedTuple):
    """What a search found in N games: how often each action was tried, and what the position is worth to the mover."""

    visits: np.ndarray  # (N, A) int64; all 0 where the episode is over
    values: np.ndarray  # (N,) float64


class TreeSearch:
    """PUCT search (Silver et al. 2018) of the games of a simulator, which stay as they are.

    The search knows a game's whole record, but none of its random numbers: where a step draws some, the search draws its own,
    and an action is worth what it brings on average. All boards are searched at once, and the network is asked about a
    position of each in one call. What is found on one board does not depend on the others, nor on threads, if the network's
    answers do not.

    Args:
        sim: the games, for one player or for two who take turns.
        simulations: for each decision, 1 or more.
        guide: the network: from observations and legal actions to priors and values, see `Guide`; None: all legal actions
            are as likely, and no position is worth anything but for the rewards to come.
        gamma: discount of a step, from 0 to 1.
        seed: of the search's own random numbers.
        num_threads: that share the boards.

    Raises:
        OptionError: the game cannot be searched, or an argument is wrong.
    """

    def __init__(
        self,
        sim: Simulator,
        simulations: int = 200,
        guide: Guide | None = None,
        gamma: float = 1.0,
        seed: int = 0,
        num_threads: int = 1,
    ) -> None:
        if not isinstance(sim, Simulator):
            raise OptionError(f"a search plays in a Simulator, got {describe(sim)}: give TreeSearch(sim)")
        check_searchable(sim.game)
        if sim.options.frame_stack > 1:
            raise OptionError(
                f"frame_stack must be 1 for a search, which sees single records, got {sim.options.frame_stack}"
            )
        self.sim, self.guide = sim, guide
        self.simulations = whole("simulations", simulations, 1, MOST_SIMULATIONS)
        self.gamma = number("gamma", gamma, 0, 1)
        num_threads = whole("num_threads", num_threads, 1)
        numbers = np.full(sim.num_envs, seed_of("seed", seed), np.uint64)
        self._streams = np.stack(players_streams(numbers, np.arange(sim.num_envs, dtype=np.uint64)), axis=1)
        self._chosen_threads = num_threads
        self._build()

    def _build(self) -> None:
        """The buffers, the compiled loops and, where they are needed, threads."""
        self._arrays = self._allocate()
        self._plant, self._grow = self._compile()
        self._table = Table(list(self._arrays.values()), self._buffers)
        self._num_threads = min(self._chosen_threads, self.boards)
        self._threads: LoopThreads | None = None

    def __getstate__(self) -> dict[str, Any]:
        """What copies and pickles are made of; they search in a copy of the simulator."""
        return {name: value for name, value in self.__dict__.items() if name not in BUILT}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._build()

    @property
    def _buffers(self) -> list[Buffer]:
        return [Buffer.of(array, shared=name in TWINS) for name, array in self._arrays.items()]

    def _allocate(self) -> dict[str, np.ndarray]:
        """The buffers of `tree`'s loops, in their order, for as many `boards` as fit."""
        sim, layout, room = self.sim, self.sim._layout, self.simulations + 1
        size, choices = sim.game.State.itemsize, len(sim.actions)
        each = tree.NODE.itemsize + tree.EDGE.itemsize * choices + kernel.CLOCK.itemsize + size
        self.boards = n = min(max(MOST_BYTES // (each * room), 1), sim.num_envs)
        search = np.array([(self.gamma, self.simulations)], tree.SEARCH)
        raw = np.zeros((n * room, size), np.uint8)
        arrays = {
            "nodes": np.zeros(n * room, tree.NODE),
            "edges": np.zeros((n * room, choices), tree.EDGE),
            "trees": np.zeros(n, tree.TREE),
            "records": raw.reshape(-1).view(sim.game.State),
            "raw": raw,
            "clocks": np.zeros(n * room, kernel.CLOCK),
            "search": search,
            "settings": sim.options.settings(sim.game, kernel.DISABLED),
            "streams": np.zeros((n, 2), np.uint64),
            "obs": np.zeros((n, *layout.frame_shape), sim.obs_dtype),
            "legal": np.ones((n, choices), np.bool_),
            "priors": np.zeros((n, choices), np.float32),
            "values": np.zeros(n, np.float32),
            "actions": np.zeros(n, np.int64),
            "reward": np.zeros(n * sim.num_players, np.float32),
            "backdrop": np.zeros(layout.backdrop_shape, np.uint8),
        }
        paint_backdrop(layout, arrays["backdrop"])
        return arrays

    def _compile(self) -> list[Callable[[int, int, int], int]]:
        game, options = self.sim.game, self.sim.options
        names = {
            **self.sim._layout.names,
            "CHANCE": has_chance(game) or options.repeat_action_probability > 0,
            "GUIDED": self.guide is not None,
            "TURNS": game.turns,
        }
        return [compile_cpu(game.name, loop, names, self._buffers) for loop in (tree.plant_trees, tree.grow_trees)]

    def __call__(self, wanted: np.ndarray | None = None) -> Found:
        """Search from where the games are now; only in those where it is `wanted`, (N,) bool."""
        sim = self.sim
        with sim._turns:
            if sim._unverified.whole.some:
                raise OptionError(f"{sim.game.name} goes on from a state made elsewhere: search needs one of its own")
            raw, clocks = np.array(sim._backend.read("raw")), np.array(sim._backend.read("clocks"))
        found = Found(np.zeros((sim.num_envs, len(sim.actions)), np.int64), np.zeros(sim.num_envs))
        live = np.flatnonzero(~clocks["over"] & (True if wanted is None else wanted))
        for first in range(0, len(live), self.boards):
            rows = live[first : first + self.boards]
            streams = self._streams[rows]
            found.visits[rows], found.values[rows] = self._search(raw[rows], clocks[rows], streams)
            self._streams[rows] = streams
        return found

    def _search(self, raw: np.ndarray, clocks: np.ndarray, streams: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Visits (n, A) and values (n,) of some boards; `streams` go on."""
        arrays, n, room = self._arrays, len(raw), self.simulations + 1
        arrays["raw"][: n * room : room], arrays["clocks"][: n * room : room] = raw, clocks
        arrays["streams"][:n] = streams
        asking = self._play(self._plant, n)
        while asking > 0:
            if self.guide is not None:
                priors, values = self.guide(arrays["obs"][:n].reshape(n, *self.sim.obs_shape), arrays["legal"][:n])
                if not (np.min(priors) >= 0 and np.isfinite(values).all()):  # the loops index by what is best
                    raise OptionError("the network must answer with priors from 0 and finite values, and it does not")
                arrays["priors"][:n], arrays["values"][:n] = priors, values
            asking = self._play(self._grow, n)
        streams[...] = arrays["streams"][:n]
        edges = arrays["edges"][: n * room : room]  # (n, A), those of the roots
        return edges["visits"], edges["total"].sum(1) / self.simulations

    def _play(self, loop: Callable[[int, int, int], int], n: int) -> int:
        """Run one of the loops over n boards, and return its answer."""
        function = loop if self._num_threads == 1 else self._shared(loop, n)
        return run(self.sim.game, function, self._table, n, checked=False)

    def _shared(self, loop: Callable[[int, int, int], int], n: int) -> Callable[[int, int, int], int]:
        """The loop over n boards, shared by threads."""
        shared = Loop(loop, self._table.address, n, self._table)
        if self._threads is None:
            self._threads = LoopThreads(shared, self._num_threads)
        else:
            self._threads.assign(shared)
        threads = self._threads
        return lambda table, first, last: threads.play()

    def close(self) -> None:
        """Let go of threads."""
        if self._threads is not None:
            self._threads.close()
            self._threads = None
