"""DQN on tensors: that it learns, that its parts agree with each other, and what it makes of bad input."""

import itertools

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
from ludus.agents.data import replay_buffer as replay
from ludus.agents.q_learning.compiled_update import CompiledUpdate
from ludus.agents.q_learning.dqn import DQN
from ludus.agents.training.evaluation import evaluate
from ludus.agents.training.sb3_export import export_zip
from ludus.envs import OptionError
from ludus.envs.adapters.sb3 import vec_env

QUICK = {
    "learning_rate": 2e-3, "buffer_size": 20_000, "learning_starts": 500, "batch_size": 64, "train_freq": 1,
    "replay_ratio": 4.0, "target_update_interval": 500, "exploration_fraction": 0.3, "num_threads": 1,
}  # fmt: skip
SWITCHES = {
    "double": {"double": True},
    "dueling": {"dueling": True},
    "n steps": {"n_steps": 3},
    "prioritized": {"prioritized": True},
    "noisy": {"noisy": True},
    "c51": {"distribution": "c51", "v_min": -1.0, "v_max": 1.0, "atoms": 11},
    "qr": {"distribution": "qr", "atoms": 8},
    "iqn": {"distribution": "iqn", "atoms": 4},
    "munchausen": {"munchausen": True},
    "layer norm": {"layer_norm": True},
    "rainbow": {
        "double": True, "dueling": True, "n_steps": 3, "prioritized": True, "noisy": True, "distribution": "c51",
        "v_min": -1.0, "v_max": 1.0, "atoms": 11,
    },
}  # fmt: skip


def catch_agent(num_envs=16, seed=0, policy="mlp", options=None, **settings):
    env = ludus.make_sb3("Catch", num_envs, seed=seed, **(options or {}))
    return DQN(policy, env, seed=seed, **{**QUICK, **settings})


def weights_of(agent):
    return torch.cat([weight.detach().flatten() for weight in agent.policy.parameters()])


# -- learning ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("switch", [{}, *SWITCHES.values()], ids=["plain", *SWITCHES])
def test_every_switch_learns_catch(switch):
    """Returns are 1 for a caught ball and -1 for a missed one; who plays at random catches one in three or fewer."""
    agent = catch_agent(**switch)
    means = [evaluate(agent, 100).mean]
    while means[-1] < 0.6 and agent.num_timesteps < 120_000:
        agent.learn(6_000, reset_num_timesteps=False)
        means.append(evaluate(agent, 100).mean)
    assert means[0] < 0.2 and means[-1] >= 0.6


def test_gymnasium_environments_take_the_same_path():
    agent = DQN("mlp", make_vec_env("ludus/Catch-v1", 8, seed=0), seed=0, **QUICK)
    agent.learn(15_000)
    assert agent.simulator is None and evaluate(agent, 50).mean > 0.3


class Signs(gymnasium.Env):
    """A dictionary of observations; the right action is the sign, of one step each."""

    observation_space = spaces.Dict({"sign": spaces.Box(-1, 1, (1,)), "noise": spaces.Box(-1, 1, (2,))})
    action_space = spaces.Discrete(2)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.right = int(self.np_random.integers(2))
        return self._obs(), {}

    def step(self, action):
        reward = float(int(action) == self.right)
        return self._obs(), reward, True, False, {}

    def _obs(self):
        noise = self.np_random.uniform(-1, 1, 2).astype(np.float32)
        return {"sign": np.array([2.0 * self.right - 1], np.float32), "noise": noise}


def test_learns_from_dictionaries():
    agent = DQN("MultiInputPolicy", make_vec_env(Signs, 4, seed=0), seed=0, **QUICK)
    agent.learn(3_000)
    obs = {"sign": np.array([[-1.0], [1.0]], np.float32), "noise": np.zeros((2, 2), np.float32)}
    assert agent.predict(obs, deterministic=True)[0].tolist() == [0, 1]


def test_two_players_learn_with_one_policy_and_play_by_the_rules():
    env = vec_env("ConnectFour", num_envs=8, seed=0)
    agent = DQN("mlp", env, seed=0, **{**QUICK, "n_steps": 2, "double": True})
    agent.learn(3_000)  # the simulator raises at a move that the rules forbid
    memory = agent.replay
    rows = int(memory.count)
    played = memory.masks[:rows].gather(2, memory.actions[:rows].unsqueeze(-1))
    assert played.all() and (memory.factors[:rows] < 0).any() and agent._n_updates > 100


@pytest.mark.parametrize(
    ("options", "policy"), [({"obs_type": "rgb", "size": 36}, "nature"), ({"frame_stack": 2}, "mlp")]
)
def test_pictures_and_stacks_are_learned_from(options, policy):
    agent = catch_agent(4, policy=policy, options=options, learning_starts=100, buffer_size=1_000)
    before = weights_of(agent)
    agent.learn(400)
    kept = agent.replay.frames.shape[-1 if policy == "mlp" else 2]
    assert kept == agent.simulator.obs_shape[-1] // options.get("frame_stack", 1) if policy == "mlp" else kept == 3
    assert not torch.equal(weights_of(agent), before)


