"""The guide `docs/own-code.md`: its programs run, at a small size, and do what they say."""

import re
from pathlib import Path

import pytest

GUIDE = (Path(__file__).parents[2] / "docs" / "own-code.md").read_text()
SECTION = re.compile(r"^## ([^\n]+)\n(.*?)(?=^## |\Z)", re.M | re.S)
CODE = re.compile(r"^```python\n(.*?)^```$", re.M | re.S)
PROGRAMS = {
    f"{title} {number}": body
    for title, text in SECTION.findall(GUIDE)
    for number, body in enumerate(CODE.findall(text), 1)
}
SMALL = {  # what is written otherwise here, so that it takes seconds
    "PPO in one file 1": [("Breakout", "Catch"), ("500_000", "40_000"), ("(10 *", "(1 *")],
    "Stable-Baselines3 1": [("60_000", "6_000"), ("10_000", "1_024"), ("eval_freq=500", "eval_freq=150")],
    "Stable-Baselines3 2": [("200_000", "60_000")],
    "Action masks: MaskablePPO 1": [("40_000", "8_192"), ("episodes=200", "episodes=40")],
    "PettingZoo 1": [("range(100)", "range(20)")],
    "PettingZoo 3": [("2_000", "800")],
    "TorchRL 1": [("40 * 2048", "12 * 2048")],
}

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """Runs a program, small, in an empty folder; gives what it prints."""
    monkeypatch.chdir(tmp_path)

    def run(name, *changes):
        program = PROGRAMS[name]
        for before, after in (*SMALL.get(name, ()), *changes):
            assert before in program, f"{before} is not in {name}"
            program = program.replace(before, after)
        found = {"__name__": "program"}
        exec(compile(program, name, "exec"), found)
        return capsys.readouterr().out, found

    return run


def numbers(pattern, text):
    return [float(number) for number in re.findall(pattern, text)]


def test_every_program_is_run_below():
    tests = Path(__file__).read_text()
    assert len(PROGRAMS) == 11
    for name in PROGRAMS:
        assert f'run("{name}"' in tests, name


def test_a_table_of_values_finds_the_shortest_way(run):
    out, found = run("Gymnasium 1")
    printed = re.search(r"# (Box.*)", PROGRAMS["Gymnasium 1"])
    assert printed and out.splitlines()[0] == printed[1]
    assert found["cut_off"] > 0 and f"{found['cut_off']} episodes were cut off" in out
    assert "learned: return -13;" in out


def test_transitions_are_the_same_in_all_modes(run):
    out, found = run("Gymnasium, many games at once 1", ("range(num_steps)", "range(min(num_steps, 60))"))
    next_step, same_step, disabled = (line.partition(": ") for line in out.splitlines())
    assert [next_step[0], same_step[0], disabled[0]] == ["NextStep", "SameStep", "Disabled"]
    assert same_step[2] == disabled[2] != next_step[2]
    told = [list(found["transitions"](mode, 55)) for mode in ("SameStep", "Disabled")]
    for one, other in zip(*told, strict=True):
        assert all((a == b).all() for a, b in zip(one[:5], other[:5], strict=True))
    cut = [infos for *_, infos in told[0] if "final_obs" in infos]
    assert cut and {"final_info", "_final_obs", "_final_info"} <= set(cut[0])


def test_ppo_in_one_file_learns(run):
    out, _ = run("PPO in one file 1")
    assert len([line for line in PROGRAMS["PPO in one file 1"].splitlines() if line.strip()]) <= 100
    means = numbers(r"mean return +(-?[\d.]+)", out)
    assert len(means) == 9 and means[-1] > means[0] + 1


def test_ppo_in_one_file_bootstraps_where_an_episode_is_cut_off(run):
    """Catch cut off after 8 of its 9 steps gives no reward: what is there comes from the critic."""
    _, found = run("PPO in one file 1", ("40_000", "4_096"), ("steps=1000", "steps=8"))
    rewards, dones = found["rewards"], found["dones"]
    assert dones.any() and (rewards[dones == 0] == 0).all() and (rewards[dones == 1] != 0).all()


