"""Training states from strangers: refused with one line, while the agent can still be loaded to play."""

import re
import shutil
import subprocess
import sys

import pytest
import torch

import ludus
from ludus.agents import load_agent
from ludus.agents.files.safe_io import CheckpointError
from tests.agents.checkpoints.catch import catch_agent
from tests.agents.checkpoints.damage import MEGA, as_link, change, changed, edit, flip_a_bit, numbers_of, rewrite

TRAINING = {
    "truncated": (lambda f: numbers_of(f, "training").write_bytes(b"short"), "too short for 8 games"),
    "a flipped bit": (lambda f: flip_a_bit(f, "training-*"), "SHA-256"),
    "of another agent": (lambda f: other_training(f), "of another network or game"),
    "no file": (lambda f: numbers_of(f, "training").unlink(), "cannot be read"),
    "a link": (lambda f: as_link(f, "training-*"), "is a link"),
    "NaN averages": (
        lambda f: edit(f, lambda t: t["0.exp_avg"].fill_(float("nan")), "optimizer"), "not finite"),
    "a generator of zeros": (
        lambda f: edit(f, lambda t: t["generators.0"].zero_(), "training"), "no generator's state"),
    "fewer games": (
        lambda f: edit(f, lambda t: t.update({"games.records": t["games.records"][:4].clone()}), "training"),
        "of another network or game"),
    "more episodes": (
        lambda f: edit(f, lambda t: t.update(episodes=torch.zeros(10**6, 3, dtype=torch.float64)), "training"),
        "far too long"),
    "many games and a short file": (changed(num_envs=5_000_000), "too short for 5000000 games"),
    "other threads": (changed(play_threads=2), "of another network or game"),
    "a thousand million threads": (changed(play_threads=MEGA), "play_threads must be"),
    "another device": (changed(device="tpu"), "device must be one of"),
    "a missing number": (changed(progress={}), "progress lacks"),
}  # fmt: skip


def other_training(folder):
    catch_agent(options={"frame_stack": 2}, n_steps=8, batch_size=32).learn(128).save(folder / "other")
    rewrite(folder, numbers_of(folder / "other", "training").read_bytes(), "training")


@pytest.mark.parametrize("damage", TRAINING)
def test_a_broken_training_is_one_clear_line_and_does_not_hinder_playing(folder, damage):
    break_it, message = TRAINING[damage]
    break_it(folder)
    with pytest.raises(CheckpointError, match=message) as caught:
        load_agent(folder, device="cpu", resume=True)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 700
    if "must be" not in message and "lacks" not in message:
        assert load_agent(folder, device="cpu").num_timesteps == 128


RESUME = """
import sys
from ludus.agents import load_agent

load_agent(sys.argv[1], device="cpu", resume=True).learn(256, reset_num_timesteps=False)
"""


@pytest.mark.parametrize(("number", "possible"), [(120, False), (0, True)])
def test_impossible_games_cannot_do_harm(folder, number, possible):
    """Rows of a board that is not there, which the rules would write to."""
    sim = ludus.envs.Simulator("Catch", 8)

    def move_the_ball(tensors):
        records = tensors["games.records"].numpy().reshape(-1).view(sim.game.State)
        records["ball_row"] = number

    edit(folder, move_the_ball, "training")
    command = [sys.executable, "-X", "faulthandler", "-c", RESUME, str(folder)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=250)
    assert result.returncode == (0 if possible else 1), result.stderr[-1000:]
    message = (
        "GameError: Catch: a rule raised an index outside its array, or another exception: the state that was loaded"
    )
    assert (message in result.stderr) is not possible


def test_ones_own_games_are_known_again_and_others_play_the_same(folder):
    own = load_agent(folder, device="cpu", resume=True)
    change(folder, progress__seal="")
    others = load_agent(folder, device="cpu", resume=True)
    assert (own.simulator._unverified.whole.some, others.simulator._unverified.whole.some) == (False, True)
    for agent in (own, others):
        agent.learn(256, reset_num_timesteps=False)
    assert all(map(torch.equal, own.policy.parameters(), others.policy.parameters()))
    assert not others.simulator._unverified.whole.some


def remembering(name, value):
    """Another number at the start of a memory's tensor."""
    return lambda tensors: tensors[f"replay.{name}"].view(-1)[:1].fill_(value)


MEMORIES = {
    "an action that there is not": (remembering("actions", 3), "the replay buffer's actions must be from 0 to 2"),
    "an action below the first": (remembering("actions", -1), "the replay buffer's actions must be from 0 to 2"),
    "a row beyond the last": (remembering("row", 100), "the replay buffer's row must be from 0 to 99"),
    "more rows than there are": (remembering("count", 101), "the replay buffer's count must be from 0 to 100"),
    "a place outside": (remembering("finals.places", 10**9), "the replay buffer's finals.places must be from 0 to"),
    "more owed than a minibatch": (lambda t: t["numbers"][:1].fill_(1e300), "no training owes 1e+300"),
    "a debt that is no number": (lambda t: t["numbers"][:1].fill_(float("nan")), "not finite"),
}


@pytest.fixture(scope="module")
def saved_dqn(tmp_path_factory):
    env = ludus.make_sb3("Catch", 8, seed=0, max_episode_steps=6)
    settings = {"buffer_size": 800, "learning_starts": 64, "replay_ratio": 0.5, "prioritized": True}
    agent = ludus.DQN("mlp", env, seed=0, num_threads=1, train_freq=4, **settings).learn(640)
    folder = tmp_path_factory.mktemp("agent") / "run"
    agent.save(folder)
    return folder


@pytest.mark.parametrize("damage", MEMORIES)
def test_a_broken_memory_is_one_clear_line_and_does_not_hinder_playing(saved_dqn, tmp_path, damage):
    action, message = MEMORIES[damage]
    folder = shutil.copytree(saved_dqn, tmp_path / "run")
    edit(folder, action, "training")
    with pytest.raises(CheckpointError, match=re.escape(message)) as caught:
        load_agent(folder, device="cpu", resume=True)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 700
    assert load_agent(folder, device="cpu").num_timesteps == 640


ENDLESS = {
    "an endless episode": ("training", lambda t: t["episodes"].fill_(1e300), "episodes has numbers beyond 1e"),
    "an endless return": ("training", lambda t: t["episodes"][:, 0].fill_(-1e300), "episodes has numbers beyond 1e"),
    "steps before the first": ("optimizer", lambda t: t["0.step"].fill_(-5), "0.step is -5, expected 0 to"),
    "endless steps": ("optimizer", lambda t: t["0.step"].fill_(-1e38), "0.step is -1e"),
}


@pytest.mark.parametrize("name", ENDLESS)
def test_numbers_that_training_cannot_go_on_from(folder, name):
    part, action, message = ENDLESS[name]
    edit(folder, action, part)
    with pytest.raises(CheckpointError, match=message) as caught:
        load_agent(folder, device="cpu", resume=True)
    assert "\n" not in str(caught.value)


LARGEST = {f"progress__{name}": 2**62 for name in ("total_timesteps", "updates", "episodes")}


def test_training_goes_on_from_the_largest_numbers(folder, capsys):
    edit(folder, lambda tensors: tensors["episodes"].fill_(1e38), "training")
    change(folder, timesteps=2**62, progress__seconds=1e12, settings__verbose=1, **LARGEST)
    agent = load_agent(folder, device="cpu", resume=True)
    agent.learn(128, reset_num_timesteps=False, log_interval=1, progress_bar=True)
    assert agent.num_timesteps > 2**62 and "ep_len_mean" in capsys.readouterr().out
