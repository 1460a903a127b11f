"""How MinAtar's Space Invaders reads as ours."""

import numpy as np

GAME, REFERENCE = "SpaceInvaders", "space_invaders"


def record_of(env, record):
    record["cannon"], record["reload"] = env.pos, env.shot_timer
    shots = np.argwhere(env.f_bullet_map)  # from the top
    record["shots"] = len(shots)
    record["shot_row"][: len(shots)], record["shot_col"][: len(shots)] = shots.T
    bolts = np.argwhere(env.e_bullet_map).tolist()
    assert len(bolts) <= 1
    record["bolt_row"], record["bolt_col"] = bolts[0] if bolts else (-1, 0)
    record["bolt_wait"] = env.alien_shot_timer
    record["aliens"] = env.alien_map @ (1 << np.arange(10))
    record["aliens_left"] = env.alien_map.sum()
    record["heading"] = env.alien_dir
    record["march_pause"], record["march_wait"] = env.enemy_move_interval, env.alien_move_timer


def sensible(env):
    """Fire when loaded, get out of the way of bolts, go under the nearest column of aliens, wait for the last ones."""
    if env.shot_timer == 0:
        return 5
    if env.e_bullet_map[5:, env.pos].any():
        return 1 if env.pos > 4 else 3
    columns = np.flatnonzero(env.alien_map.any(axis=0))
    target = columns[np.abs(columns - env.pos).argmin()]
    if target == env.pos or env.alien_map.sum() < 5:
        return 0
    return 1 if target < env.pos else 3
