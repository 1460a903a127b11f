"""An agent that looks ahead before it decides: tree search with its policy and its values as guide."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from ...envs import OptionError, Simulator, TreeSearch
from ...envs.arguments import number
from ...envs.bots import host
from ...envs.engine.tree_search import Found
from .evaluation import Player
from .network import CompiledPolicy

if TYPE_CHECKING:
    from .agent import Agent


class Search(Player):
    """An agent of PPO that plays the N games of a simulator, and searches before each move (PUCT, Silver et al. 2018).

    >>> agent = ludus.PPO.load("runs/four")
    >>> sim = Simulator("ConnectFour", 100, seed=0)
    >>> evaluate_player(Match(sim, [Search(agent, sim, simulations=200), Bot(sim, "heuristic")]), sim)

    The move is the one that was tried most often or, if it is not `deterministic`, drawn with probabilities proportional to
    how often each was, to the power of `prior_temperature`: where the search finds nothing new, that is the policy as it is
    without a search. The search knows a game's record, also where the agent sees less of it, but never its random numbers:
    see `ludus.envs.TreeSearch`. Games whose record holds what players are not to know are refused.

    Args:
        agent: with a policy and values, and no memory.
        sim: the games, for one player or for two who take turns; of those that the agent was trained on.
        simulations: for each move, 1 or more.
        seed: of the search's own random numbers.
        num_threads: that share the boards; results do not depend on it.
        prior_temperature: from 0.1 to 100; priors are softmax(logits / prior_temperature) of the policy, as by
            `--policy-softmax-temp` of Leela Chess Zero. At 1 a policy of PPO is so sure that the search hardly looks at other
            actions: `benchmarks/prior_temperature.py` compares some.

    Raises:
        OptionError: this agent cannot guide a search, or the game cannot be searched.
    """

    searches = True  # `decide` is told where an answer is wanted

    def __init__(
        self,
        agent: Agent,
        sim: Simulator,
        simulations: int = 200,
        seed: int = 0,
        num_threads: int = 1,
        prior_temperature: float = 4.0,
    ) -> None:
        check_guide(agent, sim)
        self.prior_temperature = number("prior_temperature", prior_temperature, 0.1, 100)
        self._tree = TreeSearch(sim, simulations, self._guide, agent.gamma, seed, num_threads)
        self._random = np.random.default_rng(seed)
        self._scale = np.float32(agent.reward_scale)
        super().__init__(agent, sim)

    def restart(self) -> None:
        """Start new episodes in all games."""
        super().restart()
        self._found: Found | None = None

    def decide(self, deterministic: bool = True, wanted: np.ndarray | None = None) -> np.ndarray:
        """Moves (N,) for where the games are now; the first legal one where none is `wanted`, (N,) bool, or it is over."""
        if isinstance(self.agent.network, CompiledPolicy):
            self.agent.network.refresh()
        self._found = self._tree(wanted)
        visits = self._found.visits.copy()
        searched = visits.any(1)
        visits[~searched] = 1 if self.sim.legal is None else host(self.sim.legal)[~searched]
        if deterministic:
            return visits.argmax(1)
        weights = (visits / np.maximum(visits.max(1, keepdims=True), 1)) ** self.prior_temperature  # (N, A)
        chosen = self._random.random((len(visits), 1)) * weights.sum(1, keepdims=True)  # (N, 1)
        return (weights.cumsum(1) <= chosen).sum(1) % visits.shape[1]  # where nothing is legal, 0

    def explain(self) -> tuple[np.ndarray, np.ndarray, bool]:
        """Of the last search: shares of visits (N, A), values (N,), and False, since the former are probabilities."""
        found = self._found or self._tree()
        return found.visits / np.maximum(found.visits.sum(1, keepdims=True), 1), found.values, False

    def _guide(self, obs: np.ndarray, legal: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Priors (n, A) and values (n,) of observations (n, *obs_shape)."""
        agent, masks = self.agent, None if self.sim.legal is None else legal
        obs = obs.transpose(0, 3, 1, 2) if agent.channels_first else obs
        if isinstance(agent.network, CompiledPolicy):
            # without an encoder, half of the time would go on looking at spaces
            encoder = getattr(agent.policy, "frozen", None)
            seen = torch.from_numpy(obs) if encoder is None else agent.policy.obs_to_tensor(obs)[0]
            logits, value, _ = agent.network.forward(seen, mask=None if masks is None else torch.from_numpy(masks))
            probabilities, values = logits.softmax(-1).numpy(), value.numpy()
        else:
            probabilities, values = agent.explain(obs, None, masks)
        return tempered(probabilities, self.prior_temperature), values * self._scale


def tempered(probabilities: np.ndarray, temperature: float) -> np.ndarray:
    """softmax(logits / temperature) for the probabilities (n, A) that are softmax(logits); what is 0 stays so."""
    most = probabilities.max(1, keepdims=True)  # (n, 1); 1 after division, so that no row is lost to rounding
    scaled = (probabilities / most) ** (1 / temperature)
    return scaled / scaled.sum(1, keepdims=True)


def check_guide(agent: Any, sim: Simulator) -> None:
    """Raise OptionError for an agent that cannot guide a search of these games."""
    plays = agent.environment.get("game", "another environment")
    if plays != sim.game.name:
        raise OptionError(f"the agent plays {plays}, not {sim.game.name}")
    if agent.acts_on_values:
        name = type(agent).__name__
        raise OptionError(
            f"search needs a policy and values, and {name} has values of actions alone: give an agent of PPO"
        )
    if agent.policy.core is not None:
        raise OptionError("search jumps between positions, and this agent has a memory: give one without")
    if not agent.reward_scale:
        raise OptionError(
            "search adds rewards to values, and this agent's are normalised, by how much its file does not say: train it anew"
        )
