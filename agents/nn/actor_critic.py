"""Policies: an encoder, perhaps a recurrent core, an actor and a critic; all of them Stable-Baselines3 policies.

PPO calls `forward_step` in rollouts and `forward_batch` in updates; neither waits for the device.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from copy import copy
from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from stable_baselines3.common.distributions import Distribution
from stable_baselines3.common.policies import ActorCriticPolicy
from stable_baselines3.common.preprocessing import is_image_space
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor, CombinedExtractor
from stable_baselines3.common.torch_layers import NatureCNN as StableNatureCNN
from torch import Tensor, nn

from ...envs import OptionError
from .action_dists import head_of, masked
from .encoders import ENCODERS
from .frozen import FrozenEncoder, modules_outside
from .normalize import ObservationNormalizer
from .on_pretrained import OnPretrained
from .overridden import OverriddenHead
from .recurrent import CORES
from .starts import from_zero, into_space, starts_of

SHORTCUT_FROM = 64  # observations; for fewer, preparing the shortcut takes longer than it saves


class ActorCritic(OnPretrained, ActorCriticPolicy):
    """Stable-Baselines3's actor-critic policy, with optional normalisation of observations and an optional recurrent core.

    Takes what `ActorCriticPolicy` and `OnPretrained` take; in addition:

    Args:
        normalize_obs: normalise observations to mean 0 and variance 1 by running statistics (`Box` of floats only).
        memory: None, "lstm" or "mingru": a recurrent core between the encoder and the actor and critic.
        memory_size: width of the core.
    """

    core: Any  # a `RecurrentCore`, or None
    shortcut: Any  # a faster way from observations to features on this device, or None; see `planes`
    normalizer: ObservationNormalizer | None

    def __init__(
        self, *args: Any, normalize_obs: bool = False, memory: str | None = None, memory_size: int = 128, **kwargs: Any
    ) -> None:
        if memory is not None and memory not in CORES:
            raise OptionError(f"memory must be one of {', '.join(CORES)}, or None; got {memory!r}")
        if memory is not None and not kwargs.get("share_features_extractor", True):
            raise OptionError("a recurrent policy shares its encoder: leave share_features_extractor=True")
        self.memory, self.memory_size, self.normalize_obs = memory, memory_size, normalize_obs
        self.core = self.normalizer = self.shortcut = None
        super().__init__(*args, **kwargs)
        self.head = head_of(self.action_space)
        self.starts = starts_of(self.observation_space)
        self.divisor = self._divisor()
        if normalize_obs:
            space = self.observation_space
            if not isinstance(space, spaces.Box) or space.dtype.kind != "f":
                raise OptionError(f"normalize_obs needs observations of floats in a Box, here they are {space}")
            self.normalizer = ObservationNormalizer(space.shape)

    def _divisor(self) -> float | None:
        """What Stable-Baselines3's preprocessing divides observations by; None where it does more than that."""
        if not isinstance(self.observation_space, spaces.Box) or not self.share_features_extractor:
            return None
        return 255.0 if self.normalize_images and is_image_space(self.observation_space) else 1.0

    def _build_mlp_extractor(self) -> None:
        if self.memory is not None:
            self.core = CORES[self.memory](self.features_dim, self.memory_size)
            self.features_dim = self.core.features_dim
        super()._build_mlp_extractor()

    def _get_constructor_parameters(self) -> dict[str, Any]:
        own = {"normalize_obs": True} if self.normalize_obs else {}
        if self.memory is not None:
            own |= {"memory": self.memory, "memory_size": self.memory_size}
        # Without them, these are Stable-Baselines3's, which its class loads.
        return {**super()._get_constructor_parameters(), **own}

    def __getstate__(self) -> dict[str, Any]:
        """The state for copies and pickles: all but the last action distribution, which has a graph of gradients."""
        action_dist = copy(self.action_dist)
        for name, value in vars(action_dist).items():
            if name in ("distribution", "weights_dist"):
                setattr(action_dist, name, None)
            elif isinstance(value, Tensor):
                setattr(action_dist, name, value.detach())
        return {**vars(self), "action_dist": action_dist}

    def extract_features(self, obs: Any, features_extractor: BaseFeaturesExtractor | None = None) -> Any:
        obs = self.encoded(obs)
        if self.shortcut is not None and len(obs) >= SHORTCUT_FROM:
            return self.shortcut(obs)
        if self.divisor is not None and features_extractor is None:
            x = obs.float() if self.divisor == 1.0 else obs.float() / self.divisor
            return self.features_extractor(x if self.normalizer is None else self.normalizer(x))
        return super().extract_features(self._prepared(obs), features_extractor)

    def _prepared(self, obs: Any) -> Any:
        """Observations as Stable-Baselines3's preprocessing takes them: encoded, counted from 0, and normalised."""
        obs = self.encoded(obs)
        return from_zero(obs, self.starts) if self.normalizer is None else self.normalizer(obs)

    def get_distribution(self, obs: Any) -> Distribution:
        return super().get_distribution(self._prepared(obs))

    def predict_values(self, obs: Any) -> Tensor:
        return super().predict_values(self._prepared(obs))

    def predict(
        self,
        observation: Any,
        state: tuple[np.ndarray, ...] | None = None,
        episode_start: np.ndarray | None = None,
        deterministic: bool = False,
        action_masks: np.ndarray | None = None,
    ) -> tuple[np.ndarray, tuple[np.ndarray, ...] | None]:
        """Actions for observations (N, ...) or one of them, as Stable-Baselines3's `predict`.

        Args:
            state: the recurrent state that the previous call returned; None at the start.
            episode_start: (N,) bool, where the observation is the first of its episode.
            deterministic: take the most likely action instead of sampling.
            action_masks: (N, P) bool, true for legal actions.

        Returns:
            actions (N, ...) and the recurrent state for the next call, None for a policy that is not recurrent.
        """
        if self.core is None and action_masks is None:
            actions, state = super().predict(observation, state, episode_start, deterministic)
            return into_space(actions, self.action_space), state  # type: ignore[arg-type]
        self.set_training_mode(False)
        obs, vectorized = self.obs_to_tensor(observation)
        n = len(next(iter(obs.values())) if isinstance(obs, dict) else obs)
        recurrent_state = None if self.core is None else self.recurrent_state_of(state, episode_start, n)
        mask = None if action_masks is None else torch.as_tensor(action_masks, device=self.device).reshape(n, -1).bool()
        with torch.no_grad():
            params, _, recurrent_state = forward_step(self, obs, recurrent_state, mask)
            chosen = self.head.mode(params) if deterministic else self.head.sample(params, self._global_noise(n))
        actions = into_space(chosen.cpu().numpy(), self.action_space)
        state = None if recurrent_state is None else (recurrent_state.cpu().numpy(),)
        return (actions if vectorized else actions.squeeze(0)), state

    def recurrent_state_of(self, state: Any, episode_start: Any, n: int) -> Tensor:
        """The recurrent state (n, S) from the arguments of `predict`; zeros where an episode starts."""
        if state is None:
            return self.core.initial_state(n, self.device)
        tensor = torch.as_tensor(state[0], device=self.device)
        if episode_start is None:
            return tensor
        return tensor * (1.0 - torch.as_tensor(episode_start, device=self.device).float().reshape(-1, 1))

    def _global_noise(self, n: int) -> Tensor:
        """Noise for n actions from PyTorch's own generator, from which Stable-Baselines3's `predict` samples."""
        if self.device.type == "cpu":
            return self.head.noise((n,), torch.default_generator)
        return self.head.noise((n,), torch.cuda.default_generators[self.device.index or 0])


