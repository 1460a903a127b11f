"""What `gpu` checks and measures, one function each; all run on a CPU, too, smaller, so that a test can try them."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from gpu.common import PROTOCOL, Facts, Sizes, captured, given, on_host, replaced
from gpu.rates import games_alone, rate_of, time_to_score
from stable_baselines3.common.logger import KVWriter, Logger

PIXELS: dict[str, Any] = {"obs_type": "rgb", "size": 24}
LEARNING = {"learning_rate": 1e-3, "ent_coef": 0.01}
Check = Callable[[], Facts]


def checks(sizes: Sizes) -> dict[str, Check]:
    """All, by name, the most telling first."""
    found: dict[str, Check] = {
        "README's commands": partial(readme, sizes),
        "bit equality with a CPU": partial(parity, sizes),
        "bit equality with a CPU: pixels": partial(parity, sizes, ("Breakout",), PIXELS),
    }
    for name, make in variants(sizes).items():
        found[f"graph equals eager: {name}"] = partial(same_with_graphs, make)
    for num_envs in sizes.alone:
        for threads in (32, 128) if num_envs == sizes.alone[-1] else (32,):
            found[f"games alone: {num_envs}, blocks of {threads}"] = partial(games_alone, sizes, num_envs, threads)
    for network, precision, num_envs in sizes.learned:
        make = partial(ppo, sizes, network, num_envs, precision)
        found[f"PPO {network} {precision}, {num_envs} games"] = partial(rate_of, sizes, make)
    network, precision, num_envs = sizes.learned[-1]
    free = partial(ppo, sizes, network, num_envs, precision, deterministic=False)
    found[f"the same, cuDNN free to choose: PPO {network} {precision}, {num_envs} games"] = partial(
        rate_of, sizes, free
    )
    found["PQN cnn"] = partial(rate_of, sizes, partial(pqn, sizes))
    for num_envs in (sizes.small // 32 or 4, sizes.small):
        found[f"DQN cnn, {num_envs} games"] = partial(rate_of, sizes, partial(dqn, sizes, num_envs=num_envs))
    found[f"seconds to a mean return of {sizes.target:g}"] = partial(time_to_score, sizes, partial(ppo, sizes))
    return found


# -- agents ------------------------------------------------------------------------------------------------------------


def games_for(sizes: Sizes, num_envs: int, game: str = "Breakout", **options: Any) -> Any:
    from ludus.envs.adapters.sb3 import vec_env

    return vec_env(game, num_envs, seed=0, device=sizes.device, **options)


def ppo(
    sizes: Sizes, network: str = "cnn", num_envs: int = 0, precision: str = "fp32", deterministic: bool = True
) -> Any:
    """Two passes in eight or sixteen minibatches, under MinAtar's protocol; what a seed asks of cuDNN costs time."""
    import ludus

    n = num_envs or sizes.small
    parts = 8 if n == sizes.small else 16
    agent = ludus.PPO(
        network, games_for(sizes, n, **PROTOCOL), n_steps=sizes.n_steps, batch_size=max(n * sizes.n_steps // parts, 2),
        n_epochs=2, precision=precision, seed=0, **LEARNING,
    )  # fmt: skip
    torch.backends.cudnn.deterministic = deterministic
    return agent


def pqn(sizes: Sizes) -> Any:
    import ludus

    n = sizes.small
    settings = {"n_steps": sizes.n_steps, "batch_size": max(n * sizes.n_steps // 8, 2), "seed": 0}
    return ludus.PQN("cnn", games_for(sizes, n, **PROTOCOL), **settings)


def dqn(sizes: Sizes, num_envs: int) -> Any:
    """Eight transitions learned from for each step."""
    import ludus

    settings = {"train_freq": 1, "gradient_steps": 1, "batch_size": 8 * num_envs, "buffer_size": 50 * num_envs}
    return ludus.DQN("cnn", games_for(sizes, num_envs, **PROTOCOL), learning_starts=num_envs, seed=0, **settings)


def variants(sizes: Sizes) -> dict[str, Callable[[], tuple[Any, int]]]:
    """Small agents by name, each with steps enough to replay what was captured."""
    import ludus

    cut = {"max_episode_steps": 7}
    n = min(64, sizes.small)
    q = {"train_freq": 1, "batch_size": 64, "buffer_size": 100 * n, "learning_starts": 2 * n, "gradient_steps": 1}

    def agent(kind: str, policy: str, game: str = "Breakout", env: Any = None, **settings: Any) -> tuple[Any, int]:
        on_policy = {"n_steps": 8, "batch_size": 2 * n, "n_epochs": 2}
        games = games_for(sizes, n, game, **(env or {}))
        settings = {**(q if kind == "DQN" else on_policy), "seed": 0, **settings}
        return getattr(ludus, kind)(policy, games, **settings), n * (20 if kind == "DQN" else 48)

    return {
        "PPO mlp": partial(agent, "PPO", "mlp", env=cut, normalize_reward=True),
        "PPO cnn bf16": partial(agent, "PPO", "cnn", precision="bf16"),
        "PPO lstm": partial(agent, "PPO", "mlp", env=cut, policy_kwargs={"memory": "lstm"}),
        "PPO turns": partial(agent, "PPO", "mlp", game="ConnectFour"),
        "DQN": partial(agent, "DQN", "cnn", env=cut),
        "DQN rainbow": partial(agent, "DQN", "mlp", prioritized=True, noisy=True, distribution="c51", n_steps=3),
        "PQN": partial(agent, "PQN", "mlp", env=cut),
    }


# -- does it work? -----------------------------------------------------------------------------------------------------


def readme(sizes: Sizes) -> Facts:
    """Its agents on games by name, and training, going on and evaluating from the command line."""
    import ludus
    from ludus.cli import evaluate, train

    ludus.PPO("mlp", ludus.make_sb3("Breakout", 64), n_steps=16, batch_size=256, n_epochs=2).learn(2048)
    ludus.DQN(
        "cnn", ludus.make_sb3("Asterix", 8), n_steps=3, batch_size=32, buffer_size=2000, learning_starts=64
    ).learn(256)
    with TemporaryDirectory() as folder:
        for steps, more in (("4096", []), ("8192", ["--resume"])):
            command = ["Catch", "--total-timesteps", steps, "--num-envs", "64", "--out", f"{folder}/run", *more]
            train.main([*command, "--device", sizes.device])
        evaluate.main([f"{folder}/run", "--episodes", "8"])
        played = ludus.PPO.load(f"{folder}/run", device=sizes.device)
        return {"loaded onto": str(played.device), "files": len(list(Path(folder, "run").iterdir()))}


def parity(sizes: Sizes, games: tuple[str, ...] = (), options: Facts | None = None) -> Facts:
    """Every game, stepped one by one and from a graph; several processes compile them."""
    jobs = [(sizes, game, options or {}) for game in games or sizes.games]
    if sizes.workers == 1:
        answers = [parity_of(*job) for job in jobs]
    else:
        with get_context("spawn").Pool(min(sizes.workers, len(jobs))) as pool:
            answers = pool.starmap_async(parity_of, jobs, chunksize=1).get(timeout=200)
    apart = {game: t for (_, game, _), t in zip(jobs, answers, strict=True) if t is not None}
    if apart:
        raise AssertionError(f"first differences, in steps: {apart}")
    return {"games": len(answers), "steps of each": 64 * sizes.parity_steps}


def parity_of(sizes: Sizes, game: str, options: Facts) -> int | None:
    """The step at which a game differs from a CPU's, of 64 of them; None if it never does."""
    from ludus.envs import Bot, Simulator

    options = {"seed": 3, "max_episode_steps": 100, **options}
    here, there = Simulator(game, 64, **options), Simulator(game, 64, device=sizes.device, **options)
    here.reset()
    there.reset()
    player = Bot(here, "random")
    row = torch.zeros(player.act().shape, dtype=torch.int64, device=sizes.device)
    replay = None
    for t in range(sizes.parity_steps):
        actions = np.array(player.act())
        row.copy_(torch.from_numpy(actions))
        if replay is None and t >= sizes.parity_steps // 2:
            replay = captured(lambda: there.step(given(row)), sizes)
        else:
            there.step(given(row)) if replay is None else replay()
        here.step(actions)
        same = here.records.tobytes() == there.records.tobytes()
        if not same or not np.array_equal(on_host(there.obs), here.obs):
            return t
    there.check()
    return None


class LastLosses(KVWriter):
    """The losses that were logged last."""

    def write(self, key_values: dict[str, Any], key_excluded: dict[str, tuple[str, ...]], step: int = 0) -> None:
        self.losses = {name: float(value) for name, value in key_values.items() if "loss" in name}


def same_with_graphs(make: Callable[[], tuple[Any, int]]) -> Facts:
    """How far apart weights and losses are with and without graphs, and what warned; raises if they are not the same."""
    from ludus.agents.runtime import cuda_graph as graphs

    found, said = [], []
    for warm_up in (10**9, graphs.WARM_UP):
        with replaced(graphs, "WARM_UP", warm_up), warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            agent, steps = make()
            log = LastLosses()
            agent.set_logger(Logger(None, [log]))
            agent.learn(steps, log_interval=1)
        said += [str(warning.message)[:120] for warning in caught]
        found.append(([p.detach().clone() for p in agent.policy.parameters()], log.losses))
    (one, losses), (two, others) = found
    apart = max(float((a - b).abs().max()) for a, b in zip(one, two, strict=True))
    differences = [abs(losses[name] - others[name]) for name in losses]
    facts = {"weights apart": apart, "losses apart": max(differences), "warnings": said[:2]}
    if apart or facts["losses apart"] or any("waits" in line for line in said):
        raise AssertionError(str(facts))
    return facts
