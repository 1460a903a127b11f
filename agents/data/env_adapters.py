"""Adapters that show environments as tensors: Ludus's simulators, or any Stable-Baselines3 `VecEnv`.

Episodes that end are followed by the next one within the same step, whose first observation is then in `obs`.
"""

from __future__ import annotations

import copyreg
import warnings
from typing import Any

import gymnasium
import numpy as np
import torch
from gymnasium import spaces
from stable_baselines3.common.vec_env import VecEnv, VecTransposeImage
from torch import Tensor

from ...envs import Simulator, UnknownGame, find_game
from ..files.safe_io import short
from ..nn.actor_critic import each
from ..nn.frozen import FrozenEncoder
from ..nn.starts import into_space
from .finite_checks import not_finite

# Stable-Baselines3's class holds what Python cannot copy or pickle, although it is no more than these two.
copyreg.pickle(VecTransposeImage, lambda env: (VecTransposeImage, (env.venv, env.skip)))  # type: ignore[arg-type]


class EnvAdapter:
    """N environments; tensors are (N, ...) and overwritten by the next step.

    Attributes:
        obs: as the policy takes it, a tensor or a dictionary of them.
        reward, episode_return: float32; terminated, truncated: bool; episode_length: int32. Return and length are those of
            an episode that ended with this step; elsewhere they mean nothing.
        final_obs: like obs; the final observation where an episode ended.
        mask: (N, P) bool, action masks, true for legal actions, or None where all are legal always.
        signs: (N,) float32, -1 where the next action is the other player's, else 1; None in games without turns.
        can_truncate: False where `truncated` never is true.
        stays: whether all tensors stay where they are, for compiled loops to read.
        max_episode_steps: the step at which episodes are truncated, if it is known.
        advice: tells what a teacher would do, see `training.kickstart`; None where nobody asks for it.
        endings: if a list, `step` appends the environments (K,) whose episode ended and their final observations (K, ...),
            or None where there are none.
    """

    num_envs: int
    obs: Any
    final_obs: Any
    reward: Tensor
    terminated: Tensor
    truncated: Tensor
    episode_return: Tensor
    episode_length: Tensor
    mask: Tensor | None = None
    signs: Tensor | None = None
    can_truncate = True
    stays = False
    max_episode_steps: int | None = None
    advice: Any = None
    endings: list[Any] | None = None

    @property
    def source(self) -> EnvAdapter:
        """Itself, or the adapter whose observations it encodes."""
        return self

    def step(self, actions: Tensor) -> int:
        """Take one step in each environment with actions (N, ...); returns 0 only if no episode ended."""
        raise NotImplementedError

    def _store_endings(self, ended: int) -> int:
        """Append to `endings`, if it is a list; returns `ended`."""
        if self.endings is not None:
            games = (self.terminated | self.truncated).nonzero().squeeze(-1) if ended else ()
            self.endings.append((games, each(lambda x: x[games], self.final_obs)) if len(games) else None)
        return ended


class SimulatorAdapter(EnvAdapter):
    """A simulator for one player: its tensors, without a copy."""

    stays = True

    def __init__(self, sim: Simulator, channels_first: bool) -> None:
        self.sim, self.num_envs = sim, sim.num_envs
        tensors = sim.tensors
        self.obs, self.final_obs = (_permuted(x, channels_first) for x in (tensors.obs, tensors.final_obs))
        self.reward, self.terminated, self.truncated = tensors.reward, tensors.terminated, tensors.truncated
        self.episode_return, self.episode_length = tensors.episode_return, tensors.episode_length
        self.mask = tensors.legal if sim.legal is not None else None
        self.max_episode_steps = sim.options.step_limit
        self.can_truncate = self.max_episode_steps is not None
        self._on_cpu, self._actions, self._given = isinstance(sim.obs, np.ndarray), None, None

    def step(self, actions: Tensor) -> int:
        if actions is not self._actions:  # the same tensor in each step of a compiled collector is converted once
            self._actions, self._given = actions, actions.numpy() if self._on_cpu else actions
        return self._store_endings(self.sim.step(self._given))


