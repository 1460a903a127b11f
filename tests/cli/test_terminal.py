"""What reaches a terminal, and what a training does when nobody reads any more."""

import os
import pty
import re
import shlex
import signal
import subprocess
import sys
import warnings
from functools import partial
from pathlib import Path

import pytest

from ludus.__main__ import explained, main
from ludus.agents import load_agent
from ludus.agents.files.safe_io import short
from ludus.agents.ppo.ppo import PPO
from ludus.agents.training.evaluation import evaluate as evaluate_agent
from ludus.agents.training.save_callback import ending_signals
from ludus.cli import episodes, evaluate, evaluate_report, record, watch
from ludus.cli.arguments import parse
from ludus.cli.players import seats
from ludus.cli.run_folder import held
from ludus.cli.terminal import quoted, say, steady_output
from ludus.envs import OptionError, evaluate_player
from ludus.envs.errors import printable

TINY = ["--num-envs", "16", "--n-steps", "16", "--batch-size", "64", "--no-tensorboard"]
TRAIN = [sys.executable, "-m", "ludus", "train", "Catch", *TINY, "--total-timesteps"]
full = pytest.mark.skipif(not os.path.exists("/dev/full"), reason="a device of Linux")
STEERING = "\x1b]0;title\x07\x1b[31m\x9b1m\u202e\udc80"  # a title, colours, C1, right to left, half a character


# -- a lost reader -----------------------------------------------------------------------------------------------------


def left_alone(command):
    """Run a command whose reader leaves before the first line, as `| true` does; returns its status and its errors."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        process.stdout.close()
        errors = process.stderr.read()
        return process.wait(), errors


def test_training_goes_on_when_its_reader_has_left(tmp_path):
    assert left_alone([*TRAIN, "5000", "--out", str(tmp_path / "run")]) == (0, "")
    assert load_agent(tmp_path / "run").num_timesteps >= 5000


@full
def test_training_goes_on_when_its_output_is_a_full_disk(tmp_path):
    with open("/dev/full", "w") as nowhere:
        result = subprocess.run(
            [*TRAIN, "5000", "--out", str(tmp_path / "run")], stdout=nowhere, stderr=subprocess.PIPE, text=True
        )
    assert (result.returncode, result.stderr) == (
        1,
        "ludus: standard output cannot be written: No space left on device\n",
    )
    assert load_agent(tmp_path / "run").num_timesteps >= 5000


@pytest.mark.skipif(sys.platform == "win32", reason="terminals of Unix")
def test_a_terminal_that_is_closed_saves_and_ends_the_training(tmp_path):
    """As a window that is closed: the process loses its terminal and gets SIGHUP, and can write no more (EIO)."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [*TRAIN, "1000000000", "--out", str(tmp_path / "run")], stdin=theirs, stdout=theirs, stderr=theirs,
        start_new_session=True,
    )  # fmt: skip
    os.close(theirs)
    seen = b""
    while b"k steps" not in seen:  # the bar says that it trains
        seen += os.read(ours, 1000)
    os.close(ours)
    process.send_signal(signal.SIGHUP)
    assert process.wait(timeout=120) in (0, 1)
    assert load_agent(tmp_path / "run").num_timesteps > 0


def test_what_nohup_ignores_stays_ignored():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        assert signal.SIGHUP not in ending_signals() and signal.SIGTERM in ending_signals()
    finally:
        signal.signal(signal.SIGHUP, before)
    assert signal.SIGHUP in ending_signals()


@pytest.mark.parametrize("arguments", [["--help"], ["games"], ["train", "--help"], ["--version"]])
def test_a_reader_who_had_enough_is_no_error(arguments):
    assert left_alone([sys.executable, "-m", "ludus", *arguments]) == (0, "")


@full
def test_output_that_is_lost_is_said_in_one_line_by_any_verb():
    with open("/dev/full", "w") as nowhere:
        command = [sys.executable, "-m", "ludus", "train", "--help"]
        result = subprocess.run(command, stdout=nowhere, stderr=subprocess.PIPE, text=True)
    assert (result.returncode, result.stderr.count("\n")) == (1, 1)


def test_a_save_that_fails_midway_does_not_end_the_training(tmp_path, monkeypatch, capsys):
    """A disk that is full for a while."""
    from ludus.agents.files.safe_io import CheckpointError
    from ludus.agents.training import save_callback as saving

    calls, save = [], saving.SaveCallback.save

    def fail_at_first(self):
        calls.append(self.model.num_timesteps)
        if len(calls) <= 2:
            raise CheckpointError("cannot save the agent: No space left on device")
        save(self)

    monkeypatch.setattr(saving.SaveCallback, "save", fail_at_first)
    command = ["train", "Catch", *TINY, "--total-timesteps", "2000", "--save-interval", "0"]
    with warnings.catch_warnings():
        warnings.simplefilter("default")  # Python's own, by which the same words are shown once
        assert main([*command, "--out", str(tmp_path / "run")]) == 0
    words = "ludus: warning: cannot save the agent: No space left on device; training goes on at step"
    assert capsys.readouterr().err == "".join(f"{words} {steps}\n" for steps in calls[:2])
    assert len(calls) > 3 and load_agent(tmp_path / "run").num_timesteps >= 2000


