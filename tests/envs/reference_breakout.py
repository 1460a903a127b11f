"""How MinAtar's Breakout reads as ours."""

GAME, REFERENCE = "Breakout", "breakout"
DIRECTIONS = ((-1, -1), (-1, 1), (1, 1), (1, -1))  # rows and columns a step, in the order of the reference's numbers


def record_of(env, record):
    record["ball_row"], record["ball_col"] = env.ball_y, env.ball_x
    record["last_row"], record["last_col"] = env.last_y, env.last_x
    record["down"], record["right"] = DIRECTIONS[env.ball_dir]
    record["paddle"], record["inside_brick"] = env.pos, env.strike
    record["bricks"], record["bricks_left"] = env.brick_map, env.brick_map.sum()


def sensible(env):
    """Follow the ball, so that all bricks are broken at some time."""
    if env.ball_x == env.pos:
        return 0
    return 1 if env.ball_x < env.pos else 3


def started(records):
    return records["ball_col"]
