"""The engine's own loop: what happens to one game in one step, around the rules.

Written once, in the same plain Python as the rules, and compiled with them: `compile.link` puts a game's `reset`, `step`
and `observe` or `draw` in the place of the functions of that name in `placeholders`.

A game has `PLAYERS`, of whom `SEATS` act in one step: the only one, the one whose turn it is, or all at once. All buffers
are arrays over games, over seats or over players; `i` is a game's index, its seats are `i * SEATS` and those that follow:

    records (N,)         the game's record               raw (N, itemsize)   the same memory as bytes
    clocks (N,)          the engine's record, `CLOCK`    streams (N, 2)      random counters, uint64
    totals (N * PLAYERS,) float64: the sum of rewards since the episode began
    settings (1,)        `SETTINGS`                      levels (L,)         seeds of levels, int64
    backdrop (1, ...)    uint8, one picture: what pixels begin with
    mask (N,)            bool: which games to reset      actions (N * SEATS,) int64
    obs, final_obs (N * SEATS, ...) frames of three axes, see below
    legal (N, A)         bool: the actions allowed next; (N, 1) and untouched where all are
    final_legal (N, A)   the same of `final_obs`
    reward (N * PLAYERS,) float32                        terminated, truncated (N,) bool
    episode_return (N * PLAYERS,) float32 and episode_length (N,) int32: of the episode that ended in this step, else
                         untouched
"""

import numpy as np

from ..game import MOST_ACTIONS
from ..rng import ENGINE, GAME, level_stream, next_bits, scale
from .placeholders import (
    CANVAS,
    CHANNELS,
    FRAME_STACK,
    HAS_BACKDROP,
    HAS_LEGAL,
    PLAYERS,
    SEATS,
    act,
    advise,
    click,
    draw_backdrop,
    legal_actions,
    paint,
    reset,
    see,
    show,
    take_seats,
    viewer,
)

CLOCK = np.dtype([("elapsed", "i4"), ("last_action", "i2"), ("over", "?")], align=True)
SETTINGS = np.dtype(
    [
        ("repeat_action_probability", "f8"),
        ("max_episode_steps", "i8"),  # 0: no limit
        ("command", "i8"),  # STEP or RESET
        ("autoreset", "i8"),
        ("num_actions", "i8"),
        ("num_levels", "i8"),  # 0: every episode is new
        ("action_map", f"({MOST_ACTIONS},)i8"),  # the chosen action set -> the game's actions
    ],
    align=True,
)
STEP, RESET = 0, 1
DISABLED, SAME_STEP, NEXT_STEP = 0, 1, 2  # autoreset, in Gymnasium's terms
WRONG, OVER, ILLEGAL = 1, 2, 3  # faults: an action out of range, a step after the end, a move that the rules forbid
FAULT = 1 << 40  # see find_fault
SPECTATOR = -1  # who sees a picture if no player does


# Observations: `placeholders.see` is replaced by one of the first three


def see_planes(s, player, frame, backdrop):
    """The game's grids; `frame` is (rows, columns, planes)."""
    frame[:] = 0
    show(s, player, frame)


def see_features(s, player, frame, backdrop):
    """The game's numbers; `frame` is (1, 1, features)."""
    frame[:] = 0
    show(s, player, frame[0, 0])


def see_pixels(s, player, frame, backdrop):
    """RGB or grayscale; `frame` is (1, rows, columns * channels), the pixels' channels side by side."""
    if HAS_BACKDROP:
        copy_backdrop(backdrop[0], frame[0])
    paint(s, player, (frame[0], CANVAS[0], CANVAS[1], CHANNELS, CHANNELS * FRAME_STACK))