def test_a_log_that_cannot_be_written_does_not_end_the_training(tmp_path, monkeypatch, capsys):
    """TensorBoard's thread ends with the first error, and whoever writes next hears of it."""
    from tensorboard.summary.writer.record_writer import RecordWriter

    written, write = [], RecordWriter.write

    def fail_soon(self, record):
        written.append(record)
        if len(written) > 10:
            raise OSError(28, "No space left on device")
        write(self, record)

    monkeypatch.setattr(RecordWriter, "write", fail_soon)
    command = ["train", "Catch", *[x for x in TINY if x != "--no-tensorboard"], "--total-timesteps", "5000"]
    with warnings.catch_warnings():
        warnings.simplefilter("default")
        assert main([*command, "--out", str(tmp_path / "run")]) == 0
    line = "ludus: warning: the log cannot be written: No space left on device; training goes on\n"
    assert capsys.readouterr().err == line
    assert load_agent(tmp_path / "run").num_timesteps >= 5000


# -- strange names -----------------------------------------------------------------------------------------------------


def test_no_text_steers_a_terminal():
    assert printable(STEERING) == r"\x1b]0;title\x07\x1b[31m\x9b1m\u202e\udc80"
    for error in (OptionError(STEERING), OptionError(short(STEERING))):
        assert all(c.isprintable() for c in str(error)) and all(c.isprintable() for c in explained(error))


def test_an_agents_file_cannot_steer_the_terminal(tmp_path, capsys):
    (tmp_path / "agent.json").write_text('{"format": "\\u001b]0;owned\\u0007", "algorithm": "\\u001b[31m"}')
    (tmp_path / "train.json").write_text('{"\\u001b[31m": 1, "algo": "\\u001b[31m"}')
    for command in (["evaluate", str(tmp_path)], ["train", "--resume", "--out", str(tmp_path)]):
        assert main(command) == 2
        error = capsys.readouterr().err
        assert error.count("\n") == 1 and error[:-1].isprintable() and r"\x1b" in error