class SelfPlayAdapter(EnvAdapter):
    """A simulator for several players, all of whom act by one policy.

    Where players take turns, a row is a game and the reward is that of the player who moved. Where they act at once, a row
    is a seat, with a reward of 0 after its player has left the game. A truncated episode of a game of turns is a draw.
    """

    def __init__(self, sim: Simulator, channels_first: bool) -> None:
        self.sim, self.turns, self.seats = sim, sim.game.turns, sim.num_seats
        self.num_envs = sim.num_envs * sim.num_seats
        tensors = sim.tensors
        self.obs, self.final_obs = (
            _permuted(x.reshape(-1, *sim.obs_shape), channels_first) for x in (tensors.obs, tensors.final_obs)
        )
        self.mask = tensors.legal if sim.legal is not None else None
        self._rewards, self._returns = tensors.reward, tensors.episode_return  # (N, P)
        self._terminated, self._truncated, self._lengths = tensors.terminated, tensors.truncated, tensors.episode_length
        self._player = torch.as_tensor(sim.player) if self.turns else None
        self.max_episode_steps = sim.options.step_limit
        self.can_truncate = self.max_episode_steps is not None and not self.turns
        self._on_cpu = isinstance(sim.obs, np.ndarray)
        self._update()

    def step(self, actions: Tensor) -> int:
        mover = None if self._player is None else self._player.long()
        given = actions if self.seats == 1 else actions.reshape(-1, self.seats)
        ended = self.sim.step(given.numpy() if self._on_cpu else given)
        self._update()
        if mover is not None and self._player is not None:
            self.reward = self._rewards.gather(1, mover.unsqueeze(1)).squeeze(1)  # (N, 2) -> (N,)
            self.signs = torch.where(self._player.long() == mover, 1.0, -1.0)
        return self._store_endings(ended)

    def _update(self) -> None:
        """Results of the simulator's last step, a row for each player who acts."""
        self.terminated, self.truncated, self.episode_length = (
            x.repeat_interleave(self.seats) for x in (self._terminated, self._truncated, self._lengths)
        )
        self.reward = self._rewards[:, 0] if self.turns else self._rewards.reshape(-1)
        self.episode_return = self._returns[:, 0] if self.turns else self._returns.reshape(-1)
        self.signs = torch.ones_like(self.reward) if self.turns else None


class Mirror:
    """An array, and a tensor with its content on a device, which stays at its address; on a CPU they share memory."""

    def __init__(self, array: np.ndarray, device: torch.device) -> None:
        self.array = np.array(array)
        self.tensor = torch.from_numpy(self.array).to(device)
        self._apart = device.type != "cpu"

    def write(self, value: Any) -> None:
        self.array[...] = value
        if self._apart:
            self.tensor.copy_(torch.from_numpy(self.array))


