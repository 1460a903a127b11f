"""PPO in JAX in the manner of PureJaxRL (Lu et al. 2022): games and learning are one compiled program.

The games are gymnax's Breakout under MinAtar's own protocol: its six actions, no limit of steps, and sticky actions, which
gymnax leaves to the caller. Network, initial weights and loss are the other sides' (`ppo_peers.py`).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from flax import linen as nn
from gymnax.environments.minatar.breakout import MinBreakout
from training.ppo_peers import LEARNING, PROTOCOL, Settings

NUM_ACTIONS = 6
FOR_EVER = 1_000_000_000


class Network(nn.Module):
    """Logits (B, 6) and values (B,) of observations (B, 10, 10, 4)."""

    kind: str

    @nn.compact
    def __call__(self, obs: Any) -> tuple[Any, Any]:
        obs = obs.astype(jnp.float32)
        if self.kind == "towers":
            flat = obs.reshape(len(obs), -1)
            actor, critic = (dense(dense(flat, 128), 128) for _ in range(2))
        else:
            seen = nn.relu(nn.Conv(16, (3, 3), padding="VALID", kernel_init=nn.initializers.orthogonal(2**0.5))(obs))
            actor = critic = dense(seen.reshape(len(obs), -1), 128)
        logits = nn.Dense(NUM_ACTIONS, kernel_init=nn.initializers.orthogonal(0.01))(actor)
        return logits, nn.Dense(1, kernel_init=nn.initializers.orthogonal(1.0))(critic).squeeze(-1)


def dense(x: Any, width: int) -> Any:
    return nn.relu(nn.Dense(width, kernel_init=nn.initializers.orthogonal(2**0.5))(x))


class Carry(NamedTuple):
    """All that goes from one iteration to the next; arrays are (N, ...)."""

    params: Any
    moments: Any  # the optimizer's
    games: Any
    obs: Any
    last_actions: Any
    returns: Any  # of the running episodes
    key: Any
    ended: Any  # sum of the returns of all episodes that ended, and their number


class Transition(NamedTuple):
    """One step in every game, or T of them, (T, N, ...)."""

    obs: Any
    actions: Any
    log_probs: Any
    values: Any
    rewards: Any
    dones: Any


def make(
    settings: Settings, total_timesteps: int | None = None, learning_rate: float = LEARNING["learning_rate"]
) -> tuple[Callable[[int], Carry], Callable[[Carry, int], Carry]]:
    """`start(seed)` and the compiled `run(carry, iterations)`; with `total_timesteps` the learning rate falls to zero."""
    game = MinBreakout(use_minimal_action_set=False)
    rules = game.default_params.replace(max_steps_in_episode=FOR_EVER)
    network = Network(settings.network)
    batches = settings.n_epochs * (settings.steps // settings.batch_size)
    updates = (total_timesteps or 0) // settings.steps * batches
    rate = optax.linear_schedule(learning_rate, 0.0, updates) if updates else learning_rate
    optimizer = optax.chain(optax.clip_by_global_norm(LEARNING["max_grad_norm"]), optax.adam(rate, eps=1e-5))
    collect, update = make_collect(settings, network, game, rules), make_update(settings, network, optimizer)

    def start(seed: int) -> Carry:
        key, weights_key, games_key = jax.random.split(jax.random.PRNGKey(seed), 3)
        obs, games = jax.vmap(game.reset, (0, None))(jax.random.split(games_key, settings.num_envs), rules)
        params = network.init(weights_key, obs[:1])
        zeros = jnp.zeros(settings.num_envs)
        return Carry(params, optimizer.init(params), games, obs, zeros.astype(int), zeros, key, (0.0, 0))

    def iteration(_: Any, carry: Carry) -> Carry:
        carry, data = collect(carry)
        _, last_values = network.apply(carry.params, carry.obs)
        return update(carry, data, advantages_of(data, last_values))

    run = jax.jit(lambda carry, count: jax.lax.fori_loop(0, count, iteration, carry))
    return jax.jit(start, static_argnums=0), run


def make_collect(settings: Settings, network: Network, game: Any, rules: Any) -> Callable[[Carry], Any]:
    """Play a rollout: carry -> carry, Transition of shape (T, N, ...)."""
    sticky = PROTOCOL["repeat_action_probability"]

    def step(carry: Carry, _: Any) -> tuple[Carry, Transition]:
        key, choice_key, sticky_key, game_key = jax.random.split(carry.key, 4)
        logits, values = network.apply(carry.params, carry.obs)
        actions = jax.random.categorical(choice_key, logits)
        repeated = jax.random.uniform(sticky_key, actions.shape) < sticky
        played = jnp.where(repeated, carry.last_actions, actions)
        keys = jax.random.split(game_key, settings.num_envs)
        obs, games, rewards, terminated, truncated, _ = jax.vmap(game.step, (0, 0, 0, None))(
            keys, carry.games, played, rules
        )
        dones, returns = terminated | truncated, carry.returns + rewards
        ended = (carry.ended[0] + (returns * dones).sum(), carry.ended[1] + dones.sum())
        transition = Transition(carry.obs, actions, log_prob(logits, actions), values, rewards, dones)
        after = carry._replace(
            games=games, obs=obs, last_actions=played, returns=returns * (1 - dones), key=key, ended=ended
        )
        return after, transition

    return lambda carry: jax.lax.scan(step, carry, None, settings.n_steps)


def advantages_of(data: Transition, last_values: Any) -> Any:
    """Generalized advantage estimation, (T, N)."""
    gamma, gae_lambda = LEARNING["gamma"], LEARNING["gae_lambda"]

    def step(carry: Any, now: Transition) -> Any:
        following, next_values = carry
        going_on = 1.0 - now.dones
        delta = now.rewards + gamma * next_values * going_on - now.values
        following = delta + gamma * gae_lambda * going_on * following
        return (following, now.values), following

    return jax.lax.scan(step, (jnp.zeros_like(last_values), last_values), data, reverse=True)[1]


def make_update(settings: Settings, network: Network, optimizer: Any) -> Callable[..., Carry]:
    """Learn from a rollout: carry, its data, its advantages -> carry."""

    def minibatch(weights: Any, batch: Any) -> Any:
        params, moments = weights
        change, moments = optimizer.update(jax.grad(loss)(params, network, *batch), moments)
        return (optax.apply_updates(params, change), moments), None

    def update(carry: Carry, data: Transition, advantages: Any) -> Carry:
        rows = jax.tree.map(lambda x: x.reshape(settings.steps, *x.shape[2:]), (data, advantages))

        def epoch(weights: Any, key: Any) -> Any:
            order = jax.random.permutation(key, settings.steps).reshape(-1, settings.batch_size)
            return jax.lax.scan(lambda w, chosen: minibatch(w, jax.tree.map(lambda x: x[chosen], rows)), weights, order)

        key, *keys = jax.random.split(carry.key, settings.n_epochs + 1)
        (params, moments), _ = jax.lax.scan(epoch, (carry.params, carry.moments), jnp.stack(keys))
        return carry._replace(params=params, moments=moments, key=key)

    return update


def loss(params: Any, network: Network, batch: Transition, advantages: Any) -> Any:
    """The clipped surrogate objective on B samples."""
    logits, values = network.apply(params, batch.obs)
    targets = advantages + batch.values
    advantages = (advantages - advantages.mean()) / (advantages.std() + 1e-8)
    ratio = jnp.exp(log_prob(logits, batch.actions) - batch.log_probs)
    reach = LEARNING["clip_range"]
    policy_loss = -jnp.minimum(advantages * ratio, advantages * jnp.clip(ratio, 1 - reach, 1 + reach)).mean()
    log_p = jax.nn.log_softmax(logits)
    entropy = -(jnp.exp(log_p) * log_p).sum(-1).mean()
    value_loss = ((values - targets) ** 2).mean()
    return policy_loss - LEARNING["ent_coef"] * entropy + LEARNING["vf_coef"] * value_loss


def log_prob(logits: Any, actions: Any) -> Any:
    return jnp.take_along_axis(jax.nn.log_softmax(logits), actions[:, None], -1).squeeze(-1)


# What benchmarks call


def speed(settings: Settings, seconds: float) -> dict[str, float]:
    """Steps, and the time they took without compiling."""
    start, run = make(settings)
    carry = jax.block_until_ready(run(start(0), 1))
    count = max(1, round(0.25 / timed(run, carry, 1)[1]))
    began, cpu, iterations = time.perf_counter(), time.process_time(), 0
    while time.perf_counter() - began < seconds:
        carry = jax.block_until_ready(run(carry, count))
        iterations += count
    took, cpu = time.perf_counter() - began, time.process_time() - cpu
    size = sum(leaf.size for leaf in jax.tree.leaves(carry.params))
    return {"steps": iterations * settings.steps, "seconds": took, "cpu_seconds": cpu, "parameters": size}


def learning_curve(settings: Settings, seed: int, total_timesteps: int, learning_rate: float = 2.5e-3) -> Any:
    """Train; yields (steps, seconds of training, mean return of the last 100 episodes or more) a few times a second."""
    start, run = make(settings, total_timesteps, learning_rate)
    carry = jax.block_until_ready(start(seed))
    jax.block_until_ready(run(carry, 0))  # compiles
    steps, seconds, count = 0, 0.0, 1
    while steps < total_timesteps:
        carry, took = timed(run, carry, count)
        steps, seconds = steps + count * settings.steps, seconds + took
        total, episodes = map(float, carry.ended)
        if episodes >= 100:
            yield steps, seconds, total / episodes
            carry = carry._replace(ended=(0.0, 0))
        count = max(1, round(0.2 * count / took))


def timed(run: Callable[[Carry, int], Carry], carry: Carry, count: int) -> tuple[Carry, float]:
    """That many iterations and their seconds."""
    began = time.perf_counter()
    carry = jax.block_until_ready(run(carry, count))
    return carry, time.perf_counter() - began
