"""PPO that begins with what the game's heuristic does."""

import gymnasium
import numpy as np
import pytest
import torch
from stable_baselines3.common.vec_env import DummyVecEnv

import ludus
from ludus.agents import load_agent
from ludus.agents.training.evaluation import Player
from ludus.agents.training.kickstart import NONE, Advice
from ludus.envs import Bot, OptionError, Simulator, bots
from ludus.envs.adapters.sb3 import vec_env

SMALL = {"n_steps": 16, "batch_size": 256, "n_epochs": 4}


def agent_of(game, games=64, policy="mlp", **given):
    return ludus.PPO(policy, vec_env(game, games, seed=1), seed=0, **{**SMALL, "kickstart_coef": 1.0, **given})


@pytest.mark.parametrize("game", ["Breakout", "ConnectFour", "Tron", "Minesweeper"])
@pytest.mark.parametrize("memory", [None, "mingru"])
def test_it_is_advised_by_the_heuristic_where_it_comes(game, memory, monkeypatch):
    """In games of one, of turns, of players who act at once, with action masks; by compiled loops and by PyTorch."""
    said, act = [], Bot.act

    def heard(self, *wanted):
        said.append(act(self, *wanted).copy())
        return said[-1]

    monkeypatch.setattr(bots.Bot, "act", heard)
    agent = agent_of(game, 16, policy_kwargs={"memory": memory})
    assert (agent.network.why == "compiled loops") == (memory is None)
    agent.learn(agent.n_envs * 16)
    advice = agent.data.columns[..., 4]
    legal = np.ones((*advice.shape, 1), bool) if agent.data.masks is None else agent.data.masks.numpy()
    assert advice.numpy().tolist() == np.stack(said[:16]).reshape(16, -1).tolist()
    assert legal.shape[-1] == 1 or np.take_along_axis(legal, advice[..., None].long().numpy(), -1).all()


def test_the_teacher_may_be_a_bot_that_searches(monkeypatch):
    agent = agent_of("ConnectFour", 16, kickstart_teacher="search-3")
    asked, act = set(), Bot.act
    monkeypatch.setattr(bots.Bot, "act", lambda self, *wanted: asked.add(self.kind) or act(self, *wanted))
    agent.learn(16 * 16)
    assert asked == {"search-3"} and (agent.data.columns[..., 4] >= 0).all()


def test_what_is_not_legal_is_no_advice(monkeypatch):
    sim = Simulator("ConnectFour", 4)
    sim.reset()
    advice = Advice(sim, "heuristic")
    column = advice.actions().long()
    advice.legal[2, column[2]] = False
    advice.begin(0)
    monkeypatch.setattr(advice.bot, "act", lambda: column.numpy())
    assert advice.actions().tolist() == [column[0], column[1], NONE, column[3]]


def test_a_policy_comes_to_do_what_the_heuristic_does():
    """In Breakout, where chance finds little, within 60,000 steps."""

    def agreement(agent):
        sim = Simulator("Breakout", 32)
        sim.reset()
        player, heuristic, same = Player(agent, sim), Bot(sim), []
        for _ in range(100):
            actions = player.decide(True)
            same.append(actions == heuristic.act())
            sim.step(actions)
        return np.mean(same)

    with_advice = agent_of("Breakout", learning_rate=2.5e-3, kickstart_fraction=1.0).learn(60_000)
    without = agent_of("Breakout", learning_rate=2.5e-3, kickstart_coef=0.0).learn(60_000)
    assert agreement(with_advice) > agreement(without) + 0.2


def test_the_coefficient_is_annealed_over_its_fraction_of_the_training():
    seen, rollout = [], 64 * 16
    agent = agent_of("Catch", kickstart_coef=2.0, kickstart_fraction=0.5)
    agent.train = lambda: seen.append((type(agent).train(agent), agent.loss_settings.kickstart_coef)[1])
    agent.learn(8 * rollout)
    assert np.allclose(seen, [max(0.0, 2.0 * (1 - k / 4)) for k in range(1, 9)], atol=0.51)
    assert seen[0] > seen[1] > seen[2] > seen[3] == seen[-1] == 0


def test_nobody_is_asked_for_what_does_not_count_any_more(monkeypatch):
    asked, act, rollout = [], Bot.act, 64 * 16
    agent = agent_of("Catch", kickstart_fraction=0.5)
    monkeypatch.setattr(bots.Bot, "act", lambda self: asked.append(agent.num_timesteps) or act(self))
    agent.learn(8 * rollout)
    assert len(asked) == 4 * 16 and max(asked) < 4 * rollout and (agent.data.columns[..., 4] == NONE).all()


def test_without_it_nothing_changes():
    agent = agent_of("Catch", kickstart_coef=0.0).learn(2048)
    assert agent.data.columns.shape[-1] == 4


@pytest.mark.parametrize("threads", [1, 2])
def test_training_goes_on_to_the_last_bit(tmp_path, threads):
    """Random numbers of the heuristic included; and threads do not matter."""
    agent = agent_of("Snake", num_threads=threads)
    agent.learn(4096)
    agent.save(tmp_path)
    agent.learn(4096, reset_num_timesteps=False)
    back = load_agent(tmp_path, resume=True)
    back.learn(4096, reset_num_timesteps=False)
    alone = agent_of("Snake", num_threads=1)
    for again in (False, True):
        alone.learn(4096, reset_num_timesteps=not again)
    for one, two, three in zip(*(x.policy.parameters() for x in (agent, back, alone)), strict=True):
        assert torch.equal(one, two) and torch.equal(one, three)


@pytest.mark.parametrize(
    ("env", "given", "message"),
    [
        (lambda: vec_env("Sokoban"), {}, "kickstart_teacher is .heuristic., but Sokoban has no heuristic"),
        (lambda: DummyVecEnv([lambda: gymnasium.make("CartPole-v1")]), {}, "kickstart_coef is for games of Ludus"),
        (
            lambda: vec_env("Catch"),
            {"kickstart_teacher": "search-4"},
            "kickstart_teacher is 'search-4', but search-4 is for",
        ),
        (lambda: vec_env("Catch"), {"kickstart_teacher": "nobody"}, "kickstart_teacher is 'nobody', but kind must be"),
        (lambda: vec_env("Catch"), {"kickstart_coef": 0.0, "kickstart_fraction": 0.3}, "kickstart_fraction is for a"),
        (
            lambda: vec_env("Catch"),
            {"kickstart_coef": 0.0, "kickstart_teacher": "random"},
            "kickstart_teacher is for a",
        ),
        (lambda: vec_env("Catch"), {"kickstart_coef": -1.0}, "kickstart_coef must be a number from 0 to"),
        (lambda: vec_env("Catch"), {"kickstart_fraction": 0.0}, "kickstart_fraction must be"),
    ],
)
def test_where_nobody_can_advise_it_is_refused(env, given, message):
    with pytest.raises(OptionError, match=message):
        ludus.PPO("MlpPolicy", env(), **{"kickstart_coef": 1.0, **given})
