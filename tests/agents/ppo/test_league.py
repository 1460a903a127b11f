"""Self-play against earlier versions and bots: who plays where, what is learned from, and that it goes on to the last bit."""

import numpy as np
import pytest
import torch

import ludus
from ludus.agents import load_agent
from ludus.agents.training.league import MOST, AgainstLeague, League
from ludus.envs import Bot, OptionError
from ludus.envs.adapters.sb3 import vec_env

SMALL = {"n_steps": 16, "batch_size": 64, "n_epochs": 1}


def agent_of(game="TicTacToe", share=0.5, games=32, **more):
    players = {"players": 2} if game == "Tron" else {}
    env = vec_env(game, games, seed=1, **players)
    return ludus.PPO("MlpPolicy", env, seed=0, earlier_versions=share, **{**SMALL, **more})


def first_legal(bot, wanted):
    legal = bot.sim.legal if bot.sim.legal is not None else np.ones((*bot._actions.shape, 3), np.bool_)
    return np.where(wanted[:, None], legal.reshape(*bot._actions.shape, -1).argmax(-1), -1)


def rollout_of(agent):
    """A rollout without advantages; returns the rows that were an earlier version's, (T, N)."""
    agent.env.reset()
    agent._last_episode_starts = np.ones(agent.n_envs, np.bool_)
    agent.prepare()
    agent._total_timesteps = 1000
    agent._begin_rollout()
    agent.collect()
    return agent.against.theirs


def test_each_seat_learns_in_as_many_games():
    versions = agent_of(games=40, share=0.3).league
    assert versions.games.tolist() == list(range(28, 40)) and versions.seats.tolist() == [0, 1] * 6


@pytest.mark.parametrize("game", ["TicTacToe", "Tron"])
def test_the_others_are_earlier_versions_and_nobody_else_is(game):
    agent = agent_of(game)
    weights = (
        agent.league.policy.state_dict()
    )  # of which the first version will be a copy: it takes the first legal action
    weights["action_net.weight"].zero_()
    weights["action_net.bias"].copy_(-1000.0 * torch.arange(len(weights["action_net.bias"])))
    theirs, seen = [], []
    act = League.act

    def watched(self, obs, masks, rows, actions):
        weights["action_net.bias"].zero_()  # the learner is another now
        before = actions.clone()
        act(self, obs, masks, rows, actions)
        theirs.append(rows.clone())
        legal = torch.ones(len(rows), 9) if masks is None else masks
        seen.append((before, actions.clone(), legal.to(torch.uint8).argmax(1)))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(League, "act", watched)
        rollout_of(agent)
    rows = torch.stack(theirs)
    for was, (before, after, first) in zip(rows, seen, strict=True):
        assert torch.equal(before[~was], after[~was]) and torch.equal(after[was], first[was])
    if game == "Tron":  # a row is a seat; the last 16 games, of which each has one that learns
        assert (rows.sum(1) == 16).all() and not rows[:, :32].any()
    else:  # a row is a game, and players take turns
        assert not rows[:, :16].any() and torch.equal(rows[0, 16:], rows[2, 16:])
        assert torch.equal(rows[0, 16:], ~rows[1, 16:])


@pytest.mark.parametrize(("game", "bots"), [("TicTacToe", "heuristic,search-4"), ("Tron", "heuristic")])
def test_bots_play_beside_earlier_versions(game, bots, monkeypatch):
    """In whole groups of games, in the seats that do not learn."""
    agent, said, step = agent_of(game, opponents=bots), [], AgainstLeague.step
    agent.league.score[:MOST] = 1.0  # so easy that they hardly ever play

    def heard(self, actions):
        done = step(self, actions)
        said.append(actions.clone().flatten())
        return done

    monkeypatch.setattr(AgainstLeague, "step", heard)
    monkeypatch.setattr(Bot, "act", first_legal)
    theirs = rollout_of(agent)
    played = [agent.league.opponent[group[0]].item() for group in agent.league.groups]
    assert max(played) >= MOST
    for t, rows in enumerate(theirs):
        masks = agent.data.masks[t] if agent.data.masks is not None else torch.ones(len(rows), 3)
        for group, opponent in zip(agent.league.groups, played, strict=True):
            own = agent.league._rows(agent.league.games[group])
            own = own[rows[own]]
            if opponent >= MOST:
                assert torch.equal(said[t][own].long(), masks[own].to(torch.uint8).argmax(1))


