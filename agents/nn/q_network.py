"""Networks of action values: Stable-Baselines3's of DQN, with the extensions of the literature.

Raw outputs are (B, A * Z), Z for each of A actions, see `value_dists`; a dueling network has Z more, for the observation's
value. `assemble` makes them (B, A, Z).
"""

from __future__ import annotations

import math
from typing import Any

import torch
from gymnasium import spaces
from stable_baselines3.common.preprocessing import is_image_space
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
from stable_baselines3.dqn import policies as stable
from stable_baselines3.dqn.policies import DQNPolicy, QNetwork
from torch import Tensor, nn

from .actor_critic import OnEncoder, policies_of
from .encoders import MlpEncoder
from .frozen import modules_outside
from .noisy import make_noisy
from .on_pretrained import OnPretrained, PretrainedExtractor
from .starts import from_zero, into_space, starts_of
from .value_dists import Distribution, Scalar

COSINES = 64  # of a fraction, that IQN's embedding reads


class QNet(QNetwork):
    """An encoder, hidden layers if any, and Z outputs for each action.

    Takes what Stable-Baselines3's `QNetwork` takes; without the options it is the same network, weight by weight.

    Args:
        distribution: what the outputs describe.
        dueling: state values and advantages, each from its half of the last hidden layer (Wang et al. 2016).
        noisy: fully connected layers with learned noise, in place of random actions (Fortunato et al. 2018).
        layer_norm: layer normalisation before each ReLU (Ba et al. 2016; for Q-learning without a target network, Gallici
            et al. 2025).
    """

    def __init__(
        self,
        *args: Any,
        distribution: Distribution | None = None,
        dueling: bool = False,
        noisy: bool = False,
        layer_norm: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.distribution = distribution or Scalar()
        self.dueling, self.noisy, self.layer_norm = dueling, noisy, layer_norm
        self.choices, self.atoms = int(self.action_space.n), self.atoms_given()
        last: Any = self.q_net[-1]
        if dueling:
            self.q_net[-1] = Duel(last.in_features, self.choices * self.atoms, self.atoms)
        elif self.atoms > 1:
            self.q_net[-1] = nn.Linear(last.in_features, self.choices * self.atoms)
        if layer_norm:
            _normalize(self)
        if noisy:
            make_noisy(self)
        image = is_image_space(self.observation_space) and self.normalize_images
        self.divisor = 255.0 if image else 1.0
        self.starts = starts_of(self.observation_space)
        self.plain = isinstance(self.observation_space, spaces.Box)  # others are preprocessed by Stable-Baselines3

    def atoms_given(self) -> int:
        """Outputs of the last layer for each action."""
        return self.distribution.atoms

    def extract_features(self, obs: Any, features_extractor: BaseFeaturesExtractor | None = None) -> Any:
        if not self.plain:
            obs = from_zero(obs, self.starts)
            return super().extract_features(obs, features_extractor or self.features_extractor)
        x = obs.float() if self.divisor == 1.0 else obs.float() / self.divisor
        return self.features_extractor(x)

    def _get_constructor_parameters(self) -> dict[str, Any]:
        own: dict[str, Any] = {name: True for name in ("dueling", "noisy", "layer_norm") if getattr(self, name)}
        if not isinstance(self.distribution, Scalar):
            own["distribution"] = self.distribution
        return {**super()._get_constructor_parameters(), **own}

    def outputs(self, obs: Any, fractions: Tensor | None = None) -> Tensor:
        """(B, A, Z) of observations (B, *shape)."""
        return self.assemble(self.q_net(self.extract_features(obs)))

    def assemble(self, raw: Tensor) -> Tensor:
        """(B, A * Z), or (B, A * Z + Z) of a dueling network, to (B, A, Z)."""
        if not self.dueling:
            return raw.view(-1, self.choices, self.atoms)
        advantages, values = raw.split([self.choices * self.atoms, self.atoms], -1)
        advantages = advantages.view(-1, self.choices, self.atoms)
        return values.unsqueeze(1) + advantages - advantages.mean(1, keepdim=True)

    def forward(self, obs: Any) -> Tensor:
        """Values (B, A)."""
        return self.distribution.mean(self.outputs(obs))


class ImplicitQNet(QNet):
    """Implicit quantile network, IQN (Dabney et al. 2018): quantiles at fractions that are inputs beside observations."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        width: Any = self.q_net[-1].in_features
        self.embedding = nn.Sequential(nn.Linear(COSINES, width), nn.ReLU())

    def atoms_given(self) -> int:
        return 1

    def outputs(self, obs: Any, fractions: Tensor | None = None) -> Tensor:
        """(B, A, K) for fractions (B, K); None: the middles of equal steps."""
        hidden = self.q_net[:-1](self.extract_features(obs))  # (B, W)
        if fractions is None:
            middles: Tensor = self.distribution.fractions(hidden.new_zeros(1, self.distribution.atoms))  # type: ignore[attr-defined]
            fractions = middles.expand(len(hidden), -1)
        waves = torch.arange(1, COSINES + 1, device=hidden.device) * math.pi
        embedded = self.embedding((fractions.unsqueeze(-1) * waves).cos())  # (B, K) -> (B, K, W)
        raw = self.q_net[-1]((hidden.unsqueeze(1) * embedded).flatten(0, 1))  # -> (B * K, A [+ 1])
        return self.assemble(raw).view(len(hidden), -1, self.choices).transpose(1, 2)  # -> (B, A, K)


class Duel(nn.Module):
    """Advantages (B, P) from the left half of (B, W), concatenated with state values (B, Z) from the right half."""

    def __init__(self, width: int, advantages: int, values: int) -> None:
        super().__init__()
        self.in_features = width
        self.advantage = nn.Linear(width // 2, advantages)
        self.value = nn.Linear(width - width // 2, values)

    def forward(self, x: Tensor) -> Tensor:
        left, right = x.tensor_split([x.shape[-1] // 2], -1)
        return torch.cat([self.advantage(left), self.value(right)], -1)


class ChannelNorm(nn.LayerNorm):
    """Layer normalisation of (B, C, H, W) over the channels of each pixel."""

    def forward(self, input: Tensor) -> Tensor:
        return super().forward(input.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


def _normalize(network: nn.Module) -> None:
    """Put a layer normalisation before each ReLU that follows a layer."""
    modules = modules_outside(network, PretrainedExtractor)
    for sequence in [module for module in modules if isinstance(module, nn.Sequential)]:
        for place in range(len(sequence) - 1, 0, -1):
            if isinstance(sequence[place], nn.ReLU):
                before = sequence[place - 1]
                if isinstance(before, nn.Linear):
                    sequence.insert(place, nn.LayerNorm(before.out_features))
                elif isinstance(before, nn.Conv2d):
                    sequence.insert(place, ChannelNorm(before.out_channels))


class QPolicy(OnPretrained, DQNPolicy):
    """Stable-Baselines3's DQN policy on `QNet`.

    Takes what `DQNPolicy` and `OnPretrained` take; in addition what `QNet` takes, and:

    Args:
        implicit: an implicit quantile network (IQN).
    """

    def __init__(
        self,
        *args: Any,
        distribution: Distribution | None = None,
        implicit: bool = False,
        dueling: bool = False,
        noisy: bool = False,
        layer_norm: bool = False,
        **kwargs: Any,
    ) -> None:
        self.q_kwargs: dict[str, Any] = {"dueling": dueling, "noisy": noisy, "layer_norm": layer_norm}
        self.q_kwargs["distribution"] = distribution or Scalar()
        self.q_class = ImplicitQNet if implicit else QNet
        super().__init__(*args, **kwargs)

    @property
    def plain(self) -> bool:
        """Whether the network is the same as Stable-Baselines3's."""
        options = ("dueling", "noisy", "layer_norm")
        return isinstance(self.q_kwargs["distribution"], Scalar) and not any(self.q_kwargs[name] for name in options)

    def make_q_net(self) -> QNet:
        arguments = self._update_features_extractor(self.net_args, features_extractor=None)
        return self.q_class(**arguments, **self.q_kwargs).to(self.device)

    def predict(self, *args: Any, **kwargs: Any) -> Any:
        actions, state = super().predict(*args, **kwargs)
        return into_space(actions, self.action_space), state

    def _get_constructor_parameters(self) -> dict[str, Any]:
        own = {} if self.plain else {**self.q_kwargs, "implicit": self.q_class is ImplicitQNet}
        return {**super()._get_constructor_parameters(), **own}  # so that Stable-Baselines3 loads a plain one


class EncoderPolicy(OnEncoder, QPolicy):
    """Action values on one of Ludus's encoders. A dueling network's last hidden layer is twice as wide."""

    def __init__(
        self,
        *args: Any,
        features_extractor_class: type[BaseFeaturesExtractor] | None = None,
        features_extractor_kwargs: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        encoder, given = features_extractor_class or self.extractor, dict(features_extractor_kwargs or {})
        if kwargs.get("dueling") and not kwargs.get("net_arch"):
            given = widened(encoder, given)
        super().__init__(*args, features_extractor_class=encoder, features_extractor_kwargs=given, **kwargs)
        self.features_extractor_kwargs = features_extractor_kwargs or {}  # as given, for `save`


def widened(encoder: type[BaseFeaturesExtractor], given: dict[str, Any]) -> dict[str, Any]:
    """Arguments of one of Ludus's encoders that double the width of its last layer; those of others unchanged."""
    import inspect

    defaults = inspect.signature(encoder.__init__).parameters
    if encoder is MlpEncoder:
        sizes = tuple(given.get("sizes", defaults["sizes"].default))
        return {**given, "sizes": (*sizes[:-1], 2 * sizes[-1])}
    if "width" in defaults:
        return {**given, "width": 2 * given.get("width", defaults["width"].default)}
    return given


STABLE_Q_POLICIES: dict[type, str] = {  # given as classes; the networks are the same
    stable.MlpPolicy: "MlpPolicy",
    stable.CnnPolicy: "CnnPolicy",
    stable.MultiInputPolicy: "MultiInputPolicy",
}
Q_POLICIES: dict[str, type[QPolicy]] = policies_of(QPolicy, EncoderPolicy)
# By the names that pickles have for them.
MlpEncoderPolicy, MinAtarPolicy, NaturePolicy, ImpalaPolicy, _, CnnPolicy, MultiInputPolicy = Q_POLICIES.values()
