"""Small settings for every algorithm, from its config, so that one that is added needs none of its own in the tests."""

from ludus.agents import ALGORITHMS
from ludus.agents.files.config import CONFIGS, arguments_of

NAMES = {path.rpartition(".")[2]: name for name, path in ALGORITHMS.items()}  # "ppo" by "PPO", its class
SIZES = {"n_steps": 16, "batch_size": 32, "n_epochs": 1, "buffer_size": 1000, "learning_starts": 8, "train_freq": 1}


def small(algorithm, **sizes):
    """Arguments for a training of a few steps: of `SIZES` and `sizes`, those that are options of the algorithm and smaller
    than their defaults. The algorithm is given by its name or by its class's."""
    options = arguments_of(CONFIGS[NAMES.get(algorithm, algorithm)])
    asked = {**SIZES, **sizes}
    return {name: size for name, size in asked.items() if name in options and size < options[name].default}