# -- the parts agree ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("distribution", "dueling", "double", "munchausen"),
    [*itertools.product((None, "qr"), (False, True), (False, True), (False, True))],
)
@pytest.mark.parametrize("game", ["Breakout", "ConnectFour"])
def test_chains_of_loops_say_what_pytorch_says(game, distribution, dueling, double, munchausen):
    """Targets, losses, errors and gradients; in a game of turns with forbidden moves, too."""
    atoms = 8 if distribution else None
    agent = DQN(
        "mlp", vec_env(game, num_envs=8, seed=1), seed=1, distribution=distribution, dueling=dueling, double=double,
        munchausen=munchausen, huber=double, n_steps=2, learning_starts=10_000, buffer_size=5_000, train_freq=1, atoms=atoms,
    )  # fmt: skip
    agent.learn(400)
    learner = agent.learner
    with torch.no_grad():
        for weight in agent.q_net_target.parameters():
            weight.add_(0.1 * torch.randn(weight.shape, generator=torch.Generator().manual_seed(1)))
    learner.refresh_target()
    batch = agent.replay.sample(64, agent.generators[1])
    assert learner.chained
    target = learner.targets(batch).clone()
    chain = CompiledUpdate(learner.backprop, learner.online, batch.obs)
    weights = torch.rand(64, generator=torch.Generator().manual_seed(2))
    chain.run(batch.obs, batch.actions, target, weights)
    learner.backprop.collect()

    loops, learner.backprop, learner.target_loops, learner.chained = learner.backprop, None, None, False
    assert torch.allclose(learner.targets(batch), target, atol=1e-4)
    out = learner.online.outputs(batch.obs)
    loss, errors = learner._judge(out, batch.actions, target, weights, None)
    assert torch.allclose(chain.loss, loss, atol=1e-5) and torch.allclose(chain.errors, errors, atol=1e-4)
    gradients = torch.autograd.grad(loss, list(learner.online.parameters()))
    for one, other in zip(loops.gradients, gradients, strict=True):
        assert torch.allclose(one, other, atol=1e-5)


PLACES = {
    "games": ("mlp", lambda: ludus.make_sb3("Catch", 8, seed=0)),
    "games cut off": ("mlp", lambda: ludus.make_sb3("Catch", 8, seed=0, max_episode_steps=5)),
    "stacked frames": ("mlp", lambda: ludus.make_sb3("Catch", 8, seed=0, frame_stack=2)),
    "CartPole": ("MlpPolicy", lambda: make_vec_env("CartPole-v1", 8, seed=0)),
    "CartPole cut off": ("MlpPolicy", lambda: make_vec_env("CartPole-v1", 8, seed=0, env_kwargs={"max_episode_steps": 7})),
    "masks": ("mlp", lambda: make_vec_env("ludus/Game2048-v1", 8, seed=0)),
    "a network without loops": ({"activation_fn": torch.nn.Tanh}, lambda: make_vec_env("CartPole-v1", 8, seed=0)),
}  # fmt: skip


@pytest.mark.parametrize("place", [*PLACES])
def test_steps_as_loops_are_the_steps_of_pytorch(place, monkeypatch):
    """The same games, actions and memory, whoever plays them."""
    memories, (policy, make_env) = [], PLACES[place]
    kwargs = {} if isinstance(policy, str) else {"policy_kwargs": policy}
    for loops in (True, False):
        if not loops:
            monkeypatch.setattr(DQN, "_make_rounds", lambda *_, **__: None)
        policy = policy if isinstance(policy, str) else "MlpPolicy"
        settings = {**QUICK, "learning_starts": 64, "train_freq": 4, "exploration_final_eps": 0.5}
        agent = DQN(policy, make_env(), seed=0, **settings, **kwargs)
        agent.learn(640)
        assert (agent.collector is not None) == loops and int(agent.replay.count) > 0 and agent._n_updates > 0
        memories.append(agent.replay.state())
    for name, tensor in memories[0].items():
        assert torch.equal(tensor, memories[1][name]), name


def test_double_asks_one_network_which_and_the_other_how_much():
    agent = catch_agent(8, double=True)
    agent.learn(200)
    learner = agent.learner
    with torch.no_grad():
        for weight in agent.q_net_target.parameters():
            weight.mul_(-1.0)
    learner.refresh_target()
    batch = agent.replay.sample(32, agent.generators[1])
    best = agent.q_net(batch.next_obs).argmax(1, keepdim=True)
    expected = batch.returns + batch.discounts * agent.q_net_target(batch.next_obs).gather(1, best).squeeze(1)
    assert torch.allclose(learner.targets(batch).squeeze(1), expected, atol=1e-5)
    assert not torch.equal(agent.q_net_target(batch.next_obs).argmax(1, keepdim=True), best)


