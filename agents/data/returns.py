"""What values are fitted to: returns over several steps, and what Munchausen's method adds to them."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor


def n_step_returns(rewards: Tensor, ends: Tensor, factors: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Discounted rewards until an episode's end, n steps at most (Sutton & Barto 2018, section 7.1).

    Args:
        rewards: (B, n) float32, of the step itself and of those that followed in the same game.
        ends: (B, n) bool, whether an episode ended with the step, however it did.
        factors: (B, n) float32, how much of what follows the step counts: gamma, or -gamma where it is the other's turn.

    Returns:
        returns (B,), the factor of what follows them (B,), and how many steps they are of, (B,) int64: 1 to n.
    """
    before = ends.long().cumsum(1) - ends.long()  # (B, n), episodes that had ended before the step
    counts = before == 0
    weights = torch.where(counts, factors, 1.0).cumprod(1)  # after each step
    earlier = torch.cat([torch.ones_like(weights[:, :1]), weights[:, :-1]], 1)
    return (rewards * counts * earlier).sum(1), weights[:, -1], counts.sum(1)


def look_ahead(rewards, terminated, truncated, factors, indices, numbers, returns, discounts, lasts, first, last):
    """The same as a loop over a memory's rows, for transitions first .. last-1.

    rewards, terminated, truncated, factors are (T, N), a ring of rows; indices (B,) are row * N + game; numbers (1,) is n.
    Written: returns and discounts (B,), the latter 0 where the rules ended the episode, and lasts (B,), where the last step
    lies, row * N + game.
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


def lambda_returns(
    rewards: Tensor, next_values: Tensor, going_on: Tensor, ends: Tensor, gamma: float, lambda_: float
) -> Tensor:
    """Peng's Q(lambda) (Peng & Williams 1996), as PQN learns it: R_t = r_t + gamma ((1 - lambda) V_t+1 + lambda R_t+1).

    Args:
        rewards: (T, N) float32.
        next_values: (T, N) float32, the value of what the step led to: the best action's, of the final observation where an
            episode was cut off.
        going_on: (T, N) float32, how much of that counts: 1, or 0 where the rules ended the episode, or -1 where it is the
            other's turn next.
        ends: (T, N) float32, 1 where an episode ended with the step, however it did: what follows is another one.
        gamma: discount of the reward one step later.
        lambda_: 0 looks one step ahead, 1 to the end.

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


def soft_policy(q: Tensor, temperature: float) -> tuple[Tensor, Tensor]:
    """Probabilities (B, A) proportional to exp(q / temperature), and temperature times their logarithms (B, A)."""
    log_policy = torch.log_softmax(q / temperature, -1)
    return log_policy.exp(), temperature * log_policy


def munchausen_bonus(q: Tensor, actions: Tensor, temperature: float, alpha: float, lowest: float) -> Tensor:
    """What is added to the reward (Vieillard et al. 2020): alpha times the scaled log-probability of what was done.

    Args:
        q: (B, A), what the target network expected of each action.
        actions: (B,) int64.
        temperature: of the soft policy, in units of return.
        alpha: 0 to 1.
        lowest: below zero; the log-probability times the temperature is cut off there.
    """
    _, scaled = soft_policy(q, temperature)
    return alpha * scaled.gather(-1, actions.unsqueeze(-1)).squeeze(-1).clamp(lowest, 0.0)
