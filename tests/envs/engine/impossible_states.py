"""Games that go on from records of any numbers, in memory that shows what is written beside it; see `test_trust`.

A script, since what it looks for ends a process: `python impossible_states.py [--kernels] TRIALS [GAME ...]` prints how
many states were refused, stopped or played on, for each game as JSON.
"""

import argparse
import json

import numpy as np

from ludus.envs import Bot, LudusError, OptionError, Simulator, all_games
from ludus.envs.engine import backends, layout

PAD, MARK = 100_000, 0xA5  # bytes around each buffer
KINDS = ("bytes", "whole fields", "some fields", "small numbers")
allocate = layout.allocate
guards = []  # marked memory around the buffers of the latest simulator


def guarded(plan):
    """The buffers of a simulator, each with marked memory on both sides."""
    arrays = allocate(plan)
    guards.clear()
    for name, array in arrays.items():
        if name != "records":
            memory = np.full(array.nbytes + 2 * PAD, MARK, np.uint8)
            inner = memory[PAD : PAD + array.nbytes]
            inner[:] = array.reshape(-1).view(np.uint8)
            arrays[name] = inner.view(array.dtype).reshape(array.shape)
            guards.extend([memory[:PAD], memory[PAD + array.nbytes :]])
    arrays["records"] = arrays["raw"].reshape(-1).view(plan.game.State)
    return arrays


def impossible(records, game, kind, rng):
    """Records like these, with other numbers in them."""
    if kind == "bytes":
        return np.frombuffer(rng.bytes(records.nbytes), records.dtype)
    records = records.copy()
    for name in records.dtype.names:
        field, base = records[name], records.dtype[name].base
        if kind == "some fields" and rng.random() < 0.7:
            continue
        if base == np.bool_ or (game.players > 1 and name in ("player", "active")):
            records[name] = rng.integers(0, 2, field.shape)
        elif base.kind == "f":
            records[name] = rng.normal(size=field.shape) * 10.0 ** rng.integers(-3, 300)
        else:
            limits = np.iinfo(base)
            any_number = rng.integers(limits.min, limits.max, field.shape, base.newbyteorder("="), endpoint=True)
            small = rng.integers(-3, 30, field.shape)
            records[name] = np.where((rng.random(field.shape) < 0.5) & (kind != "small numbers"), any_number, small)
    return records


def play_on(game, trials, kernels, seed):
    """How often a state was refused, stopped and played."""
    rng, sim = np.random.default_rng(seed), Simulator(game, 8, seed=seed, num_threads=1)
    found = {"refused": 0, "stopped": 0, "played": 0}
    sim.reset()
    bot = Bot(sim, "random", seed)
    other = Bot(sim) if kernels and game.heuristic else bot
    for trial in range(trials):
        sim.reset()
        for _ in range(rng.integers(20)):
            sim.step(bot.act())
        state = sim.state_dict()
        state["records"] = impossible(state["records"], game, KINDS[trial % len(KINDS)], rng)
        try:
            sim.load_state_dict(state)
            for step in range(20):
                if kernels:
                    sim.frame(step % 8, 64), sim.view(0, step % 8), other.act()
                sim.step(bot.act())
            found["played"] += 1
        except OptionError:
            found["refused"] += 1
        except LudusError:
            found["stopped"] += 1
        assert all((guard == MARK).all() for guard in guards), f"{game.name} wrote outside its buffers"
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--kernels", action="store_true", help="also draw, look and advise")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("trials", type=int)
    parser.add_argument("games", nargs="*")
    arguments = parser.parse_args()
    backends.allocate = guarded
    games = all_games()
    for name in arguments.games or games:
        found = play_on(games[name], arguments.trials, arguments.kernels, arguments.seed)
        print(json.dumps({name: found}), flush=True)
