"""DQN with Stable-Baselines3's callbacks, logs and exports, and what it makes of bad input."""

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium import spaces
from stable_baselines3 import DQN as StableDQN
from stable_baselines3.common.callbacks import BaseCallback, EvalCallback, StopTrainingOnRewardThreshold
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.logger import configure

import ludus
from ludus.agents.q_learning import off_policy
from ludus.agents.q_learning.dqn import DQN
from ludus.agents.training.sb3_export import export_zip
from ludus.envs import OptionError
from tests.agents.q_learning.catch import SWITCHES, catch_agent, weights_of

# -- the adapter of Stable-Baselines3 ------------------------------------------------------------------------------------


def test_callbacks_evaluate_and_stop(tmp_path):
    agent = catch_agent(16, tensorboard_log=None)
    stop = StopTrainingOnRewardThreshold(0.5)
    callback = EvalCallback(ludus.make_sb3("Catch", 8, seed=9), stop, n_eval_episodes=40, eval_freq=100, verbose=0)
    agent.learn(200_000, callback=callback)
    assert agent.num_timesteps < 200_000 and callback.best_mean_reward >= 0.5


def test_logs_have_stable_baselines3s_tags(tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    agent = catch_agent(16, tensorboard_log=str(tmp_path))
    agent.learn(3_000, tb_log_name="run", log_interval=1)
    events = EventAccumulator(str(tmp_path / "run_1"))
    events.Reload()
    found = set(events.Tags()["scalars"])
    assert {"rollout/ep_rew_mean", "rollout/ep_len_mean", "rollout/exploration_rate", "time/fps"} <= found


@pytest.mark.parametrize("switch", [{}, SWITCHES["dueling"], SWITCHES["qr"], SWITCHES["iqn"], SWITCHES["noisy"]])
def test_stable_baselines3_reads_an_export_and_decides_alike(tmp_path, switch):
    agent = catch_agent(8, policy="MlpPolicy" if not switch else "mlp", **switch)
    agent.learn(600)
    export_zip(agent, tmp_path / "agent.zip")
    theirs = StableDQN.load(tmp_path / "agent.zip")
    obs = np.stack([agent.observation_space.sample() for _ in range(64)])
    assert np.array_equal(theirs.predict(obs, deterministic=True)[0], agent.predict(obs, deterministic=True)[0])


def test_predict_explores_each_game_by_itself():
    agent = catch_agent(8)
    agent.exploration_rate = 0.6
    obs = np.repeat(agent.env.reset()[:1], 3_000, 0)
    actions = agent.predict(obs)[0]
    best = int(agent.predict(obs[:1], deterministic=True)[0][0])
    assert (actions == best).mean() == pytest.approx(0.4 + 0.6 / 3, abs=0.03)
    assert agent.predict(obs[0], deterministic=True)[0] == best
    mask = np.ones((3_000, 3), bool)
    mask[:, best] = False
    assert not (agent.predict(obs, action_masks=mask)[0] == best).any()


def test_to_ask_an_agent_does_not_change_its_training():
    class Asks(BaseCallback):
        def _on_step(self):
            obs = np.stack([self.model.observation_space.low] * 5)
            for deterministic in (True, False):
                self.model.predict(obs, deterministic=deterministic)
            return True

    one, other = catch_agent(), catch_agent()
    one.learn(1_000)
    other.learn(1_000, callback=Asks())
    assert torch.equal(weights_of(one), weights_of(other))


def test_an_agent_loaded_to_play_explores_as_in_the_end(tmp_path):
    agent = catch_agent(exploration_final_eps=0.25)
    agent.learn(600)
    agent.save(tmp_path / "agent")
    assert DQN.load(tmp_path / "agent").exploration_rate == 0.25


def test_explain_tells_what_actions_are_worth():
    agent = catch_agent(4)
    obs = agent.env.reset()
    worth, values = agent.explain(obs)
    assert worth.shape == (4, 3) and np.array_equal(worth.max(1), values) and agent.acts_on_values
    assert np.allclose(worth, agent.q_net(torch.as_tensor(obs)).detach().numpy(), atol=1e-5)


def test_time_is_a_limit():
    agent = catch_agent(16, time_limit=1.5)
    agent.learn(10**9)
    assert 1.5 <= agent.elapsed() < 10


# -- bad input ---------------------------------------------------------------------------------------------------------


class Pendulum(gymnasium.Env):
    observation_space, action_space = spaces.Box(-1, 1, (3,)), spaces.Box(-2, 2, (1,))

    def reset(self, *, seed=None, options=None):
        return np.zeros(3, np.float32), {}


BAD = {
    "episodes": ({"train_freq": (1, "episode")}, "train_freq must count steps"),
    "no steps": ({"n_steps": 0}, "n_steps must be a whole number from 1 to 1000, got 0"),
    "no batch": ({"batch_size": 0}, "batch_size must be a whole number from 1 to 1e+09, got 0"),
    "ratio": ({"replay_ratio": -1.0}, "replay_ratio must be a number from 0 to 1e+06, got -1.0"),
    "distribution": ({"distribution": "normal"}, "distribution must be one of c51, qr, iqn, None, got 'normal'"),
    "range": ({"distribution": "c51", "v_min": 3.0, "v_max": 3.0}, "v_min"),
    "threads": ({"num_threads": 0}, "num_threads must be a whole number from 1 to 1024, got 0"),
}


@pytest.mark.parametrize(("arguments", "line"), BAD.values(), ids=BAD)
def test_bad_arguments_are_one_clear_line(arguments, line):
    with pytest.raises(OptionError) as error:
        catch_agent(2, **arguments)
    assert line in str(error.value) and "\n" not in str(error.value)


def test_continuous_actions_are_for_ppo():
    with pytest.raises(Exception, match=r"Discrete") as error:
        DQN("MlpPolicy", make_vec_env(Pendulum, 1))
    assert "\n" not in str(error.value)


def test_a_memory_larger_than_the_machines_is_one_clear_line(monkeypatch):
    monkeypatch.setattr(off_policy, "available_memory", lambda device: 1_000_000)
    agent = catch_agent(8, buffer_size=1_000_000)
    with pytest.raises(OptionError, match=r"buffer_size=1000000 takes .* GB on cpu.* use at most \d+"):
        agent.learn(100)


def test_a_memory_too_small_is_one_clear_line():
    agent = catch_agent(64, buffer_size=100)
    with pytest.raises(OptionError, match="buffer_size must be at least 192"):
        agent.learn(100)


def test_priorities_that_are_all_zero_are_one_clear_line():
    agent = catch_agent(8, prioritized=True, learning_starts=10_000)
    agent.learn(200)
    everything = torch.arange(agent.replay.steps * 8)
    agent.replay.set_priorities(everything, torch.zeros(len(everything)))
    with pytest.raises(OptionError, match="all priorities are zero"):
        agent.replay.sample(4, agent.generators[1])


def test_an_agent_of_another_algorithm_is_one_clear_line(tmp_path):
    catch_agent(4).save(tmp_path / "dqn")
    with pytest.raises(
        ludus.agents.checkpoints.checkpoint.CheckpointError, match=r"an agent of DQN: use ludus.DQN.load"
    ):
        ludus.PPO.load(tmp_path / "dqn")


@pytest.mark.parametrize("given", [{"log_interval": 3}, {}])
def test_an_interval_of_episodes_that_is_asked_for_is_kept(given, tmp_path):
    """Without one, the log is written once a second, since episodes of thousands of games end all the time."""
    rows = {}
    for name, kind in (("ours", ludus.DQN), ("theirs", StableDQN)):
        agent = kind("MlpPolicy", "CartPole-v1", learning_starts=10**6, seed=0, device="cpu")
        agent.set_logger(configure(str(tmp_path / name), ["csv"]))
        agent.learn(1500, **given)
        agent.logger.close()
        lines = (tmp_path / name / "progress.csv").read_text().splitlines()
        column = lines[0].split(",").index("time/episodes")
        rows[name] = [int(line.split(",")[column]) for line in lines[1:]]
    if given:
        assert all(episodes % 3 == 0 for episodes in rows["theirs"]) and len(rows["theirs"]) > 10
        assert rows["ours"][: len(rows["theirs"]) - 2] == rows["theirs"][:-2]
    else:
        assert len(rows["ours"]) < len(rows["theirs"])
