"""Training that goes on: the same trajectory to the last bit as without the break, and never more lost than an interval."""

import os
import signal
import threading
import time
from contextlib import suppress

import numpy as np
import pytest
import torch
from stable_baselines3.common.callbacks import BaseCallback, CheckpointCallback, EvalCallback
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.utils import LinearSchedule

import ludus
from ludus.agents.files.safe_io import CheckpointError
from ludus.agents.nn.muon import Muon
from ludus.agents.ppo.ppo import PPO
from ludus.agents.training import save_callback as saving
from ludus.agents.training.save_callback import SaveCallback, Stopped, stopped_by_signals

ROLLOUT = 16 * 8
TOTAL = 12 * ROLLOUT


def new_agent(game="Catch", policy="mlp", options=None, num_envs=16, kwargs=None, **settings):
    env = ludus.make_sb3(game, num_envs, seed=1, **(options or {}))
    chosen = {"n_steps": ROLLOUT // num_envs, "batch_size": 32, "n_epochs": 2, "seed": 1, "num_threads": 1}
    chosen |= {"learning_rate": LinearSchedule(3e-3, 0.0, 1.0), "policy_kwargs": kwargs or {"net_arch": [16]}}
    return PPO(policy, env, **{**chosen, **settings})


def everything(agent):
    """All that the rest of a training depends on, and what its log will show."""
    state = agent.simulator.state_dict()
    games = [
        np.frombuffer(state[name].tobytes(), np.uint8)
        for name in ("records", "clocks", "streams", "totals", "obs", "legal")
    ]
    averages = [agent.policy.optimizer.state[p] for p in agent.policy.parameters()]
    memory = [] if agent.policy.core is None else [agent.recurrent_state]
    scale = [] if agent.reward_normalizer is None else [*agent.reward_normalizer.buffers()]
    return {
        "weights": [*agent.policy.parameters(), *agent.policy.buffers()],
        "optimizer": [tensor for average in averages for tensor in average.values()],
        "games": [torch.tensor(array) for array in games],
        "generators": [generator.get_state() for generator in agent.generators],
        "memory": memory,
        "rewards": scale,
        "counters": torch.tensor([agent.num_timesteps, agent._n_updates]),
        "episodes": torch.tensor([(e["r"], e["l"]) for e in agent.ep_info_buffer]),
    }


def assert_same(one, other):
    for name, tensors in everything(one).items():
        for x, y in zip(tensors, everything(other)[name], strict=True):
            assert torch.equal(x, y), name


class Break(BaseCallback):
    """End training at this step."""

    def __init__(self, at):
        super().__init__()
        self.at = at

    def _on_step(self):
        return self.num_timesteps < self.at


def finish(agent):
    return agent.learn(TOTAL - agent.num_timesteps, reset_num_timesteps=False)


CASES = {
    "plain": {},
    "constant rate": {"learning_rate": 1e-3},
    "threads": {  # of PyTorch, for a network that is not compiled
        "num_envs": 128,
        "n_steps": 1,
        "num_threads": 2,
        "batch_size": 128,
        "kwargs": {"net_arch": [16], "activation_fn": torch.nn.ELU},
    },
    "loops": {
        "num_envs": 128,
        "n_steps": 1,
        "num_threads": 2,
        "batch_size": 128,
        "kwargs": {"features_extractor_kwargs": {"sizes": [20, 12]}, "net_arch": []},
    },
    "reward normalisation": {"normalize_reward": True, "gamma": 0.9},
    "lstm": {"kwargs": {"memory": "lstm", "memory_size": 8}},
    "mingru and reward normalisation": {"kwargs": {"memory": "mingru", "memory_size": 8}, "normalize_reward": True},
    "frame stack and sticky": {
        "game": "Breakout",
        "policy": "cnn",
        "options": {"frame_stack": 3, "repeat_action_probability": 0.25},
        "kwargs": {"features_extractor_kwargs": {"channels": 2, "width": 16}},
    },
    "levels and truncation": {"options": {"levels": [3, 5, 8], "max_episode_steps": 7}},
    "pixels, transposed": {
        "policy": "CnnPolicy",
        "num_envs": 4,
        "n_steps": 4,
        "batch_size": 8,
        "options": {"obs_type": "rgb", "size": 36, "frame_stack": 2},
        "kwargs": {"features_extractor_kwargs": {"features_dim": 8}},
    },
    "muon": {"kwargs": {"optimizer_class": Muon, "net_arch": [16, 16]}},
    "value clipping and a limit on the update": {"clip_range_vf": 0.1, "target_kl": 0.01},
    "bf16": {"precision": "bf16"},
}


@pytest.mark.parametrize("case", CASES)
def test_a_broken_training_goes_on_to_the_last_bit(tmp_path, case, monkeypatch):
    """Broken off twice in the midst of a rollout, in a process's worth of new objects each time."""
    for name in ("GAMES_PER_THREAD", "SAMPLES_PER_THREAD"):
        monkeypatch.setattr(f"ludus.agents.training.on_policy.{name}", 64)  # threads for few games, too
    whole = new_agent(**CASES[case])
    assert whole.play_threads == whole.learn_threads == (2 if case == "threads" else 1)
    rollout = whole.n_envs * whole.n_steps
    whole.learn(TOTAL)
    agent = new_agent(**CASES[case])
    agent.learn(TOTAL, callback=Break(3 * rollout + 1))
    for at in (7 * rollout + 1, None):
        agent.save(tmp_path)
        agent = PPO.load(tmp_path, resume=True, device="cpu")
        assert agent.num_timesteps % rollout == 0 and agent._total_timesteps == TOTAL
        agent.learn(TOTAL - agent.num_timesteps, Break(at) if at else None, reset_num_timesteps=False)
    assert_same(agent, whole)


def test_normalised_observations_go_on(tmp_path):
    """Games of Gymnasium cannot be kept, so that episodes begin anew; all that is the agent's own goes on."""
    env = make_vec_env("CartPole-v1", 4, seed=0)
    agent = PPO("MlpPolicy", env, n_steps=16, batch_size=32, seed=0, policy_kwargs={"normalize_obs": True})
    agent.learn(256)
    agent.save(tmp_path)
    back = PPO.load(tmp_path, resume=True, device="cpu")
    assert back.n_envs == 4
    assert back.policy.normalizer.count == agent.policy.normalizer.count == 256
    for one, other in zip(agent.policy.buffers(), back.policy.buffers(), strict=True):
        assert torch.equal(one, other)
    back.learn(64, reset_num_timesteps=False)
    assert back.num_timesteps == 256 + 64


def test_an_env_of_the_same_kind_goes_on_as_well(tmp_path):
    whole, agent = new_agent(), new_agent()
    whole.learn(TOTAL)
    agent.learn(TOTAL, callback=Break(5 * ROLLOUT))
    agent.save(tmp_path)
    assert_same(finish(PPO.load(tmp_path, env=ludus.make_sb3("Catch", 16, seed=99), device="cpu")), whole)


def test_an_older_checkpoint_goes_on_to_the_last_bit(tmp_path):
    whole, agent = new_agent(), new_agent()
    whole.learn(TOTAL)
    for at in (3, 5, 8):
        agent.learn(TOTAL - agent.num_timesteps, Break(at * ROLLOUT + 1), reset_num_timesteps=at == 3)
        agent.save(tmp_path, keep=3)
        agent = PPO.load(tmp_path, resume=True, device="cpu")
    assert_same(finish(PPO.load(tmp_path / f"agent-{3 * ROLLOUT}.json", resume=True, device="cpu")), whole)


def test_other_games_cannot_go_on_exactly(tmp_path):
    agent = new_agent()
    agent.save(tmp_path)
    with pytest.raises(CheckpointError, match=r"was trained in 16 of .*Catch.*, which this env is not"):
        PPO.load(tmp_path, env=ludus.make_sb3("Catch", 8), resume=True)


def test_a_save_in_the_midst_of_a_rollout_is_of_its_beginning(tmp_path):
    """Stable-Baselines3's CheckpointCallback saves at a step."""
    whole = new_agent()
    whole.learn(TOTAL, callback=CheckpointCallback(save_freq=3 * 8 + 2, save_path=str(tmp_path), name_prefix="x"))
    saved = sorted(tmp_path.iterdir(), key=lambda path: path.stat().st_mtime)
    assert saved
    for path in saved:
        agent = PPO.load(path, resume=True, device="cpu")
        assert agent.num_timesteps % ROLLOUT == 0
        assert_same(finish(agent), whole)


def test_training_time_adds_up(tmp_path):
    agent = new_agent(time_limit=0.5)
    agent.learn(10**9)
    assert agent.elapsed() >= 0.5
    time.sleep(0.1)
    before = agent.elapsed()
    agent.save(tmp_path)
    back = PPO.load(tmp_path, resume=True, device="cpu")
    assert back.elapsed() == before and back.time_limit == 0.5
    steps = back.num_timesteps
    assert back.learn(10**9, reset_num_timesteps=False).num_timesteps == steps


def test_a_new_training_forgets_where_the_last_was_broken_off(tmp_path):
    agent = new_agent()
    agent.learn(TOTAL, callback=Break(3 * ROLLOUT + 1))
    agent.learn(TOTAL, callback=[SaveCallback(tmp_path, interval=-1.0), Break(1)])
    assert PPO.load(tmp_path).num_timesteps == 0


# -- saving now and then, and signals ----------------------------------------------------------------------------------


def test_it_saves_where_the_first_rollout_after_an_interval_begins(tmp_path, monkeypatch):
    agent, clock, saved = new_agent(), [0.0], []
    monkeypatch.setattr(saving.time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(agent, "save", lambda folder, keep: saved.append((agent.num_timesteps // ROLLOUT, keep)))

    class Tick(BaseCallback):
        def _on_rollout_end(self):
            clock[0] += 1.0

        def _on_step(self):
            return True

    agent.learn(TOTAL, callback=[SaveCallback(tmp_path, interval=2.5, keep=4), Tick()])
    assert saved == [(3, 1), (6, 4), (9, 4)]  # with the first one, what an earlier training left in the folder goes


class SlowGames(BaseCallback):
    """Something long after a rollout, in small parts."""

    def __init__(self, seconds):
        super().__init__()
        self.seconds, self.asleep = seconds, threading.Event()

    def _on_step(self):
        if self.num_timesteps > 4 * ROLLOUT:
            self.asleep.set()
            for _ in range(round(100 * self.seconds)):
                time.sleep(0.01)
        return True


def learn_with(agent, callback, folder):
    saver = SaveCallback(folder, 1000.0)
    with stopped_by_signals(saver):
        with suppress(Stopped):
            agent.learn(TOTAL, callback=[saver, callback])
        saver.save()
    return saver


def signal_when(event, number, seconds=0.0):
    def send():
        event.wait(60)
        time.sleep(seconds)
        os.kill(os.getpid(), number)

    thread = threading.Thread(target=send)
    thread.start()
    return thread


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_breaks_off_what_is_long_and_nothing_is_lost(tmp_path, number):
    whole, agent, slow = new_agent(), new_agent(), SlowGames(30.0)
    whole.learn(TOTAL)
    sender, before = signal_when(slow.asleep, number), signal.getsignal(number)
    started = time.monotonic()
    saver = learn_with(agent, slow, tmp_path)
    sender.join()
    assert saver.stopped and time.monotonic() - started < 20
    assert signal.getsignal(number) is before
    back = PPO.load(tmp_path, resume=True, device="cpu")
    assert back.num_timesteps == 4 * ROLLOUT
    assert_same(finish(back), whole)


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_a_signal_breaks_off_an_evaluation(tmp_path):
    whole, agent = new_agent(), new_agent()
    whole.learn(TOTAL)
    evaluation = EvalCallback(ludus.make_sb3("Catch", 1), eval_freq=8 * 5, n_eval_episodes=10**9, verbose=0)
    begun, original = threading.Event(), evaluation._on_step

    def watched():
        if evaluation.n_calls % evaluation.eval_freq == 0:
            begun.set()
        return original()

    evaluation._on_step = watched
    sender = signal_when(begun, signal.SIGTERM, 0.3)
    assert learn_with(agent, evaluation, tmp_path).stopped
    sender.join()
    assert_same(finish(PPO.load(tmp_path, resume=True, device="cpu")), whole)


def test_a_signal_within_an_update_waits_for_its_end(tmp_path, monkeypatch):
    agent = new_agent()
    saver = SaveCallback(tmp_path, 1000.0)
    original = agent.train

    def signalled():
        if agent.num_timesteps == 3 * ROLLOUT:
            saver.stop()
        original()

    monkeypatch.setattr(agent, "train", signalled)
    with pytest.raises(Stopped):
        agent.learn(TOTAL, callback=saver)
    saver.save()
    whole = new_agent()
    whole.learn(TOTAL)
    back = PPO.load(tmp_path, resume=True, device="cpu")
    assert back.num_timesteps == 3 * ROLLOUT and back._n_updates == 3 * 2
    assert_same(finish(back), whole)
