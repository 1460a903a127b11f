"""How MinAtar's Freeway reads as ours.

Random play crosses the road hardly ever, so that its returns say little: whole episodes, cut to 100 steps out of 2501,
are compared by the row that the chicken ends in as well.
"""

import numpy as np

GAME, REFERENCE, EPISODE_STEPS = "Freeway", "freeway", 100


def record_of(env, record):
    record["row"], record["wait"], record["time_left"] = env.pos, env.move_timer, env.terminate_timer
    cols, rows, waits, speeds = np.array(env.cars).T
    assert rows.tolist() == [1, 2, 3, 4, 5, 6, 7, 8]
    record["car_col"], record["car_wait"] = cols, waits
    record["pause"], record["heading"] = np.abs(speeds), np.sign(speeds)


def translate(draws):
    """The reference draws all speeds and then all directions, ours car by car."""
    return [draw for pair in zip(draws[:8], draws[8:], strict=True) for draw in pair]


def sensible(env):
    return env.action_map.index("u")


def spawned(before, after):
    """Speed and direction of every car, in which lane."""
    return started(after)


def started(records):
    return (np.arange(8) * 100 + records["pause"] * records["heading"]).ravel()


def final(records):
    return records["row"]
