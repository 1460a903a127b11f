"""What a GPU is asked to do, on a device without memory: nothing waits, nothing comes from the host, and how many kernels."""

import traceback
from collections import Counter
from contextlib import nullcontext, suppress
from importlib import import_module

import numpy as np
import pytest
import torch
from stable_baselines3.common.logger import Logger
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

import ludus
import ludus.envs.engine.simulator
from ludus.agents.data.env_adapters import adapter_of
from ludus.agents.nn import actor_critic as networks
from ludus.agents.q_learning.pqn import QRollout
from ludus.agents.runtime import cuda_graph as graphs
from ludus.agents.runtime import hardware
from ludus.envs.adapters.sb3 import vec_env
from ludus.envs.engine.layout import allocate

pytest.importorskip("numba_cuda", reason="needs numba-cuda[cu13]: pip install 'ludus[gpu]'")
from ludus.envs.engine.compile_cuda import CudaBackend
from tests.agents.runtime.emulator import plain, tensors_of, waits

META = torch.device("meta")
FREE = {"aten::empty", "aten::empty_like", "aten::new_empty_strided", "aten::empty_strided", "aten::detach"}


class Watch(TorchDispatchMode):
    """Counts kernels, and notes what a graph could not do."""

    working = None

    def __init__(self):
        super().__init__()
        self.kernels, self.wrong = Counter(), []

    def __enter__(self):
        Watch.working = self
        return super().__enter__()

    def __exit__(self, *error):
        Watch.working = None
        return super().__exit__(*error)

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        given = tensors_of((args, kwargs))
        if waits(operation, args):
            self.note(operation, "waits")
        result = operation(*args, **kwargs)
        made = tensors_of(result)
        if not operation._schema.is_mutable and owners(made) <= owners(given):
            return result  # a view
        name = operation._schema.name
        on_host = [x for x in (*given, *made) if x.device != META and (x.dim() or "copy" in name)]
        if on_host:
            self.note(operation, "is on the host" if len(on_host) == len(given) + len(made) else "crosses devices")
        if name not in FREE:
            self.kernels[name] += 1
        return result

    def note(self, operation, what):
        frames = [f for f in traceback.extract_stack() if "/agents/" in f.filename and "/tests/" not in f.filename]
        place = f": {frames[-1].filename}:{frames[-1].lineno}" if frames else ""
        self.wrong.append(f"{operation} {what}{place}")


def owners(tensors):
    return {x.untyped_storage()._cdata for x in tensors}


class Backend(CudaBackend):
    """A GPU's, of games that never change."""

    def __init__(self, layout, *_):
        self.layout, self.torch, self.device = layout, torch, "meta"
        host = {**allocate(layout), "faults": np.zeros(1, np.int64)}
        self.host, self.kinds = host, {name: array.dtype for name, array in host.items()}
        self.arrays = {
            name: torch.from_numpy(plain(array)).to(META) for name, array in host.items() if name != "records"
        }
        self.arrays["records"] = self.arrays["raw"]

    def _play(self):
        if Watch.working is not None:
            Watch.working.kernels["game"] += 1

    def read(self, name):
        return self.host[name]

    def write(self, name, value):
        pass

    def reset(self, mask):
        pass


class Generator(torch.Generator):
    """There is none for this device."""

    def __new__(cls, device="cpu"):
        return super().__new__(cls, "cpu")

    @property
    def device(self):
        return META


@pytest.fixture(scope="module", autouse=True)
def fused_adam():
    """On this device it need not do anything."""
    library = torch.library.Library("aten", "IMPL", "Meta")
    library.impl("_fused_adam_.tensor_lr", lambda *_, **__: None)
    yield
    library._destroy()


@pytest.fixture
def on_meta(monkeypatch):
    """Agents and simulators made here take `meta` for a GPU."""
    monkeypatch.setattr(hardware, "GPUS", ("cuda", "meta"))
    monkeypatch.setattr(ludus.envs.engine.simulator, "choose_backend", Backend)
    monkeypatch.setattr(graphs, "CudaGraph", lambda device, generators: None)
    monkeypatch.setattr(torch, "Generator", Generator)
    monkeypatch.setattr(nn.Module, "to", lambda self, *_, **__: self)  # all modules are made there
    monkeypatch.setattr(networks, "full_precision", lambda device: nullcontext())
    for name in ("exponential_", "uniform_", "normal_"):
        monkeypatch.setattr(torch.Tensor, name, without_generator(getattr(torch.Tensor, name)))
    for module in ("adam", "optimizer"):
        module = import_module(f"torch.optim.{module}")
        for name in ("capturable", "fused_kernels"):
            if hasattr(module, f"_get_{name}_supported_devices"):
                monkeypatch.setattr(module, f"_get_{name}_supported_devices", lambda *_, **__: ["cpu", "cuda", "meta"])


def without_generator(method):
    return lambda self, *args, generator=None, **kwargs: method(self, *args, **kwargs)


def watched(function):
    """Run it; how many kernels it launched. Nothing in it may wait or touch the host."""
    with Watch() as watch:
        function()
    assert watch.wrong == []
    return watch.kernels