@pytest.mark.parametrize(
    "name", ["run[red]1", "-dash", "a b", "it's", "[red]", "\x1b[31mred", "naïve $HOME", "back\\slash\x01"]
)
def test_the_next_command_works_as_it_is_printed(name, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    say("saved in ", name, ". Next: ", (f"ludus evaluate {quoted(name)}", "bold"))
    text = capsys.readouterr().out
    assert text.count("\n") == 1 and "\x1b" not in text
    Path(name).mkdir()
    words = text.split("Next: ludus evaluate ")[1]
    script = f"cd {shlex.quote(str(tmp_path))} && test -d {words}"
    assert subprocess.run(["bash", "-c", script]).returncode == 0


def test_a_run_in_a_folder_of_any_name_ends_well(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    command = ["train", "Catch", *TINY, "--total-timesteps", "256", "--out=-run[/red] 1"]
    assert main(command) == 0
    assert capsys.readouterr().out.endswith("saved in -run[/red] 1. Next: ludus evaluate './-run[/red] 1'\n")
    assert main(["evaluate", "./-run[/red] 1", "--episodes", "2"]) == 0
    assert "-run[/red] 1" in capsys.readouterr().out


def test_the_next_command_imports_what_this_one_did(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    Path("games_of_mine.py").touch()
    command = ["train", "Catch", *TINY, "--total-timesteps", "256", "--out", "run"]
    assert main([*command, "--import", "games_of_mine"]) == 0
    told = capsys.readouterr().out.strip().split("Next: ")[1]
    assert told == "ludus --import games_of_mine evaluate run"
    assert main([*shlex.split(told)[1:], "--episodes", "2"]) == 0
    assert main([*command, "--overwrite"]) == 0
    assert capsys.readouterr().out.endswith("Next: ludus evaluate run\n")


def test_warnings_are_one_line_without_colours(capsys):
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        with steady_output():
            warnings.warn("\x1b[33mWARN: two\nlines\x1b[0m", stacklevel=1)
    assert capsys.readouterr().err == "ludus: warning: WARN: two lines\n"


# -- one training a folder ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["--resume", "--overwrite"])
def test_two_trainings_do_not_share_a_folder(tmp_path, how, capsys):
    folder = tmp_path / "run"
    command = ["train", "Catch", *TINY, "--total-timesteps", "256", "--out", str(folder)]
    assert main(command) == 0
    before = {path: path.read_bytes() for path in folder.iterdir()}
    with held(folder):
        assert main([*command, how]) == 2
    assert "another training is under way there" in capsys.readouterr().err
    assert {path: path.read_bytes() for path in folder.iterdir()} == before
    assert main([*command, how]) == 0


def test_a_killed_training_leaves_its_folder_to_the_next(tmp_path):
    code = "import sys; from pathlib import Path; from ludus.cli.run_folder import held\n"
    code += "with held(Path(sys.argv[1])): print('held', flush=True); sys.stdin.read()"
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdout.readline() == b"held\n"
    with pytest.raises(OptionError, match="another training"), held(tmp_path):
        pass
    process.kill()
    process.communicate()
    with held(tmp_path):
        assert [path.name for path in tmp_path.iterdir()] == [".lock"]
    assert not list(tmp_path.iterdir())


# -- long evaluations --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("terminal", [True, False])
def test_an_evaluation_that_takes_long_says_how_far_it_is(terminal, monkeypatch, capsys):
    monkeypatch.setenv("FORCE_COLOR" if terminal else "NO_COLOR", "1")
    now = [0.0]
    monkeypatch.setattr(episodes.time, "monotonic", lambda: now[0])
    with episodes.Progress(100) as progress:
        for step in range(1, 26):  # a second each
            now[0] += 1.0
            progress.tell(step, ended=step // 2)
    out, error = capsys.readouterr()
    assert out == "" and re.search(r"\d+ of 100 episodes ended after \d+ steps", error)
    if not terminal:
        assert error.splitlines() == [f"{n} of 100 episodes ended after {2 * n} steps" for n in (5, 10)]


def test_an_interrupted_evaluation_shows_what_it_found(monkeypatch, capsys):
    """The first Ctrl-C; where no episode has ended, the returns so far."""
    tell = episodes.Progress.tell

    def tell_and_interrupt(progress, steps, ended):
        if steps == 5:
            signal.raise_signal(signal.SIGINT)
        return tell(progress, steps, ended)

    monkeypatch.setattr(episodes.Progress, "tell", tell_and_interrupt)
    assert main(["evaluate", "CartPole:heuristic", "--episodes", "4", "--max-episode-steps", "-1"]) == 130
    out = capsys.readouterr().out
    assert re.search(r"heuristic +4 +5\.00", out) and "interrupted after 5 steps\n4 of 4 episodes had not ended" in out
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_second_interrupt_ends_an_evaluation_at_once(monkeypatch, capsys):
    def tell(progress, steps, ended):
        progress.stop()
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(episodes.Progress, "tell", tell)
    assert main(["evaluate", "Catch:random", "--episodes", "4"]) == 130
    assert capsys.readouterr() == ("", "")


def test_an_evaluation_says_where_episodes_without_end_are_left(monkeypatch, capsys):
    for module in (episodes, evaluate_report):
        monkeypatch.setattr(module, "STEP_LIMIT", 20)
    monkeypatch.setattr(episodes, "evaluate_player", partial(evaluate_player, step_limit=20))
    assert main(["evaluate", "CartPole:heuristic", "--episodes", "3"]) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "3 of 3 episodes had not ended after 20 steps, where they are left; their return so far is counted" in out
    assert "--max-episode-steps N ends episodes sooner" in out


def test_an_evaluation_elsewhere_that_is_broken_off_counts_what_ended():
    pole, most = PPO("MlpPolicy", "CartPole-v1", n_steps=32, batch_size=32, device="cpu"), 0

    def tell(steps, ended):
        nonlocal most
        most = max(most, ended)
        return ended < 2

    found = evaluate_agent(pole, 5, tell=tell)
    assert len(found.returns) == len(found.lengths) == most == 2
    assert len(evaluate_agent(pole, 2, tell=lambda *_: False).returns) == 0


def test_devices_that_are_not_used_are_refused(capsys):
    for line in (["Catch:random"], ["runs/one", "--against", "heuristic"]):
        assert main(["evaluate", *line, "--device", "cuda"]) == 2
        assert "--device is for an agent on its own" in capsys.readouterr().err


@pytest.mark.parametrize("verb", [evaluate, record, watch])
def test_greedy_or_sampled_in_every_verb(verb):
    def sampled(*flags):
        return parse(verb.Config, ["runs/one", *(["--out", "x.gif"] if verb is record else []), *flags], "test").sampled

    assert not sampled() and not sampled("--deterministic") and not sampled("--no-sampled")
    assert sampled("--sampled") and sampled("--no-deterministic") and sampled("--no-deterministic", "--sampled")
    for odd in (["--deterministic", "--sampled"], ["--no-deterministic", "--no-sampled"]):
        with pytest.raises(OptionError, match="exclude each other"):
            sampled(*odd)


def test_a_short_evaluation_says_nothing_meanwhile(capsys):
    assert main(["evaluate", "Catch:random", "--episodes", "4"]) == 0
    assert capsys.readouterr().err == ""


def test_evaluations_tell_of_every_step():
    """In Ludus's games and in those of other libraries."""
    told = []
    player, sim = seats("Catch:random", None, 0, 3)
    evaluate_player(player, sim, tell=lambda *now: told.append(now))
    assert told == [(step, 0) for step in range(1, 9)]  # an episode has nine steps, and all ended with the ninth
    pole = PPO("MlpPolicy", "CartPole-v1", n_steps=32, batch_size=32, device="cpu")
    told.clear()
    found = evaluate_agent(pole, 3, tell=lambda *now: told.append(now))
    assert [steps for steps, _ in told] == sorted(steps for steps, _ in told)
    assert told[-1][1] >= 2 and told[-1][0] == found.lengths.max()
