"""Callbacks and logs have what Stable-Baselines3's have, and DQN warns and counts as it does."""

import numpy as np
import pytest
import stable_baselines3
import torch
from stable_baselines3.common.buffers import RolloutBuffer
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.envs import BitFlippingEnv
from stable_baselines3.common.logger import configure
from stable_baselines3.common.vec_env import DummyVecEnv
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import ludus
from tests.agents.conformance import OURS, Listen, agent_of, both
from tests.agents.small import NAMES

pytestmark = pytest.mark.usefixtures("one_thread")

# -- callbacks --


def kind_of(value):
    if isinstance(value, (np.ndarray, torch.Tensor)):
        return str(value.dtype).removeprefix("torch."), tuple(value.shape)
    return bool if isinstance(value, np.bool_) else type(value)


OBJECTS = {"self", "env", "callback", "rollout_buffer", "replay_buffer", "train_freq"}  # objects of the library's own


@pytest.mark.parametrize("name", ["PPO", "DQN"])
def test_callbacks_hear_what_stable_baselines3s_hear(name):
    heard = {}
    for library in (stable_baselines3, ludus):
        listen = heard[library] = Listen()
        agent_of(library, name, **({"train_freq": 4} if name == "DQN" else {})).learn(64, callback=listen)
        for before, after in zip(listen.last_obs[1:], listen.heard, strict=False):
            assert (before == after["new_obs"]).all()
    theirs, ours = heard[stable_baselines3].heard, heard[ludus].heard
    assert len(theirs) == len(ours) == 32
    for one, other in zip(theirs, ours, strict=True):
        assert set(one) - set(other) <= {"terminal_obs", "terminal_value"}  # left over from an episode cut off
        assert [one.get(key) for key in ("idx", "n_steps")] == [other.get(key) for key in ("idx", "n_steps")]
        for key in set(one) & set(other) - OBJECTS:
            assert kind_of(one[key]) == kind_of(other[key]), key


@pytest.mark.parametrize("games", ["CartPole", "ludus/CartPole"])
def test_a_rollout_buffer_says_what_stable_baselines3s_says(games):
    """Its buffer computes the same from the same rewards, values and starts; weights stand still, so the last is known."""
    env = ludus.make_sb3("CartPole", 2, seed=0) if games != "CartPole" else None
    listen = Listen()
    agent = agent_of(ludus, "PPO", env=env, gamma=0.9, gae_lambda=0.8, learning_rate=0.0)
    agent.learn(96, callback=listen)
    theirs = stable_baselines3.common.buffers.RolloutBuffer(
        16, agent.observation_space, agent.action_space, "cpu", 0.8, 0.9, 2
    )
    for rollout, following in zip(listen.rollouts, listen.rollouts[1:], strict=False):
        assert (rollout["size"], rollout["pos"], rollout["full"]) == (16, 16, True)
        for name in ("rewards", "values", "log_probs", "episode_starts"):
            setattr(theirs, name, rollout[name].reshape(16, 2).astype(np.float32))
        last = agent.policy.predict_values(torch.as_tensor(following["observations"][0])).detach()
        theirs.compute_returns_and_advantage(last, following["episode_starts"][0].ravel())
        for name in ("returns", "advantages"):
            assert np.allclose(getattr(theirs, name), rollout[name][..., 0], atol=1e-5)
    assert agent.rollout_buffer.returns.shape == (32, 1), "flat, since it was learned from"
    assert np.allclose(agent.rollout_buffer.returns[:16, 0], listen.rollouts[-1]["returns"][:, 0, 0])
    batches = list(agent.rollout_buffer.get(10))
    assert [len(batch.returns) for batch in batches] == [10, 10, 10, 2] and batches[0].actions.shape == (10, 1)


class Shape(BaseCallback):
    """Changes what is learned, when a rollout is over."""

    def _on_step(self):
        return True

    def _on_rollout_end(self):
        buffer = self.model.rollout_buffer
        assert isinstance(buffer, RolloutBuffer) and isinstance(buffer.advantages, np.ndarray)
        buffer.returns[:] = 5.0


