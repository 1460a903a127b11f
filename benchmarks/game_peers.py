"""The games that other packages have too, each package driven in the way that is fastest for it.

All write every observation and start finished episodes again.

    pgx        JAX, `vmap(auto_reset(step))` in a compiled loop. A move that is not allowed ends its games.
    gymnax     JAX, `vmap(step)`, which resets by itself, in a compiled loop.
    jumanji    JAX, `vmap(AutoResetWrapper(step))` in a compiled loop. Where new episodes are costly to make (Maze,
               Minesweeper, Sokoban), steps are vectorised and `lax.map` resets only what ended, which is faster.
    envpool    C++, `make(id, env_type="gymnasium", num_envs=1024, batch_size=1024, num_threads=1)` and `step` from Python.
    gymnasium  its own vector of CartPole in NumPy, for other games `SyncVectorEnv`, which steps one after the other.

The compiled loop is that of `peers.jax_player`. Where moves must be allowed ones, a number drawn beforehand picks one of
those in the mask: in JAX in the compiled loop, for EnvPool in NumPy.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np
from peers import NUM_ENVS, PERIOD, Player, jax_player, load_jax, step_player

PGX = {
    "Backgammon": "backgammon",
    "ConnectFour": "connect_four",
    "Game2048": "2048",
    "Go": "go_9x9",
    "Hex": "hex",
    "KuhnPoker": "kuhn_poker",
    "LeducPoker": "leduc_holdem",
    "Othello": "othello",
    "TicTacToe": "tic_tac_toe",
}
GYMNAX = {
    "Acrobot": "Acrobot-v1",
    "CartPole": "CartPole-v1",
    "Catch": "Catch-bsuite",
    "FrozenLake": "FrozenLake-misc",
    "MountainCar": "MountainCar-v0",
    "Pong": "Pong-misc",
}
JUMANJI = {
    "Game2048": "Game2048-v1",
    "Maze": "Maze-v0",
    "Minesweeper": "Minesweeper-v0",
    "Muncher": "PacMan-v1",
    "Snake": "Snake-v1",
    "Sokoban": "Sokoban-v0",
    "Tetris": "Tetris-v0",
}
ENVPOOL = {
    **JUMANJI,  # ports of those
    "Backgammon": "Backgammon-v1",  # from here to TicTacToe, ports of pgx's
    "ConnectFour": "ConnectFour-v1",
    "Game2048": "Play2048-v1",  # faster than Game2048-v1
    "Go": "Go9x9-v1",
    "Hex": "Hex-v1",
    "KuhnPoker": "KuhnPoker-v1",
    "LeducPoker": "LeducHoldem-v1",
    "Othello": "Othello-v1",
    "TicTacToe": "TicTacToe-v1",
    "Acrobot": "Acrobot-v1",
    "CartPole": "CartPole-v1",
    "Catch": "Catch-v0",
    "CliffWalking": "CliffWalking-v1",
    "FrozenLake": "FrozenLake-v1",
    "Lander": "LunarLander-v3",
    "MountainCar": "MountainCar-v0",
}
GYMNASIUM = {
    "Acrobot": "Acrobot-v1",
    "CartPole": "CartPole-v1",
    "CliffWalking": "CliffWalking-v1",
    "FrozenLake": "FrozenLake-v1",
    "Lander": "LunarLander-v3",
    "MountainCar": "MountainCar-v0",
}
RESET_APART = ("Maze", "Minesweeper", "Sokoban")
RANDOM = 2**30  # numbers below it pick one of the allowed actions

# PufferLib 3's games in C at -O2, one core of an AMD EPYC (Zen 4), 1024 environments, random actions
C_RATES = {
    "CartPole": 33.1e6,
    "ConnectFour": 40e3,
    "Go": 0.74e6,
    "Muncher": 2.3e6,
    "Pong": 34.4e6,
    "Snake": 4.9e6,
    "Tetris": 3.8e6,
}

RULES = {
    "Catch": "the others' board has 10 x 5 cells",
    "ConnectFour": "PufferLib's has a search opponent inside the step",
    "FrozenLake": "the others' observation is the number of the cell",
    "CliffWalking": "the others' observation is the number of the cell",
    "Game2048": "all choose allowed moves; pgx's observation is of 4 x 4 x 31 booleans",
    "Go": "the others observe the last eight boards (EnvPool: for both players), PufferLib's board is 7 x 7",
    "Hex": "the others' has a swap move",
    "Lander": "the others' is a simulation by Box2D",
    "Maze": "the others' have 10 x 10 cells and end after 100 steps",
    "Minesweeper": "jumanji's and EnvPool's end an episode also when a cell is chosen a second time",
    "Muncher": "the others' is Pac-Man on a larger board, its observation the grid and lists of places",
    "Pong": "gymnax's is a grid of 30 x 40 x 3, PufferLib's eight numbers",
    "Sokoban": "jumanji takes levels from a list (here its toy list of two, since the usual one is a download)",
    "Tetris": "jumanji's and EnvPool's drop each piece from a chosen column and turn, one piece a step, on 10 x 10 cells",
}


class NoSuchPackage(Exception):
    """A package, or what it needs for this game, is not installed."""


# JAX


def pgx_player(game: str, masked: bool) -> Player:
    """The package `pgx`."""
    jax = load_jax()
    env = import_module("pgx").make(PGX[game])
    step = jax.vmap(import_module("pgx.experimental").auto_reset(env.step, env.init))
    state = jax.jit(jax.vmap(env.init))(start_keys(jax))
    if not masked:
        return jax_player(jax, step, state, env.num_actions)

    def allowed_step(state: Any, numbers: Any, keys: Any) -> Any:
        return step(state, pick(jax.numpy, state.legal_action_mask, numbers), keys)

    return jax_player(jax, allowed_step, state, RANDOM)


def gymnax_player(game: str, masked: bool) -> Player:
    """The package `gymnax`; its games know no masks."""
    jax = load_jax()
    env, params = import_module("gymnax").make(GYMNAX[game])
    one_step = jax.vmap(env.step, (0, 0, 0, None))

    def step(carry: Any, actions: Any, keys: Any) -> Any:
        return one_step(keys, carry[1], actions, params)[:-1]  # obs, state, reward, terminated, truncated

    obs, state = jax.vmap(env.reset, (0, None))(start_keys(jax), params)
    first = jax.jit(step)((obs, state), jax.numpy.zeros(NUM_ENVS, int), start_keys(jax))
    return jax_player(jax, step, first, env.num_actions)


def jumanji_player(game: str, masked: bool) -> Player:
    """The package `jumanji`. Actions of several numbers, such as a row and a column, are drawn as one and taken apart."""
    jax = load_jax()
    env = jumanji_env(game)
    sizes = np.atleast_1d(env.action_spec.num_values)
    one_step = jumanji_step(jax, env, game in RESET_APART)

    def step(carry: Any, numbers: Any, _keys: Any) -> Any:
        state, timestep = carry
        if masked:
            mask = timestep.observation.action_mask
            numbers = pick(jax.numpy, mask.reshape(NUM_ENVS, -1), numbers)
        parts = jax.numpy.unravel_index(numbers, tuple(sizes))
        return one_step(state, jax.numpy.stack(parts, -1) if len(sizes) > 1 else parts[0])

    first = jax.jit(jax.vmap(env.reset))(start_keys(jax))
    first = jax.jit(step)(first, jax.numpy.zeros(NUM_ENVS, "int32"), None)
    return jax_player(jax, step, first, RANDOM if masked else int(sizes.prod()))


def jumanji_env(game: str) -> Any:
    jumanji = import_module("jumanji")
    if game != "Sokoban":
        return jumanji.make(JUMANJI[game])
    sokoban = import_module("jumanji.environments.routing.sokoban")
    return sokoban.Sokoban(generator=import_module(f"{sokoban.__name__}.generator").ToyGenerator())


def jumanji_step(jax: Any, env: Any, reset_apart: bool) -> Callable[[Any, Any], Any]:
    """`step(states, actions)` of many games, with automatic resets."""
    wrapper = import_module("jumanji.wrappers").AutoResetWrapper(env)
    if not reset_apart:
        return jax.vmap(wrapper.step)

    def reset_if_last(result: Any) -> Any:
        return jax.lax.cond(result[1].last(), lambda r: wrapper._auto_reset(*r), lambda r: r, result)

    return lambda states, actions: jax.lax.map(reset_if_last, jax.vmap(env.step)(states, actions))


def pick(jnp: Any, mask: Any, numbers: Any) -> Any:
    """One allowed action for each row of the mask, (N, actions) bool: the one that comes (number mod how many)-th."""
    chosen = numbers % jnp.maximum(mask.sum(-1), 1)
    ranks = mask.astype("float32") @ jnp.triu(jnp.ones((mask.shape[-1],) * 2, "float32"))  # a faster cumsum
    return jnp.argmax(ranks > chosen[:, None], -1).astype("int32")


def start_keys(jax: Any) -> Any:
    return jax.random.split(jax.random.PRNGKey(0), NUM_ENVS)


# C++ and Python


def envpool_player(game: str, masked: bool) -> Player:
    """The package `envpool`, on one thread. It starts an ended episode with the next step, whose action it ignores."""
    try:
        envpool = import_module("envpool")
    except FileNotFoundError as error:  # one of the packages envpool-assets, which it opens when imported
        raise NoSuchPackage from error
    settings = {"env_type": "gymnasium", "num_envs": NUM_ENVS, "batch_size": NUM_ENVS, "num_threads": 1, "seed": 0}
    env = envpool.make(ENVPOOL[game], **settings)
    info = env.reset()[1]
    if not masked:
        return step_player(NUM_ENVS, env.step, drawn_for(env.action_space))
    now, random = [info["legal_action_mask"]], np.random.default_rng(0)
    numbers = random.random((PERIOD, *now[0].shape), np.float32) + 0.5

    def step(numbers: np.ndarray) -> None:
        actions = (now[0] * numbers).argmax(1)
        now[0] = env.step(actions.astype(np.int32))[4]["legal_action_mask"]

    return step_player(NUM_ENVS, step, list(numbers))


def gymnasium_player(game: str, masked: bool) -> Player:
    """Gymnasium's own environments."""
    gymnasium = import_module("gymnasium")
    name = GYMNASIUM[game]
    mode = "vector_entry_point" if gymnasium.spec(name).vector_entry_point else "sync"
    try:
        env = gymnasium.make_vec(name, NUM_ENVS, vectorization_mode=mode)
    except gymnasium.error.DependencyNotInstalled as error:
        raise NoSuchPackage from error
    env.reset(seed=0)
    return step_player(NUM_ENVS, env.step, drawn_for(env.single_action_space))


def drawn_for(space: Any) -> list[np.ndarray]:
    """Random actions of one step each, (num_envs,) or (num_envs, parts), for a space of whole numbers."""
    random = np.random.default_rng(0)
    if hasattr(space, "n"):
        return list(random.integers(0, space.n, (PERIOD, NUM_ENVS)).astype(np.int32))
    return list(random.integers(space.low, space.high + 1, (PERIOD, NUM_ENVS, *space.shape)).astype(np.int32))


GAMES_OF = {"pgx": PGX, "gymnax": GYMNAX, "jumanji": JUMANJI, "envpool": ENVPOOL, "gymnasium": GYMNASIUM}
PLAYERS: dict[str, Callable[[str, bool], Player]] = {
    "pgx": pgx_player,
    "gymnax": gymnax_player,
    "jumanji": jumanji_player,
    "envpool": envpool_player,
    "gymnasium": gymnasium_player,
}
