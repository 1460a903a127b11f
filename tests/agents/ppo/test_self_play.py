"""One policy plays all players of a game: what it is told, and that it learns."""

import json

import numpy as np
import pytest
import torch

import ludus
from ludus.agents.data.env_adapters import SelfPlayAdapter
from ludus.agents.files.described import digest_of
from ludus.agents.files.safe_io import CheckpointError
from ludus.agents.training.evaluation import Player, evaluate
from ludus.envs import Bot, Match, OptionError, Simulator, evaluate_player
from ludus.envs.adapters.sb3 import LudusVecEnv, SelfPlayVecEnv, vec_env

GAMES = ("TicTacToe", "Tron")


def random_steps(adapter, env, sim, steps):
    """The same random actions in both; yields after each step what the environment returned."""
    player = Bot(env.simulator, "random")
    for _ in range(steps):
        actions = player.act().reshape(-1).copy()
        adapter.step(torch.as_tensor(actions))
        yield env.step(actions)


@pytest.mark.parametrize("game", GAMES)
def test_tensors_and_environments_tell_the_same(game):
    env, sim = vec_env(game, 6), Simulator(game, 6, seed=3)
    env.simulator.seed(3)
    first = env.reset()
    sim.reset()
    adapter = SelfPlayAdapter(sim, channels_first=False)
    assert env.num_envs == adapter.num_envs == 6 * sim.num_seats
    assert np.array_equal(first, adapter.obs)
    for obs, rewards, dones, infos in random_steps(adapter, env, sim, 120):
        assert np.array_equal(obs, adapter.obs)
        assert np.array_equal(rewards, adapter.reward)
        assert np.array_equal(dones, adapter.terminated | adapter.truncated)
        assert [k for k, info in enumerate(infos) if "episode" in info] == np.flatnonzero(dones).tolist()


def test_rewards_are_the_movers_and_the_turn_changes():
    """a3, a2, b3, b2, c3: the first player completes the upper row in the fifth step."""
    sim = Simulator("TicTacToe", 1, seed=0)
    sim.reset()
    adapter = SelfPlayAdapter(sim, channels_first=False)
    for cell in (0, 3, 1, 4):
        assert adapter.step(torch.tensor([cell])) == 0
        assert (adapter.reward.item(), adapter.signs.item()) == (0.0, -1.0)
    assert adapter.step(torch.tensor([2])) == 1
    assert (adapter.reward.item(), adapter.terminated.item(), adapter.episode_return.item()) == (1.0, True, 1.0)


def test_what_the_other_gains_is_lost():
    """With gamma and lambda 1 and a critic that says 0, an advantage is what the game brings the mover in the end."""
    agent = ludus.PPO("MlpPolicy", vec_env("TicTacToe", 64, seed=1), n_steps=40, gamma=1.0, gae_lambda=1.0, seed=1)
    agent.env.reset()
    agent.prepare()
    data = agent.data
    agent.collect()
    data.values.zero_()
    data.last_values.zero_()
    agent.compute_advantages()
    for game in range(64):
        ends = np.flatnonzero(data.dones[:, game])
        start = 0
        for end in ends:
            won = float(data.rewards[end, game])
            expected = [won * (-1) ** (end - t) for t in range(start, end + 1)]
            assert data.advantages[start : end + 1, game].tolist() == expected
            start = end + 1
        assert len(ends) > 2


def test_it_learns_to_beat_a_random_player_from_both_seats(tmp_path):
    settings = {"n_steps": 16, "batch_size": 512, "n_epochs": 4, "ent_coef": 0.02, "learning_rate": 2e-3}
    agent = ludus.PPO("MlpPolicy", vec_env("TicTacToe", 128, seed=0), seed=0, **settings)
    agent.learn(80_000)
    agent.save(tmp_path / "agent")
    again = ludus.PPO.load(tmp_path / "agent")
    means = []
    for seat in range(2):
        sim = Simulator("TicTacToe", 300, seed=5)
        players = [Player(again, sim), Bot(sim, "random")]
        found = evaluate_player(Match(sim, players if seat == 0 else players[::-1]), sim)
        means.append(found.returns[:, seat].mean())
    assert means[0] > 0.6 and means[1] > 0.0, means  # chance gets 0.3 from the first seat and -0.3 from the second
    both = evaluate(again, 50)
    assert both.returns.shape == (50, 2) and np.all(both.returns.sum(axis=1) == 0)


def test_players_who_act_together_learn_too():
    agent = ludus.PPO("MlpPolicy", vec_env("Tron", 16, seed=0, players=2), n_steps=16, batch_size=128, seed=0)
    assert agent.n_envs == 32
    agent.learn(2048)
    assert agent.num_timesteps == 2048


def test_each_class_names_the_other():
    assert type(vec_env("Catch")) is LudusVecEnv and type(vec_env("Tron")) is SelfPlayVecEnv
    with pytest.raises(OptionError, match=r"use ludus.make_sb3\('Catch'\)"):
        SelfPlayVecEnv("Catch")


@pytest.mark.parametrize(("game", "options"), [("TicTacToe", {}), ("Tron", {}), ("Tron", {"players": 2})])
def test_training_goes_on_to_the_last_bit(game, options, tmp_path):
    """Where players act at once, an environment is a seat, and games are fewer."""
    agent = ludus.PPO("MlpPolicy", vec_env(game, 16, seed=1, **options), seed=0, n_steps=16, batch_size=64, n_epochs=1)
    agent.learn(512)
    agent.save(tmp_path)
    agent.learn(1024, reset_num_timesteps=False)
    back = ludus.PPO.load(tmp_path, resume=True)
    assert back.n_envs == agent.n_envs
    back.learn(1024, reset_num_timesteps=False)
    for name, weight in agent.policy.state_dict().items():
        assert torch.equal(weight, back.policy.state_dict()[name]), name


def test_a_number_of_environments_that_are_no_whole_games_is_refused(tmp_path):
    agent = ludus.PPO("MlpPolicy", vec_env("Tron", 2, seed=1, players=2), seed=0, n_steps=16, batch_size=64, n_epochs=1)
    agent.learn(64)
    agent.save(tmp_path)
    facts = json.loads((tmp_path / "agent.json").read_text()) | {"num_envs": 5}
    (tmp_path / "agent.json").write_text(json.dumps(facts | {"sha256": digest_of(facts)}))
    with pytest.raises(CheckpointError, match="num_envs must be a multiple of 2, the seats of a game, got 5"):
        ludus.PPO.load(tmp_path, resume=True)