@pytest.mark.parametrize("library", [stable_baselines3, ludus])
def test_what_a_callback_writes_into_the_buffer_is_learned(library):
    agent = agent_of(library, "PPO", n_epochs=10, learning_rate=0.01, vf_coef=1.0).learn(2048, callback=Shape())
    assert agent.policy.predict_values(torch.zeros(1, 4)).item() > 3


@pytest.mark.parametrize(("library", "name"), OURS)
@pytest.mark.parametrize("stack", [1, 2])
def test_callbacks_see_the_observations_of_games(library, name, stack):
    """Catch's ball falls a row a step: an episode's observations follow from each other, and its last is known."""
    env = ludus.make_sb3("Catch", 2, seed=0, frame_stack=stack)
    agent, listen = agent_of(library, name, "mlp", env, **({"train_freq": 4} if name == "DQN" else {})), Listen()
    agent.learn(64, callback=listen)
    lengths = [0, 0]
    for before, after, step in zip(listen.last_obs, listen.last_obs[1:], listen.heard, strict=False):
        assert (step["new_obs"] == after).all() and before.shape == after.shape
        for game in range(2):
            newest = before[game, ..., -2:]
            assert newest[lengths[game], :, 0].sum() == 1  # the ball
            lengths[game] += 1
            info = step["infos"][game]
            assert ("terminal_observation" in info) == ("episode" in info) == bool(step["dones"][game])
            if step["dones"][game]:
                final = info["terminal_observation"][..., -2:]
                assert final[9, :, 0].sum() + final[9, :, 1].sum() >= 1 and info["episode"]["l"] == lengths[game] == 9
                lengths[game] = 0
    assert (agent._last_obs == listen.heard[-1]["new_obs"]).all()


@pytest.mark.parametrize("name", ["PPO", "DQN"])
def test_a_step_knows_whether_the_one_before_ended_an_episode(name):
    """Of the last environment, as Stable-Baselines3's loop over the ends leaves it."""
    listen = Listen()
    agent = agent_of(ludus, name, **({"train_freq": 8} if name == "DQN" else {})).learn(320, callback=listen)
    for before, after in zip(listen.heard, listen.heard[1:], strict=False):
        if after.get("n_steps", 0) or after.get("num_collected_steps", 1) > 1:  # not the first of its rollout
            assert after["idx"] == agent.n_envs - 1 and after["done"] == before["dones"][-1]
    assert {step["done"] for step in listen.heard if "done" in step} == {False, True}


@pytest.mark.parametrize("policy", ["MlpPolicy", "MultiInputPolicy"])
def test_a_rollout_buffer_has_the_shapes_of_stable_baselines3s(policy):
    """Before training, when a rollout is over, and once it was learned from."""
    found = []
    for library in (stable_baselines3, ludus):
        env = DummyVecEnv([lambda: BitFlippingEnv(n_bits=3, continuous=False)] * 2) if policy != "MlpPolicy" else None
        agent, shapes = agent_of(library, "PPO", policy, env), []
        for steps in (0, 32):
            buffer = agent.learn(steps, callback=Shapes(shapes)).rollout_buffer
            shapes.append(shapes_of(buffer))
        found.append(shapes)
    assert found[0] == found[1] and len(found[0]) == 3


def shapes_of(buffer):
    names = ("observations", "actions", "rewards", "returns", "episode_starts", "values", "log_probs", "advantages")
    arrays = {name: getattr(buffer, name) for name in names}
    parts = arrays["observations"] if isinstance(arrays["observations"], dict) else {}
    return {name: np.shape(x) for name, x in {**arrays, **parts}.items() if not isinstance(x, dict)}


class Shapes(BaseCallback):
    """Notes those of a rollout buffer when a rollout is over."""

    def __init__(self, shapes):
        super().__init__()
        self.shapes = shapes

    def _on_step(self):
        return True

    def _on_rollout_end(self):
        self.shapes.append(shapes_of(self.model.rollout_buffer))


# -- logs --


