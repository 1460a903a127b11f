"""What `gpu.py` checks and measures, one function each; all run on a CPU, too, smaller, so that a test can try them."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import product
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import numpy as np
import torch
from stable_baselines3.common.callbacks import BaseCallback

PROTOCOL: dict[str, Any] = {"repeat_action_probability": 0.1, "full_action_space": True}
PIXELS: dict[str, Any] = {"obs_type": "rgb", "size": 24}
LEARNING = {"learning_rate": 1e-3, "ent_coef": 0.01}
Facts = dict[str, Any]
Check = Callable[[], Facts]


class Sizes(NamedTuple):
    """How much is played; `small` is how many games learn at once."""

    device: str
    games: tuple[str, ...]
    alone: tuple[int, ...]
    small: int
    learned: tuple[tuple[str, str, int], ...]  # by PPO: network, precision, games
    n_steps: int
    iterations: int
    parity_steps: int
    workers: int  # processes that compile
    seconds: float  # of training towards a score
    target: float


def full_sizes(cores: int) -> Sizes:
    """On a GPU."""
    from ludus.envs import all_games

    learned = tuple(product(("mlp", "cnn"), ("fp32", "bf16"), (4096, 16384)))
    return Sizes("cuda", tuple(all_games()), (1024, 4096, 16384, 65536), 4096, learned, 32, 12, 200, cores, 60.0, 20.0)


DRY = Sizes("cpu", ("Catch",), (64,), 4, (("mlp", "fp32", 4), ("cnn", "bf16", 8)), 4, 2, 10, 1, 1.0, -10.0)


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
    found[f"seconds to a mean return of {sizes.target:g}"] = partial(time_to_score, sizes)
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


def given(actions: torch.Tensor) -> Any:
    """As a simulator takes them."""
    return actions if actions.is_cuda else actions.numpy()


def on_host(array: Any) -> np.ndarray:
    return array.cpu().numpy() if isinstance(array, torch.Tensor) else array


def captured(function: Callable[[], Any], sizes: Sizes) -> Callable[[], Any]:
    """The function once done, and as a graph; on a CPU, as it is."""
    if sizes.device == "cpu":
        function()
        return function
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        function()
    graph.replay()
    return graph.replay


def same_with_graphs(make: Callable[[], tuple[Any, int]]) -> Facts:
    """How far apart weights and losses are with and without graphs, and what warned; raises if they are not the same."""
    from ludus.agents.runtime import cuda_graph as graphs

    found, said = [], []
    for warm_up in (10**9, graphs.WARM_UP):
        with replaced(graphs, "WARM_UP", warm_up), warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            agent, steps = make()
            agent.learn(steps)
        said += [str(warning.message)[:120] for warning in caught]
        losses = [
            float(x) for x in getattr(agent.learner, "means", {"loss": getattr(agent.learner, "loss", 0)}).values()
        ]
        found.append(([p.detach().clone() for p in agent.policy.parameters()], torch.tensor(losses)))
    (one, losses), (two, others) = found
    apart = max(float((a - b).abs().max()) for a, b in zip(one, two, strict=True))
    facts = {"weights apart": apart, "losses apart": float((losses - others).abs().max()), "warnings": said[:2]}
    if apart or facts["losses apart"] or any("waits" in line for line in said):
        raise AssertionError(str(facts))
    return facts


@contextmanager
def replaced(module: Any, name: str, value: Any) -> Iterator[None]:
    before = getattr(module, name)
    setattr(module, name, value)
    try:
        yield
    finally:
        setattr(module, name, before)


# -- how fast is it? ---------------------------------------------------------------------------------------------------


def wait(sizes: Sizes) -> None:
    if sizes.device != "cpu":
        torch.cuda.synchronize()


def games_alone(sizes: Sizes, num_envs: int, threads: int) -> Facts:
    """Random play of Breakout, from a graph of 32 steps."""
    from ludus.envs import Simulator
    from ludus.envs.engine import compile_cuda

    with replaced(compile_cuda, "THREADS", threads):
        sim = Simulator("Breakout", num_envs, device=sizes.device, seed=0, **PROTOCOL)
        sim.reset()
        actions = torch.randint(0, len(sim.actions), (32, num_envs), device=sizes.device)

        def play() -> None:
            for row in actions:
                sim.step(given(row))

        play()
        replay = captured(play, sizes)
        wait(sizes)
        began, count = time.perf_counter(), 20
        for _ in range(count):
            replay()
        wait(sizes)
    seconds = (time.perf_counter() - began) / (count * len(actions))
    sim.check()
    return {"M steps/s": num_envs / seconds / 1e6, "us a step": 1e6 * seconds}


class Meter(BaseCallback):
    """The times at which iterations begin after the warm-up, and a profile of the last one."""

    def __init__(self, sizes: Sizes, warm_up: int, profiled: bool) -> None:
        super().__init__()
        self.sizes, self.warm_up, self.profiled = sizes, warm_up, profiled
        self.iterations, self.times, self.profile = 0, [], None

    def _on_rollout_start(self) -> None:
        self.iterations += 1
        if self.iterations <= self.warm_up:
            return
        wait(self.sizes)
        self.times.append((time.perf_counter(), self.model.num_timesteps))
        if len(self.times) == self.sizes.iterations and self.profiled:
            kinds = torch.profiler.ProfilerActivity
            self.profile: Any = torch.profiler.profile(
                activities=[kinds.CPU] + [kinds.CUDA] * (self.sizes.device != "cpu")
            )
            self.profile.start()
        elif self.profile is not None:
            self.profile.stop()

    def _on_step(self) -> bool:
        return len(self.times) <= self.sizes.iterations


def rate_of(sizes: Sizes, make: Callable[[], Any], profiled: bool = True) -> Facts:
    """Steps a second, once all is captured; and of one iteration the top kernels, and what waited for the device."""
    agent = make()
    meter = Meter(sizes, 8 if sizes.device != "cpu" else 1, profiled)
    agent.learn(10**9, callback=meter)
    (began, first), (ended, last) = meter.times[0], meter.times[sizes.iterations - 1]
    facts: Facts = {"M steps/s": (last - first) / (ended - began) / 1e6}
    facts["ms an iteration"] = 1e3 * (ended - began) / (sizes.iterations - 1)
    if sizes.device != "cpu":
        facts["GiB"] = torch.cuda.max_memory_reserved() / 2**30
        torch.cuda.reset_peak_memory_stats()
    return {**facts, **profile_of(meter.profile)} if profiled else facts


def profile_of(profile: Any) -> Facts:
    """Kernels by the time they took, and the host's calls that wait."""
    events = profile.key_averages()
    kernels = [
        event for event in events if str(event.device_type).endswith("CUDA") and event.self_device_time_total > 0
    ]
    kernels.sort(key=lambda event: -event.self_device_time_total)
    waits = {event.key: event.count for event in events if "Synchronize" in event.key or "DtoH" in event.key}
    return {
        "busy ms": sum(event.self_device_time_total for event in kernels) / 1e3,
        "kernels": sum(event.count for event in kernels),
        "top": [(event.key[:60], event.count, round(event.self_device_time_total / 1e3, 2)) for event in kernels[:6]],
        "waits": waits,
    }


class Score(BaseCallback):
    """Stops when the mean return of the last hundred episodes is high enough."""

    def __init__(self, target: float) -> None:
        super().__init__()
        self.target, self.mean = target, -np.inf

    def _on_rollout_start(self) -> None:
        episodes = self.model.ep_info_buffer
        if episodes is not None and len(episodes) == episodes.maxlen:
            self.mean = float(np.mean([episode["r"] for episode in episodes]))

    def _on_step(self) -> bool:
        return self.mean < self.target


def time_to_score(sizes: Sizes) -> Facts:
    """PPO's, on Breakout under MinAtar's protocol; compiling not counted."""
    agent, score = ppo(sizes), Score(sizes.target)
    agent.time_limit = sizes.seconds
    began = time.perf_counter()
    agent.learn(10**9, callback=score)
    seconds = time.perf_counter() - began
    reached = score.mean >= sizes.target
    return {"reached": reached, "seconds": seconds, "mean return": score.mean, "M steps": agent.num_timesteps / 1e6}