def copy_backdrop(backdrop, lines):
    """To the newest frame of a stack, which `lines` begins with."""
    for row in range(backdrop.shape[0]):
        for column in range(backdrop.shape[1] // CHANNELS):
            for k in range(CHANNELS):
                lines[row, column * CHANNELS * FRAME_STACK + k] = backdrop[row, column * CHANNELS + k]


def look(i, s, obs, first_of_episode, backdrop):
    """Write what is seen from each seat."""
    for seat in range(SEATS):
        look_from(s, viewer(s, seat), obs[i * SEATS + seat], first_of_episode, backdrop)


def look_from(s, player, frame, first_of_episode, backdrop):
    """Write an observation. In a stack of frames the newest comes last; an episode starts with copies of its first."""
    if FRAME_STACK == 1:
        see(s, player, frame, backdrop)
        return
    newest = CHANNELS * (FRAME_STACK - 1)
    if not first_of_episode:
        for a in range(frame.shape[0]):
            for b in range(frame.shape[1]):
                drop_oldest(frame[a, b], newest)
    see(s, player, frame[:, :, newest:], backdrop)
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


def show_legal(i, s, legal):
    """Write which actions are allowed next."""
    if HAS_LEGAL:
        for action in range(legal.shape[1]):
            legal[i, action] = False
        legal_actions(s, legal[i])


def begin_episode(i, records, raw, clocks, streams, totals, settings, levels):
    """Start a new episode in game `i`."""
    clock, random = clocks[i], streams[i]
    clock.elapsed, clock.last_action, clock.over = 0, 0, False
    for k in range(i * PLAYERS, (i + 1) * PLAYERS):
        totals[k] = 0.0
    num_levels = settings[0].num_levels
    if num_levels > 0:
        random[GAME] = level_stream(levels[scale(next_bits(random, ENGINE), num_levels)])
    raw[i, :] = 0
    take_seats(records[i])
    reset(records[i], random)


def step_game(
    i, records, raw, clocks, streams, totals, settings, levels, backdrop, actions, obs, final_obs, final_legal,
    reward, terminated, truncated, episode_return, episode_length,
):  # fmt: skip
    """Advance game `i` by one step, up to its observation; return 1 if its episode ended, else 0."""
    clock, setting = clocks[i], settings[0]
    dead = act(i, records[i], actions, reward, clock, setting, streams[i])
    if not (dead == 0 or dead == 1):
        raise ValueError("terminated is no bool")
    clock.elapsed += 1
    for k in range(i * PLAYERS, (i + 1) * PLAYERS):
        totals[k] += reward[k]
    late = not dead and clock.elapsed == setting.max_episode_steps
    terminated[i], truncated[i] = dead, late
    if not (dead or late):
        return 0
    clock.over = True
    episode_length[i] = clock.elapsed
    for k in range(i * PLAYERS, (i + 1) * PLAYERS):
        episode_return[k] = totals[k]
    if setting.autoreset == SAME_STEP:
        if FRAME_STACK > 1:  # the stack goes on from here
            for seat in range(i * SEATS, (i + 1) * SEATS):
                copy_frame(obs[seat], final_obs[seat])
        look(i, records[i], final_obs, False, backdrop)
        show_legal(i, records[i], final_legal)
        begin_episode(i, records, raw, clocks, streams, totals, settings, levels)
    return 1


def play_game(
    i, records, raw, clocks, streams, totals, settings, levels, backdrop, mask, actions, obs, final_obs, legal,
    final_legal, reward, terminated, truncated, episode_return, episode_length,
):  # fmt: skip
    """Reset or step game `i`, as the settings command, and observe it; return 1 if an episode ended, else 0."""
    setting, ended = settings[0], 0
    if setting.command == RESET and not mask[i]:
        return 0
    starts = setting.command == RESET or (clocks[i].over and setting.autoreset == NEXT_STEP)
    if starts:
        begin_episode(i, records, raw, clocks, streams, totals, settings, levels)
        for k in range(i * PLAYERS, (i + 1) * PLAYERS):
            reward[k] = 0.0
        terminated[i], truncated[i] = False, False
    else:
        ended = step_game(
            i, records, raw, clocks, streams, totals, settings, levels, backdrop, actions, obs, final_obs,
            final_legal, reward, terminated, truncated, episode_return, episode_length,
        )  # fmt: skip
        starts = ended == 1 and setting.autoreset == SAME_STEP
    look(i, records[i], obs, starts, backdrop)
    show_legal(i, records[i], legal)
    return ended


def fault_of(i, clocks, settings, actions, legal):
    """What is wrong with the step that game `i` is asked to take: 0 if nothing, else WRONG, OVER or ILLEGAL."""
    setting = settings[0]
    for seat in range(i * SEATS, (i + 1) * SEATS):
        if actions[seat] < 0 or actions[seat] >= setting.num_actions:
            return WRONG
    if clocks[i].over:  # the next step only resets, if it may
        return OVER if setting.autoreset == DISABLED else 0
    if HAS_LEGAL and PLAYERS > 1 and not legal[i, actions[i]]:  # a game for one has to take any action
        return ILLEGAL
    return 0


def find_fault(clocks, streams, settings, actions, legal):
    """The first game with a fault, as -1 - index - FAULT * fault; 0 if there is none."""
    num_actions, wrong = settings[0].num_actions, False
    for k in range(actions.shape[0]):  # without a way out, so that it runs on vectors
        wrong |= (actions[k] < 0) | (actions[k] >= num_actions)
    if wrong or settings[0].autoreset == DISABLED or (HAS_LEGAL and PLAYERS > 1):
        for i in range(streams.shape[0]):
            fault = fault_of(i, clocks, settings, actions, legal)
            if fault > 0:
                return -1 - i - FAULT * fault
    return 0


# What the CPU backends call: a range of games on one core. `compile_cuda` gives each game a thread instead.


def play_games(
    records, raw, clocks, streams, totals, settings, levels, backdrop, mask, actions, obs, final_obs, legal,
    final_legal, reward, terminated, truncated, episode_return, episode_length, first, last,
):  # fmt: skip
    """Play games first .. last-1; return how many episodes ended, or `find_fault`'s number with nothing changed.

    Looking for faults belongs to whoever plays all games. Threads that share them play after a call for none of them,
    which only looks: while one thread plays, another could not tell a game that is over from one that was.
    """
    if settings[0].command == STEP and (first == last or last - first == streams.shape[0]):
        fault = find_fault(clocks, streams, settings, actions, legal)
        if fault < 0:
            return fault
    ended = 0
    for i in range(first, last):
        ended += play_game(
            i, records, raw, clocks, streams, totals, settings, levels, backdrop, mask, actions, obs, final_obs,
            legal, final_legal, reward, terminated, truncated, episode_return, episode_length,
        )  # fmt: skip
    return ended


def advise_games(records, streams, actions, first, last):
    """Write what the game's simple player would do in games first .. last-1, `actions` (N, SEATS)."""
    for i in range(first, last):
        for seat in range(SEATS):
            actions[i, seat] = advise(records[i], viewer(records[i], seat), streams[i])
    return 0


def pick_games(legal, streams, actions, num_actions, first, last):
    """Write any of the allowed actions, each as likely, in games first .. last-1; `num_actions` (1,), see `play_games`."""
    for i in range(first, last):
        for seat in range(SEATS):
            actions[i, seat] = pick(legal[i], streams[i], num_actions[0])
    return 0


def pick(allowed, random, num_actions):
    """An action out of those allowed, or 0 if none is, as after the end of an episode."""
    if not HAS_LEGAL:
        return scale(next_bits(random, GAME), num_actions)
    count = 0
    for action in range(allowed.shape[0]):
        count += allowed[action]
    if count == 0:
        return 0
    left = scale(next_bits(random, GAME), count)
    for action in range(allowed.shape[0]):
        left -= allowed[action]
        if left < 0:
            return action
    return 0


def click_games(records, places, actions, first, last):
    """Write the actions (N,) that clicks at `places` (N, 2), x and y on the canvas, stand for; -1: none."""
    for i in range(first, last):
        actions[i] = click(records[i], places[i, 0], places[i, 1])
    return 0


def draw_games(records, viewers, pictures, first, last):
    """Draw games in RGB into `pictures`, (N, rows, columns * 3), as the players `viewers` (N,) int64 see them."""
    for i in range(first, last):
        canvas = (pictures[i], CANVAS[0], CANVAS[1], 3, 3)
        draw_backdrop(canvas)
        paint(records[i], viewers[i], canvas)
    return 0


def view_games(records, viewers, backdrop, views, first, last):
    """Write what the players `viewers` (N,) int64 see, whoever's turn it is, into `views`, which is like `obs`."""
    for i in range(first, last):
        look_from(records[i], viewers[i], views[i], True, backdrop)
    return 0


def draw_backdrops(backdrop, first, last):
    """Draw what pixels begin with, once for all games."""
    for k in range(first, last):
        draw_backdrop((backdrop[k], CANVAS[0], CANVAS[1], CHANNELS, CHANNELS))
    return 0
