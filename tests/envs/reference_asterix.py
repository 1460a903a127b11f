"""How MinAtar's Asterix reads as ours."""

import numpy as np

GAME, REFERENCE = "Asterix", "asterix"


def record_of(env, record):
    record["row"], record["col"] = env.player_y, env.player_x
    for i, entity in enumerate(env.entities):
        if entity is not None:
            col, row, to_right, is_gold = entity
            assert row == i + 1
            record["thing"][i], record["thing_col"][i], record["heading"][i] = 1 + is_gold, col, 1 if to_right else -1
    record["arrival_pause"], record["arrival_wait"] = env.spawn_speed, env.spawn_timer
    record["move_pause"], record["move_wait"] = env.move_speed, env.move_timer
    record["level"], record["level_wait"] = env.ramp_index, env.ramp_timer


def spawned(before, after):
    """The row, kind and direction of what came in, or -1 if it was caught in the same step or no row was free."""
    new = (before["thing"] == 0) & (after["thing"] != 0)
    rows = new.argmax(axis=1)
    every = np.arange(len(before))
    labels = rows * 4 + after["thing"][every, rows] * 2 + (after["heading"][every, rows] > 0)
    return np.where(new.any(axis=1), labels, -1)
