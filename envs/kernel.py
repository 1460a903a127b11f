"""The engine's own loop: what happens to one game in one step, around the rules.

Written once, in the same plain Python as the rules, and compiled with them: `compile.link` puts a game's `reset`, `step`
and `observe` or `draw` in the place of the functions of that name below. It runs as it stands in plain Python too.

All buffers are arrays over games; `i` is a game's index:

    records (N,)         the game's record               raw (N, itemsize)   the same memory as bytes
    clocks (N,)          the engine's record, `CLOCK`    streams (N, 2)      random counters, uint64
    settings (1,)        `SETTINGS`                      levels (L,)         seeds of levels, int64
    backdrop (1, ...)    uint8, one picture: what pixels begin with
    mask (N,)            bool: which games to reset      actions (N,)        int64
    obs, final_obs (N, ...) frames of three axes, see below
    reward (N,)          float32                         terminated, truncated (N,) bool
    episode_return (N,)  float32 and episode_length (N,) int32: of the episode that ended in this step, else untouched
"""

import numpy as np

from .rng import ENGINE, GAME, SHIFT_11, TO_UNIT, level_stream, next_bits, scale

CLOCK = np.dtype([("total_reward", "f8"), ("elapsed", "i4"), ("last_action", "i2"), ("over", "?")], align=True)
SETTINGS = np.dtype(
    [
        ("repeat_action_probability", "f8"),
        ("max_episode_steps", "i8"),  # 0: no limit
        ("command", "i8"),  # STEP or RESET
        ("autoreset", "i8"),
        ("num_actions", "i8"),
        ("num_levels", "i8"),  # 0: every episode is new
        ("action_map", "(32,)i8"),  # the chosen action set -> the game's actions
    ],
    align=True,
)
STEP, RESET = 0, 1
DISABLED, SAME_STEP, NEXT_STEP = 0, 1, 2  # autoreset, in Gymnasium's terms
OVER = -(1 << 40)  # see find_fault
FRAME_STACK, CHANNELS = 1, 1  # replaced when linked, as are the next two and the functions below
HAS_BACKDROP = False
CANVAS = (1.0, 1.0)


def reset(s, random):
    """Replaced by the game's rule."""


def step(s, action, random):
    """Replaced by the game's rule."""
    return 0.0, False


def observe(s, planes):
    """Replaced by the game's rule."""


def draw(s, canvas):
    """Replaced by the game's rule."""


def draw_backdrop(canvas):
    """Replaced by the game's rule, if it has one."""


def see(s, frame, backdrop):
    """Replaced by one of the three below."""


def see_planes(s, frame, backdrop):
    """The game's grids; `frame` is (rows, columns, planes)."""
    frame[:] = 0
    observe(s, frame)


def see_features(s, frame, backdrop):
    """The game's numbers; `frame` is (1, 1, features)."""
    frame[:] = 0
    observe(s, frame[0, 0])


def see_pixels(s, frame, backdrop):
    """RGB or grayscale; `frame` is (1, rows, columns * channels), the pixels' channels side by side."""
    if HAS_BACKDROP:
        copy_backdrop(backdrop[0], frame[0])
    draw(s, (frame[0], CANVAS[0], CANVAS[1], CHANNELS, CHANNELS * FRAME_STACK))


