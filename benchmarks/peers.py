"""The MinAtar games in three other packages, each driven in the way that is fastest for it.

All play random actions of the minimal set, drawn beforehand, start finished episodes again and write every observation.
What differs between the packages is what each of them is:

    minatar   Young & Tian's own, in Python. One environment, since it has no vector of them; sticky actions (0.1).
    pgx       JAX. Sticky actions (0.1); episodes have no limit of their own.
    gymnax    JAX. No sticky actions; episodes are cut after 1000 steps (Freeway: 2500).

The two JAX packages run `vmap(step with autoreset)` in a compiled loop, so that Python is entered once in thousands of
steps. The loop is a `lax.fori_loop`, which is a `lax.scan` whose length can be chosen at run time. It carries the
observations along, so that XLA must write them, and may write them to the same memory every time, as Ludus does. (It
does: a loop that drops them is faster by a fifth to a half.)
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from importlib import import_module
from itertools import cycle, islice
from typing import Any, NamedTuple

import numpy as np

MINATAR_GAMES = ("Asterix", "Breakout", "Freeway", "Seaquest", "SpaceInvaders")
NUM_ENVS = 1024
PERIOD = 64  # steps after which the random actions come again
STICKY = 0.1


class Player(NamedTuple):
    """Something to measure: `play(count)` takes `count` steps in each of `num_envs` environments."""

    num_envs: int
    play: Callable[[int], None]


def step_player(num_envs: int, step: Callable[[Any], Any], actions: Any) -> Player:
    """A player that calls `step` from Python with one item of `actions` after the other, over and over."""
    endless = cycle(actions)

    def play(count: int) -> None:
        for action in islice(endless, count):
            step(action)

    return Player(num_envs, play)


def minatar_player(game: str) -> Player:
    """The package `minatar`, one environment; raises ImportError if it is not installed."""
    env = import_module("minatar").Environment(snake_case(game), sticky_action_prob=STICKY)
    env.seed(0)
    env.reset()

    def step(action: int) -> None:
        _, over = env.act(action)
        if over:
            env.reset()
        env.state()

    return step_player(1, step, np.random.default_rng(0).choice(env.minimal_action_set(), 10_000).tolist())


def pgx_player(game: str) -> Player:
    """The package `pgx`; raises ImportError if it is not installed."""
    jax = load_jax()
    env = import_module("pgx").make(f"minatar-{snake_case(game)}")
    step = jax.vmap(import_module("pgx.experimental").auto_reset(env.step, env.init))
    state = jax.jit(jax.vmap(env.init))(jax.random.split(jax.random.PRNGKey(0), NUM_ENVS))
    return jax_player(jax, step, state, env.num_actions)


def gymnax_player(game: str) -> Player:
    """The package `gymnax`; raises ImportError if it is not installed."""
    jax = load_jax()
    env, params = import_module("gymnax").make(f"{game}-MinAtar")
    keys = jax.random.split(jax.random.PRNGKey(0), NUM_ENVS)
    reset, one_step = jax.vmap(env.reset, (0, None)), jax.vmap(env.step, (0, 0, 0, None))

    def step(carry: Any, actions: Any, keys: Any) -> Any:
        *results, _infos = one_step(keys, carry[1], actions, params)  # obs, state, reward, terminated, truncated
        return tuple(results)

    obs, state = reset(keys, params)
    first = jax.jit(step)((obs, state), jax.numpy.zeros(NUM_ENVS, int), keys)
    return jax_player(jax, step, first, env.num_actions)


def jax_player(jax: Any, step: Callable[[Any, Any, Any], Any], carry: Any, num_actions: int) -> Player:
    """A compiled loop over `step(carry, actions, keys) -> carry`, whose carry holds the observations."""
    actions = jax.random.randint(jax.random.PRNGKey(1), (PERIOD, NUM_ENVS), 0, num_actions)

    def one_step(t: Any, carry_and_key: Any) -> Any:
        carry, key = carry_and_key
        key, own = jax.random.split(key)
        return step(carry, actions[t % PERIOD], jax.random.split(own, NUM_ENVS)), key

    loop = jax.jit(lambda count, start: jax.lax.fori_loop(0, count, one_step, start))
    now = [(carry, jax.random.PRNGKey(2))]

    def play(count: int) -> None:
        now[0] = jax.block_until_ready(loop(count, now[0]))

    return Player(NUM_ENVS, play)


def load_jax() -> Any:
    """JAX, held to one thread on the CPU."""
    os.environ["JAX_PLATFORMS"] = "cpu"
    os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
    return import_module("jax")


def snake_case(name: str) -> str:
    """SpaceInvaders -> space_invaders."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()


PEERS: dict[str, Callable[[str], Player]] = {"minatar": minatar_player, "pgx": pgx_player, "gymnax": gymnax_player}
