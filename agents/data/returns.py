"""Returns and advantages over several steps, which values and policies are fitted to."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from ..compiled.kernel import Kernel
from ..runtime.hardware import on_gpu


def n_step_returns(rewards: Tensor, ends: Tensor, factors: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Discounted rewards until an episode's end, n steps at most (Sutton & Barto 2018, section 7.1).

    Args:
        rewards: (B, n) float32, of the step itself and of those that followed in the same game.
        ends: (B, n) bool, whether an episode terminated or was truncated with the step.
        factors: (B, n) float32, the discount after the step: gamma, or -gamma where the next action is the other player's.

    Returns:
        returns (B,), the discount of the value after them (B,), and their number of steps, (B,) int64: 1 to n.
    """
    before = ends.long().cumsum(1) - ends.long()  # (B, n), episodes that had ended before the step
    counts = before == 0
    weights = torch.where(counts, factors, 1.0).cumprod(1)  # after each step
    earlier = torch.cat([torch.ones_like(weights[:, :1]), weights[:, :-1]], 1)
    return (rewards * counts * earlier).sum(1), weights[:, -1], counts.sum(1)


def n_step_loop(rewards, terminated, truncated, factors, indices, numbers, returns, discounts, lasts, first, last):
    """n-step returns of the transitions first .. last-1 of a minibatch from a replay buffer, as a loop.

    rewards, terminated, truncated, factors are (T, N), a ring of rows; indices (B,) are row * N + game; numbers (1,) is n.
    Written: returns and discounts (B,), the latter 0 where the episode terminated, and lasts (B,), the place of the last
    step, row * N + game.
    """
    height, games = rewards.shape
    for i in range(first, last):
        row, game = indices[i] // games, indices[i] % games
        total, weight = np.float32(0), np.float32(1)
        for k in range(numbers[0]):
            if k > 0:
                row = row + 1 if row + 1 < height else 0
            total += weight * rewards[row, game]
            weight *= factors[row, game]
            if terminated[row, game] or truncated[row, game]:
                break
        returns[i], lasts[i] = total, row * games + game
        discounts[i] = np.float32(0) if terminated[row, game] else weight
    return 0


class NStepReturns:
    """`n_step_loop` for minibatches of B transitions on a CPU; its results are overwritten by the next call.

    Args:
        stored: rewards, terminated, truncated and factors, (T, N) each.
    """

    def __init__(self, stored: tuple[Tensor, Tensor, Tensor, Tensor], n_steps: int, count: int) -> None:
        self.indices, self.lasts = (torch.zeros(count, dtype=torch.int64) for _ in range(2))
        self.returns, self.discounts = torch.zeros(count), torch.zeros(count)
        read, written = (self.indices, torch.tensor([n_steps])), (self.returns, self.discounts, self.lasts)
        self.loop = Kernel(n_step_loop, *stored, *read, *written, units=count)

    def __call__(self, indices: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Returns, discounts and places of the last steps (B,) of transitions (B,)."""
        self.indices.copy_(indices)
        self.loop()
        return self.returns, self.discounts, self.lasts


def lambda_returns(
    rewards: Tensor, next_values: Tensor, going_on: Tensor, ends: Tensor, gamma: float, lambda_: float
) -> Tensor:
    """Peng's Q(lambda) (Peng & Williams 1996), PQN's target: R_t = r_t + gamma ((1 - lambda) V_t+1 + lambda R_t+1).

    Args:
        rewards: (T, N) float32.
        next_values: (T, N) float32, the highest action value of the next observation, or of the final one where an episode
            was truncated.
        going_on: (T, N) float32, its factor: 1, or 0 where the episode terminated, or -1 where the next action is the other
            player's.
        ends: (T, N) float32, 1 where an episode terminated or was truncated with the step.
        gamma: discount of the reward one step later.
        lambda_: 0 for one-step targets, 1 for returns until the episode's end.

    Returns:
        (T, N) float32.
    """
    returns = torch.empty_like(rewards)
    following = next_values[-1]
    for t in range(rewards.shape[0] - 1, -1, -1):
        share = lambda_ * (1.0 - ends[t])
        returns[t] = rewards[t] + gamma * going_on[t] * ((1.0 - share) * next_values[t] + share * following)
        following = returns[t]
    return returns


def generalized_advantages(
    rewards: Tensor, values: Tensor, going_on: Tensor, last_values: Tensor, gamma: float, gae_lambda: float
) -> Tensor:
    """Generalized advantage estimation (Schulman et al. 2016), for T steps of N games.

    Args:
        rewards: (T, N) float32; for a truncated episode, with gamma * V(final observation) added already.
        values: (T, N) float32, V of the observation that the action was chosen from.
        going_on: (T, N) float32, the factor of what follows: 1, or 0 where the episode ended with this step, or -1 where it
            is the other player's turn next, who wins what this one loses (Littman 1994).
        last_values: (N,) float32, V of the observation after the last step.

    Returns:
        (T, N) advantages; advantages + values are the returns that the critic learns.
    """
    advantages = torch.empty_like(rewards)
    if not on_gpu(rewards.device):
        numbers = torch.tensor([gamma, gamma * gae_lambda], dtype=rewards.dtype)
        given = (x.contiguous() for x in (rewards, values, going_on, last_values))
        Kernel(gae_loop, *given, numbers, advantages, units=len(last_values))()
        return advantages
    following, next_values = torch.zeros_like(last_values), last_values
    for t in range(rewards.shape[0] - 1, -1, -1):
        delta = rewards[t] + gamma * next_values * going_on[t] - values[t]
        following = delta + gamma * gae_lambda * going_on[t] * following
        advantages[t] = following
        next_values = values[t]
    return advantages


def gae_loop(rewards, values, going_on, last_values, numbers, advantages, first, last):
    """`generalized_advantages` as a loop, for games first .. last-1; numbers are gamma and gamma * gae_lambda."""
    gamma, decay = numbers[0], numbers[1]
    end = rewards.shape[0] - 1
    for n in range(first, last):
        advantages[end, n] = rewards[end, n] + gamma * last_values[n] * going_on[end, n] - values[end, n]
    for back in range(end):
        t = end - 1 - back
        for n in range(np.uint64(first), np.uint64(last)):  # unsigned, so that no index can count from the end
            to_come = gamma * values[t + 1, n] + decay * advantages[t + 1, n]
            advantages[t, n] = rewards[t, n] - values[t, n] + going_on[t, n] * to_come
    return 0
