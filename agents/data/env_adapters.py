"""Where steps come from: Ludus's simulators, or any Stable-Baselines3 `VecEnv`, behind one face of tensors.

After `step`, the attributes hold what happened; games whose episode ended have begun the next one, and `obs` is of that.
"""

from __future__ import annotations

import copyreg
from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from stable_baselines3.common.vec_env import VecEnv, VecTransposeImage
from torch import Tensor

from ...envs import Simulator, UnknownGame, find_game
from ..nn.actor_critic import each
from ..nn.starts import into_space
from ..training.arguments import check_gymnasium_id
from ..training.finite_checks import not_finite

# Stable-Baselines3's class holds what Python cannot copy or pickle, although it is no more than these two.
copyreg.pickle(VecTransposeImage, lambda env: (VecTransposeImage, (env.venv, env.skip)))  # type: ignore[arg-type]


class EnvAdapter:
    """N games; tensors are (N, ...) and overwritten by the next step.

    Attributes:
        obs: as the policy takes it, a tensor or a dictionary of them.
        reward, episode_return: float32; terminated, truncated: bool; episode_length: int32. The last two hold for
            games whose episode ended with this step.
        final_obs: like obs; where an episode ended, what it ended with.
        mask: (N, P) bool, true for legal actions, or None where all are legal always.
        signs: (N,) float32, -1 where the last step gave the turn to the other player, or None in games without turns.
        can_truncate: False where `truncated` never is true.
        max_episode_steps: where it becomes true, if that is known.
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
    max_episode_steps: int | None = None
    endings: list[Any] | None = (
        None  # of each step, if they are to be kept: games (K,) that ended and (K, ...) final_obs
    )

    def step(self, actions: Tensor) -> int:
        """Take one step in every game with actions (N, ...); returns 0 if no episode ended, another number if some may."""
        raise NotImplementedError

    def _keep_endings(self, ended: int) -> int:
        """Note them, where someone will ask; returns `ended`."""
        if self.endings is not None:
            games = (self.terminated | self.truncated).nonzero().squeeze(-1) if ended else ()
            self.endings.append((games, each(lambda x: x[games], self.final_obs)) if len(games) else None)
        return ended


class SimulatorAdapter(EnvAdapter):
    """Games that write into tensors; what they write is not copied."""

    def __init__(self, sim: Simulator, channels_first: bool) -> None:
        self.sim, self.num_envs = sim, sim.num_envs
        tensors = sim.tensors
        self.obs, self.final_obs = (_turned(x, channels_first) for x in (tensors.obs, tensors.final_obs))
        self.reward, self.terminated, self.truncated = tensors.reward, tensors.terminated, tensors.truncated
        self.episode_return, self.episode_length = tensors.episode_return, tensors.episode_length
        self.mask = tensors.legal if sim.legal is not None else None
        self.max_episode_steps = sim.options.step_limit
        self.can_truncate = self.max_episode_steps is not None
        self._on_cpu, self._actions, self._given = isinstance(sim.obs, np.ndarray), None, None

    def step(self, actions: Tensor) -> int:
        if actions is not self._actions:  # a tensor that comes again and again is looked at once
            self._actions, self._given = actions, actions.numpy() if self._on_cpu else actions
        return self._keep_endings(self.sim.step(self._given))


class SelfPlayWorld(EnvAdapter):
    """Games for several players, all played by one policy: each step of a game is one for each who acts in it.

    Where players take turns, that is the mover, who gets the mover's reward; what follows is the other's. Where they act
    together, each seat is a row, and stays one, with nothing to gain, when its player leaves before the end. An episode of
    turns that is cut off counts as a draw.
    """

    def __init__(self, sim: Simulator, channels_first: bool) -> None:
        self.sim, self.turns, self.seats = sim, sim.game.turns, sim.num_seats
        self.num_envs = sim.num_envs * sim.num_seats
        tensors = sim.tensors
        self.obs, self.final_obs = (
            _turned(x.reshape(-1, *sim.obs_shape), channels_first) for x in (tensors.obs, tensors.final_obs)
        )
        self.mask = tensors.legal if sim.legal is not None else None
        self._rewards, self._returns = tensors.reward, tensors.episode_return  # (N, P)
        self._ends, self._cuts, self._lengths = tensors.terminated, tensors.truncated, tensors.episode_length
        self._player = torch.as_tensor(sim.player) if self.turns else None
        self.max_episode_steps = sim.options.step_limit
        self.can_truncate = self.max_episode_steps is not None and not self.turns
        self._on_cpu = isinstance(sim.obs, np.ndarray)
        self._tell()

    def step(self, actions: Tensor) -> int:
        mover = None if self._player is None else self._player.long()
        given = actions if self.seats == 1 else actions.reshape(-1, self.seats)
        ended = self.sim.step(given.numpy() if self._on_cpu else given)
        self._tell()
        if mover is not None and self._player is not None:
            self.reward = self._rewards.gather(1, mover.unsqueeze(1)).squeeze(1)  # (N, 2) -> (N,)
            self.signs = torch.where(self._player.long() == mover, 1.0, -1.0)
        return self._keep_endings(ended)

    def _tell(self) -> None:
        """The games' results, a row for each who acts."""
        self.terminated, self.truncated, self.episode_length = (
            x.repeat_interleave(self.seats) for x in (self._ends, self._cuts, self._lengths)
        )
        self.reward = self._rewards[:, 0] if self.turns else self._rewards.reshape(-1)
        self.episode_return = self._returns[:, 0] if self.turns else self._returns.reshape(-1)
        self.signs = torch.ones_like(self.reward) if self.turns else None