class WithExtractor:
    """Mixin for policies: `extractor` is the default of `features_extractor_class`."""

    extractor: type[BaseFeaturesExtractor]

    def __init__(
        self, *args: Any, features_extractor_class: type[BaseFeaturesExtractor] | None = None, **kwargs: Any
    ) -> None:
        super().__init__(*args, features_extractor_class=features_extractor_class or self.extractor, **kwargs)  # type: ignore[call-arg]


class OnEncoder(WithExtractor):
    """Mixin for policies on one of Ludus's encoders: no hidden layers between it and actor and critic by default."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("net_arch", [])
        if kwargs.get("optimizer_class", torch.optim.Adam) is torch.optim.Adam:
            kwargs.setdefault("optimizer_kwargs", {"eps": 1e-5, "fused": True})
        super().__init__(*args, **kwargs)


def policies_of(plain: Any, on_encoder: Any) -> dict[str, Any]:
    """Policies by name, each a class: Stable-Baselines3's three, and one on each of Ludus's encoders.

    Args:
        plain: the class of `MlpPolicy`, of which the other two of Stable-Baselines3's are derived.
        on_encoder: the class, with `OnEncoder`, of which those on encoders are derived.
    """

    def derived(name: str, bases: tuple[Any, ...], extractor: type[BaseFeaturesExtractor]) -> type:
        about = f"{bases[-1].__name__} on features of `{extractor.__name__}`."
        return type(name, bases, {"extractor": extractor, "__doc__": about, "__module__": plain.__module__})

    names = {"mlp": "MlpEncoderPolicy", "cnn": "MinAtarPolicy", "nature": "NaturePolicy", "impala": "ImpalaPolicy"}
    return {
        **{name: derived(names[name], (on_encoder,), encoder) for name, encoder in ENCODERS.items()},
        "MlpPolicy": plain,
        "CnnPolicy": derived("CnnPolicy", (WithExtractor, plain), StableNatureCNN),
        "MultiInputPolicy": derived("MultiInputPolicy", (WithExtractor, plain), CombinedExtractor),
    }


class EncoderPolicy(OnEncoder, ActorCritic):
    """Actor and critic that share one of Ludus's encoders."""