@pytest.mark.parametrize("name", ["PPO", "DQN"])
def test_logs_have_what_stable_baselines3s_have(tmp_path, name):
    columns, tags = {}, {}
    for library in (stable_baselines3, ludus):
        folder = tmp_path / library.__name__
        agent = agent_of(library, name, tensorboard_log=folder).learn(128, tb_log_name="run")
        agent.logger.close()
        events = EventAccumulator(str(folder / "run_1")).Reload()
        tags[library] = set(events.Tags()["scalars"])
        agent.set_logger(configure(str(folder), ["csv"]))
        agent.learn(128)
        agent.logger.close()
        columns[library] = set((folder / "progress.csv").read_text().splitlines()[0].split(","))
    assert columns[ludus] >= columns[stable_baselines3] and tags[ludus] >= tags[stable_baselines3]
    counts = {"PPO": "time/iterations", "DQN": "time/episodes"}
    assert tags[ludus] >= {"train/n_updates", "time/time_elapsed", counts[name]}
    assert "_hparams_/session_start_info" in events.summary_metadata


def test_a_progress_bar_needs_nothing_else(monkeypatch, capsys):
    monkeypatch.setattr("stable_baselines3.common.callbacks.tqdm", None)
    steps = []
    agent = agent_of(ludus, "PPO")
    agent.learn(64, progress_bar=True, callback=lambda heard, _: steps.append(heard["n_steps"]) or True)
    assert len(steps) == 32 and agent.bar is None


# -- warnings and counts --


@pytest.mark.parametrize("library", [stable_baselines3, ludus])
def test_more_games_than_steps_between_targets_is_said(library):
    with pytest.warns(UserWarning, match="The number of environments used is greater"):
        agent_of(library, "DQN", target_update_interval=1)


@pytest.mark.parametrize("library", [stable_baselines3, ludus])
def test_as_many_updates_as_steps(library):
    agent = agent_of(library, "DQN", train_freq=3, gradient_steps=-1, learning_starts=0).learn(3)
    assert agent.logger.name_to_value["train/n_updates"] == agent._n_updates == 6


@pytest.mark.parametrize("library", [stable_baselines3, ludus])
def test_calls_of_environments_are_counted(library):
    agent = agent_of(library, "DQN", train_freq=4).learn(40)
    assert agent._n_calls == 20
    assert agent.learn(16)._n_calls == 28


@pytest.mark.parametrize("library", [stable_baselines3, ludus])
def test_train_learns_when_it_is_asked_to(library):
    agent = agent_of(library, "DQN", learning_starts=1000).learn(24)
    before = agent.q_net.q_net[0].weight.clone()
    agent.train(gradient_steps=2, batch_size=8)
    assert agent._n_updates == 2 and not torch.equal(before, agent.q_net.q_net[0].weight)


@both
def test_rewards_of_a_step_can_be_changed_where_they_are_learned_from(library, name):
    seen, refused = [], []

    def callback(heard, _):
        buffer = getattr(agent, "replay_buffer" if name == "DQN" else "rollout_buffer", None)
        seen.append(getattr(buffer, "pos", None))
        try:
            heard["rewards"][:] = 5
        except ValueError as error:
            refused.append(str(error))
        return True

    agent = agent_of(library, name)
    agent.learn(32, callback=callback)
    if library is ludus and name == "DQN":  # whose memory has the step already
        assert refused == ["assignment destination is read-only"] * 16 and seen == list(range(1, 17))
    else:
        assert not refused
        assert name == "PQN" or seen == list(range(16))
        kept = agent.replay_buffer if name == "DQN" else agent.rollout_buffer
        assert set(np.asarray(kept.rewards[:16]).flat) == {5.0}


@pytest.mark.parametrize("name", [name for name in NAMES if name != "DQN"])
def test_rewards_of_games_can_be_changed_too(name):
    agent = agent_of(ludus, name, "mlp", ludus.make_sb3("Catch", 2))

    def callback(heard, _):
        heard["rewards"][:] = 5
        return True

    agent.learn(32, callback=callback)
    assert (agent.data.rewards == 5).all()


@both
def test_obs_and_info_together_are_no_observation(library, name):
    with pytest.raises(ValueError, match=r"passed a tuple|got \(obs, info\)"):
        agent_of(library, name).predict((np.zeros(4, np.float32), {}))