def test_advantages_look_through_the_moves_of_others():
    """With gamma and lambda 1 and a critic that says 0, an advantage is what the game brings the learner in the end."""
    agent = agent_of(games=64, n_steps=40, gamma=1.0, gae_lambda=1.0)
    theirs, data = rollout_of(agent), agent.data
    data.values.zero_()
    data.last_values.zero_()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ludus.agents.training.on_policy.leave_out", lambda *_: None)
        agent.compute_advantages()
    count = 0
    for game in range(32, 64):
        start = 0
        for end in np.flatnonzero(data.dones[:, game]):
            for t in range(start, end + 1):
                if not theirs[t, game]:
                    assert float(data.advantages[t, game]) == float(data.rewards[end, game]) * (-1) ** (end - t)
                    count += 1
            start = end + 1
    assert count > 200


def test_nothing_is_learned_from_what_earlier_versions_did():
    agent = agent_of()
    theirs, data = rollout_of(agent), agent.data
    before = data.obs.clone(), data.actions.clone()
    agent.compute_advantages()
    own = {
        (obs.numpy().tobytes(), int(action)) for obs, action in zip(before[0][~theirs], before[1][~theirs], strict=True)
    }
    assert all(
        (obs.numpy().tobytes(), int(action)) in own
        for obs, action in zip(data.obs[theirs], data.actions[theirs], strict=True)
    )
    assert torch.equal(data.obs[~theirs], before[0][~theirs]) and torch.equal(data.actions[~theirs], before[1][~theirs])
    assert torch.allclose(data.columns[..., 1], data.advantages) and torch.allclose(data.columns[..., 3], data.values)


def test_the_hardest_versions_play_most():
    versions = agent_of(games=400, share=1.0).league
    versions.count, versions.taken = 3, 0.0
    versions.score[:3] = torch.tensor([0.9, 0.1, 0.5])
    counts = torch.zeros(3)
    for _ in range(100):
        versions.begin(0.0)
        counts += torch.bincount(versions.opponent, minlength=3)[:3]
    share = counts / counts.sum()  # of squares of 0.1, 0.9 and 0.5
    assert share[1] == pytest.approx(0.81 / 1.07, abs=0.1) and share[0] < 0.05


def test_an_easy_version_makes_room():
    versions = agent_of().league
    for k in range(MOST):
        versions.begin(k / 25)
    assert versions.count == MOST
    versions.score[5] = 0.95
    name, stack = next(iter(versions.weights.items()))
    with torch.no_grad():
        versions.policy.state_dict()[name].add_(1.0)
    versions.begin(1.0)
    assert versions.count == MOST and torch.equal(stack[5], versions.policy.state_dict()[name])
    assert versions.score[5] == 0.5 and not torch.equal(stack[4], stack[5])


def test_points_are_told_by_who_won():
    versions = agent_of(games=4, share=1.0).league
    returns = torch.tensor([[1.0, -1.0], [1.0, -1.0], [0.0, 0.0], [0.0, 0.0]])  # seat 0 learns in games 0 and 2
    over = torch.tensor([True, False, False, False])
    versions.ended(over, returns)
    won = float(versions.score[0])
    versions.ended(torch.tensor([False, True, False, False]), returns)
    assert won > 0.5 and float(versions.score[0]) < won


@pytest.mark.parametrize(("game", "bots"), [("TicTacToe", None), ("TicTacToe", "search-2"), ("Tron", "heuristic")])
def test_training_goes_on_to_the_last_bit(game, bots, tmp_path):
    agent = agent_of(game, games=16, opponents=bots)
    agent.learn(1024)
    agent.save(tmp_path)
    agent.learn(1024, reset_num_timesteps=False)
    back = load_agent(tmp_path, resume=True)
    back.learn(1024, reset_num_timesteps=False)
    for name, weight in agent.policy.state_dict().items():
        assert torch.equal(weight, back.policy.state_dict()[name]), name
    assert torch.equal(agent.league.score, back.league.score) and agent.league.count == back.league.count > 0


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ludus.PPO("MlpPolicy", ludus.make_sb3("Catch", 4), earlier_versions=0.5, **SMALL), "several players"),
        (lambda: ludus.PPO("MlpPolicy", "CartPole-v1", earlier_versions=0.5, n_steps=64), "several players"),
        (lambda: agent_of(policy_kwargs={"memory": "lstm"}), "policies without memory"),
        (lambda: agent_of(share=1.5), "earlier_versions must be"),
        (lambda: agent_of(share=0.0, opponents="heuristic"), "a share of the games, which is 0: give earlier_versions"),
        (lambda: agent_of(opponents="heuristic,lookahead"), "got 'lookahead'"),
        (lambda: agent_of("Tron", opponents="search-4"), "Tron cannot be searched"),
        (lambda: agent_of(opponents=3), "opponents must be"),
    ],
)
def test_what_cannot_be_is_refused(make, message):
    with pytest.raises(OptionError, match=message):
        make()