def test_stable_baselines3_takes_the_games_as_they_are(run):
    out, _ = run("Stable-Baselines3 1")
    assert re.fullmatch(r"mean return -?[\d.]+, standard deviation [\d.]+\n7168 steps\n", out)
    assert {path.name for path in Path("runs/sb3").iterdir()} == {"best_model.zip", "last.zip", "rewards.pkl"}


def test_ludus_ppo_takes_the_place_of_stable_baselines3s(run):
    own = ("from stable_baselines3 import PPO", "from ludus import PPO")
    with pytest.warns(UserWarning, match="not kept in the file.*VecNormalize"):
        out, found = run("Stable-Baselines3 1", own, ("6_000", "2_048"), ("eval_freq=150", "eval_freq=64"))
    assert out.endswith("steps\n") and type(found["agent"]).__module__.startswith("ludus")


def test_ludus_ppo_learns_without_wrappers(run):
    out, _ = run("Stable-Baselines3 2")
    assert numbers(r"mean return (-?[\d.]+)", out)[0] > 0.5
    assert Path("runs/mine.zip").is_file()


def test_maskable_ppo_beats_the_bot_more_often(run):
    pytest.importorskip("sb3_contrib")
    out, found = run("Action masks: MaskablePPO 1", ('bot="heuristic"', 'bot="random"'))  # which takes fewer steps
    before, after = numbers(r"wins (\d+)%", out)
    assert after > before
    env = found["AgainstBot"]()
    openings = [env.reset(seed=seed)[0].sum() for seed in range(4)]
    assert openings == [0, 1, 0, 1]  # stones on the board: the bot has moved in every other episode


def test_one_line_learns_a_puzzle_with_masks():
    contrib = pytest.importorskip("sb3_contrib")
    import ludus

    assert 'MaskablePPO("MlpPolicy", ludus.make_sb3("Game2048", 16)).learn(100_000)' in GUIDE
    agent = contrib.MaskablePPO("MlpPolicy", ludus.make_sb3("Game2048", 16), n_steps=16, n_epochs=1, device="cpu")
    assert agent.learn(256).num_timesteps == 256


def test_ludus_ppo_takes_the_board_game_as_it_is(run):
    pytest.importorskip("sb3_contrib")
    own = ("from sb3_contrib import MaskablePPO", "from ludus import PPO as MaskablePPO")
    out, found = run("Action masks: MaskablePPO 1", own, ("8_192", "1_024"), ("episodes=40", "episodes=4"))
    assert len(numbers(r"wins (\d+)%", out)) == 2 and type(found["agent"]).__module__.startswith("ludus")


def test_players_take_turns_by_masks(run):
    _, found = run("PettingZoo 1")
    assert sum(found["wins"].values()) in (18, 19, 20)  # few draws


def test_players_act_together(run):
    _, found = run("PettingZoo 2")
    assert sorted(found["returns"]) == ["player_0", "player_1", "player_2"]
    assert any(found["returns"].values())


@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::DeprecationWarning")  # SuperSuit's own
def test_supersuit_makes_a_vector_of_players(run):
    assert run("PettingZoo 3")[0] == "24 players, 1536 steps\n"


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")  # TorchRL's own
def test_torchrl_collects_and_learns(run):
    out, _ = run("TorchRL 1")
    means = numbers(r"mean return (-?[\d.]+)", out)
    assert len(means) == 12 and means[-1] > means[0] + 0.2
    assert out.startswith("torch.Size([64, 20]) torch.Size([64, 20, 10, 10, 2])")


def test_a_hand_written_policy_catches_every_ball(run):
    out, _ = run("The simulator itself 1")
    assert out.splitlines()[0] == "('ball', 'paddle') ('left', 'stay', 'right')"
    assert "100000 episodes, mean return 1.0" in out
    assert out.count("True") == 2 and "False" not in out
