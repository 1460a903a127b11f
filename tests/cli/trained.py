"""Short trainings for verbs that look at runs."""

from contextlib import redirect_stdout
from io import StringIO

from ludus.__main__ import main

TINY = ["--num-envs", "16", "--n-steps", "16", "--batch-size", "64", "--total-timesteps", "1024", "--device", "cpu"]


def train(out, game="Catch", *flags):
    """An agent of a thousand steps in a folder."""
    with redirect_stdout(StringIO()):
        assert main(["train", game, "--out", str(out), "--no-tensorboard", *TINY, *flags]) == 0
    return str(out)