class Shown:
    """An array, and a tensor that stays where it is and shows it on a device; on a CPU both share their memory."""

    def __init__(self, array: np.ndarray, device: torch.device) -> None:
        self.array = np.array(array)
        self.tensor = torch.from_numpy(self.array).to(device)
        self._apart = device.type != "cpu"

    def show(self, value: Any) -> None:
        self.array[...] = value
        if self._apart:
            self.tensor.copy_(torch.from_numpy(self.array))


class VecEnvAdapter(EnvAdapter):
    """Any environments that Stable-Baselines3 can step, wrappers included; what they give is copied into tensors."""

    def __init__(self, env: VecEnv, device: torch.device, obs: Any, timesteps: int = 0) -> None:
        self.env, self.device, self.num_envs, self.timesteps = env, device, env.num_envs, timesteps
        self.raw_obs = obs
        self.infos: list[dict[str, Any]] = [{} for _ in range(self.num_envs)]
        self.rewards, self.dones = np.zeros(self.num_envs, np.float32), np.zeros(self.num_envs, np.bool_)
        self._obs: Any = each(lambda x: Shown(x, device), obs)
        self._reward, self._terminated, self._truncated = (
            Shown(x, device) for x in (self.rewards, self.dones, self.dones)
        )
        self.obs = each(lambda x: x.tensor, self._obs)
        self.reward, self.terminated, self.truncated = (
            x.tensor for x in (self._reward, self._terminated, self._truncated)
        )
        self.final_obs, self.episode_return = each(torch.clone, self.obs), torch.zeros_like(self.reward)
        self.episode_length = torch.zeros(self.num_envs, dtype=torch.int32, device=device)
        self._mask = None
        if has_attr(env, "action_masks"):  # sb3-contrib's convention
            self._mask = Shown(self._legal(), device)
            self.mask = self._mask.tensor

    def observe(self, obs: Any) -> None:
        """Take observations (N, ...) from the environments, and which actions are legal then."""
        self.raw_obs = obs
        if isinstance(obs, dict):
            for name, shown in self._obs.items():
                shown.show(obs[name])
        else:
            self._obs.show(obs)
        if self._mask is not None:
            self._mask.show(self._legal())

    def step(self, actions: Tensor) -> int:
        taken = into_space(actions.cpu().numpy().copy(), self.env.action_space)
        obs, self.rewards, self.dones, self.infos = self.env.step(taken)
        self.observe(obs)
        self._reward.show(self.rewards)
        ended = self.dones.nonzero()[0].tolist()
        cut = [k for k in ended if self.infos[k].get("TimeLimit.truncated", False)]
        self._terminated.show(self.dones)
        self._truncated.show(False)
        if cut:
            self._truncated.array[cut] = True
            self._truncated.show(self._truncated.array)
            self._terminated.show(self.dones & ~self._truncated.array)
        for k in ended:
            self._end(k, self.infos[k])
        return len(ended)

    def _legal(self) -> np.ndarray:
        """Which actions the environments call legal now, (N, P)."""
        return np.stack([np.ravel(row) for row in self.env.env_method("action_masks")]).astype(np.bool_)

    def _end(self, k: int, info: dict[str, Any]) -> None:
        """Keep what the information of an episode's last step tells; raises NotFinite."""
        last = info.get("terminal_observation")
        if last is None:
            return
        pairs = (
            [(self.final_obs[name], last[name]) for name in last]
            if isinstance(last, dict)
            else [(self.final_obs, last)]
        )
        for tensor, value in pairs:
            tensor[k] = torch.as_tensor(np.asarray(value), device=self.device)
            if not tensor[k].isfinite().all():
                raise not_finite(f"final observation of environment {k}", tensor[k], self.timesteps)