class VecEnvAdapter(EnvAdapter):
    """Any `VecEnv` of Stable-Baselines3, wrappers included; its arrays are copied into tensors."""

    stays = True

    def __init__(self, env: VecEnv, device: torch.device, obs: Any, timesteps: int = 0) -> None:
        self.env, self.device, self.num_envs, self.timesteps = env, device, env.num_envs, timesteps
        self.raw_obs = obs
        self.infos: list[dict[str, Any]] = [{} for _ in range(self.num_envs)]
        self.rewards, self.dones = np.zeros(self.num_envs, np.float32), np.zeros(self.num_envs, np.bool_)
        self._obs: Any = each(lambda x: Mirror(x, device), obs)
        self.obs = each(lambda x: x.tensor, self._obs)
        self._reward, self._terminated = Mirror(self.rewards, device), Mirror(self.dones, device)
        self._truncated = Mirror(self.dones, device)
        self.reward, self.terminated = self._reward.tensor, self._terminated.tensor
        self.truncated = self._truncated.tensor
        self.final_obs, self.episode_return = each(torch.clone, self.obs), torch.zeros_like(self.reward)
        self.episode_length = torch.zeros(self.num_envs, dtype=torch.int32, device=device)
        self._mask = None
        if has_attr(env, "action_masks"):
            self._mask = Mirror(self._action_masks(), device)
            self.mask = self._mask.tensor

    def observe(self, obs: Any) -> None:
        """Take observations (N, ...), and the action masks that the environments have now."""
        self.raw_obs = obs
        each(Mirror.write, self._obs, obs)
        if self._mask is not None:
            self._mask.write(self._action_masks())

    def step(self, actions: Tensor) -> int:
        taken = into_space(actions.cpu().numpy().copy(), self.env.action_space)
        obs, self.rewards, self.dones, self.infos = self.env.step(taken)
        self.observe(obs)
        self._reward.write(self.rewards)
        ended = self.dones.nonzero()[0].tolist()
        truncated = [k for k in ended if self.infos[k].get("TimeLimit.truncated", False)]
        self._terminated.write(self.dones)
        self._truncated.write(False)
        if truncated:
            self._truncated.array[truncated] = True
            self._truncated.write(self._truncated.array)
            self._terminated.write(self.dones & ~self._truncated.array)
        for k in ended:
            self._store_final_obs(k, self.infos[k].get("terminal_observation"))
        return len(ended)

    def _action_masks(self) -> np.ndarray:
        """Action masks (N, P) bool, by sb3-contrib's convention."""
        return np.stack([np.ravel(row) for row in self.env.env_method("action_masks")]).astype(np.bool_)

    def _store_final_obs(self, k: int, final_obs: Any) -> None:
        """Write the final observation of environment k, if it has told one; raises NotFinite."""

        def store(value: Any, tensor: Tensor) -> None:
            tensor[k] = torch.as_tensor(np.asarray(value), device=self.device)
            if not tensor[k].isfinite().all():
                raise not_finite(f"final observation of environment {k}", tensor[k], self.timesteps)

        if final_obs is not None:
            each(store, final_obs, self.final_obs)


class EncodedAdapter(EnvAdapter):
    """Another adapter, whose pictures go through a frozen encoder once, before anybody sees them."""

    def __init__(self, inner: EnvAdapter, encoder: FrozenEncoder) -> None:
        self.inner, self.encoder, self.num_envs = inner, encoder, inner.num_envs
        self.stays, self.can_truncate, self.max_episode_steps = inner.stays, inner.can_truncate, inner.max_episode_steps
        self.obs = encoder(inner.obs).contiguous()
        self.final_obs = torch.zeros_like(self.obs)
        self._show_results()

    @property
    def source(self) -> EnvAdapter:
        return self.inner

    def _show_results(self) -> None:
        inner = self.inner
        self.reward, self.terminated, self.truncated = inner.reward, inner.terminated, inner.truncated
        self.episode_return, self.episode_length = inner.episode_return, inner.episode_length
        self.mask, self.signs = inner.mask, inner.signs

    def step(self, actions: Tensor) -> int:
        ended = self.inner.step(actions)
        self._show_results()
        self.obs.copy_(self.encoder(self.inner.obs))
        if ended and self.can_truncate:
            self._encode_final_obs(ended)
        return ended

    def observe(self, obs: Any) -> None:
        """Take observations (N, ...) of environments of another library, as `VecEnvAdapter.observe` does."""
        self.inner.observe(obs)  # type: ignore[attr-defined]
        self.obs.copy_(self.encoder(self.inner.obs))

    def _encode_final_obs(self, ended: int) -> None:
        """On a CPU of those games alone whose episode was truncated; on a GPU of all, which are not counted."""
        if ended < 0:
            self.final_obs.copy_(self.encoder(self.inner.final_obs))
        elif len(games := self.truncated.nonzero().squeeze(-1)):
            self.final_obs[games] = self.encoder(self.inner.final_obs[games])