CUT = {"max_episode_steps": 5}
STEPS, GAMES = 4, 64
TURNS, TOGETHER = "ConnectFour", "PongDuel"
# What is made, and at most how many kernels a step of play takes, and a minibatch (what it was when this was written).
PPO = {
    "mlp": ({}, 24, 143),
    "cnn": ({"policy": "cnn"}, 25, 144),
    "MlpPolicy": ({"policy": "MlpPolicy"}, 29, 381),
    "lstm": ({"policy_kwargs": {"memory": "lstm"}}, 40, 272),
    "mingru": ({"policy_kwargs": {"memory": "mingru"}}, 31, 216),
    "cut off, rewards normalised": ({"env": CUT, "normalize_reward": True}, 34, 143),
    "turns": ({"game": TURNS}, 39, 147),
    "together": ({"game": TOGETHER, "env": CUT}, 35, 136),
    "clip_range_vf": ({"clip_range_vf": 0.2}, 24, 152),
}
DQN = {
    "mlp": ({}, 31, 140),
    "cnn": ({"policy": "cnn"}, 32, 142),
    "cut off": ({"env": CUT}, 41, 145),
    "frame_stack": ({"env": {"frame_stack": 3, **CUT}}, 52, 159),
    "rainbow": ({"prioritized": True, "noisy": True, "distribution": "c51", "dueling": True}, 104, 356),
    "iqn": ({"distribution": "iqn"}, 43, 205),
    "qr": ({"distribution": "qr"}, 32, 175),
    "munchausen": ({"munchausen": True}, 31, 157),
    "turns": ({"game": TURNS}, 49, 144),
    "together": ({"game": TOGETHER}, 33, 138),
}
PQN = {
    "mlp": ({}, 32, 85),
    "cnn": ({"policy": "cnn"}, 32, 90),
    "cut off": ({"env": CUT}, 43, 85),
    "turns": ({"game": TURNS}, 49, 85),
}


def made(kind, policy="mlp", game="Breakout", env=None, **settings):
    games = vec_env(game, GAMES, seed=0, **(env or {}))
    games.simulator.reset()
    with torch.device(META):  # where policies would be moved
        return getattr(ludus, kind)(policy, games, **settings)


def within(kernels, units, most):
    """Kernels for each of so many are at most `most`, and a tenth for what another PyTorch may do."""
    each = kernels.total() / units
    assert each <= 1.1 * most, f"{each} kernels, of which {kernels.most_common(12)}"


@pytest.mark.parametrize("name", PPO)
def test_ppo(on_meta, name):
    arguments, most_a_step, most_a_minibatch = PPO[name]
    agent = made("PPO", n_steps=STEPS, batch_size=STEPS * GAMES // 2, n_epochs=1, **arguments)
    for group in agent.policy.optimizer.param_groups:
        group["lr"] = 1e-3  # a number again
    agent.rebuild()
    agent.prepare()
    played = watched(agent.collector.collect)
    assert played["game"] == STEPS
    within(played, STEPS, most_a_step)
    watched(agent._compute_advantages)
    agent.set_logger(Logger(None, []))
    agent._begin_update()
    within(watched(agent._train_epoch), agent.n_envs // GAMES * 2, most_a_minibatch)


@pytest.mark.parametrize("name", DQN)
def test_dqn(on_meta, name):
    arguments, most_a_step, most_a_minibatch = DQN[name]
    agent = made("DQN", train_freq=STEPS, batch_size=64, n_steps=3, buffer_size=GAMES * 40, **arguments)
    agent._last_obs = 0  # nothing to reset
    agent.prepare()
    agent._set_training_mode(agent.noisy)
    played = watched(agent._collect)
    assert played["game"] == STEPS
    within(played, STEPS, most_a_step)
    within(watched(agent._update), 1, most_a_minibatch)


@pytest.mark.parametrize("name", PQN)
def test_pqn(on_meta, name):
    arguments, most_a_step, most_a_minibatch = PQN[name]
    agent = made("PQN", n_steps=STEPS, batch_size=STEPS * GAMES // 2, **arguments)
    agent.adapter = adapter_of(agent)
    agent.data = data = QRollout(STEPS, agent.adapter, META)
    agent.order, agent.epsilon = (
        torch.zeros(size, dtype=kind, device=META)
        for size, kind in ((STEPS * GAMES, torch.int64), (GAMES, torch.float32))
    )
    agent.collector = agent._collector_of(data, (data.values, data.best_values))
    agent._write_obs = agent.collector.obs_writer(data.obs)
    played = watched(agent._collect)
    assert played["game"] == STEPS
    within(played, STEPS, most_a_step)
    watched(agent._compute_returns)
    within(watched(agent._one_epoch), 2, most_a_minibatch)


def test_what_is_looked_for_is_found(on_meta):
    x, here = torch.zeros(3, device=META), torch.zeros(3)
    for function, wrong in (
        (lambda: x.copy_(here), "crosses"),
        (lambda: here + 1, "on the host"),
        (x.nonzero, "waits"),
    ):
        with Watch() as watch, suppress(NotImplementedError):  # as this device must raise
            function()
        assert len(watch.wrong) == 1 and wrong in watch.wrong[0]
    assert watched(lambda: (x.view(3, 1).expand(3, 3), torch.add(x, 1.0))) == {"aten::add": 1}