POLICIES: dict[str, type[ActorCritic]] = policies_of(ActorCritic, EncoderPolicy)
# By the names that pickles have for them.
MlpEncoderPolicy, MinAtarPolicy, NaturePolicy, ImpalaPolicy, _, CnnPolicy, MultiInputPolicy = POLICIES.values()


def forward_step(
    policy: ActorCritic, obs: Any, state: Tensor | None = None, mask: Tensor | None = None
) -> tuple[Tensor, Tensor, Tensor | None]:
    """One step of B games: action distribution parameters (B, P), values (B,) and the next recurrent state (B, S).

    Args:
        obs: observations (B, *shape), or a dictionary of them.
        state: (B, S), of a recurrent policy; else None, and so is the next one.
        mask: (B, P) bool, true for legal actions; None: all are.
    """
    if isinstance(policy.head, OverriddenHead):
        return *policy.head.forward(policy, obs), None
    features = policy.extract_features(obs)  # (B, *shape) -> (B, F)
    if policy.core is not None:
        assert state is not None
        features, state = policy.core.step(features, state)  # (B, F), (B, S) -> (B, H), (B, S)
    params, values = actor_and_critic(policy, features)
    return masked(params, mask), values, state


def value_of(policy: ActorCritic, obs: Any, state: Tensor | None = None) -> Tensor:
    """Values (B,) of observations (B, *shape), with the recurrent state (B, S) of a recurrent policy."""
    if isinstance(policy.head, OverriddenHead):
        return policy.predict_values(obs).flatten()
    return forward_step(policy, obs, state)[1]


def forward_batch(policy: ActorCritic, batch: dict[str, Any]) -> tuple[Tensor, Tensor]:
    """Params (B, P) and values (B,) of a minibatch; of a recurrent policy, of sequences (T, b, ...) with B = T * b."""
    obs = batch["obs"]
    if policy.core is None:
        params, values = actor_and_critic(policy, policy.extract_features(obs))
    else:
        starts = batch["starts"]  # (T, b)
        features = policy.extract_features(each(lambda x: x.flatten(0, 1), obs))  # (T, b, *shape) -> (T * b, F)
        out, _ = policy.core.sequence(features.unflatten(0, starts.shape), starts, batch["memory"])  # -> (T, b, H)
        params, values = actor_and_critic(policy, out.flatten(0, 1))
    mask = batch.get("masks")
    return masked(params, None if mask is None else mask.reshape(params.shape)), values


def actor_and_critic(policy: ActorCritic, features: Any) -> tuple[Tensor, Tensor]:
    """Params (B, P) and values (B,) from features (B, F); from a pair of features, if the encoder is not shared."""
    if policy.share_features_extractor:
        actor, critic = policy.mlp_extractor(features)
    else:
        actor = policy.mlp_extractor.forward_actor(features[0])
        critic = policy.mlp_extractor.forward_critic(features[1])
    with full_precision(actor.device.type):  # in the last layers, rounding to bf16 would change the probabilities
        params, values = policy.action_net(actor.float()), policy.value_net(critic.float()).squeeze(-1)
    log_std = getattr(policy, "log_std", None)
    if log_std is not None:  # (B, n) -> (B, 2 n)
        params = torch.cat([params, log_std.expand_as(params)], -1)
    return params, values


def row_by_row(policy: nn.Module) -> bool:
    """Whether each row of a minibatch is computed by itself, so that threads may divide the rows.

    Batch normalisation averages over the whole minibatch, and threads would draw dropout's random numbers in any order.
    """
    kinds = (nn.modules.batchnorm._NormBase, nn.modules.dropout._DropoutNd)
    return not any(isinstance(module, kinds) for module in modules_outside(policy, FrozenEncoder))


def full_precision(device: str) -> AbstractContextManager[Any]:
    """A context without autocast; costs nothing where autocast is off."""
    return torch.autocast(device, enabled=False) if torch.is_autocast_enabled(device) else nullcontext()


def each(function: Any, obs: Any, *others: Any) -> Any:
    """Apply a function to an observation tensor, or to each in a dictionary of them; `others` are its further arguments."""
    if not isinstance(obs, dict):
        return function(obs, *others)
    return {name: function(tensor, *(other[name] for other in others)) for name, tensor in obs.items()}


def keep_obs(kept: Any, t: int, obs: Any) -> Any:
    """Copy the observations (N, *shape) of step t into `kept` (T, N, *shape), and return the copy."""
    return each(lambda x, to: to[t].copy_(x), obs, kept)
