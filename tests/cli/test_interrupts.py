"""Ctrl-C and its kin: once, several times, and where Python or a library would drop it."""

import os
import signal
import subprocess
import sys
import time

import pytest

from ludus.__main__ import main
from ludus.agents import load_agent
from ludus.cli.interrupts import ENDING, ended_like_ctrl_c, no_interrupt_lost

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")


class Unheard:
    """Raises where Python can only drop it."""

    def __del__(self):
        raise KeyboardInterrupt


def test_an_interrupt_that_python_drops_comes_again():
    heard = False
    with no_interrupt_lost(last=False):
        try:
            del [Unheard()][0]
            for _ in range(1000):
                time.sleep(0.001)
        except KeyboardInterrupt:
            heard = True
    assert heard


def test_signals_and_hooks_are_afterwards_as_they_were(capsys):
    before = sys.unraisablehook, [signal.getsignal(number) for number in ENDING]
    assert main(["--version"]) == 0
    assert (sys.unraisablehook, [signal.getsignal(number) for number in ENDING]) == before


def test_an_interrupt_while_libraries_are_imported_ends_quietly():
    """Also one that comes in the middle of a call from C, and that nobody may catch."""
    code = """if True:
        import os, signal
        from ludus.cli.interrupts import leaving_at_once
        with leaving_at_once():
            try:
                sorted([1, 2], key=lambda _: os.kill(os.getpid(), signal.SIGINT))
            except BaseException as error:
                print(error)
    """
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (result.returncode, result.stdout, result.stderr) == (130, "", "")


def test_a_training_that_gets_many_signals_is_saved_and_ends_as_after_one(tmp_path):
    command = [
        "train",
        "Catch",
        "--no-recipe",
        "--num-envs",
        "64",
        "--total-timesteps",
        "1000000000",
        "--out",
        str(tmp_path / "run"),
    ]
    process = subprocess.Popen(
        [sys.executable, "-u", "-m", "ludus", *command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert "training PPO" in process.stdout.readline()
    time.sleep(1)
    while process.poll() is None:  # up to its very end
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGTERM)
        time.sleep(0.01)
    output, errors = process.communicate()
    assert (process.returncode, errors) == (0, "") and "interrupted" in output
    assert load_agent(tmp_path / "run").num_timesteps > 0


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_other_endings_are_like_ctrl_c_where_that_is_asked(name):
    number, was = getattr(signal, name), signal.getsignal(getattr(signal, name))
    signal.signal(number, signal.SIG_DFL)
    try:
        with pytest.raises(KeyboardInterrupt), ended_like_ctrl_c():
            signal.raise_signal(number)
        assert signal.getsignal(number) == signal.SIG_DFL
        signal.signal(number, signal.SIG_IGN)
        with ended_like_ctrl_c():
            signal.raise_signal(number)  # as under nohup
    finally:
        signal.signal(number, was)