def _turned(obs: Tensor, channels_first: bool) -> Tensor:
    return obs.permute(0, 3, 1, 2) if channels_first else obs  # (N, H, W, C) -> (N, C, H, W)


def has_attr(env: VecEnv, name: str) -> bool:
    """Whether the environments of a vector have an attribute; some, as SuperSuit's, cannot be asked."""
    try:
        return env.has_attr(name)
    except AttributeError:
        return False


def simulator_of(env: VecEnv | None) -> tuple[Simulator | None, bool]:
    """The simulator under a `VecEnv`, if nothing but a transposition is wrapped around it; and whether that is."""
    from ...envs.adapters.sb3 import LudusVecEnv

    transposed = isinstance(env, VecTransposeImage)
    inner = env.venv if isinstance(env, VecTransposeImage) else env
    return (inner.simulator, transposed) if isinstance(inner, LudusVecEnv) else (None, False)


def blank_world(agent: Any) -> EnvAdapter:
    """As many games as an agent without environment had, which show nothing."""

    def tensor(space: spaces.Space) -> Tensor:
        return torch.from_numpy(np.zeros((agent.n_envs, *(space.shape or ())), space.dtype)).to(agent.device)

    space, adapter = agent.observation_space, EnvAdapter()
    adapter.obs = each(tensor, space.spaces) if isinstance(space, spaces.Dict) else tensor(space)
    adapter.final_obs, adapter.num_envs = adapter.obs, agent.n_envs
    adapter.reward = torch.zeros(agent.n_envs, device=agent.device)
    return adapter


def unseen_adapter(agent: Any) -> EnvAdapter:
    """An agent's games before anybody has looked at them: none is reset."""
    if agent.simulator is not None:
        return adapter_of(agent)
    adapter = blank_world(agent)
    if agent.env is not None and has_attr(agent.env, "action_masks"):
        adapter.mask = torch.ones((agent.n_envs, agent.action_space.n), dtype=torch.bool, device=agent.device)
    return adapter


def adapter_of(agent: Any) -> EnvAdapter:
    """The games of an agent, all in one adapter."""
    if agent.env is None:
        return blank_world(agent)
    if agent.simulator is None:
        return VecEnvAdapter(agent.env, agent.device, agent._last_obs, agent.num_timesteps)
    kind = SelfPlayWorld if agent.simulator.num_players > 1 else SimulatorAdapter
    return kind(agent.simulator, agent.channels_first)


def games_by_name(name: str, seed: int | None, device: str) -> VecEnv | None:
    """Eight games, if `name` is one of Ludus's; None for any other Gymnasium id. Raises UnknownGame if it is neither."""
    from ...envs.adapters.sb3 import vec_env

    try:
        return vec_env(find_game(name), num_envs=8, seed=seed, device=device)
    except UnknownGame as unknown:
        check_gymnasium_id(name, unknown)
        return None