def _permuted(obs: Tensor, channels_first: bool) -> Tensor:
    return obs.permute(0, 3, 1, 2) if channels_first else obs  # (N, H, W, C) -> (N, C, H, W)


def has_attr(env: VecEnv, name: str) -> bool:
    """Whether the environments of a vector have an attribute; some, as SuperSuit's, cannot be asked."""
    try:
        return env.has_attr(name)
    except AttributeError:
        return False


def simulator_of(env: VecEnv | None) -> tuple[Simulator | None, bool]:
    """The simulator of a `VecEnv`, or None unless `VecTransposeImage` is its only wrapper; and whether it has that one.

    None, too, if methods are another's, as in a class that shapes rewards in `step_wait`: those are to be called.
    """
    from ...envs.adapters.sb3 import LudusVecEnv, overridden

    transposed = isinstance(env, VecTransposeImage)
    inner = env.venv if isinstance(env, VecTransposeImage) else env
    return (inner.simulator, transposed) if isinstance(inner, LudusVecEnv) and not overridden(inner) else (None, False)


def observed_space(agent: Any) -> Any:
    """Of observations as the network of an agent takes them, which is behind a frozen encoder if it has one."""
    encoder = getattr(agent.policy, "frozen", None)
    return agent.observation_space if encoder is None else encoder.space


def blank_adapter(agent: Any) -> EnvAdapter:
    """An adapter whose tensors are zeros, of an agent's spaces and number of environments, for shapes and dtypes alone."""

    def tensor(space: spaces.Space) -> Tensor:
        return torch.from_numpy(np.zeros((agent.n_envs, *(space.shape or ())), space.dtype)).to(agent.device)

    space, adapter = observed_space(agent), EnvAdapter()
    adapter.obs = each(tensor, space.spaces) if isinstance(space, spaces.Dict) else tensor(space)
    adapter.final_obs, adapter.num_envs = adapter.obs, agent.n_envs
    adapter.reward = torch.zeros(agent.n_envs, device=agent.device)
    return adapter


def unseen_adapter(agent: Any) -> EnvAdapter:
    """An adapter of an agent's environments that resets none of them, for shapes and dtypes alone."""
    if agent.simulator is not None:
        return adapter_of(agent)
    adapter = blank_adapter(agent)
    if agent.env is not None and has_attr(agent.env, "action_masks"):
        adapter.mask = torch.ones((agent.n_envs, agent.action_space.n), dtype=torch.bool, device=agent.device)
    return adapter


def adapter_of(agent: Any) -> EnvAdapter:
    """An adapter of all environments of an agent."""
    if agent.env is None:
        return blank_adapter(agent)
    if agent.simulator is None:
        return encoded(agent, VecEnvAdapter(agent.env, agent.device, agent._last_obs, agent.num_timesteps))
    kind = SelfPlayAdapter if agent.simulator.num_players > 1 else SimulatorAdapter
    return encoded(agent, kind(agent.simulator, agent.channels_first))


def encoded(agent: Any, adapter: EnvAdapter) -> EnvAdapter:
    """The adapter, behind the frozen encoder of the agent's policy if it has one."""
    encoder = getattr(agent.policy, "frozen", None)
    return adapter if encoder is None else EncodedAdapter(adapter, encoder)


def games_by_name(name: str, seed: int | None, device: str) -> VecEnv | None:
    """Eight games, if `name` is one of Ludus's; None for any other Gymnasium id. Raises UnknownGame if it is neither."""
    from ...envs.adapters.sb3 import vec_env

    try:
        return vec_env(find_game(name), num_envs=8, seed=seed, device=device)
    except UnknownGame as unknown:
        try:
            with warnings.catch_warnings(action="ignore"):
                gymnasium.spec(name)
        except (gymnasium.error.Error, ImportError) as error:
            raise UnknownGame(f"{unknown}; it is no Gymnasium id either ({short(error)})") from error
        return None
