"""Proximal policy optimisation (Schulman et al. 2017), with Stable-Baselines3's interface.

`PPO` is a subclass of Stable-Baselines3's: constructor, `learn`, `predict`, callbacks and logger are its own. What differs
is the hot path. On a Ludus simulator, rollouts are tensors that the games write into, no Python runs for a single game, and
`train` reads nothing back from the device until an update is over. Any other environment goes the ordinary way.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from gymnasium import spaces
from stable_baselines3 import PPO as StablePPO
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.policies import BasePolicy
from stable_baselines3.common.vec_env import VecEnv, VecTransposeImage
from torch import Tensor

from ..envs import OptionError, Simulator
from .advantages import generalized_advantages
from .checkpoint import environment_facts, load_agent, save_agent
from .encoders import CnnActorCritic, MlpActorCritic
from .rollout import RolloutTensors


class PPO(StablePPO):
    """PPO on tensors.

    Takes what Stable-Baselines3's `PPO` takes; in addition:

    Args:
        policy: also `"mlp"` (shared layers of 128 and 128) and `"cnn"` (MinAtar's network).
        env: also the name of a Ludus game, such as `"Breakout"` (then eight games are made).
        time_limit: end training after this many seconds, and anneal schedules by the clock where it is ahead of the
            steps; None: steps alone decide.
        precision: of the encoder's arithmetic, "fp32", "bf16" (weights stay in fp32) or "auto": bf16 where the processor
            has instructions for it.
    """

    policy_aliases: ClassVar[dict[str, type[BasePolicy]]] = {
        **StablePPO.policy_aliases,
        "mlp": MlpActorCritic,
        "cnn": CnnActorCritic,
    }
    rollout_buffer: Any

    def __init__(
        self, policy: Any, env: Any, *args: Any, time_limit: float | None = None, precision: str = "fp32", **kwargs: Any
    ) -> None:
        if isinstance(env, str):
            env = _game_or_none(env, kwargs.get("seed")) or env
        self.policy_name = policy if isinstance(policy, str) else policy.__name__
        self.time_limit, self.precision = time_limit, choose_precision(precision)
        self.simulator: Simulator | None = None
        self.channels_first = False
        self.environment: dict[str, Any] = {}
        super().__init__(policy, env, *args, **kwargs)

    def _setup_model(self) -> None:
        if self.env is not None:
            self.environment = environment_facts(self.env)
        if (
            self.env is not None
            and isinstance(self.action_space, spaces.Discrete)
            and self.rollout_buffer_class is None
        ):
            self.simulator, self.channels_first = simulator_of(self.env)
        if self.simulator is not None:
            self.rollout_buffer_class = RolloutTensors  # type: ignore[assignment]
        super()._setup_model()

    # -- one iteration on tensors: collect, advantages, update ---------------------------------------------------------

    def collect_rollouts(self, env: VecEnv, callback: BaseCallback, rollout_buffer: Any, n_rollout_steps: int) -> bool:
        """Play `n_rollout_steps` in every game; returns False if a callback asked to stop."""
        if self.simulator is None:
            return super().collect_rollouts(env, callback, rollout_buffer, n_rollout_steps)
        sim, data = self.simulator, rollout_buffer
        self.policy.set_training_mode(False)
        callback.on_rollout_start()
        for t in range(n_rollout_steps):
            with torch.no_grad():
                data.obs[t] = self._observation(sim.tensors.obs)
                logits, values = self.actor_critic(data.obs[t])
                actions = sample(logits)
                data.log_probs[t] = log_prob(logits, actions)
            data.actions[t], data.values[t] = actions, values
            finished = sim.step(data.actions[t])
            data.rewards[t] = sim.tensors.reward
            data.dones[t] = (sim.tensors.terminated | sim.tensors.truncated).float()
            if finished:
                self._bootstrap_truncated(data.rewards[t])
                self._note_episodes()
            self.num_timesteps += sim.num_envs
            callback.update_locals(locals())
            if not callback.on_step() or self._time_is_up():
                return False
        sim.check()
        self._compute_advantages(data)
        callback.update_locals(locals())
        callback.on_rollout_end()
        return True

    def _observation(self, obs: Tensor) -> Tensor:
        return obs.permute(0, 3, 1, 2) if self.channels_first else obs  # (N, H, W, C) -> (N, C, H, W)

    def actor_critic(self, obs: Tensor) -> tuple[Tensor, Tensor]:
        """Log-probabilities (B, A) up to a constant, and values (B,)."""
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.precision == "bf16"):
            features = self.policy.extract_features(obs)  # (B, *shape) -> (B, F)
            actor, critic = self.policy.mlp_extractor(features)
        return self.policy.action_net(actor.float()), self.policy.value_net(critic.float()).squeeze(-1)

    @torch.no_grad()
    def _bootstrap_truncated(self, rewards: Tensor) -> None:
        """An episode that was cut off goes on in theory: add the value of where it would have gone on from."""
        sim = self.simulator
        assert sim is not None
        if sim.options.max_episode_steps is None:
            return
        cut = sim.tensors.truncated.nonzero().squeeze(-1)
        if len(cut):
            _, values = self.actor_critic(self._observation(sim.tensors.final_obs[cut]))
            rewards[cut] += self.gamma * values

    def _note_episodes(self) -> None:
        """Keep the last hundred episodes' returns and lengths for the log."""
        sim = self.simulator
        assert sim is not None and self.ep_info_buffer is not None
        ended = (sim.tensors.terminated | sim.tensors.truncated).nonzero().squeeze(-1)[-self._stats_window_size :]
        now = self._elapsed()
        pairs = zip(sim.tensors.episode_return[ended].tolist(), sim.tensors.episode_length[ended].tolist(), strict=True)
        self.ep_info_buffer.extend({"r": r, "l": n, "t": now} for r, n in pairs)

    @torch.no_grad()
    def _compute_advantages(self, data: RolloutTensors) -> None:
        assert self.simulator is not None
        _, last_values = self.actor_critic(self._observation(self.simulator.tensors.obs))
        data.advantages[:] = generalized_advantages(
            data.rewards, data.values, data.dones, last_values, self.gamma, self.gae_lambda
        )

    def train(self) -> None:
        """Fit the policy to the rollout for `n_epochs`."""
        if self.simulator is None:
            super().train()
            return
        self.policy.set_training_mode(True)
        self._update_learning_rate(self.policy.optimizer)
        clip_range = self.clip_range(self._current_progress_remaining)  # type: ignore[operator]
        data = self.rollout_buffer.flat()
        size = len(data["actions"])
        sums: dict[str, Any] = {}
        parts: dict[str, Tensor] = {}
        batches = 0
        for _ in range(self.n_epochs):
            order = torch.randperm(size, device=self.device)
            for rows in order.split(self.batch_size):
                batch = {name: tensor[rows] for name, tensor in data.items()}
                loss, parts = self.loss(batch, clip_range)
                self.policy.optimizer.zero_grad()
                loss.backward()
                torch.nn.utils.clip_grad_norm_(self.policy.parameters(), self.max_grad_norm)
                self.policy.optimizer.step()
                batches += 1
                for name, value in parts.items():
                    sums[name] = sums.get(name, 0.0) + value
            self._n_updates += 1
            if self.target_kl is not None and float(parts["approx_kl"]) > 1.5 * self.target_kl:
                break
        self._log_update(data, {name: value / batches for name, value in sums.items()}, clip_range)

    def loss(self, batch: dict[str, Tensor], clip_range: float) -> tuple[Tensor, dict[str, Tensor]]:
        """The clipped surrogate objective and its parts, on one minibatch."""
        logits, values = self.actor_critic(batch["obs"])
        advantages = batch["advantages"]
        if self.normalize_advantage and len(advantages) > 1:
            advantages = (advantages - advantages.mean()) / (advantages.std() + 1e-8)
        log_ratio = log_prob(logits, batch["actions"]) - batch["log_probs"]
        ratio = log_ratio.exp()
        clipped = ratio.clamp(1 - clip_range, 1 + clip_range)
        policy_loss = -torch.min(advantages * ratio, advantages * clipped).mean()
        if self.clip_range_vf is not None:
            reach = self.clip_range_vf(self._current_progress_remaining)  # type: ignore[operator]
            values = batch["values"] + (values - batch["values"]).clamp(-reach, reach)
        value_loss = F.mse_loss(values, batch["returns"])
        entropy = entropy_of(logits).mean()
        loss = policy_loss - self.ent_coef * entropy + self.vf_coef * value_loss
        with torch.no_grad():
            parts = {
                "policy_gradient_loss": policy_loss,
                "value_loss": value_loss,
                "entropy_loss": -entropy,
                "loss": loss,
                "approx_kl": ((ratio - 1) - log_ratio).mean(),  # Schulman 2020, "Approximating KL divergence"
                "clip_fraction": ((ratio - 1).abs() > clip_range).float().mean(),
            }
            return loss, {name: value.detach() for name, value in parts.items()}

    def _log_update(self, data: dict[str, Tensor], parts: dict[str, Tensor], clip_range: float) -> None:
        """Stable-Baselines3's tags; the one place where an update waits for the device."""
        for name, value in parts.items():
            self.logger.record(f"train/{name}", float(value))
        unexplained = (data["returns"] - data["values"]).var() / data["returns"].var().clamp_min(1e-8)
        self.logger.record("train/explained_variance", 1.0 - float(unexplained))
        self.logger.record("train/n_updates", self._n_updates, exclude="tensorboard")
        self.logger.record("train/clip_range", clip_range)

    # -- time ----------------------------------------------------------------------------------------------------------

    def _elapsed(self) -> float:
        return (time.time_ns() - self.start_time) / 1e9

    def _time_is_up(self) -> bool:
        return self.time_limit is not None and self._elapsed() >= self.time_limit

    def _update_current_progress_remaining(self, num_timesteps: int, total_timesteps: int) -> None:
        super()._update_current_progress_remaining(num_timesteps, total_timesteps)
        if self.time_limit is not None:
            left = max(0.0, 1.0 - self._elapsed() / self.time_limit)
            self._current_progress_remaining = min(self._current_progress_remaining, left)

    # -- what an agent says of an observation --------------------------------------------------------------------------

    @torch.no_grad()
    def explain(self, obs: Any) -> tuple[Any, Any]:
        """Action probabilities (N, A) and values (N,) of observations (N, ...), as NumPy arrays."""
        self.policy.set_training_mode(False)
        tensor, _ = self.policy.obs_to_tensor(obs)
        assert isinstance(tensor, Tensor)
        logits, values = self.actor_critic(tensor)
        return logits.softmax(-1).cpu().numpy(), values.cpu().numpy()

    # -- checkpoints ---------------------------------------------------------------------------------------------------

    def save(self, path: Any, exclude: Any = None, include: Any = None) -> None:
        """Write the agent into the folder `path`: `agent.json` and its weights."""
        save_agent(self, Path(path))

    @classmethod
    def load(cls, path: Any, env: Any = None, device: Any = "auto", *_: Any, **kwargs: Any) -> PPO:  # type: ignore[override]
        """Read an agent from the folder `path`; nothing in it is executed. Raises CheckpointError."""
        return load_agent(Path(path), env=env, device=device)


def choose_precision(precision: str) -> str:
    """fp32 or bf16, as asked or as the processor likes it."""
    if precision not in ("auto", "fp32", "bf16"):
        raise OptionError(f"precision must be auto, fp32 or bf16, got {precision!r}")
    if precision != "auto":
        return precision
    if torch.cuda.is_available():
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp32"
    return "bf16" if getattr(torch.cpu, "get_capabilities", dict)().get("avx512_bf16") else "fp32"


def log_prob(logits: Tensor, actions: Tensor) -> Tensor:
    """Log-probability (B,) of actions (B,) under logits (B, A)."""
    return F.log_softmax(logits, -1).gather(-1, actions.unsqueeze(-1)).squeeze(-1)


def entropy_of(logits: Tensor) -> Tensor:
    """Entropy (B,) of logits (B, A), in nats."""
    log_p = F.log_softmax(logits, -1)
    return -(log_p.exp() * log_p).sum(-1)


def sample(logits: Tensor) -> Tensor:
    """Actions (B,) drawn from logits (B, A), by the Gumbel-max trick: no host synchronisation, unlike multinomial."""
    return (logits - torch.empty_like(logits).exponential_().log()).argmax(-1)


def simulator_of(env: VecEnv) -> tuple[Simulator | None, bool]:
    """The simulator under an SB3 `VecEnv`, if nothing but a transposition is wrapped around it; and whether that is."""
    from ..envs.sb3 import LudusVecEnv

    transposed = isinstance(env, VecTransposeImage)
    inner = env.venv if isinstance(env, VecTransposeImage) else env
    return (inner.simulator, transposed) if isinstance(inner, LudusVecEnv) else (None, False)


def _game_or_none(name: str, seed: int | None) -> VecEnv | None:
    """Eight games, if `name` is one of Ludus's; None for any other Gymnasium id."""
    from ..envs import UnknownGame, find_game
    from ..envs.sb3 import LudusVecEnv

    try:
        return LudusVecEnv(find_game(name), num_envs=8, seed=seed)
    except UnknownGame:
        return None
