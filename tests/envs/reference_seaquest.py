"""How MinAtar's Seaquest reads as ours."""

import numpy as np

GAME, REFERENCE = "Seaquest", "seaquest"
BULLET, TORPEDO, FISH, SUB, DIVER = range(5)


def record_of(env, record):
    record["player_col"], record["player_row"], record["player_heading"] = env.sub_x, env.sub_y, sign(env.sub_or)
    record["player_reload"], record["surfaced"], record["oxygen"] = env.shot_timer, env.surface, env.oxygen
    record["divers_aboard"], record["level"] = env.diver_count, env.ramp_index
    assert env.e_spawn_speed == 20 - env.ramp_index
    assert env.move_speed == max(5 - env.ramp_index // 2, 2)
    record["enemy_wait"], record["diver_wait"] = env.e_spawn_timer, env.d_spawn_timer
    for kind, things in enumerate((env.f_bullets, env.e_bullets, env.e_fish, env.e_subs, env.divers)):
        record["count"][kind] = len(things)
        for i, (col, row, to_right, *waits) in enumerate(things):
            place = kind, i
            record["col"][place], record["row"][place], record["heading"][place] = col, row, sign(to_right)
            if waits:
                record["wait"][place], record["reload"][place] = waits[0], waits[-1] if kind == SUB else 0


def sign(to_right):
    return 1 if to_right else -1


def sensible(env):
    """Bring up six divers, or fewer when the air gets short, and shoot at enemies in the same row.

    With less than none aboard, come up again and again to get to the highest level.
    """
    noop, left, up, right, down, fire = range(6)
    short_of_air = env.diver_count > 0 and env.oxygen < 25
    if env.diver_count == 6 or short_of_air or (env.diver_count < 0 and env.ramp_index < 19):
        return up if env.sub_y > 0 else down
    ahead = [x for x, y, *_ in env.e_fish + env.e_subs if y == env.sub_y and (x > env.sub_x) == env.sub_or]
    if ahead and env.shot_timer == 0:
        return fire
    if env.sub_y == 0:
        return down
    if not env.divers:
        return noop
    x, y, *_ = min(env.divers, key=lambda diver: abs(diver[0] - env.sub_x) + abs(diver[1] - env.sub_y))
    if y != env.sub_y:
        return down if y > env.sub_y else up if env.sub_y > 1 else noop
    return left if x < env.sub_x else right


def spawned(before, after):
    """Kind, row and direction of the enemy and the diver that came in, as far as they are still there."""
    every, labels = np.arange(len(before)), np.zeros(len(before), np.int64)
    enemy_rest = np.maximum(5 - before["level"] // 2, 2)
    for kind, rest in ((FISH, enemy_rest), (SUB, enemy_rest), (DIVER, 5)):
        newest = every, kind, np.maximum(after["count"][:, kind] - 1, 0)
        heading, at_edge = after["heading"][newest], np.where(after["heading"][newest] > 0, 0, 9)
        came = (heading != 0) & (after["col"][newest] == at_edge) & (after["wait"][newest] == rest - 1)
        labels = labels * 20 + np.where(came, after["row"][newest] * 2 + (heading > 0), 0)
    return labels
