"""Rates of one game through the engine and its adapters; `before_after.py` starts this in processes of their own."""

from __future__ import annotations

from environments import calibrate, ludus_players, random_actions, rate_of, simulator_player
from peers import NUM_ENVS, Player, step_player
from processes import answer

import ludus

MANY = 4096  # environments


def sb3_player(game: str, num_envs: int) -> Player:
    """Stable-Baselines3's interface."""
    env = ludus.make_sb3(game, num_envs, seed=0, num_threads=1)
    env.reset()
    return step_player(num_envs, env.step, random_actions(num_envs, len(env.simulator.actions)))


def rates(game: str, device: str, threads: int, seconds: float) -> dict[str, dict[str, float]]:
    """Steps per second of random play, by the clock and of processor time."""
    players = {
        "Simulator, 1 environment": simulator_player(game, 1, threads),
        f"Simulator, {MANY} environments": simulator_player(game, MANY, threads),
        f"make_vec, {NUM_ENVS} environments": ludus_players(game)["make_vec"],
        f"make_sb3, {NUM_ENVS} environments": sb3_player(game, NUM_ENVS),
    }
    return {name: rate_of(player, calibrate(player, seconds))._asdict() for name, player in players.items()}


if __name__ == "__main__":
    answer({"rates": rates})