def copy_backdrop(backdrop, lines):
    """To the newest frame of a stack, which `lines` begins with."""
    for row in range(backdrop.shape[0]):
        for column in range(backdrop.shape[1] // CHANNELS):
            for k in range(CHANNELS):
                lines[row, column * CHANNELS * FRAME_STACK + k] = backdrop[row, column * CHANNELS + k]


def look(s, frame, first_of_episode, backdrop):
    """Write the observation. In a stack of frames the newest comes last; an episode starts with copies of its first."""
    if FRAME_STACK == 1:
        see(s, frame, backdrop)
        return
    newest = CHANNELS * (FRAME_STACK - 1)
    if not first_of_episode:
        for a in range(frame.shape[0]):
            for b in range(frame.shape[1]):
                drop_oldest(frame[a, b], newest)
    see(s, frame[:, :, newest:], backdrop)
    if first_of_episode:
        for a in range(frame.shape[0]):
            for b in range(frame.shape[1]):
                repeat_newest(frame[a, b], newest)


def drop_oldest(line, newest):
    """Move the frames of a stack back by one, all along a line of pixels."""
    for start in range(0, line.size, newest + CHANNELS):
        for k in range(start, start + newest):
            line[k] = line[k + CHANNELS]


def repeat_newest(line, newest):
    """Fill the stack with its newest frame, all along a line of pixels."""
    for start in range(0, line.size, newest + CHANNELS):
        for k in range(newest):
            line[start + k] = line[start + newest + k % CHANNELS]


def copy_frame(source, target):
    """Copy one observation; a plain loop, since assigning slices would allocate."""
    for a in range(source.shape[0]):
        for b in range(source.shape[1]):
            for c in range(source.shape[2]):
                target[a, b, c] = source[a, b, c]


def begin_episode(i, records, raw, clocks, streams, settings, levels):
    """Start a new episode in game `i`."""
    clock, random = clocks[i], streams[i]
    clock.total_reward, clock.elapsed, clock.last_action, clock.over = 0.0, 0, 0, False
    num_levels = settings[0].num_levels
    if num_levels > 0:
        random[GAME] = level_stream(levels[scale(next_bits(random, ENGINE), num_levels)])
    raw[i, :] = 0
    reset(records[i], random)


def choose_action(action, clock, random, setting):
    """The game's action, after the chosen action set and sticky actions (Machado et al. 2018)."""
    chosen = setting.action_map[action]
    if setting.repeat_action_probability > 0.0:
        unit = np.float64(next_bits(random, ENGINE) >> SHIFT_11) * TO_UNIT
        if unit < setting.repeat_action_probability:
            chosen = np.int64(clock.last_action)
        clock.last_action = chosen
    return chosen


def step_game(
    i, records, raw, clocks, streams, settings, levels, backdrop, actions, obs, final_obs, reward, terminated, truncated,
    episode_return, episode_length,
):  # fmt: skip
    """Advance game `i` by one step, up to its observation; return 1 if its episode ended, else 0."""
    clock, setting = clocks[i], settings[0]
    action = choose_action(actions[i], clock, streams[i], setting)
    gain, dead = step(records[i], action, streams[i])
    clock.elapsed += 1
    clock.total_reward += gain
    late = not dead and clock.elapsed == setting.max_episode_steps
    reward[i], terminated[i], truncated[i] = gain, dead, late
    if not (dead or late):
        return 0
    clock.over = True
    episode_return[i], episode_length[i] = clock.total_reward, clock.elapsed
    if setting.autoreset == SAME_STEP:
        if FRAME_STACK > 1:  # the stack goes on from here
            copy_frame(obs[i], final_obs[i])
        look(records[i], final_obs[i], False, backdrop)
        begin_episode(i, records, raw, clocks, streams, settings, levels)
    return 1


def play_game(
    i, records, raw, clocks, streams, settings, levels, backdrop, mask, actions, obs, final_obs, reward, terminated,
    truncated, episode_return, episode_length,
):  # fmt: skip
    """Reset or step game `i`, as the settings command, and observe it; return 1 if an episode ended, else 0."""
    setting, ended = settings[0], 0
    if setting.command == RESET and not mask[i]:
        return 0
    starts = setting.command == RESET or (clocks[i].over and setting.autoreset == NEXT_STEP)
    if starts:
        begin_episode(i, records, raw, clocks, streams, settings, levels)
        reward[i], terminated[i], truncated[i] = 0.0, False, False
    else:
        ended = step_game(
            i, records, raw, clocks, streams, settings, levels, backdrop, actions, obs, final_obs, reward, terminated,
            truncated, episode_return, episode_length,
        )  # fmt: skip
        starts = ended == 1 and setting.autoreset == SAME_STEP
    look(records[i], obs[i], starts, backdrop)
    return ended


def find_fault(actions, clocks, settings):
    """The first game whose action is out of range (-1 - index) or whose episode is over (OVER - index); 0 if none."""
    num_actions, autoreset = settings[0].num_actions, settings[0].autoreset
    wrong = False
    for i in range(actions.shape[0]):  # without a way out, so that it runs on vectors
        wrong |= (actions[i] < 0) | (actions[i] >= num_actions)
    if wrong:
        for i in range(actions.shape[0]):
            if actions[i] < 0 or actions[i] >= num_actions:
                return -1 - i
    if autoreset == DISABLED:
        for i in range(actions.shape[0]):
            if clocks[i].over:
                return OVER - i
    return 0


# What the CPU backends call: a range of games on one core. `compile_cuda` gives each game a thread instead.


def play_games(
    records, raw, clocks, streams, settings, levels, backdrop, mask, actions, obs, final_obs, reward, terminated,
    truncated, episode_return, episode_length, first, last,
):  # fmt: skip
    """Play games first .. last-1; return how many episodes ended, or `find_fault`'s number with nothing changed.

    Looking for faults belongs to whoever plays all games. Threads that share them play after a call for none of them,
    which only looks: while one thread plays, another could not tell a game that is over from one that was.
    """
    if settings[0].command == STEP and (first == last or last - first == actions.shape[0]):
        fault = find_fault(actions, clocks, settings)
        if fault < 0:
            return fault
    ended = 0
    for i in range(first, last):
        ended += play_game(
            i, records, raw, clocks, streams, settings, levels, backdrop, mask, actions, obs, final_obs, reward,
            terminated, truncated, episode_return, episode_length,
        )  # fmt: skip
    return ended


def draw_games(records, pictures, first, last):
    """Draw games in RGB into `pictures`, (N, rows, columns * 3)."""
    for i in range(first, last):
        canvas = (pictures[i], CANVAS[0], CANVAS[1], 3, 3)
        draw_backdrop(canvas)
        draw(records[i], canvas)
    return 0


def draw_backdrops(backdrop, first, last):
    """Draw what pixels begin with, once for all games."""
    for k in range(first, last):
        draw_backdrop((backdrop[k], CANVAS[0], CANVAS[1], CHANNELS, CHANNELS))
    return 0