@pytest.mark.filterwarnings("ignore:The number of environments used is greater")
@pytest.mark.parametrize(
    ("num_envs", "train_freq", "batch_size"), [(1, 1, 32), (1, 4, 32), (64, 1, 256), (4096, 1, 512)]
)
def test_replay_ratio_holds_for_any_number_of_games(num_envs, train_freq, batch_size):
    agent = catch_agent(
        num_envs, train_freq=train_freq, batch_size=batch_size, replay_ratio=0.5, learning_starts=0,
        buffer_size=8 * num_envs + 1000,
    )  # fmt: skip
    steps = max(4 * num_envs, 2_000)
    agent.learn(steps)
    learned = agent._n_updates * batch_size
    assert learned == pytest.approx(0.5 * agent.num_timesteps, abs=batch_size + 2 * num_envs * train_freq)


def test_target_network_follows_when_it_is_due():
    agent = catch_agent(8, target_update_interval=10**9, learning_starts=0)
    first = [weight.clone() for weight in agent.q_net_target.parameters()]
    agent.learn(400)
    assert all(map(torch.equal, first, agent.q_net_target.parameters()))
    assert not all(map(torch.equal, first, agent.q_net.parameters()))
    agent.target_update_interval = 8
    agent.learn(8, reset_num_timesteps=False)
    assert not all(map(torch.equal, first, agent.q_net_target.parameters()))


# -- repeating ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("switch", [{}, SWITCHES["rainbow"], SWITCHES["iqn"]], ids=["plain", "rainbow", "iqn"])
def test_twins_from_one_seed_are_equal(switch):
    def trained(seed):
        agent = catch_agent(seed=seed, **switch)
        agent.learn(1_500)
        return weights_of(agent)

    one = trained(5)
    assert torch.equal(one, trained(5)) and not torch.equal(one, trained(6))


def test_the_number_of_threads_changes_nothing():
    def trained(threads):
        agent = catch_agent(256, batch_size=256, num_threads=threads)
        agent.learn(4_000)
        return weights_of(agent)

    assert torch.equal(trained(1), trained(2))


class SaveAt(BaseCallback):
    """Saves where a rollout begins, and goes on for a while, as if then killed."""

    def __init__(self, folder, steps):
        super().__init__()
        self.folder, self.steps = folder, steps

    def _on_rollout_start(self):
        if self.num_timesteps >= self.steps and not self.folder.exists():
            self.model.save(self.folder)

    def _on_step(self):
        return self.num_timesteps < self.steps + 300


RESUMED = {
    "plain": {},
    "prioritized": {"prioritized": True, "n_steps": 3, "train_freq": 4},
    "noisy": {"noisy": True},
    "iqn": SWITCHES["iqn"],
}


@pytest.mark.parametrize("switch", RESUMED.values(), ids=RESUMED)
@pytest.mark.parametrize("options", [{}, {"max_episode_steps": 6}], ids=["", "cut off"])
def test_a_resume_goes_on_to_the_last_bit(tmp_path, switch, options):
    def new():
        return catch_agent(8, options=options, buffer_size=800, learning_starts=200, **switch)

    whole = new()
    whole.learn(3_000)
    new().learn(3_000, callback=SaveAt(tmp_path / "agent", 1_600))
    resumed = DQN.load(tmp_path / "agent", resume=True)
    assert 1_600 <= resumed.num_timesteps < 1_700
    resumed.learn(3_000 - resumed.num_timesteps, reset_num_timesteps=False)
    assert resumed.num_timesteps == whole.num_timesteps and resumed._n_updates == whole._n_updates
    assert torch.equal(weights_of(resumed), weights_of(whole))
    for name, tensor in whole.replay.state().items():
        assert torch.equal(tensor, resumed.replay.state()[name]), name


def test_without_the_memory_a_resume_fills_a_new_one_first(tmp_path):
    agent = catch_agent(8, save_replay=False)
    agent.learn(1_000)
    agent.save(tmp_path / "agent")
    small = sum(path.stat().st_size for path in (tmp_path / "agent").iterdir())
    resumed = DQN.load(tmp_path / "agent", resume=True)
    updates = resumed._n_updates
    resumed.learn(496, reset_num_timesteps=False)
    assert resumed._n_updates == updates  # as many steps as `learning_starts` come first
    resumed.learn(500, reset_num_timesteps=False)
    assert resumed._n_updates > updates
    agent.save_replay = True
    agent.save(tmp_path / "other")
    large = sum(path.stat().st_size for path in (tmp_path / "other").iterdir())
    assert large - small == pytest.approx(agent.replay.nbytes, rel=0.01)


def test_a_second_learn_goes_on_with_games_that_began_anew():
    agent = catch_agent(8, learning_starts=100)
    agent.learn(400)
    agent.learn(400)
    assert agent.num_timesteps == 400 and int(agent.replay.count) == 100
    assert int(agent.replay.truncated.sum()) <= 8  # the games that were broken off


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
    monkeypatch.setattr(replay, "available_memory", lambda device: 1_000_000)
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
